"""All rules of a ledger, and the one answer that comes of several violations."""

from collections.abc import Iterator
from typing import Final

from indexer.devnet.ledger import phase2
from indexer.devnet.ledger.refusal import Refusal, Refused
from indexer.devnet.ledger.rules_context import contexts
from indexer.devnet.ledger.rules_ledger import accounts_and_size, unmodelled
from indexer.devnet.ledger.rules_scripts import datums, integrity, native, redeemers, scripts, well_formed
from indexer.devnet.ledger.rules_utxo import utxo
from indexer.devnet.ledger.rules_witnesses import auxiliary_data, signatures
from indexer.devnet.ledger.sentences import refusal
from indexer.devnet.ledger.setting import Setting

ALL_SPENT: Final = "All inputs are spent. Transaction has probably already been included"

# Which of several violations is told: the lowest rank (Ogmios: `predicateFailurePriority`).
_RANKS: Final = (
    (3164,),
    (3139, 3997, 3998),
    (3121, 3124, 3118, 3126, 3145, 3146, 3120),
    (3166,),
    (3117, 3114, 3129),
    (3113,),
    (3108,),
    (3105, 3106),
    (3107,),
    (3116, 3100, 3101, 3115),
    (3109, 3111, 3102),
    (3004,),
    (3103,),
    (3104, 3110, 3112),
    (3133, 3132, 3131),
    (3141, 3147, 3150),
    (3135, 3158),
    (3128, 3125),
    (3134, 3119),
    (3122,),
    (3123, 3136),
)
RANK: Final = {code: rank for rank, codes in enumerate(_RANKS) for code in codes}


def judge(setting: Setting) -> None:
    """Raises Refused with what a node's mempool would say, through Ogmios.

    A transaction none of whose inputs is there is taken for one that came before, and nothing else is said of it, as
    in the ledger's rule MEMPOOL. Scripts of phase 2 are run only where phase 1 has nothing to say.
    """
    if not setting.spent:
        raise Refused(refusal(3997, {"error": ALL_SPENT}))
    found = list(violations(setting))
    if found:
        raise Refused(min(found, key=lambda violation: RANK[violation.code]))
    phase2.judge(setting)


def violations(setting: Setting) -> Iterator[Refusal]:
    """Everything that phase 1 has to say, in the order in which the ledger says it: among equals the first is told.

    The ledger's rules call one another, and each call turns the order of what it found around: what UTXO found comes
    in its order, what UTXOW found before that, last first.
    """
    yield from unmodelled(setting)
    yield from accounts_and_size(setting)
    yield from utxo(setting)
    yield from contexts(setting)
    yield from integrity(setting)
    yield from well_formed(setting)
    yield from auxiliary_data(setting)
    yield from signatures(setting)
    yield from redeemers(setting)
    yield from datums(setting)
    yield from scripts(setting)
    yield from native(setting)

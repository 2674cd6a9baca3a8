"""Of several violations one is told, and which is settled: by Ogmios' rank, then by the ledger's order."""

from dataclasses import replace

import pytest

from indexer.devnet.ledger.judge import RANK
from tests.contract.parts import ledger_set
from tests.support.spending import INTEGRITY, KEYS, NETWORK, NOW, REQUIRED_SIGNERS, UPPER, Spending, coin, paid
from tests.unit.devnet.ledger.spendings import ANN, BOB, GOLD, codes, minting, plain, refused, spending_script


def poor(spending: Spending) -> Spending:
    """With a fee of nothing."""
    return replace(spending, fee=0)


@pytest.mark.parametrize(
    ("spending", "told"),
    [
        (poor(replace(plain(), references=(coin(ANN),))).with_body({UPPER: NOW}), 3164),
        (poor(plain()).with_body({UPPER: NOW}), 3118),
        (poor(plain()).with_body({NETWORK: 1, REQUIRED_SIGNERS: ledger_set([BOB.hash])}), 3124),
        (poor(spending_script()).with_body({INTEGRITY: bytes(32), REQUIRED_SIGNERS: ledger_set([BOB.hash])}), 3113),
        (poor(replace(spending_script(), redeemers={})), 3113),
        (poor(replace(minting(), unsigned=(ANN,))), 3101),
        (poor(replace(minting(), unsigned=(BOB,))), 3103),
        (poor(replace(minting(), mint={})), 3104),
        (poor(replace(plain(), outputs=(paid(BOB.address, 1),))), 3125),
        (poor(replace(plain(), more=5)), 3122),
    ],
)
def test_the_lowest_rank_is_told(spending: Spending, told: int) -> None:
    """Among several, and never one that is not there."""
    found = codes(spending)
    assert told in found
    assert len(found) > 1
    assert told == refused(spending).code


def test_among_equals_the_first_is_told() -> None:
    """Inputs and outputs of another network, and the interval: rank 2, and the interval is asked first."""
    spending = plain().with_body({UPPER: NOW, NETWORK: 1})
    assert codes(spending) == [3118, 3124]
    assert refused(spending).code == 3118


def test_ranks_are_those_of_ogmios() -> None:
    """As in its `predicateFailurePriority` (v7.0.0), those that the devnet has."""
    ranks = {0: 3164, 2: 3118, 4: 3117, 5: 3113, 9: 3101, 10: 3102, 11: 3004, 12: 3103, 14: 3131, 17: 3128, 20: 3123}
    assert list(ranks) == [RANK[code] for code in ranks.values()]


def test_tokens_minted_without_leave_are_told_before_the_balance() -> None:
    """What a thief would try: no signature, and gold that nobody pays for."""
    stolen = replace(minting(), unsigned=(BOB,)).with_witnesses({KEYS: None})
    assert refused(stolen).code == 3101
    assert GOLD in stolen.mint

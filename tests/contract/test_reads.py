"""The product's codec and the compiled script read the same datums, and nothing else.

The script shows what it reads through Reclaim of a UTxO without state token, and through Withdraw: either asks only
that the datum decodes in full, and that whom it names signs.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Final

import pytest

from indexer.errors import MalformedDatum
from indexer.plutus.datum import MILESTONE_DATUM, Attestation, Distribution, MilestoneDatum
from tests.contract.case import Case
from tests.contract.evaluate import Passed, ScriptFailed, evaluate
from tests.contract.healthy import FUNDER, REFUND, STATE, reclaim, sample, withdraw
from tests.contract.jiggle import jiggled
from tests.contract.mutate import with_resolved
from tests.contract.tree import decode, encode
from tests.support import plutus

DATUMS: Final = 700
STRAY: Final = reclaim(sample(), stray=True)
DEPOSIT: Final = withdraw()


def script_agrees(case: Case, datum: bytes) -> bool:
    """Whether the script lets go of the UTxO when it holds this datum."""
    outcome = evaluate(with_resolved(case, STATE, datum=decode(datum)))
    assert isinstance(outcome, Passed | ScriptFailed), outcome
    return isinstance(outcome, Passed)


def signed_for(datum: MilestoneDatum) -> MilestoneDatum:
    """The same, naming who signs in the cases above."""
    return replace(datum, funder=FUNDER) if isinstance(datum, Distribution) else replace(datum, refund_to=REFUND)


def codec_agrees(datum: bytes) -> tuple[bool, bool]:
    """What should become of a Reclaim and of a Withdraw."""
    try:
        read = MILESTONE_DATUM.decode(datum).value
    except MalformedDatum:
        return (False, False)
    match read:
        case Distribution():
            return (read.funder == FUNDER, False)
        case Attestation():
            return (False, read.refund_to == REFUND)


@pytest.mark.parametrize("make", [plutus.distribution, plutus.attestation, plutus.wild_datum])
def test_the_script_reads_what_the_codec_writes(make: Callable[[Random], MilestoneDatum]) -> None:
    """Terms that can be kept, and what merely decodes: integers of any size, strings of any length, pointers."""
    rng = Random(4)
    for _ in range(DATUMS):
        datum = signed_for(make(rng))
        case = STRAY if isinstance(datum, Distribution) else DEPOSIT
        assert script_agrees(case, MILESTONE_DATUM.encode(datum)), datum


def test_the_script_reads_no_more_than_the_codec() -> None:
    """Datums with one thing changed, at any depth: both refuse it, or both read on."""
    rng, both = Random(5), {True: 0, False: 0}
    for number in range(DATUMS):
        make = rng.choice((plutus.distribution, plutus.attestation))
        _, changed = jiggled(decode(MILESTONE_DATUM.encode(signed_for(make(rng)))), rng)
        datum = encode(changed)
        expected, case = rng.choice(tuple(zip(codec_agrees(datum), (STRAY, DEPOSIT), strict=True)))
        assert expected == script_agrees(case, datum), (number, datum.hex())
        both[expected] += 1
    assert min(both.values()) > DATUMS / 8

"""Whether terms can be kept: one rule broken at a time."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from indexer.plutus.datum import Allocation, AssetClass, Distribution
from indexer.plutus.ledger import Address, Inline, Pointer, Script, VerificationKey
from indexer.plutus.terms import objections
from tests.support import plutus

OURS = bytes([0x11]) * 28
KEY = VerificationKey(bytes([0x55]) * 28)
ALLOCATION = Allocation(Address(KEY), 5, b"m1", 0, False)
TERMS = Distribution(
    funder=bytes(28),
    token=AssetClass(b"", b""),
    oracles=(bytes([1]) * 32, bytes([2]) * 32),
    quorum_threshold=2,
    allocations=(ALLOCATION, ALLOCATION),
    lovelace_per_payout=0,
    keeper_fee_per_payout=0,
    expires_at=0,
)


def second(**changes: Any) -> Distribution:
    """The terms with another second allocation."""
    return replace(TERMS, allocations=(ALLOCATION, replace(ALLOCATION, **changes)))


def beneficiary(address: Address) -> Distribution:
    return second(beneficiary=address)


BROKEN = {
    "oracles[1] has 31 bytes: a key has 32": replace(TERMS, oracles=(bytes(32), bytes(31))),
    "oracles[1] is oracles[0] again": replace(TERMS, oracles=(bytes(32), bytes(32))),
    "quorum_threshold is 0: it takes at least one oracle": replace(TERMS, quorum_threshold=0),
    "quorum_threshold is 3, and there are 2 oracles": replace(TERMS, quorum_threshold=3),
    "token has a name and no policy": replace(TERMS, token=AssetClass(b"", b"T")),
    "allocations are missing": replace(TERMS, allocations=()),
    f"allocations sum up to {2**63}: it has to be less than 2^63": second(token_amount=2**63 - 5),
    "lovelace_per_payout is -1: it cannot be negative": replace(TERMS, lovelace_per_payout=-1),
    "keeper_fee_per_payout is -1: it cannot be negative": replace(TERMS, keeper_fee_per_payout=-1),
    "expires_at is -1: a time lies between 0 and 2^63 - 1": replace(TERMS, expires_at=-1),
    f"expires_at is {2**63}: a time lies between 0 and 2^63 - 1": replace(TERMS, expires_at=2**63),
    "expires_at is a number of 4001 bits: a time lies between 0 and 2^63 - 1": replace(TERMS, expires_at=2**4000),
    "allocations[1].token_amount is 0: it has to be positive": second(token_amount=0),
    "allocations[1].token_amount is -1: it has to be positive": second(token_amount=-1),
    "allocations[1].milestone_id has 0 bytes: 1 to 64 are allowed": second(milestone_id=b""),
    "allocations[1].milestone_id has 65 bytes: 1 to 64 are allowed": second(milestone_id=b"m" * 65),
    "allocations[1].vesting_timestamp is -1: a time lies between 0 and 2^63 - 1": second(vesting_timestamp=-1),
    f"allocations[1].vesting_timestamp is {2**63}: a time lies between 0 and 2^63 - 1": second(vesting_timestamp=2**63),
    "allocations[1].claimed is true: nothing is at first": second(claimed=True),
    "allocations[1].beneficiary.payment_credential has 27 bytes: a hash has 28": beneficiary(
        Address(VerificationKey(bytes(27)))
    ),
    "allocations[1].beneficiary.payment_credential is the contract itself": beneficiary(Address(Script(OURS))),
    "allocations[1].beneficiary.stake_credential has 29 bytes: a hash has 28": beneficiary(
        Address(KEY, Inline(Script(bytes(29))))
    ),
    "allocations[1].beneficiary.stake_credential is a pointer: only a credential is allowed": beneficiary(
        Address(KEY, Pointer(1, 2, 3))
    ),
}


@pytest.mark.parametrize(("reason", "terms"), BROKEN.items(), ids=BROKEN.keys())
def test_each_rule_broken_alone_is_the_one_objection(reason: str, terms: Distribution) -> None:
    """In words that name the place."""
    assert [reason] == objections(terms, OURS)


KEPT = {
    "both oracles": TERMS,
    "one of them": replace(TERMS, quorum_threshold=1),
    "a token without name": replace(TERMS, token=AssetClass(bytes(28), b"")),
    "no expiry": replace(TERMS, expires_at=None),
    "the last moment": replace(TERMS, expires_at=2**63 - 1),
    "vesting at the last moment": second(vesting_timestamp=2**63 - 1),
    "the largest sum": second(token_amount=2**63 - 6),
    "a milestone of 64 bytes": second(milestone_id=b"m" * 64),
    "a script": beneficiary(Address(Script(bytes(28)))),
    "the key whose hash is the contract's": beneficiary(Address(VerificationKey(OURS))),
    "stake rights with the contract": beneficiary(Address(KEY, Inline(Script(OURS)))),
}


@pytest.mark.parametrize("terms", KEPT.values(), ids=KEPT.keys())
def test_nothing_is_objected_at_the_edge_of_what_is_allowed(terms: Distribution) -> None:
    """One step before each refusal."""
    assert objections(terms, OURS) == []


def test_drawn_terms_are_well_formed() -> None:
    """So the contract's tests can rely on them."""
    rng = Random(1)
    assert [reason for _ in range(200) for reason in objections(plutus.distribution(rng), OURS)] == []


def test_every_objection_is_told_at_once() -> None:
    """Whoever writes a schedule mends it once."""
    terms = replace(second(token_amount=0, milestone_id=b""), quorum_threshold=0)
    assert objections(terms, OURS) == [
        "quorum_threshold is 0: it takes at least one oracle",
        "allocations[1].token_amount is 0: it has to be positive",
        "allocations[1].milestone_id has 0 bytes: 1 to 64 are allowed",
    ]


def test_wild_terms_are_judged_without_an_error() -> None:
    """A number of thousands of digits is no reason to fall over."""
    rng = Random(2)
    for _ in range(300):
        datum = plutus.wild_datum(rng)
        if isinstance(datum, Distribution):
            assert objections(replace(datum, quorum_threshold=10**5000), OURS)

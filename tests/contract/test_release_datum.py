"""Release, rule 6, the datum of output 0: inline, the same but for the allocations now claimed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import blake2b
from typing import Final

import pytest

from tests.contract.case import Case
from tests.contract.gallery import GOLD
from tests.contract.healthy import DISTRIBUTION, NOW, release, sample
from tests.contract.jiggle import re_encoded
from tests.contract.keys import key_hash, public
from tests.contract.mutate import with_output
from tests.contract.parts import DATUMS, closed, datum_of, ledger_set, opened, outputs
from tests.contract.plutus import constr, sequence, with_field
from tests.contract.releasing import passes
from tests.contract.terms import ADA, TOKEN, Allocation, Asset, Terms, somebody
from tests.contract.tree import Array, Chunks, Node, Tag, encode, nodes, replaced

STRANGER: Final = key_hash("stranger")

# Claimed before: 0. Paid now: 2. Open: 4, of the same milestone; 1 and 3, of another.
BEFORE: Final = replace(sample(5, milestones=(b"m1", b"m2")), expires_at=NOW).claim((0,))
AFTER: Final = BEFORE.claim((2,))
DATUM: Final = AFTER.data()
PARTLY: Final = release(BEFORE, indices=(2,))
ALL: Final = release(sample(3))


def continued(datum: Node) -> Case:
    """The partial release, continued with another datum."""
    return with_output(PARTLY, DISTRIBUTION, datum=datum)


# --- Inline, the same datum


@pytest.mark.parametrize(
    "changed",
    [
        replace(AFTER, funder=STRANGER),
        replace(AFTER, token=ADA),
        replace(AFTER, token=GOLD),
        replace(AFTER, token=Asset(TOKEN.policy, b"TOKEM")),
        replace(AFTER, oracles=(public("stranger"), *AFTER.oracles[1:])),
        replace(AFTER, oracles=(*AFTER.oracles, public("stranger"))),
        replace(AFTER, oracles=AFTER.oracles[:-1]),
        replace(AFTER, oracles=AFTER.oracles[::-1]),
        replace(AFTER, threshold=1),
        replace(AFTER, threshold=3),
        replace(AFTER, lovelace_per_payout=1_499_999),
        replace(AFTER, lovelace_per_payout=1_500_001),
        replace(AFTER, keeper_fee_per_payout=499_999),
        replace(AFTER, keeper_fee_per_payout=500_001),
        replace(AFTER, expires_at=None),
        replace(AFTER, expires_at=NOW - 1),
        replace(AFTER, expires_at=NOW + 1),
        replace(AFTER, allocations=AFTER.allocations[:-1]),
        replace(AFTER, allocations=AFTER.allocations[1:]),
        replace(AFTER, allocations=(*AFTER.allocations, Allocation(somebody("a stranger")))),
        replace(AFTER, allocations=(*AFTER.allocations, AFTER.allocations[-1])),
        replace(AFTER, allocations=()),
        replace(AFTER, allocations=AFTER.allocations[::-1]),
        replace(AFTER, allocations=tuple(AFTER.allocations[n] for n in (0, 1, 2, 4, 3))),
    ],
    ids=[
        "another funder",
        "ada promised",
        "another token promised",
        "another name promised",
        "another oracle",
        "an oracle more",
        "an oracle less",
        "oracles in reverse",
        "a lower threshold",
        "a higher threshold",
        "less lovelace for payouts",
        "more lovelace for payouts",
        "a lower fee",
        "a higher fee",
        "no expiry",
        "an earlier expiry",
        "a later expiry",
        "the last allocation dropped",
        "the first allocation dropped",
        "an allocation more",
        "an allocation twice",
        "no allocations",
        "allocations in reverse",
        "two allocations swapped",
    ],
)
def test_the_terms_stay(changed: Terms) -> None:
    """Whoever submits a release would write the terms of the next: who gets what, who attests, who may reclaim."""
    assert not passes(continued(changed.data()))


@pytest.mark.parametrize("position", range(5))
@pytest.mark.parametrize(
    "change",
    [
        lambda it: replace(it, beneficiary=somebody("a stranger")),
        lambda it: replace(it, amount=it.amount - 1),
        lambda it: replace(it, amount=it.amount + 1),
        lambda it: replace(it, milestone=b"m3"),
        lambda it: replace(it, vesting=0),
        lambda it: replace(it, vesting=2**63 - 1),
    ],
    ids=["beneficiary", "a smaller amount", "a larger amount", "milestone", "vested since ever", "never vested"],
)
def test_each_allocation_stays(position: int, change: Callable[[Allocation], Allocation]) -> None:
    """Whether it is paid now, was paid earlier, or waits."""
    changed = (change(it) if n == position else it for n, it in enumerate(AFTER.allocations))
    assert not passes(continued(replace(AFTER, allocations=tuple(changed)).data()))


def other_forms(node: Node) -> Iterator[Node]:
    """What might stand in a node's place. Fields stay a list: else it is no Plutus data."""
    match node:
        case int():
            yield from (node + 1, node - 1, -node - 1)
        case bytes():
            yield from (node + b"\0", node[:-1] if node else b"\1", bytes([node[0] ^ 1]) + node[1:] if node else b"\2")
        case Array(items):
            yield sequence(*items, 0)
            yield sequence(0, *items)
            for at in range(len(items)):
                yield sequence(*items[:at], *items[at + 1 :])
                yield sequence(*items[:at], items[at], *items[at:])
        case Tag(number, content):
            yield from (Tag(other, content) for other in (121, 122, 123) if other != number)


def test_nothing_in_the_datum_may_differ() -> None:
    """Every integer, byte string, list and constructor of it, at every depth, a little larger, smaller, or other."""
    for path, node in nodes(DATUM):
        for other in other_forms(node):
            changed = replaced(DATUM, path, other)
            assert not passes(continued(changed)), f"{encode(other).hex()} at {path}"


@pytest.mark.parametrize("case", [PARTLY, ALL], ids=["partly paid", "all paid"])
def test_the_datum_is_inline(case: Case) -> None:
    """By its hash alone, it could be continued only by who knows the datum; without one, by nobody."""
    assert passes(case)
    datum = datum_of(outputs(case)[DISTRIBUTION])
    by_hash = with_output(case, DISTRIBUTION, datum_hash=blake2b(encode(datum), digest_size=32).digest())
    parts = opened(by_hash)
    shown = closed(replace(parts, witnesses=parts.witnesses.with_value(DATUMS, ledger_set((datum,)))))
    assert not passes(by_hash)
    assert not passes(shown)
    assert not passes(with_output(case, DISTRIBUTION, datum=None))


@pytest.mark.parametrize(
    "datum",
    [
        re_encoded(DATUM),
        with_field(DATUM, (0,), Chunks((AFTER.funder[:14], AFTER.funder[14:]))),
        with_field(DATUM, (2,), Array(AFTER.oracles)),
    ],
    ids=["lists of definite length", "a byte string in pieces", "one list of definite length"],
)
def test_another_encoding_is_the_same_datum(datum: Node) -> None:
    """By value: however a keeper's library writes it."""
    assert encode(datum) != encode(DATUM)
    assert passes(continued(datum))


# --- But those allocations claimed


@pytest.mark.parametrize(
    ("expected", "claimed"),
    [
        (True, (0, 2)),
        (False, (0,)),
        (False, (0, 2, 4)),
        (False, (0, 1, 2)),
        (False, (0, 4)),
        (False, (2,)),
        (False, ()),
        (False, (0, 1, 2, 3, 4)),
    ],
    ids=[
        "as it should be",
        "not claimed, to be paid again",
        "one of the milestone more, never to be paid",
        "one of another milestone more, never to be paid",
        "another in its place",
        "an earlier one open again",
        "all open again",
        "all claimed, to be reclaimed by the funder",
    ],
)
def test_what_is_paid_is_claimed_and_nothing_else(expected: bool, claimed: tuple[int, ...]) -> None:
    """Of five allocations the first was paid earlier, the third is paid now."""
    assert expected == passes(continued(BEFORE.as_created().claim(claimed).data()))


@pytest.mark.parametrize("flag", [constr(1, 0), constr(2), 1, b"", sequence()])
def test_claimed_is_true(flag: Node) -> None:
    """Not what another reader may take for it."""
    assert not passes(continued(with_field(DATUM, (4, 2, 4), flag)))

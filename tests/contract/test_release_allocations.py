"""Release, rule 4: the listed allocations ascend, at least one; each is of the milestone, unclaimed and vested.

Outputs pay what a test lists, and the distribution holds plenty, so that nothing else is wrong.
"""

from dataclasses import replace
from functools import cache
from itertools import product
from typing import Final

import pytest

from tests.contract.case import Case
from tests.contract.healthy import HALF_AN_HOUR, NOW, release, sample
from tests.contract.mutate import with_validity
from tests.contract.releasing import NOWHERE, ascends, listing, passes
from tests.contract.terms import ADA, TOKEN, Allocation, Asset, Terms, somebody

TERMS: Final = sample(3)
PLENTY: Final = {TOKEN: 10_000, ADA: 10**9}
FRIEND: Final = somebody("a friend")
SECOND: Final = 1_000  # milliseconds, and a slot


@cache
def paying(*indices: int) -> Case:
    """Those allocations paid in that order, be it right or wrong."""
    return release(TERMS, indices=indices, surplus=PLENTY)


def promising(*allocations: Allocation) -> Terms:
    return replace(TERMS, allocations=allocations)


# --- They ascend, and there is at least one


def test_at_least_one_allocation_is_paid() -> None:
    """Else anybody who has the signatures could spend the distribution again and again, and keep releases from it."""
    assert not passes(release(TERMS, indices=()))


def test_indices_ascend() -> None:
    """Of all lists of up to three indices, right and wrong, each with the payouts that a careless reader would ask for,
    only those pass that ascend."""
    for length in range(4):
        for listed in product(range(-1, 4), repeat=length):
            expected = length > 0 and ascends(listed, 3)
            case = listing(paying(*(n % 3 for n in listed)), listed)
            assert expected == passes(case), listed


@pytest.mark.parametrize("token", [TOKEN, ADA], ids=["a token", "ada"])
@pytest.mark.parametrize("listed", [(0, 0), (1, 1), (0, 1, 1), (0, 1, 0), (2, 2, 2)])
def test_nothing_is_paid_twice(listed: tuple[int, ...], token: Asset) -> None:
    """A beneficiary would take what is promised to the others."""
    assert not passes(
        release(sample(3, token=token), indices=listed, surplus=PLENTY if token == TOKEN else {ADA: 10**9})
    )


@pytest.mark.parametrize("index", [*NOWHERE, 3])
def test_no_allocation_is_outside_the_list(index: int) -> None:
    """Counted from the end, behind it, or where a machine's integer would wrap: alone, in front or behind; whether the
    outputs pay the last allocation for it, none for it, or nothing at all."""
    for inside in ((), (0,), (0, 1, 2)):
        for paid in ((*inside, 2), inside, ()):
            assert not passes(listing(paying(*paid), [*inside, index])), paid
            assert not passes(listing(paying(*paid), [index, *inside])), paid


def test_what_is_paid_is_what_is_listed() -> None:
    """Neither fewer nor more nor others than the outputs pay."""
    paid = release(TERMS, indices=(0, 2))
    for listed in ((0,), (2,), (0, 1), (1, 2), (0, 1, 2)):
        assert not passes(listing(paid, listed)), listed


# --- Each is of the milestone


def test_another_milestone_is_not_paid() -> None:
    """The signatures are for the first; a beneficiary of the second would not have to wait for its own."""
    terms = sample(4, milestones=(b"m1", b"m2"))
    assert passes(release(terms, indices=(0, 2)))
    for listed in ((1,), (0, 1), (1, 2), (0, 3), (0, 1, 2, 3)):
        assert not passes(release(terms, indices=listed)), listed


@pytest.mark.parametrize("milestone", [b"m", b"m1\0", b"M1", b"1m", b"m1m1", b"m2"])
def test_a_milestone_of_a_similar_name_is_another(milestone: bytes) -> None:
    """Compared as a whole: what begins or ends alike is not the same."""
    terms = sample(2, milestones=(b"m1", milestone))
    assert not passes(release(terms, indices=(1,)))
    assert passes(release(terms, milestone, (1,)))


# --- Each is unclaimed


def test_what_is_claimed_is_not_paid_again() -> None:
    """The signatures stay valid for ever: only the datum says that it was paid."""
    terms = sample(4).claim((1, 3))
    assert passes(release(terms, indices=(0, 2)))
    for listed in ((1,), (0, 1), (1, 2), (0, 3), (0, 1, 2, 3)):
        assert not passes(release(terms, indices=listed, surplus=PLENTY)), listed


# --- Each is vested at the finite lower bound


@pytest.mark.parametrize(
    ("expected", "vesting"),
    [
        (True, NOW - 1),
        (True, NOW),
        (False, NOW + 1),
        (False, NOW + SECOND),
        (False, NOW + HALF_AN_HOUR),
        (False, 2**63 - 1),
    ],
    ids=["a millisecond ago", "now", "in a millisecond", "in the next slot", "at the upper bound", "never"],
)
def test_vesting_comes_at_its_millisecond(expected: bool, vesting: int) -> None:
    """A beneficiary would be paid before the funder has agreed to."""
    waiting = Allocation(FRIEND, vesting=vesting)
    assert expected == passes(release(promising(waiting)))


def test_vesting_is_judged_by_the_lower_bound() -> None:
    """The ledger includes the transaction no earlier; the upper bound may lie as far ahead as one likes."""
    case = release(promising(Allocation(FRIEND, vesting=NOW)))
    assert passes(with_validity(case, lower=NOW + SECOND))
    assert not passes(with_validity(case, lower=NOW - SECOND))
    assert not passes(with_validity(case, lower=NOW - SECOND, upper=NOW + 10**12))
    assert not passes(with_validity(case, lower=NOW - SECOND, upper=None))


@pytest.mark.parametrize("upper", [NOW, NOW + HALF_AN_HOUR, None])
def test_without_a_lower_bound_nothing_is_vested(upper: int | None) -> None:
    """Such a transaction could have been included at any time: also where vesting is at the beginning of time."""
    for vesting in (0, 1_700_000_000_000):
        case = release(promising(Allocation(FRIEND, vesting=vesting)))
        assert not passes(with_validity(case, lower=None, upper=upper))


@pytest.mark.parametrize("waiting", [0, 1, 2])
def test_each_of_several_is_vested(waiting: int) -> None:
    """None comes along with the others; and those do not have to wait for it."""
    vesting = [NOW + 1 if n == waiting else NOW for n in range(3)]
    terms = promising(*(Allocation(somebody(f"{n}"), vesting=time) for n, time in enumerate(vesting)))
    assert not passes(release(terms))
    assert passes(release(terms, indices=[n for n in range(3) if n != waiting]))

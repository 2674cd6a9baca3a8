"""Release: its redeemer has one form, and what it spends is a Distribution."""

from typing import Final

import pytest

from tests.contract.healthy import STATE, attested, release, sample, signatures
from tests.contract.jiggle import re_encoded
from tests.contract.mutate import with_resolved
from tests.contract.plutus import constr, fields, sequence
from tests.contract.releasing import ALLOCATIONS, MILESTONE, SIGNATURES, arguing, argument, passes
from tests.contract.terms import RECLAIM, WITHDRAW
from tests.contract.tree import Array, Map, Node, Tag

TERMS: Final = sample()
DATUM: Final = TERMS.data()
HEALTHY: Final = release(TERMS)
ARGUMENT: Final = argument(HEALTHY)
ARGUMENTS: Final = fields(ARGUMENT).items
SIGNED: Final = signatures(TERMS, b"m1", (0, 1))
PAIR: Final = SIGNED[0]

# Where something stands in the redeemer, and of which kind it is.
PLACES: Final = {
    "the milestone": ((MILESTONE,), bytes),
    "the allocations": ((ALLOCATIONS,), Array),
    "an allocation": ((ALLOCATIONS, 0), int),
    "the signatures": ((SIGNATURES,), Array),
    "a pair": ((SIGNATURES, 0), Array),
    "an oracle": ((SIGNATURES, 0, 0), int),
    "a signature": ((SIGNATURES, 0, 1), bytes),
}
KINDS: Final[tuple[Node, ...]] = (0, b"m1", sequence(0), constr(0), Map(()))


def test_the_healthy_one_is_healthy() -> None:
    """So what the tests below change is what the script refuses."""
    assert passes(HEALTHY)


@pytest.mark.parametrize(
    "data",
    [
        RECLAIM,
        WITHDRAW,
        constr(0),
        constr(0, *ARGUMENTS[:-1]),
        constr(0, *ARGUMENTS[1:]),
        constr(0, *ARGUMENTS, 0),
        constr(0, 0, *ARGUMENTS),
        constr(0, *ARGUMENTS[::-1]),
        constr(1, *ARGUMENTS),
        constr(2, *ARGUMENTS),
        constr(3, *ARGUMENTS),
        constr(0, ARGUMENT),
        sequence(*ARGUMENTS),
        Map(()),
        0,
        b"",
    ],
    ids=[
        "Reclaim",
        "Withdraw",
        "no fields",
        "no signatures",
        "no milestone",
        "a field more",
        "a field more in front",
        "fields in reverse",
        "constructor 1",
        "constructor 2",
        "constructor 3",
        "Release in Release",
        "a list of the fields",
        "a map",
        "an integer",
        "a byte string",
    ],
)
def test_it_takes_the_redeemer_release(data: Node) -> None:
    """Three fields, in their order, under constructor 0: others that read a release read what the script has read."""
    assert not passes(arguing(HEALTHY, data))


@pytest.mark.parametrize(
    ("at", "other"), [(at, other) for at, kind in PLACES.values() for other in KINDS if not isinstance(other, kind)]
)
def test_every_part_of_it_is_of_its_kind(at: tuple[int, ...], other: Node) -> None:
    """At every depth, so that nothing is skipped that does not fit."""
    assert not passes(arguing(HEALTHY, other, *at))


@pytest.mark.parametrize(
    "pair",
    [
        sequence(PAIR[0]),
        sequence(*PAIR, 0),
        sequence(*PAIR[::-1]),
        sequence(),
        constr(0, *PAIR),
        sequence(sequence(*PAIR)),
    ],
    ids=["one", "three", "in reverse", "none", "a constructor", "in a list"],
)
def test_a_pair_is_a_list_of_two(pair: Node) -> None:
    """The first of the signatures, in another form."""
    assert not passes(arguing(HEALTHY, pair, SIGNATURES, 0))


def test_signatures_are_not_in_a_map() -> None:
    """Whose entries are pairs as well."""
    assert not passes(arguing(HEALTHY, Map(SIGNED), SIGNATURES))


@pytest.mark.parametrize(
    "datum",
    [
        None,
        attested(TERMS, b"m1", 0).data(),
        constr(1, *fields(DATUM).items),
        constr(0, *fields(DATUM).items, 0),
        constr(0, *fields(DATUM).items[:-1]),
        fields(DATUM),
    ],
    ids=["none", "an attestation", "constructor 1", "a field more", "a field less", "a list of the fields"],
)
def test_only_a_distribution_is_released(datum: Node) -> None:
    """The state token vouches for the rest: no other datum comes to lie beside it."""
    assert not passes(with_resolved(HEALTHY, STATE, datum=datum))


def test_another_encoding_is_the_same_redeemer() -> None:
    """Lists of definite length, in the redeemer and in the datum that is spent."""
    assert isinstance(ARGUMENT, Tag)
    assert passes(arguing(HEALTHY, re_encoded(ARGUMENT)))
    assert passes(with_resolved(HEALTHY, STATE, datum=re_encoded(DATUM)))

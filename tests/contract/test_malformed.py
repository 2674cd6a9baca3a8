"""Data that does not decode in full: neither created, nor reclaimed, nor spent in any other way.

Decoding in full is about constructors, numbers of fields and kinds at every depth. So each place of a datum is tried:
see `malformed`. Attestations are in `test_withdraw`.
"""

from dataclasses import replace
from typing import Final

import pytest

from indexer.errors import MalformedDatum
from indexer.plutus.datum import MILESTONE_DATUM
from tests.contract.case import Case
from tests.contract.healthy import NOW, STATE, create, reclaim, sample, signatures
from tests.contract.malformed import Place, either, malformed, name, places
from tests.contract.mutate import position, with_redeemer, with_resolved
from tests.contract.plutus import constr, field, fields, sequence, with_field
from tests.contract.recreate import hashed, with_terms
from tests.contract.terms import RECLAIM, WITHDRAW, Allocation, release_redeemer, somebody
from tests.contract.tree import Map, Node, encode
from tests.contract.verdict import passes, refused

# An address of every kind that may be created, and the last of them behind the others.
TERMS: Final = replace(
    sample(oracles=2, expires_at=NOW),
    allocations=(
        Allocation(somebody("a key")),
        Allocation(somebody("a staked script", script=True, stake="key")),
        Allocation(somebody("a key staked with a script", stake="script")),
    ),
)
CREATED: Final = TERMS.data()
POINTER: Final = constr(0, constr(1, 1, 2, 3))

# The same, but the last has what Create refuses: a pointer, and is claimed.
LOST: Final = with_field(with_field(CREATED, (4, 2, 0, 1), POINTER), (4, 2, 4), constr(1))

CREATION: Final = create(TERMS)
STRAY: Final = reclaim(TERMS, stray=True)
RELEASE: Final = release_redeemer(b"m1", (0,), signatures(TERMS, b"m1", (0, 1)))
REDEEMERS: Final = {"Reclaim": RECLAIM, "Withdraw": WITHDRAW, "Release": RELEASE}


def spending(datum: Node, redeemer: Node = RECLAIM) -> Case:
    """A UTxO without state token that holds a datum, and its spending, signed by who is funder there."""
    return with_redeemer(with_resolved(STRAY, STATE, datum=datum), "spend", position(STRAY, STATE), redeemer)


def decodes(datum: Node) -> bool:
    """What the indexer says of a datum."""
    try:
        MILESTONE_DATUM.decode(encode(datum))
    except MalformedDatum:
        return False
    return True


def test_the_data_to_begin_with_are_fine() -> None:
    """So it is the places below that are refused; and there are as many as there are in a datum."""
    assert passes(with_terms(CREATION, CREATED))
    assert passes(spending(CREATED))
    assert passes(spending(LOST))
    assert decodes(LOST)
    # A datum, its 8 fields, 2 in the token, 2 oracles, 1 in expires_at, 3 allocations of 5 fields. In an address 2 and
    # a hash; in a stake part the credential and its hash, or 3 integers.
    assert len(places(CREATED)) == 1 + 8 + 2 + 2 + 1 + 3 * 6 + 3 * 3 + 2 * 3
    assert len(places(LOST)) == 1 + 8 + 2 + 2 + 1 + 3 * 6 + 3 * 3 + 3 + 4


@pytest.mark.parametrize("place", places(CREATED), ids=name)
def test_a_distribution_is_created_from_what_decodes(place: Place) -> None:
    """The state token is named by the malformed datum's id, so nothing else is wrong. What does not decode could be
    locked for good, or read by somebody as other terms than those that are released."""
    for what, datum in malformed(CREATED, place, either(place)):
        assert refused(with_terms(CREATION, datum), by="mint"), what


@pytest.mark.parametrize("place", places(LOST), ids=name)
def test_a_stray_is_reclaimed_if_it_decodes(place: Place) -> None:
    """Script and indexer say the same of every UTxO: one that the indexer calls malformed never goes anywhere."""
    for what, datum in malformed(LOST, place, either(place)):
        assert refused(spending(datum), by="spend"), what


@pytest.mark.parametrize("place", places(LOST), ids=name)
def test_the_indexer_does_not_decode_it_either(place: Place) -> None:
    """So that it lists as rejected what nobody can spend, and lists nothing as reclaimable in vain."""
    assert not [what for what, datum in malformed(LOST, place, either(place)) if decodes(datum)]


@pytest.mark.parametrize("place", places(LOST), ids=name)
def test_what_does_not_decode_is_not_spent_otherwise(place: Place) -> None:
    """Nor by Withdraw, nor by Release, whoever signs."""
    for what, datum in malformed(LOST, place, either(place)):
        for redeemer in (WITHDRAW, RELEASE):
            assert refused(spending(datum, redeemer), by="spend"), what


@pytest.mark.parametrize("place", [place for place in places(CREATED) if either(place) == 2], ids=name)
def test_of_two_constructors_both_decode(place: Place) -> None:
    """Keys and scripts; claimed or not."""
    content = fields(field(CREATED, *place)).items
    for constructor in (0, 1):
        assert passes(spending(with_field(CREATED, place, constr(constructor, *content))))


@pytest.mark.parametrize("redeemer", REDEEMERS)
@pytest.mark.parametrize(
    "datum",
    [
        None,
        0,
        b"",
        sequence(),
        sequence(CREATED),
        Map(()),
        Map(((0, CREATED),)),
        constr(0),
        constr(2),
        constr(0, CREATED),
    ],
    ids=[
        "none",
        "an integer",
        "a byte string",
        "a list",
        "a list of a distribution",
        "a map",
        "a map to a distribution",
        "no fields",
        "another constructor",
        "a distribution within",
    ],
)
def test_what_holds_no_datum_of_ours_is_nobodys(redeemer: str, datum: Node) -> None:
    """It names nobody who could sign for it: else it would be the first one's who comes."""
    assert refused(spending(datum, REDEEMERS[redeemer]), by="spend")


@pytest.mark.parametrize("redeemer", REDEEMERS)
@pytest.mark.parametrize("place", [(), (4, 2, 0, 1, 0)], ids=name)
def test_by_its_hash_it_is_the_same(redeemer: str, place: Place) -> None:
    """A datum that stands in the transaction is read no less strictly."""
    for what, datum in malformed(LOST, place):
        shown = with_resolved(reclaim(TERMS, stray=True, datums=(datum,)), STATE, datum_hash=hashed(datum))
        case = with_redeemer(shown, "spend", position(shown, STATE), REDEEMERS[redeemer])
        assert refused(case, by="spend"), what

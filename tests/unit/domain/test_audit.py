"""The comparison of two indexes: each kind of difference alone, and what is none."""

from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.chain.address import CredentialKind
from indexer.chain.block import OutputReference
from indexer.chain.point import Point
from indexer.chain.seen import Seen, Spending
from indexer.domain.audit import MOST, Comparison, Held, TooDifferent, within
from tests.support.addresses import address
from tests.support.spending import digest

KEY = address(b"h" * 28, "key")
SCRIPT = address(b"h" * 28, "script")
AT = 100
DATUM = b"\xd8\x79\x80"
SEEN = Seen(
    OutputReference(b"t" * 32, 1),
    KEY,
    5_000_000,
    ((b"p" * 28, b"TOKEN", 2**70),),
    digest(DATUM),
    True,
    DATUM,
    b"s" * 28,
    "plutus:v3",
    Point(10, b"b" * 32),
    Spending(20, b"u" * 32),
)


def held(seen: Seen = SEEN, kind: CredentialKind | None = CredentialKind.KEY, **changes: Any) -> Held:
    """What we hold of an output, with some fields otherwise in both places where assets stand."""
    changed = replace(seen, **changes)
    return Held(changed, kind, changed.assets)


def differences(ours: Held | None, theirs: Seen | None) -> list[tuple[str, str, str]]:
    """What is found where each side has at most one output."""
    comparison = Comparison(AT)
    if ours is not None:
        comparison.ours(ours)
    if theirs is not None:
        comparison.theirs(theirs)
    return [(str(each.kind), each.ours, each.theirs) for each in comparison.differences()]


def test_the_same_output_on_both_sides_is_no_difference() -> None:
    """Whatever only one side keeps: block of the spending, index among the inputs, redeemer."""
    theirs = replace(SEEN, spent=Spending(20, b"u" * 32, b"c" * 32, 3, b"\0"))
    assert differences(held(), SEEN) == differences(held(), theirs) == []


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"address": SCRIPT}, ("address", f"{SCRIPT} (key)", f"{KEY} (key)")),
        ({"lovelace": 4_999_999}, ("lovelace", "4999999", "5000000")),
        ({"assets": ()}, ("assets", "none", f"{2**70} {'70' * 28}.544f4b454e")),
        (
            {"assets": ((b"p" * 28, b"TOKEN", 2**70 + 1),)},
            ("assets", f"{2**70 + 1} {'70' * 28}.544f4b454e", f"{2**70} {'70' * 28}.544f4b454e"),
        ),
        (
            {"datum_hash": None, "is_inline": False, "datum": None},
            ("datum", "none", f"inline {digest(DATUM).hex()}: d87980"),
        ),
        (
            {"datum": b"\0"},
            ("datum", f"inline {digest(DATUM).hex()}: 00", f"inline {digest(DATUM).hex()}: d87980"),
        ),
        (
            {"is_inline": False},
            ("datum", f"hash {digest(DATUM).hex()}: d87980", f"inline {digest(DATUM).hex()}: d87980"),
        ),
        ({"script_hash": b"z" * 28}, ("script", f"plutus:v3 {'7a' * 28}", f"plutus:v3 {'73' * 28}")),
        ({"script_hash": None, "script_language": None}, ("script", "none", f"plutus:v3 {'73' * 28}")),
        ({"script_language": "plutus:v2"}, ("script", f"plutus:v2 {'73' * 28}", f"plutus:v3 {'73' * 28}")),
        ({"script_hash": None}, ("script", "plutus:v3", f"plutus:v3 {'73' * 28}")),
        ({"created": Point(11, b"b" * 32)}, ("slot", f"11.{'62' * 32}", f"10.{'62' * 32}")),
        ({"created": Point(10, b"a" * 32)}, ("slot", f"10.{'61' * 32}", f"10.{'62' * 32}")),
        ({"spent": None}, ("spent", "unspent", f"at 20 by {'75' * 32}")),
        ({"spent": Spending(21, b"u" * 32)}, ("spent", f"at 21 by {'75' * 32}", f"at 20 by {'75' * 32}")),
        ({"spent": Spending(20, b"v" * 32)}, ("spent", f"at 20 by {'76' * 32}", f"at 20 by {'75' * 32}")),
        ({"spent": Spending(20, None)}, ("spent", "at 20 by unknown", f"at 20 by {'75' * 32}")),
    ],
)
def test_each_field_that_differs_is_one_difference(changes: dict[str, Any], found: tuple[str, str, str]) -> None:
    """Of its kind, with what either side holds."""
    assert differences(held(**changes), SEEN) == [found]


def test_an_output_that_one_side_lacks_is_missing_or_extra() -> None:
    """Missing here, or extra here."""
    assert differences(None, SEEN) == [("missing", "", "5000000 lovelace, created at 10")]
    assert differences(held(), None) == [("extra", "5000000 lovelace, created at 10", "")]


def test_a_key_taken_for_a_script_and_assets_wrong_in_one_of_two_places_are_found() -> None:
    """Both stand beside the address and the list of assets, and people ask for them."""
    assert differences(held(kind=CredentialKind.SCRIPT), SEEN) == [("address", f"{KEY} (script)", f"{KEY} (key)")]
    assert [kind for kind, _, _ in differences(Held(SEEN, CredentialKind.KEY, ()), SEEN)] == ["assets"]


def test_what_happened_after_the_point_did_not_happen() -> None:
    """Either side may be ahead: a spending later than that, on one of them or differently on both, is none."""
    later, other = Spending(AT + 1, b"u" * 32), Spending(AT + 2, b"v" * 32)
    assert differences(held(spent=later), replace(SEEN, spent=None)) == []
    assert differences(held(spent=None), replace(SEEN, spent=later)) == []
    assert differences(held(spent=later), replace(SEEN, spent=other)) == []
    assert [kind for kind, _, _ in differences(held(spent=later), SEEN)] == ["spent"]
    at_the_point = Spending(AT, b"u" * 32)
    assert [kind for kind, _, _ in differences(held(spent=None), replace(SEEN, spent=at_the_point))] == ["spent"]


def test_a_preimage_need_not_be_known_but_must_be_right() -> None:
    """Kupo takes preimages from anywhere; ours has to have the hash, also where Kupo has none to compare with."""
    hashed = replace(SEEN, is_inline=False)
    unknown = replace(hashed, datum=None)
    comparison = Comparison(AT)
    comparison.ours(held(unknown))
    comparison.theirs(hashed)
    assert (comparison.differences(), comparison.datums_only_theirs) == ([], 1)
    assert differences(held(hashed), unknown) == []
    assert [kind for kind, _, _ in differences(held(hashed, datum=b"\0"), unknown)] == ["datum"]


def test_what_a_side_cannot_know_is_no_difference() -> None:
    """The hash of a native script without its bytes; the language of a script that Kupo cannot resolve; who spent, in a
    Kupo database of before v2.10."""
    native = replace(SEEN, script_language="native")
    assert differences(held(native, script_hash=None), native) == []
    assert differences(held(), replace(SEEN, script_language=None)) == []
    assert differences(held(), replace(SEEN, spent=Spending(20, None))) == []


def test_only_what_lies_in_the_history_of_a_watch_is_compared() -> None:
    """By kind: a watch for keys has nothing to say of scripts, and begins after its slot."""
    assert within(SEEN, {CredentialKind.KEY: 9})
    assert not within(SEEN, {CredentialKind.KEY: 10})
    assert not within(SEEN, {CredentialKind.SCRIPT: -1})
    assert within(replace(SEEN, address=SCRIPT), {CredentialKind.SCRIPT: -1})


def test_it_stops_where_nothing_is_as_it_should_be() -> None:
    """At ten thousand outputs without a counterpart, or that differ."""
    lonely, unlike = Comparison(AT), Comparison(AT)
    for index in range(MOST):
        reference = OutputReference(b"t" * 32, index)
        lonely.ours(held(reference=reference))
        unlike.ours(held(reference=reference, lovelace=1))
        unlike.theirs(replace(SEEN, reference=reference))
    assert len(lonely.differences()) == len(unlike.differences()) == MOST
    with pytest.raises(TooDifferent):
        lonely.ours(held(reference=OutputReference(b"z" * 32, 0)))
    with pytest.raises(TooDifferent):
        unlike.theirs(replace(SEEN, reference=OutputReference(b"z" * 32, 0)))


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30)), st.randoms())
def test_in_whatever_order_rows_come_the_same_is_found(
    here: set[int], there: set[int], spoilt: set[int], random: Random
) -> None:
    """What only one side has, and what differs on both: by set operations."""
    comparison = Comparison(AT)
    steps: list[tuple[str, int]] = [("ours", n) for n in here] + [("theirs", n) for n in there]
    random.shuffle(steps)
    for side, number in steps:
        reference = OutputReference(b"t" * 32, number)
        if side == "ours":
            comparison.ours(held(reference=reference, lovelace=1 if number in spoilt else SEEN.lovelace))
        else:
            comparison.theirs(replace(SEEN, reference=reference))
    expected = {(n, "missing") for n in there - here} | {(n, "extra") for n in here - there}
    expected |= {(n, "lovelace") for n in here & there & spoilt}
    assert {(each.reference.index, str(each.kind)) for each in comparison.differences()} == expected
    assert comparison.outputs == len(here & there)

"""Witnesses: signatures, scripts, datums and redeemers, in every form that the ledger takes."""

from hashlib import blake2b
from typing import Final

import pytest

from indexer.devnet.ledger.read import read_transaction
from indexer.devnet.ledger.scripts import After, All, Any, Before, Clause, Signature, Some, clauses_of, script_hash
from indexer.devnet.ledger.transaction import BootstrapWitness, KeyWitness, Language, Purpose, Redeemer, Witnesses
from tests.contract.tree import Array, Map, Node, Tag, encode
from tests.unit.devnet.ledger.written import KEY, NATIVE, SIGNED, UNITS, Pair, listed, mapped, written

OTHER: Final = listed(bytes([1] * 32), bytes([2] * 64))


def witnesses(*fields: Pair) -> Witnesses:
    return read_transaction(written(witnesses=fields)).witnesses


def native_hash(script: Node) -> bytes:
    return blake2b(b"\0" + encode(script), digest_size=28).digest()


@pytest.mark.parametrize("tagged", [False, True])
def test_every_field_is_read(tagged: bool) -> None:
    """One of each, tagged as sets or not."""

    def field(*elements: Node) -> Node:
        return Tag(258, listed(*elements)) if tagged else listed(*elements)

    found = witnesses(
        (7, field(b"\7")),
        (6, field(b"\6")),
        (5, mapped((listed(0, 1), listed(2, listed(3, 4))))),
        (4, field(5, listed())),
        (3, field(b"\3")),
        (2, field(listed(bytes(32), bytes(64), bytes([3] * 32), b"\xa0"))),
        (1, field(NATIVE)),
        (0, field(SIGNED)),
    )
    assert found.keys == (KeyWitness(bytes(32), bytes(64)),)
    assert found.bootstraps == (BootstrapWitness(bytes(32), bytes(64), bytes([3] * 32), b"\xa0"),)
    languages = [Language.NATIVE, Language.PLUTUS_V1, Language.PLUTUS_V2, Language.PLUTUS_V3]
    assert languages == [script.language for script in found.scripts]
    assert [encode(NATIVE), b"\3", b"\6", b"\7"] == [script.raw for script in found.scripts]
    assert found.datums == {blake2b(raw, digest_size=32).digest(): raw for raw in (b"\5", b"\x80")}
    assert found.raw_datums == encode(field(5, listed()))
    assert found.redeemers == (Redeemer(Purpose.SPEND, 1, b"\2", 3, 4),)
    assert found.raw_redeemers == encode(mapped((listed(0, 1), listed(2, listed(3, 4)))))


def test_what_is_absent_has_no_bytes() -> None:
    """The integrity hash tells no datums from an empty field of them."""
    found = witnesses()
    assert (found.keys, found.raw_datums, found.raw_redeemers) == ((), None, None)


@pytest.mark.parametrize("purpose", Purpose)
def test_redeemers_stand_in_a_map_or_in_a_list(purpose: Purpose) -> None:
    """Both say the same; the bytes are kept, because they are hashed."""
    as_map = mapped((listed(purpose.value, 7), listed(listed(0), UNITS)))
    as_list = listed(listed(purpose.value, 7, listed(0), UNITS))
    expected = (Redeemer(purpose, 7, b"\x81\0", 1, 2),)
    for field in (as_map, as_list, Map(as_map.pairs, indefinite=True), Array(as_list.items, indefinite=True)):
        found = witnesses((5, field))
        assert expected == found.redeemers
        assert encode(field) == found.raw_redeemers


def test_of_two_redeemers_with_one_pointer_the_last_counts() -> None:
    """As in the ledger up to protocol version 11, which puts them into a map without looking."""
    twice = mapped((listed(0, 0), listed(1, UNITS)), (listed(0, 0), listed(2, UNITS)))
    expected = (Redeemer(Purpose.SPEND, 0, b"\2", 1, 2),)
    assert expected == witnesses((5, twice)).redeemers
    assert expected == witnesses((5, listed(listed(0, 0, 1, UNITS), listed(0, 0, 2, UNITS)))).redeemers


def test_a_signature_a_native_script_and_a_datum_may_come_twice() -> None:
    """Up to protocol version 11 the ledger takes them, and counts them once; a Plutus script it does not."""
    found = witnesses((0, listed(SIGNED, OTHER, SIGNED)), (1, listed(NATIVE, NATIVE)), (4, listed(5, 5)))
    assert found.keys == (KeyWitness(bytes(32), bytes(64)), KeyWitness(bytes([1] * 32), bytes([2] * 64)))
    assert [native_hash(NATIVE)] == [script.hash for script in found.scripts]
    assert list(found.datums.values()) == [b"\5"]


def test_a_native_script_is_hashed_as_it_is_written() -> None:
    """Said in other bytes it is another script."""
    short, long = encode(NATIVE), bytes.fromhex("9f1800581c") + KEY + b"\xff"
    raw = written(witnesses=[(1, listed(NATIVE))]).replace(short, long)
    (script,) = read_transaction(raw).witnesses.scripts
    assert script.raw == long
    assert script.hash == blake2b(b"\0" + long, digest_size=28).digest() != native_hash(NATIVE)
    assert clauses_of(script.raw) == clauses_of(short)


def test_the_hash_of_a_script_begins_with_its_language() -> None:
    """The script that always succeeds, and the hash that every explorer gives it."""
    always = bytes.fromhex("4d01000033222220051200120011")
    assert script_hash(Language.PLUTUS_V1, always).hex() == "67f33146617a5e61936081db3b2117cbf59bd2123748f58ac9678656"


CLAUSES: Final[dict[str, tuple[Node, Clause]]] = {
    "a signature": (NATIVE, Signature(KEY)),
    "all of none": (listed(1, listed()), All(())),
    "all of one": (listed(1, listed(NATIVE)), All((Signature(KEY),))),
    "any": (listed(2, listed(NATIVE, listed(4, 5))), Any((Signature(KEY), After(5)))),
    "some": (listed(3, 2, listed(NATIVE)), Some(2, (Signature(KEY),))),
    "fewer than none": (listed(3, -(2**63), listed()), Some(-(2**63), ())),
    "after": (listed(4, 2**64 - 1), After(2**64 - 1)),
    "before": (listed(5, 0), Before(0)),
}


@pytest.mark.parametrize("name", CLAUSES)
def test_a_native_script_is_read_into_clauses(name: str) -> None:
    """Kind by kind of conway.cddl's native_script."""
    script, expected = CLAUSES[name]
    assert expected == clauses_of(encode(script))

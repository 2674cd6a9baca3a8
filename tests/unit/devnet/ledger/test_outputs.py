"""Outputs in their two forms, with all that they carry, and the size of a value as the ledger counts it."""

from collections.abc import Mapping
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.devnet.ledger.cbor import Malformed
from indexer.devnet.ledger.outputs import output_from, value_size
from indexer.devnet.ledger.transaction import Language
from tests.contract.tree import Embedded, Map, Node, encode
from tests.unit.devnet.ledger.written import ADDRESS, ID, NATIVE, POLICY, listed, mapped, tokens

VALUES = st.dictionaries(
    st.binary(min_size=28, max_size=28),
    st.dictionaries(st.binary(max_size=32), st.integers(1, 2**64 - 1), min_size=1, max_size=30),
    max_size=30,
)


def test_both_forms_say_the_same() -> None:
    """The older form has no place for inline datums and scripts."""
    value = listed(5, tokens())
    for older, newer in (
        (listed(ADDRESS, 5), mapped((0, ADDRESS), (1, 5))),
        (listed(ADDRESS, value), mapped((1, value), (0, ADDRESS))),
        (listed(ADDRESS, value, ID), mapped((0, ADDRESS), (1, value), (2, listed(0, ID)))),
    ):
        one, other = output_from(encode(older)), output_from(encode(newer))
        assert (encode(older), encode(newer)) == (one.raw, other.raw)
        assert (one.address, one.lovelace, one.assets, one.datum_hash) == (
            other.address,
            other.lovelace,
            other.assets,
            other.datum_hash,
        )
        assert (one.address, one.lovelace) == (ADDRESS, 5)


@pytest.mark.parametrize("tail", ["", "5820" + ID.hex()])
def test_the_older_form_may_end_in_a_break(tail: str) -> None:
    """With a datum hash or without."""
    output = output_from(bytes.fromhex("9f581d" + ADDRESS.hex() + "05" + tail + "ff"))
    assert (output.lovelace, output.datum_hash) == (5, ID if tail else None)


def test_an_inline_datum_is_kept_as_it_is_written() -> None:
    """No matter whether somebody else would write it so."""
    for datum in ("00", "1800", "9f00ff", "d8799fff", "5f4100ff"):
        raw = encode(mapped((0, ADDRESS), (1, 5)))
        raw = b"\xa3" + raw[1:] + bytes.fromhex("028201d818") + encode(bytes.fromhex(datum))
        assert output_from(raw).datum == bytes.fromhex(datum)


@pytest.mark.parametrize("language", Language)
def test_a_script_has_the_hash_by_which_it_is_found(language: Language) -> None:
    """Of its language and its bytes: what a byte string holds for Plutus, its CBOR for a native one."""
    script: Node = NATIVE if language is Language.NATIVE else b"\1\2\3"
    raw = encode(NATIVE) if language is Language.NATIVE else b"\1\2\3"
    output = output_from(encode(mapped((0, ADDRESS), (1, 5), (3, Embedded(listed(language.value, script))))))
    assert output.script is not None
    assert (output.script.language, output.script.raw) == (language, raw)
    assert output.script.hash == blake2b(bytes([language]) + raw, digest_size=28).digest()


@given(st.integers(0, 2**64 - 1), VALUES)
def test_a_value_is_as_large_as_the_ledger_would_write_it(
    lovelace: int, assets: Mapping[bytes, Mapping[bytes, int]]
) -> None:
    """In the shortest form, but maps of more than 23 entries with a break (`encodeMap` of cardano-ledger-binary); ada
    alone as a number."""

    def as_map(pairs: list[tuple[Node, Node]]) -> Map:
        return Map(tuple(pairs), indefinite=len(pairs) > 23)

    policies = as_map([(policy, as_map(list(names.items()))) for policy, names in assets.items()])
    written = encode(listed(lovelace, policies) if assets else lovelace)
    assert len(written) == value_size(lovelace, assets)


def test_the_size_of_a_value_is_not_that_of_its_bytes() -> None:
    """The ledger measures what it would write itself; min-ada it reckons with the bytes that stood there."""
    wordy = bytes.fromhex("82581d" + ADDRESS.hex() + "821b0000000000000005bf581c" + POLICY.hex() + "bf4000ff") + b"\xff"
    wordy = wordy.replace(bytes.fromhex("bf4000ff"), bytes.fromhex("bf401b0000000000000001ff"))
    output = output_from(wordy)
    assert (output.lovelace, output.assets) == (5, {POLICY: {b"": 1}})
    assert output.value_size == len(bytes.fromhex("8205a1581c" + POLICY.hex() + "a14001"))
    assert output.raw == wordy


def test_nothing_follows_an_output() -> None:
    """`output_from` reads all of what it is given."""
    with pytest.raises(Malformed):
        output_from(encode(mapped((0, ADDRESS), (1, 5))) + b"\0")

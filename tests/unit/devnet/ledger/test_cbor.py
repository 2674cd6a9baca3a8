"""CBOR is read as far as it is asked for, in any way that it may be written; bad bytes end in one exception, soon."""

import time
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from indexer.devnet.ledger.cbor import Major, Malformed, Reader
from indexer.devnet.ledger.data import check_data

PLAIN = st.recursive(
    st.integers(-(2**64), 2**64 - 1) | st.binary(max_size=70) | st.text(max_size=70) | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.integers(0, 9) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=20,
)


def reader(digits: str) -> Reader:
    return Reader(bytes.fromhex(digits))


@pytest.mark.parametrize(
    ("number", "digits"),
    [
        (0, "00"),
        (23, "17"),
        (24, "1818"),
        (255, "18ff"),
        (256, "190100"),
        (2**32, "1b0000000100000000"),
        (2**64 - 1, "1bffffffffffffffff"),
        (5, "1805"),
        (5, "1b0000000000000005"),
    ],
)
def test_an_unsigned_integer_may_take_more_bytes_than_it_needs(number: int, digits: str) -> None:
    """The ledger does not ask for the shortest form."""
    read = reader(digits)
    assert number == read.unsigned()
    read.end()


@pytest.mark.parametrize(
    ("number", "digits"), [(-1, "20"), (-24, "37"), (-25, "3818"), (-(2**64), "3bffffffffffffffff")]
)
def test_a_negative_integer_goes_down_to_64_bits(number: int, digits: str) -> None:
    """CBOR's major type 1 says -1 - n."""
    assert number == reader(digits).integer()


def test_strings_are_told_by_their_length_or_end_in_a_break() -> None:
    """Only `pieces` and `text` take those that end in a break."""
    assert reader("420102").octets() == b"\1\2"
    assert list(reader("420102").pieces()) == [b"\1\2"]
    assert list(reader("5f410140420203ff").pieces()) == [b"\1", b"", b"\2\3"]
    assert reader("63 61 c3a9").text() == "aé"
    assert reader("7f 6161 62c3a9 ff").text() == "aé"


def test_arrays_and_maps_are_told_by_their_length_or_end_in_a_break() -> None:
    """The caller reads what is inside, and need not know which."""
    for digits in ("83010203", "9f010203ff", "9b0000000000000003010203"):
        read = reader(digits)
        assert [read.unsigned() for _ in read.array()] == [1, 2, 3]
        read.end()
    for digits in ("a201020304", "bf01020304ff"):
        read = reader(digits)
        assert [(read.unsigned(), read.unsigned()) for _ in read.map()] == [(1, 2), (3, 4)]
        read.end()


def test_a_key_that_comes_twice_is_seen_twice() -> None:
    """Nothing is put into a dictionary before the caller does."""
    read = reader("a2 01 02 01 03")
    assert [(read.unsigned(), read.unsigned()) for _ in read.map()] == [(1, 2), (1, 3)]


def test_an_item_keeps_the_bytes_it_stood_in() -> None:
    """What is hashed or measured is a span of what came."""
    read = reader("82 1805 9f01ff")
    length = read.open()
    start = read.position
    assert (length, read.unsigned(), read.since(start).hex()) == (2, 5, "1805")
    assert read.skip().hex() == "9f01ff"
    read.close(length, 2)
    read.end()


@pytest.mark.parametrize("digits", ["820102", "9f0102ff"])
def test_a_record_has_as_many_elements_as_were_read(digits: str) -> None:
    """One more or one fewer is an error, whichever way the length is told."""
    for count in (1, 2):
        read = reader(digits)
        length = read.open()
        for _ in range(count):
            read.unsigned()
        if count == 2:
            read.close(length, 2)
        else:
            with pytest.raises(Malformed):
                read.close(length, 1)


def test_tags_may_be_expected_or_allowed() -> None:
    """A set is a set with its tag or without; with another it is something else."""
    reader("d9010280").expect_tag(258)
    reader("d9010280").allow_tag(258)
    reader("80").allow_tag(258)
    for read in (reader("d8182a").allow_tag, reader("d8182a").expect_tag, reader("80").expect_tag):
        with pytest.raises(Malformed):
            read(258)


def test_booleans_and_null_are_single_bytes() -> None:
    """Null is told from whatever else may stand there."""
    read = reader("f5f4f600")
    assert (read.boolean(), read.boolean(), read.null(), read.null()) == (True, False, True, False)
    assert Major.UNSIGNED is read.peek()


REFUSED: dict[str, tuple[str, Callable[[Reader], Any]]] = {
    "nothing at all": ("", Reader.unsigned),
    "a number cut short": ("1900", Reader.unsigned),
    "a reserved length": ("1c", Reader.unsigned),
    "a text for a number": ("6161", Reader.unsigned),
    "a negative number": ("20", Reader.unsigned),
    "a bignum": ("c24101", Reader.integer),
    "a number that is too large": ("1901", lambda read: read.unsigned(255)),
    "a string cut short": ("4201", Reader.octets),
    "a string of exabytes": ("5bffffffffffffffff00", Reader.octets),
    "a string of 2^63 bytes": ("5b800000000000000000", Reader.octets),
    "a string in pieces, where one is due": ("5f4101ff", Reader.octets),
    "a text among pieces of bytes": ("5f6161ff", lambda read: list(read.pieces())),
    "pieces within pieces": ("5f5f4101ffff", lambda read: list(read.pieces())),
    "pieces without an end": ("5f4101", lambda read: list(read.pieces())),
    "a text that is not UTF-8": ("61ff", Reader.text),
    "a character cut in two": ("7f61c361a9ff", Reader.text),
    "an array of exabytes": ("9bffffffffffffffff00", lambda read: list(read.array())),
    "an array without an end": ("9f", lambda read: list(read.array())),
    "a map for an array": ("a0", lambda read: list(read.array())),
    "an array for a map": ("80", lambda read: list(read.map())),
    "a number for a boolean": ("01", Reader.boolean),
    "a string of another length": ("420102", lambda read: read.octets(3)),
    "a string that is too long": ("420102", lambda read: read.octets(most=1)),
    "a break alone": ("ff", Reader.skip),
    "a break in an array that has a length": ("8201ff", Reader.skip),
    "a key without a value": ("bf01ff", Reader.skip),
    "a map cut short": ("a2010203", Reader.skip),
    "a tag on nothing": ("c2", Reader.skip),
    "a break under a tag": ("9fc2ff", Reader.skip),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bytes_that_are_something_else_are_refused(name: str) -> None:
    """Always with the one exception, which says why."""
    digits, read = REFUSED[name]
    with pytest.raises(Malformed, match=r"\w"):
        read(reader(digits))


def test_nothing_may_follow_the_end() -> None:
    """Whoever reads a whole says so."""
    read = reader("0000")
    read.unsigned()
    with pytest.raises(Malformed):
        read.end()


@given(PLAIN, st.booleans())
def test_whatever_another_library_writes_is_skipped_in_full(value: Any, tagged: bool) -> None:
    """cbor2 and this reader agree where an item ends."""
    raw = cbor2.dumps(cbor2.CBORTag(259, value) if tagged else value)
    read = Reader(raw + b"\0")
    assert raw == read.skip()
    assert len(raw + b"\0") - read.position == 1


@given(st.binary(max_size=200))
@example(b"\x9f" * 50)
def test_any_bytes_are_one_item_or_malformed(raw: bytes) -> None:
    """No other exception, and never more than there is."""
    read = Reader(raw)
    try:
        item = read.skip()
    except Malformed:
        return
    assert raw.startswith(item)
    assert item


@pytest.mark.parametrize("level", ["81", "9f", "a100", "bf00", "c6", "d9010281", "5f", "7f", "d8799f"])
@pytest.mark.parametrize("check", [lambda raw: Reader(raw).skip(), check_data], ids=["any", "data"])
def test_nesting_without_end_is_neither_deep_nor_slow(level: str, check: Callable[[bytes], Any]) -> None:
    """Thirty thousand levels that never close: no recursion, no seconds."""
    raw = bytes.fromhex(level) * 30_000
    started = time.process_time()
    with pytest.raises(Malformed):
        check(raw)
    assert time.process_time() - started < 2


def test_nesting_that_closes_is_taken_however_deep() -> None:
    """The ledger knows no limit."""
    raw = b"\x81" * 10_000 + b"\0"
    assert raw == Reader(raw).skip()
    check_data(raw)


DATA = {
    "integers": "00 1bffffffffffffffff 3bffffffffffffffff",
    "big integers": "c24101 c340 c25840" + "ff" * 64,
    "big integers in pieces": "c25f5840" + "ff" * 64 + "5840" + "ff" * 64 + "ff",
    "bytes": "40 5840" + "00" * 64,
    "bytes in pieces": "5fff 5f40ff 5f5840" + "00" * 64 + "5840" + "00" * 64 + "ff",
    "lists": "80 8101 9fff 9f01ff",
    "maps": "a0 a10102 bfff bf0102ff a201020102 a18080",
    "small constructors": "d87980 d8799f01ff d87f8101",
    "further constructors": "d9050080 d905788101",
    "any constructor": "d866820080 d866821bffffffffffffffff8101 d8669f0080ff d8669f009f01ffff",
    "tags in more bytes": "d9007980 da0000007980",
}
NO_DATA = {
    "nothing": "",
    "a text": "6161",
    "a boolean": "f5",
    "null": "f6",
    "a float": "f90000",
    "65 bytes in one piece": "5841" + "00" * 65,
    "65 bytes in one of several pieces": "5f5841" + "00" * 65 + "ff",
    "a big integer of 65 bytes": "c25841" + "00" * 65,
    "a big integer under a longer tag": "d80241ff",
    "a big integer that is none": "c201",
    "an unknown tag": "d88080",
    "a tag between the constructors": "d8788080",
    "a tag behind them": "d9057980",
    "a set": "d9010280",
    "a constructor without a list": "d87901",
    "a constructor with a map": "d879a0",
    "any constructor of one part": "d8668100",
    "any constructor of three parts": "d86683008000",
    "any constructor with a break too late": "d8669f008000ff",
    "any constructor without a break": "d8669f0080",
    "any constructor with fields that are no list": "d8669f0001ff",
    "any constructor below zero": "d866822080",
    "a key without a value": "bf01ff",
    "two of it": "0000",
}


@pytest.mark.parametrize("name", DATA)
def test_plutus_data_is_taken_in_every_form_that_plutus_takes(name: str) -> None:
    """The decoder of plutus-core, form by form."""
    for digits in DATA[name].split():
        check_data(bytes.fromhex(digits))


@pytest.mark.parametrize("name", NO_DATA)
def test_what_plutus_does_not_take_as_data_is_refused(name: str) -> None:
    """The decoder of plutus-core: five kinds of data, pieces of at most 64 bytes."""
    with pytest.raises(Malformed):
        check_data(bytes.fromhex(NO_DATA[name]))

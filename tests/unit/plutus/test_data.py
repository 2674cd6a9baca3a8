"""Plutus Data and its CBOR: as the ledger writes it, in whatever form the ledger reads it, and nothing else."""

import gzip
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.errors import MalformedDatum
from indexer.plutus.data import MAX_BYTES, MAX_DEPTH, Constr, Data, Map, decode, encode
from indexer.plutus.datum import MILESTONE_DATUM
from tests.support import plutus

RECORDED = Path(__file__).parents[2] / "data" / "mainnet-conway-35-blocks.v7.jsonl.gz"

# By hand, from RFC 8949 and the notes in plutus-core's PlutusCore/Data.hs.
WRITTEN: list[tuple[Data, str]] = [
    (0, "00"),
    (23, "17"),
    (24, "1818"),
    (255, "18ff"),
    (256, "190100"),
    (65535, "19ffff"),
    (65536, "1a00010000"),
    (2**32, "1b0000000100000000"),
    (2**64 - 1, "1bffffffffffffffff"),
    (2**64, "c249010000000000000000"),
    (-1, "20"),
    (-24, "37"),
    (-25, "3818"),
    (-(2**64), "3bffffffffffffffff"),
    (-(2**64) - 1, "c349010000000000000000"),
    (2**512 - 1, "c25840" + "ff" * 64),
    (2**512, "c25f5840" + "01" + "00" * 63 + "4100ff"),
    (-(2**512) - 1, "c35f5840" + "01" + "00" * 63 + "4100ff"),
    (b"", "40"),
    (b"a" * 23, "57" + "61" * 23),
    (b"a" * 24, "5818" + "61" * 24),
    (b"a" * 64, "5840" + "61" * 64),
    (b"a" * 65, "5f5840" + "61" * 64 + "4161ff"),
    (b"a" * 128, "5f5840" + "61" * 64 + "5840" + "61" * 64 + "ff"),
    (b"a" * 129, "5f5840" + "61" * 64 + "5840" + "61" * 64 + "4161ff"),
    ((), "80"),
    ((1,), "9f01ff"),
    (((), (1, 2)), "9f809f0102ffff"),
    (Map(), "a0"),
    (Map(((2, 1), (1, b""))), "a202010140"),
    (Map(((1, 0), (1, 0))), "a201000100"),
    (Map((((1,), 0), (Map(), 0))), "a29f01ff00a000"),
    (Constr(0), "d87980"),
    (Constr(0, (1,)), "d8799f01ff"),
    (Constr(6, (1,)), "d87f9f01ff"),
    (Constr(7, (1,)), "d905009f01ff"),
    (Constr(127), "d9057880"),
    (Constr(128), "d86682188080"),
    (Constr(128, (1,)), "d8668218809f01ff"),
    (Constr(2**64 - 1), "d866821bffffffffffffffff80"),
]


@pytest.mark.parametrize(("value", "written"), WRITTEN, ids=[written[:24] for _, written in WRITTEN])
def test_data_is_written_as_the_ledger_writes_it(value: Data, written: str) -> None:
    """And read back."""
    assert written == encode(value).hex()
    assert value == decode(bytes.fromhex(written))


# Other forms of the same: (value, by hand).
READ: list[tuple[Data, str]] = [
    (0, "1800"),
    (0, "1b0000000000000000"),
    (-1, "3800"),
    (5, "c24105"),
    (5, "c2420005"),
    (0, "c240"),
    (-1, "c340"),
    (-6, "c35f4105ff"),
    (2**64, "c25f4101" + "48" + "00" * 8 + "ff"),
    (b"ab", "5f41614162ff"),
    (b"", "5fff"),
    (b"", "5f40ff"),
    (b"a", "580161"),
    (b"a", "5b000000000000000161"),
    ((), "9fff"),
    ((1,), "8101"),
    ((1,), "980101"),
    ((1,), "9b000000000000000101"),
    (Map(((1, 2),)), "bf0102ff"),
    (Map(((1, 2),)), "b8010102"),
    (Map(((1, 2), (1, 3))), "bf01020103ff"),
    (Constr(0), "d8799fff"),
    (Constr(0, (1,)), "d8798101"),
    (Constr(0, (1,)), "d900798101"),
    (Constr(0, (1,)), "db00000000000000798101"),
    (Constr(0, (1,)), "d86682008101"),
    (Constr(0), "d8669f0080ff"),
    (Constr(7), "d86682079fff"),
    (Constr(128), "d90066821b000000000000008080"),
]


@pytest.mark.parametrize(("value", "written"), READ, ids=[written for _, written in READ])
def test_every_form_that_the_ledger_reads_is_read(value: Data, written: str) -> None:
    """Counted or open-ended, heads longer than needed, strings in pieces, tag 102 for any constructor."""
    assert value == decode(bytes.fromhex(written))


REFUSED = {
    "nothing": "",
    "two values": "0000",
    "a break": "ff",
    "half a head": "19ff",
    "half a string": "4261",
    "a string cut in its pieces": "5f4161",
    "half a list": "8200",
    "an open list": "9f00",
    "half a map": "a100",
    "a key without value": "bf00ff",
    "a tag alone": "d879",
    "a text": "6161",
    "an open text": "7f6161ff",
    "false": "f4",
    "null": "f6",
    "undefined": "f7",
    "a half float": "f93c00",
    "a double": "fb3ff0000000000000",
    "a simple value": "e0",
    "a reserved head": "1c",
    "another reserved head": "5e",
    "an open-ended number": "1f",
    "an open-ended negative number": "3f",
    "an open-ended tag": "df00",
    "65 bytes in one piece": "5841" + "00" * 65,
    "65 bytes in a piece of many": "5f5841" + "00" * 65 + "ff",
    "a text among the pieces": "5f6161ff",
    "an open string among the pieces": "5f5f4161ffff",
    "a bignum of 65 bytes in one piece": "c25841" + "00" * 65,
    "a bignum of a number": "c201",
    "a bignum of a list": "c28101",
    "a bignum behind a longer head": "d8024101",
    "a negative bignum behind a longer head": "d900034101",
    "a time in words": "c074323031332d30332d32315432303a30343a30305a",
    "a time": "c11a514b67b0",
    "a decimal fraction": "c48221196ab3",
    "a bigfloat": "c5821b000000007fffffff03",
    "a shared value": "d81c05",
    "a value that holds itself": "d81c81d81d00",
    "a string by reference": "d9010082d81900d81900",
    "a rational": "d81e820102",
    "a regular expression": "d8236161",
    "mail": "d8246161",
    "an id": "d82550" + "00" * 16,
    "a set": "d9010280",
    "self-described": "d9d9f700",
    "CBOR in bytes": "d8184100",
    "the tag before the first": "d87880",
    "the tag after the seventh": "d88080",
    "the tag before 1280": "d904ff80",
    "the tag after 1400": "d9057980",
    "fields that are a number": "d87900",
    "fields that are a map": "d879a0",
    "an alternative of one": "d8668100",
    "an alternative of three": "d86683008000",
    "an open alternative of three": "d8669f008000ff",
    "an open alternative with something for the break": "d8669f008000",
    "an open alternative of one": "d8669f00ff",
    "an alternative that is no list": "d86600",
    "an alternative without index": "d866828080",
    "a negative alternative": "d866822080",
    "an alternative past 64 bits": "d86682c24901000000000000000080",
    "an alternative without list": "d866820000",
}


@pytest.mark.parametrize("written", REFUSED.values(), ids=REFUSED.keys())
def test_what_the_ledger_does_not_read_is_refused(written: str) -> None:
    """By one error; and inside a list, a map or fields no less."""
    for raw in (f"{written}", f"81{written}", f"9f{written}ff", f"a1{written}00", f"a100{written}", f"d87981{written}"):
        if written not in ("", "ff", "0000") or raw == written:
            with pytest.raises(MalformedDatum):
                decode(bytes.fromhex(raw))


HOSTILE = {
    "lists in lists": b"\x81" * 100_000 + b"\x00",
    "open lists in open lists": b"\x9f" * 100_000,
    "open lists, closed again": b"\x9f" * 100_000 + b"\xff" * 100_000,
    "maps in maps": b"\xa1\x00" * 100_000,
    "maps as keys of maps": b"\xa1" * 100_000,
    "constructors in constructors": b"\xd8\x79\x81" * 100_000,
    "alternatives in alternatives": b"\xd8\x66\x82\x00\x81" * 100_000,
    "tags on tags": b"\xd8\x79" * 100_000,
    "strings in strings": b"\x5f" * 100_000,
    "bignums of bignums": b"\xc2" * 100_000,
    "a list of 2^60": b"\x9b" + (2**60).to_bytes(8, "big"),
    "a list of 2^64 - 1": b"\x9b" + b"\xff" * 8,
    "lists of 2^27 in one another": (b"\x9a" + (2**27).to_bytes(4, "big")) * 50,
    "a map of 2^60": b"\xbb" + (2**60).to_bytes(8, "big"),
    "a map of 2^64 - 1": b"\xbb" + b"\xff" * 8,
    "a string of 2^60": b"\x5b" + (2**60).to_bytes(8, "big"),
    "a string of 2^64 - 1": b"\x5b" + b"\xff" * 8,
    "a bignum of 2^60": b"\xc2\x5b" + (2**60).to_bytes(8, "big"),
    "ten megabytes of numbers": b"\x9f" + bytes(10_000_000) + b"\xff",
    "ten megabytes of bignum": b"\xc2\x5f" + (b"\x58\x40" + b"\xff" * 64) * 150_000 + b"\xff",
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_bytes_cost_a_moment_and_the_named_error(raw: bytes) -> None:
    """However deep, long, or untruthful about its lengths: no other error, and no second of CPU time."""
    before = time.process_time()
    for read in (decode, MILESTONE_DATUM.decode):
        with pytest.raises(MalformedDatum):
            read(raw)
    assert time.process_time() - before < 1


def test_a_value_as_large_as_is_read_takes_seconds_at_most() -> None:
    """A million numbers, and a bignum of eight million bits."""
    before = time.process_time()
    assert len(decode(b"\x9f" + bytes(MAX_BYTES - 2) + b"\xff")) == MAX_BYTES - 2  # type: ignore[arg-type]
    pieces = (MAX_BYTES - 3) // 66
    assert 2 ** (pieces * 512) - 1 == decode(b"\xc2\x5f" + (b"\x58\x40" + b"\xff" * 64) * pieces + b"\xff")
    assert time.process_time() - before < 5


def test_depth_is_counted_by_what_can_hold_something() -> None:
    """One more is too deep; what is as deep as allowed is written again."""
    deepest = b"\x9f" * MAX_DEPTH + b"\xff" * MAX_DEPTH
    assert deepest.replace(b"\x9f\xff", b"\x80") == encode(decode(deepest))
    with pytest.raises(MalformedDatum, match="inside one another"):
        decode(b"\x81" + deepest)


def test_what_is_no_data_is_not_written() -> None:
    """True is no 1; an index past 64 bits would be written so that nobody could read it."""
    no_data: list[Any] = [True, None, "text", 1.5, {}, (1, True)]
    for value in no_data:
        with pytest.raises(TypeError):
            encode(value)
    for index in (-1, 2**64):
        with pytest.raises(ValueError, match="constructor index"):
            encode(Constr(index))


@given(plutus.drawn(plutus.data))
def test_what_is_written_is_read_back(value: Data) -> None:
    """Bytes to value, value to bytes."""
    written = encode(value)
    assert value == decode(written)
    assert written == encode(decode(written))


@given(st.randoms(use_true_random=False))
def test_any_hand_is_read(rng: Random) -> None:
    """Each list, string, number and constructor in a form drawn by chance."""
    value = plutus.data(rng)
    assert value == decode(plutus.handwritten(value, rng))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_the_named_error(raw: bytes) -> None:
    """And a value is written in a form that reads as the same."""
    try:
        value = decode(raw)
    except MalformedDatum:
        return
    assert value == decode(encode(value))


@given(st.randoms(use_true_random=False))
def test_cut_or_flipped_bytes_are_a_value_or_the_named_error(rng: Random) -> None:
    """Nothing short of the whole is a value."""
    raw = bytearray(encode(plutus.data(rng)))
    for length in rng.sample(range(len(raw)), min(20, len(raw))):
        with pytest.raises(MalformedDatum):
            decode(bytes(raw[:length]))
    raw[rng.randrange(len(raw))] = rng.randrange(256)
    with suppress(MalformedDatum):
        decode(bytes(raw))


def as_cbor2_has_it(data: Data) -> Any:
    """The same value in cbor2's types. Only for maps whose keys are distinct numbers: cbor2 forgets repeated keys."""
    match data:
        case Constr(index, fields):
            items = [as_cbor2_has_it(field) for field in fields]
            if index < 128:
                return cbor2.CBORTag(121 + index if index < 7 else 1273 + index, items)
            return cbor2.CBORTag(102, [index, items])
        case Map(pairs):
            return {key: as_cbor2_has_it(value) for key, value in pairs}
        case tuple():
            return [as_cbor2_has_it(item) for item in data]
        case _:
            return data


@given(st.randoms(use_true_random=False))
def test_another_library_reads_what_we_write(rng: Random) -> None:
    """cbor2 knows nothing of Plutus, and the same of CBOR."""
    value = plutus.data(rng, distinct_keys=True)
    assert as_cbor2_has_it(value) == cbor2.loads(encode(value))


@given(st.randoms(use_true_random=False))
def test_we_read_what_another_library_writes(rng: Random) -> None:
    """Counted throughout, unless it holds a long string: cbor2 writes those in one piece."""
    value = plutus.data(rng, distinct_keys=True)
    written = cbor2.dumps(as_cbor2_has_it(value))
    if _longest(value) <= 64:
        assert value == decode(written)
    else:
        with pytest.raises(MalformedDatum, match="in one piece"):
            decode(written)


def _longest(data: Data) -> int:
    match data:
        case Constr(_, fields):
            return max(map(_longest, fields), default=0)
        case Map(pairs):
            return max((max(_longest(key), _longest(value)) for key, value in pairs), default=0)
        case tuple():
            return max(map(_longest, data), default=0)
        case bytes():
            return len(data)
        case _:
            return (data.bit_length() + 7) // 8 if data >= 0 else ((-1 - data).bit_length() + 7) // 8


def recorded() -> Iterator[tuple[str | None, bytes]]:
    """Datums of real mainnet blocks, with their hash where a transaction said it; and redeemers."""
    for line in gzip.decompress(RECORDED.read_bytes()).splitlines():
        for transaction in json.loads(line)["result"]["block"].get("transactions", ()):
            for output in transaction["outputs"]:
                if "datum" in output:
                    yield None, bytes.fromhex(output["datum"])
            for datum_hash, datum in transaction.get("datums", {}).items():
                yield datum_hash, bytes.fromhex(datum)
            for redeemer in transaction.get("redeemers", ()):
                yield None, bytes.fromhex(redeemer["redeemer"])


def test_everything_on_the_real_chain_is_read() -> None:
    """And what we write of it again is what stood there, or another form of the same value."""
    same = other = 0
    for datum_hash, raw in recorded():
        value = decode(raw)
        written = encode(value)
        assert value == decode(written)
        if written == raw:
            same += 1
            assert datum_hash in (None, blake2b(written, digest_size=32).hexdigest())
        else:
            other += 1
    assert same > 100
    assert other > 10

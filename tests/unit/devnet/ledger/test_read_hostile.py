"""Bytes that somebody sends to do harm, or that came to harm: one exception, soon, and nothing else."""

import random
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import pytest

from indexer.devnet.ledger.read import LARGEST, Undecodable, read_transaction
from tests.contract.gallery import GALLERY
from tests.contract.tree import Node, Tag, encode
from tests.unit.devnet.ledger.written import NATIVE, listed, mapped, written


def test_a_transaction_cut_short_anywhere_is_refused() -> None:
    """At each of its bytes."""
    raw = GALLERY["a withdrawal of an attestation"]().transaction
    for length in range(len(raw)):
        with pytest.raises(Undecodable):
            read_transaction(raw[:length])


@pytest.mark.parametrize(
    "name", ["a creation of a token", "a release of all at once", "a reclaim of several, and an attestation"]
)
def test_a_damaged_transaction_is_another_one_or_undecodable(name: str) -> None:
    """Whatever byte is another, no other exception comes out."""
    raw = GALLERY[name]().transaction
    chance = random.Random(name)
    for position in range(len(raw)):
        damaged = bytearray(raw)
        damaged[position] = chance.randrange(256)
        with suppress(Undecodable):
            assert read_transaction(bytes(damaged)).raw == damaged


HOSTILE: Final[Mapping[str, bytes]] = {
    "64 MB of zeros": bytes(64_000_000),
    "arrays without end": b"\x9f" * LARGEST,
    "arrays in arrays": b"\x81" * LARGEST,
    "a datum of nothing but arrays": written(witnesses=[(4, listed(0))])[:-4] + b"\x81" * 100_000,
    "a datum of a hundred thousand zeros": written(witnesses=[(4, Tag(258, listed(*[0] * 100_000)))]) + b"\0",
    "metadata of many levels": written()[:-1] + b"\xa1\x01" + b"\x81" * 10_000 + b"\0",
    "metadata of maps in maps": written()[:-1] + b"\xa1\x01" + b"\xa1\0" * 10_000 + b"\0",
    "metadata of maps in keys": written()[:-1] + b"\xa1\x01" + b"\xa1" * 10_000 + b"\0" * 10_001,
    "a native script of many levels": written()[:-3] + b"\xa1\x01\x81" + b"\x82\x01\x81" * 10_000,
    "a proposal of many levels": written((20, 0)).replace(b"\x14\0", b"\x14" + b"\x81" * 50_000),
    "a certificate of many levels": written((4, 0)).replace(b"\x04\0", b"\x04\x81\x82\x02" + b"\x81" * 50_000),
    "a map of exabytes": b"\x84\xbb" + b"\xff" * 8,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_end_soon_in_the_one_exception(name: str) -> None:
    """No recursion, no memory for what is only promised, no seconds."""
    started = time.perf_counter()
    with pytest.raises(Undecodable):
        read_transaction(HOSTILE[name])
    assert time.perf_counter() - started < 2


def test_nesting_that_is_deep_but_allowed_is_taken() -> None:
    """Plutus data nests without limit; what is read by recursion, more than anybody writes."""
    deep = b"\x81" * 5_000 + b"\0"
    raw = written(witnesses=[(4, listed(7))]).replace(b"\x04\x81\x07", b"\x04\x81" + deep)
    assert list(read_transaction(raw).witnesses.datums.values()) == [deep]
    metadata: Node = 0
    native: Node = NATIVE
    for _ in range(100):
        metadata, native = listed(metadata), listed(1, listed(native))
    tx = read_transaction(written(witnesses=[(1, listed(native))], auxiliary=mapped((1, metadata))))
    assert tx.auxiliary_data == encode(mapped((1, metadata)))
    assert [script.raw for script in tx.witnesses.scripts] == [encode(native)]

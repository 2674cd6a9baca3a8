"""The chain that all clients read: real mainnet blocks, some of whose addresses are made somebody else's."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Final

from indexer.chain.address import needle
from indexer.chain.point import Point
from indexer.devnet.recording import link, point_of, read_recordings

ROOT: Final = Path(__file__).parents[1]
SOURCE: Final = ROOT / "tests" / "data" / "mainnet-conway-35-blocks.v7.jsonl.gz"

# Pays and is paid in one block of the 35. In two rounds of three its address is made another one of the same
# length, so it is met in one block of 105.
RARE: Final = "6c374779b40b1c35910de63c68c4a596544a98e3f6cbfeade3806c9f"
ROUNDS: Final = 3
HASH: Final = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
# Between them they are paid in every block: the busiest two scripts, and two for the blocks these leave out.
BUSY: Final = (
    "c3e28c36c3447315ba5a56f33da6a6ddc1770a876a8d9f0cb3a97c4c",
    "ea07b733d932129c378af627436e7cbc2ef0bf96e0036bb51b3bde6b",
    "b610bfca05d92c04eb6a460c2570d6d467813052608c7390daf0017d",
    "9cd9c6fd1399ce2fbbef45b363e8bac67ab8afa783b6e7a42f6e5716",
)


@dataclass(frozen=True, slots=True)
class Recording:
    """A file of blocks that `devnet --replay` serves over and over; `size` is its JSON in bytes."""

    path: Path
    blocks: int
    size: int

    def point(self, cycles: int) -> Point:
        """Where the chain stands after so many times the recording."""
        last = next(islice(link(read_recordings([self.path]), cycles), self.blocks * cycles - 1, None))
        point = point_of(last)
        assert point is not None
        return point


def make(directory: Path) -> Recording:
    """The 35 blocks three times over, each time with other ids; the rare address stands in the last round only."""
    needle_of_rare = needle(bytes.fromhex(RARE)).encode()
    path = directory / "mainnet-105-blocks.jsonl"
    blocks = read_recordings([SOURCE])
    ids = {name for block in blocks for name in (block.id.hex().encode(), *block.transaction_ids())}
    count = size = 0
    with path.open("wb") as file:
        for number in range(ROUNDS):
            rename = _renaming(ids, number)
            for block in blocks:
                text = HASH.sub(rename, block.text)
                if number < ROUNDS - 1:
                    text = text.replace(needle_of_rare, b"q" * len(needle_of_rare))
                size += file.write(b'{"jsonrpc":"2.0","method":"nextBlock","result":{"direction":"forward","block":')
                size += file.write(text + b"}}\n")
                count += 1
    return Recording(path, count, size)


def _renaming(ids: Iterable[bytes], number: int) -> Callable[[re.Match[bytes]], bytes]:
    # With a `person`, for with a salt alone `link` makes the names of its later rounds, which must not be taken.
    salt = number.to_bytes(8, "big")
    names = {name: blake2b(name, digest_size=32, salt=salt, person=b"benchmarks").hexdigest().encode() for name in ids}
    return lambda found: names.get(found[0], found[0])


def nobody(number: int) -> str:
    """A credential that occurs nowhere."""
    return blake2b(b"nobody", digest_size=28, salt=number.to_bytes(8, "big")).hexdigest()

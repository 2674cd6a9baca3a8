"""The index: which outputs were made and spent on the chain as it is, and what their hashes stand for.

It follows the chain block by block. What a block changed is written down, so that it can be taken back: after any
forks the index equals one that only ever saw the blocks that are left.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from math import ceil, log
from typing import Final, Generic, TypeVar

from indexer.chain.block import OutputReference
from indexer.chain.point import Origin, Place, Point, Slot, slot_of
from indexer.devnet.kupo.metadata import labels
from indexer.devnet.kupo.patterns import Anything, Pattern, overlaps, question
from indexer.devnet.kupo.rows import Row, Spending
from indexer.devnet.ledger.state import created
from indexer.devnet.ledger.transaction import Purpose, Script, Transaction

SAFE_ZONE: Final = 129_600  # slots: three times k over the density of blocks, as on mainnet

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class IndexedBlock:
    """A block as far as the index is concerned."""

    slot: Slot
    header_hash: bytes  # 32 bytes
    transactions: tuple[Transaction, ...]

    @property
    def point(self) -> Point:
        """Where it stands."""
        return Point(self.slot, self.header_hash)


class StillWatched(Exception):
    """Rows that a pattern of the index may match are not to be deleted."""


@dataclass(slots=True)
class _Changes:
    """What a block changed: hashes as often as it showed them."""

    made: list[OutputReference] = field(default_factory=list)
    spent: list[OutputReference] = field(default_factory=list)
    datums: list[bytes] = field(default_factory=list)
    scripts: list[bytes] = field(default_factory=list)


class _Shown(Generic[T]):
    """Things by their hash, for as long as a block is left that showed them."""

    def __init__(self) -> None:
        self._things: dict[bytes, tuple[T, int]] = {}

    def get(self, hash_: bytes) -> T | None:
        found = self._things.get(hash_)
        return None if found is None else found[0]

    def add(self, hash_: bytes, thing: T) -> bytes:
        _, times = self._things.get(hash_, (thing, 0))
        self._things[hash_] = (thing, times + 1)
        return hash_

    def take_back(self, hash_: bytes) -> None:
        thing, times = self._things.pop(hash_)
        if times > 1:
            self._things[hash_] = (thing, times - 1)


class Index:
    """An index of the outputs that any of `patterns` matches; of every output, unless told otherwise."""

    def __init__(self, patterns: Iterable[Pattern] = (Anything(),)) -> None:
        self.patterns = set(patterns)
        self._blocks: list[IndexedBlock] = []
        self._slots: list[Slot] = []
        self._changes: list[_Changes] = []
        self._rows: dict[OutputReference, Row] = {}  # as they were made
        self._datums: _Shown[bytes] = _Shown()
        self._scripts: _Shown[Script] = _Shown()

    @property
    def tip(self) -> Point | None:
        """The newest block; None where there is none yet."""
        return self._blocks[-1].point if self._blocks else None

    @property
    def rows(self) -> Iterator[Row]:
        """Every row, in the order of the chain."""
        return iter(self._rows.values())

    def datum(self, hash_: bytes) -> bytes | None:
        """The CBOR of a datum that a witness or an indexed output showed, by blake2b-256 of it."""
        return self._datums.get(hash_)

    def script(self, hash_: bytes) -> Script | None:
        """A script that a witness, auxiliary data or an indexed output showed, by its hash."""
        return self._scripts.get(hash_)

    # Following the chain.

    def apply(self, block: IndexedBlock) -> None:
        """Take in the next block. Raises ValueError where its slot is not after the tip's."""
        if self._slots and block.slot <= self._slots[-1]:
            raise ValueError(f"a block of slot {block.slot} cannot follow one of slot {self._slots[-1]}")
        changes = _Changes()
        questions = [question(pattern) for pattern in self.patterns]
        for number, transaction in enumerate(block.transactions):
            self._show_witnesses(transaction, changes)
            for row in _made(transaction, number, block.point):
                if any(is_meant(row) for is_meant in questions):
                    self._keep(row, changes)
            for reference, spending in _spent(transaction, block.point):
                if (spent := self._rows.get(reference)) is not None:
                    spent.spent = spending
                    changes.spent.append(reference)
        self._blocks.append(block)
        self._slots.append(block.slot)
        self._changes.append(changes)

    def roll_back(self, to: Place) -> None:
        """Take back every block after a point. Raises ValueError where the point is not on the chain."""
        if not self._holds(to):
            raise ValueError(f"{to} is not on the chain of the index")
        while self._blocks and self._slots[-1] > slot_of(to):
            self._blocks.pop()
            self._slots.pop()
            changes = self._changes.pop()
            for reference in changes.spent:
                if reference in self._rows:  # it may have been deleted
                    self._rows[reference].spent = None
            for reference in changes.made:
                self._rows.pop(reference, None)
            for hash_ in changes.datums:
                self._datums.take_back(hash_)
            for hash_ in changes.scripts:
                self._scripts.take_back(hash_)

    # Patterns.

    def watch(self, patterns: Iterable[Pattern], since: Place) -> None:
        """Index more, from the block after `since` on. Raises ValueError where that is not on the chain."""
        again = [block for block in self._blocks if block.slot > slot_of(since)]
        self.roll_back(since)
        self.patterns |= set(patterns)
        for block in again:
            self.apply(block)

    def forget(self, pattern: Pattern) -> int:
        """Index less from now on; rows stay. How many patterns that were: one or none."""
        known = pattern in self.patterns
        self.patterns.discard(pattern)
        return int(known)

    def delete(self, pattern: Pattern) -> int:
        """Drop the rows that a pattern matches: how many. Raises StillWatched where it overlaps one of the index."""
        if any(overlaps(pattern, watched) for watched in self.patterns):
            raise StillWatched(pattern)
        is_meant = question(pattern)
        gone = [row.reference for row in self._rows.values() if is_meant(row)]
        for reference in gone:
            del self._rows[reference]
        return len(gone)

    # Where it stands.

    def at_or_before(self, slot: Slot) -> Point | None:
        """The newest block up to a slot."""
        count = bisect_right(self._slots, slot)
        return self._blocks[count - 1].point if count else None

    def at_or_after(self, slot: Slot) -> IndexedBlock | None:
        """The oldest block from a slot on."""
        count = bisect_right(self._slots, slot - 1)
        return self._blocks[count] if count < len(self._blocks) else None

    def checkpoints(self) -> list[Point]:
        """A sample of the blocks, newest first: many near the tip, few far from it."""
        found: dict[Point, None] = {}
        for distance in _DISTANCES if self._slots else ():
            block = self.at_or_after(max(0, self._slots[-1] - distance))
            assert block is not None, "there is one at the tip"
            found[block.point] = None
        return list(found)

    def _holds(self, place: Place) -> bool:
        return isinstance(place, Origin) or self.at_or_before(place.slot) == place

    def _show_witnesses(self, transaction: Transaction, changes: _Changes) -> None:
        for datum in transaction.witnesses.datums.values():
            changes.datums.append(self._datums.add(_blake2b_256(datum), datum))
        for script in (*transaction.witnesses.scripts, *transaction.auxiliary_scripts):
            changes.scripts.append(self._scripts.add(_script_hash(script), script))

    def _keep(self, row: Row, changes: _Changes) -> None:
        self._rows[row.reference] = row
        changes.made.append(row.reference)
        if (datum := row.output.datum) is not None:
            changes.datums.append(self._datums.add(_blake2b_256(datum), datum))
        if (script := row.output.script) is not None:
            changes.scripts.append(self._scripts.add(_script_hash(script), script))


def _made(transaction: Transaction, number: int, at: Point) -> Iterator[Row]:
    """The outputs that a transaction makes: where its scripts fail, only what is left of its collateral."""
    tagged = labels(transaction.auxiliary_data)
    for reference, output in created(transaction).items():
        datum_hash = output.datum_hash if output.datum is None else _blake2b_256(output.datum)
        script_hash = None if output.script is None else _script_hash(output.script)
        yield Row(reference, number, output, datum_hash, script_hash, tagged, at)


def _spent(transaction: Transaction, at: Point) -> Iterator[tuple[OutputReference, Spending]]:
    """What it spends, in the ledger's order, which redeemers count in. No redeemer is for a collateral."""
    redeemers = {
        redeemer.index: redeemer.data
        for redeemer in transaction.witnesses.redeemers
        if redeemer.purpose is Purpose.SPEND and transaction.is_valid
    }
    for n, reference in enumerate(sorted(transaction.spends)):
        yield reference, Spending(at, transaction.id, n, redeemers.get(n))


def _blake2b_256(data: bytes) -> bytes:
    return blake2b(data, digest_size=32).digest()


def _script_hash(script: Script) -> bytes:
    return blake2b(bytes([script.language]) + script.raw, digest_size=28).digest()


def _distances() -> tuple[int, ...]:
    """How far from the tip Kupo looks for checkpoints: every ten slots at first, then twice as far each time."""
    steps = ceil(log(SAFE_ZONE))
    return (*range(0, SAFE_ZONE // 2**steps + 1, 10), *(SAFE_ZONE // 2**n for n in range(steps - 1, -1, -1)))


_DISTANCES: Final = _distances()

"""A run of blocks on its way into one transaction."""

from dataclasses import dataclass, field

from aiosqlite import Connection

from indexer.chain.block import Header
from indexer.chain.network import Network
from indexer.chain.point import BlockHeight, Checkpoint, Point, Slot, Tip
from indexer.domain.facts import Rejected
from indexer.domain.observe import Delta
from indexer.store import checkpoints, events, milestones, projection
from indexer.store.checkpoints import SPARSE

MOST_ROWS = 5_000


@dataclass(slots=True)
class Batch:
    """Blocks followed and not yet committed. `keep`: how many blocks below the tip are remembered one by one."""

    keep: int
    count: int = 0
    rows: int = 0
    deltas: list[Delta] = field(default_factory=list)
    marks: list[tuple[Slot, bytes, BlockHeight]] = field(default_factory=list)
    first: Header | None = None
    last: Header | None = None

    def add(self, delta: Delta | None, header: Header, tip: Tip) -> None:
        """One block more. An EBB has no slot, so no cursor can stand on it."""
        self.count += 1
        if delta:
            self.deltas.append(delta)
            self.rows += len(delta.created) + len(delta.spent) + len(delta.revealed)
        if header.slot is not None:
            self.first = self.first or header
            self.last = header
            if tip.height - header.height <= self.keep or header.height % SPARSE == 0:
                self.marks.append((header.slot, header.id, header.height))

    @property
    def full(self) -> bool:
        """Whether it is time for a transaction, however long the batch took to fill."""
        return self.rows >= MOST_ROWS

    async def write(self, db: Connection, cursor: Checkpoint, network: Network) -> list[Rejected]:
        """Everything gathered, and the cursor with it; the caller owns the transaction.

        Returns the outputs at contracts that count as nothing.
        """
        assert self.first is not None
        await projection.apply(db, self.deltas)
        rejected = await milestones.apply(db, self.deltas, network)
        await checkpoints.advance(db, self.marks, self.first.height, cursor, self.keep)
        await milestones.reassess(db, await events.settle(db, cursor.height), network)
        return rejected

    def close(self) -> Checkpoint | None:
        """Where the cursor stands once this is committed; None if no block of the batch has a slot."""
        if self.last is None or self.last.slot is None:
            return None
        mark = (self.last.slot, self.last.id, self.last.height)
        if not self.marks or self.marks[-1] != mark:
            self.marks.append(mark)
        return Checkpoint(Point(self.last.slot, self.last.id), self.last.height)

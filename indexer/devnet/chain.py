"""A chain of blocks that grows and forks while it is read, and the readers' places on it."""

from collections.abc import Callable, Iterable, Iterator

from indexer.chain.point import ORIGIN, Origin, Place, Slot
from indexer.devnet.recording import Block, point_of


class Chain:
    """Blocks in order, as a node would serve them; grows and forks while followers read.

    Not for several threads: a change tells the followers before it returns.
    """

    def __init__(self, blocks: Iterable[Block] = ()) -> None:
        self._blocks: list[Block] = []
        self._places: dict[bytes, int] = {}
        self._followers: dict[Follower, Callable[[], None]] = {}
        self.version = 0  # grows with every change
        self.extend(blocks)

    def __len__(self) -> int:
        return len(self._blocks)

    def __getitem__(self, index: int) -> Block:
        return self._blocks[index]

    def __iter__(self) -> Iterator[Block]:
        return iter(self._blocks)

    @property
    def tip(self) -> Block | None:
        """The newest block; None where there is none yet."""
        return self._blocks[-1] if self._blocks else None

    @property
    def tip_slot(self) -> Slot:
        """The slot of the tip; of an epoch boundary, which has none, the slot of the block before it."""
        return next((block.slot for block in reversed(self._blocks) if block.slot is not None), 0)

    def append(self, block: Block) -> None:
        """Grow by one block."""
        self.extend((block,))

    def extend(self, blocks: Iterable[Block]) -> None:
        """Grow by several blocks; followers hear of it once."""
        self.switch(len(self._blocks), blocks)

    def roll_back(self, to: int) -> None:
        """Abandon all but the first `to` blocks; followers who have read further are sent back."""
        if to != len(self._blocks):
            self.switch(to, ())

    def switch(self, to: int, blocks: Iterable[Block]) -> None:
        """Abandon all but the first `to` blocks, and grow others; followers hear of it once, when it is done."""
        if not 0 <= to <= len(self._blocks):
            raise ValueError(f"cannot keep {to} of {len(self._blocks)} blocks")
        if to != len(self._blocks):
            for block in self._blocks[to:]:
                self._places.pop(block.id, None)
            del self._blocks[to:]
            for follower in self._followers:
                follower.abandon(to)
        for block in blocks:
            self._places[block.id] = len(self._blocks)
            self._blocks.append(block)
        self._changed()

    def find(self, place: Place) -> int | None:
        """How many blocks there are up to `place`, itself included; None where it is not on the chain."""
        if isinstance(place, Origin):
            return 0
        index = self._places.get(place.id)
        return index + 1 if index is not None and self._blocks[index].slot == place.slot else None

    def follow(self, on_change: Callable[[], None]) -> "Follower":
        """A reader at the origin, who is told of every change until `leave`."""
        follower = Follower(self)
        self._followers[follower] = on_change
        return follower

    def leave(self, follower: "Follower") -> None:
        """Tell this reader nothing more."""
        self._followers.pop(follower, None)

    def _changed(self) -> None:
        self.version += 1
        for on_change in list(self._followers.values()):
            on_change()


class Follower:
    """One reader's place on a chain, as a node keeps it."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self.read = 0  # how many blocks the reader has
        self._sent_back = True  # a node's first word is always where it starts from

    def seek(self, place: Place) -> bool:
        """Read on from `place`; False, and nothing changes, where it is not on the chain."""
        found = self._chain.find(place)
        if found is not None:
            self.read, self._sent_back = found, True
        return found is not None

    def abandon(self, to: int) -> None:
        """The chain keeps only `to` blocks."""
        if self.read > to:
            self.read, self._sent_back = to, True
            # No point names an epoch boundary: go back before it, and serve it again.
            while self.read and self._chain[self.read - 1].slot is None:
                self.read -= 1

    def next(self) -> Block | Place | None:
        """The next answer: a block, or a place to go back to, or None at the tip."""
        if self._sent_back:
            self._sent_back = False
            return (point_of(self._chain[self.read - 1]) if self.read else None) or ORIGIN
        if self.read == len(self._chain):
            return None
        self.read += 1
        return self._chain[self.read - 1]

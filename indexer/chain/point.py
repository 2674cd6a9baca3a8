"""Where on the chain: slots, points and tips."""

from dataclasses import dataclass
from typing import Final, TypeAlias

Slot: TypeAlias = int
BlockHeight: TypeAlias = int

MAX_INTEGER: Final = 2**63 - 1  # what SQLite holds; slots and heights past it are not of this world


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A block, named by its slot and its header hash (32 bytes)."""

    slot: Slot
    id: bytes

    def __str__(self) -> str:
        return f"{self.slot}.{self.id.hex()}"


@dataclass(frozen=True, slots=True)
class Origin:
    """Before the first block."""

    def __str__(self) -> str:
        return "origin"


ORIGIN: Final = Origin()
Place: TypeAlias = Point | Origin


@dataclass(frozen=True, slots=True)
class Tip:
    """The newest block a node has: where, and how many blocks lie beneath it."""

    point: Point
    height: BlockHeight


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A place we can go back to. The height of a starting point is not known until a block follows it."""

    place: Place
    height: BlockHeight | None


def distance(height: BlockHeight, tip: Tip | Origin) -> int:
    """How many blocks the node is ahead of `height`; 0 where it is not."""
    return max(0, tip.height - height) if isinstance(tip, Tip) else 0


def parse_place(text: str) -> Place:
    """`origin`, or `SLOT.ID` with a 64-digit hex id. Raises ValueError."""
    if text == "origin":
        return ORIGIN
    slot, dot, block_id = text.partition(".")
    if not (dot and slot.isascii() and slot.isdigit() and len(block_id) == 64 and int(slot) <= MAX_INTEGER):
        raise ValueError(f"{text!r} is neither `origin` nor SLOT.ID (a slot, a dot, 64 hex digits)")
    return Point(int(slot), bytes.fromhex(block_id))


def slot_of(place: Place) -> Slot:
    """The slot of a point; -1 for the origin, which lies before every slot."""
    return place.slot if isinstance(place, Point) else -1

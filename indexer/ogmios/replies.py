"""What a chain-sync session says and hears."""

from dataclasses import dataclass
from typing import TypeAlias

from indexer.chain.block import Header
from indexer.chain.point import Origin, Place, Tip


@dataclass(frozen=True, slots=True)
class FindIntersection:
    """Which of these points, in order of preference, does the node know?"""

    points: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class NextBlock:
    """So many blocks more, please."""

    count: int


@dataclass(frozen=True, slots=True)
class AskLater:
    """The node is behind us: ask for the intersection again in a while."""

    tip: Tip | Origin


@dataclass(frozen=True, slots=True)
class IntersectionFound:
    """The node will go on from this point."""

    point: Place
    tip: Tip | Origin


@dataclass(frozen=True, slots=True)
class IntersectionNotFound:
    """The node knows none of the points."""

    tip: Tip | Origin


@dataclass(frozen=True, slots=True)
class RollForward:
    """The next block: its header, read; the rest as text, unread.

    `span` is where the list of transactions stands in `text`; None where that takes reading it in full.
    """

    header: Header
    tip: Tip
    text: bytes
    span: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class RollBackward:
    """Keep this point, and forget every block after it."""

    point: Place
    tip: Tip | Origin


Reply: TypeAlias = IntersectionFound | IntersectionNotFound | RollForward | RollBackward
News: TypeAlias = RollForward | RollBackward
Effect: TypeAlias = FindIntersection | NextBlock | AskLater | News

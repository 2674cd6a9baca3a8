"""The chain-sync session as a function: a reply in, the next state and what to do out.

Ogmios, section 3 of its manual: the reply that follows an intersection is always a rollback to that very
point, an ordinary reply. Answers come in the order of the questions, however many are under way.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

from indexer import errors
from indexer.chain.point import BlockHeight, Checkpoint, Origin, Place, Point, Tip, distance, slot_of
from indexer.ogmios.replies import (
    AskLater,
    Effect,
    FindIntersection,
    IntersectionFound,
    IntersectionNotFound,
    News,
    NextBlock,
    Reply,
    RollBackward,
    RollForward,
)
from indexer.step import Step

DEEPEST: Final = 100  # requests under way far from the tip: the depth that Ogmios' manual recommends


@dataclass(frozen=True, slots=True)
class Intersecting:
    """Looking for a common point. `remembered` is newest first: its first is where we stand."""

    remembered: tuple[Checkpoint, ...]
    security_parameter: int


@dataclass(frozen=True, slots=True)
class Following:
    """`place` is the last block with a slot, `link` the id that the next block must name as its ancestor."""

    place: Place
    link: bytes | None
    height: BlockHeight | None
    in_flight: int
    tip: Tip | Origin

    @property
    def at_tip(self) -> bool:
        """Nothing more to come until the node has news: the reply we wait for may take as long as it likes."""
        if isinstance(self.tip, Origin):
            return True
        if self.height is not None:
            return self.height >= self.tip.height
        return self.tip.point == self.place


State: TypeAlias = Intersecting | Following


def start(remembered: tuple[Checkpoint, ...], security_parameter: int) -> Step[State, Effect]:
    """Ask for the intersection with what we remember."""
    points = tuple(checkpoint.place for checkpoint in remembered)
    return Step(Intersecting(remembered, security_parameter), (FindIntersection(points),))


def advance(state: State, reply: Reply) -> Step[State, Effect]:
    """One reply in, one step out.

    Raises AncestorMismatch, ReplyGarbled, IntersectionNotFound or IntersectionTooDeep.
    """
    match state, reply:
        case Following(), RollForward(header):
            if state.link is not None and header.ancestor != state.link:
                raise errors.AncestorMismatch(
                    f"block {header.id.hex()} at height {header.height} does not follow {state.link.hex()}"
                )
            if header.slot is not None and header.slot <= slot_of(state.place):
                raise errors.ReplyGarbled(f"slot {header.slot} does not come after {slot_of(state.place)}")
            return _ask(header.point or state.place, header.id, header.height, state.in_flight - 1, reply.tip, reply)
        case Following(), RollBackward(point, tip):
            height = state.height if point == state.place else None
            return _ask(point, _link(point), height, state.in_flight - 1, tip, reply)
        case Intersecting(remembered), IntersectionFound(point, tip):
            return _intersected(state, remembered[0], point, tip)
        case Intersecting(remembered), IntersectionNotFound(tip):
            if _behind(tip, remembered[0]):
                return Step(state, (AskLater(tip),))
            raise errors.IntersectionNotFound(remembered[0].place, tip)
    raise errors.ReplyGarbled(f"a {type(reply).__name__} while {type(state).__name__.lower()}")


def max_in_flight(blocks_to_go: int) -> int:
    """Deep far from the tip, so that Ogmios never waits for us; one request at the tip."""
    return max(1, min(DEEPEST, blocks_to_go))


def _intersected(state: Intersecting, newest: Checkpoint, point: Place, tip: Tip | Origin) -> Step[State, Effect]:
    if _behind(tip, newest):
        return Step(state, (AskLater(tip),))
    found = next((c for c in state.remembered if c.place == point), None)
    if found is None:
        raise errors.ReplyGarbled(f"an intersection at {point}, which we did not offer")
    if newest.height is not None and found.height is not None:
        depth = newest.height - found.height
        if depth > state.security_parameter:
            raise errors.IntersectionTooDeep(point, depth, state.security_parameter)
    return _ask(point, _link(point), found.height, 0, tip)


def _behind(tip: Tip | Origin, newest: Checkpoint) -> bool:
    """A node that has not come as far as we have is not on a fork: it is behind, or restoring."""
    if isinstance(newest.place, Origin):
        return False
    if isinstance(tip, Origin):
        return True
    if newest.height is None:
        return tip.point.slot < newest.place.slot
    return tip.height < newest.height


def _ask(
    place: Place,
    link: bytes | None,
    height: BlockHeight | None,
    in_flight: int,
    tip: Tip | Origin,
    *news: News,
) -> Step[State, Effect]:
    # Ask first, hand over second: Ogmios fetches while we project. And ask in bulk, when half is used up.
    wanted = 1 if height is None else max_in_flight(distance(height, tip))
    if in_flight > wanted // 2:
        return Step(Following(place, link, height, in_flight, tip), news)
    return Step(Following(place, link, height, wanted, tip), (NextBlock(wanted - in_flight), *news))


def _link(place: Place) -> bytes | None:
    return place.id if isinstance(place, Point) else None

"""The session machine, one reply at a time."""

from dataclasses import replace

import pytest

from indexer import errors
from indexer.chain.block import Header
from indexer.chain.point import ORIGIN, Checkpoint, Point, Tip
from indexer.ogmios.chainsync import DEEPEST, Following, Intersecting, State, advance, max_in_flight, start
from indexer.ogmios.replies import (
    AskLater,
    FindIntersection,
    IntersectionFound,
    IntersectionNotFound,
    NextBlock,
    RollBackward,
    RollForward,
)
from indexer.step import Step


def block_id(height: int) -> bytes:
    return height.to_bytes(32, "big")


def point(height: int) -> Point:
    return Point(10 * height, block_id(height))


def tip(height: int) -> Tip:
    return Tip(point(height), height)


def block(height: int, at: Tip, ancestor: bytes | None = None) -> RollForward:
    header = Header(block_id(height), ancestor or block_id(height - 1), height, 10 * height)
    return RollForward(header, at, b"", None)


REMEMBERED = (Checkpoint(point(50), 50), Checkpoint(point(49), 49), Checkpoint(point(10), 10))
INTERSECTING = Intersecting(REMEMBERED, security_parameter=5)


def following(height: int, in_flight: int, at: Tip) -> Following:
    return Following(point(height), block_id(height), height, in_flight, at)


def test_a_session_begins_with_every_point_we_remember() -> None:
    """Newest first, as Ogmios prefers the first it knows."""
    assert Step(INTERSECTING, (FindIntersection((point(50), point(49), point(10))),)) == start(REMEMBERED, 5)


def test_after_the_intersection_we_ask_deep_when_far_and_shallow_when_near() -> None:
    """So many requests as there are blocks to come, up to a hundred; one at the tip."""
    for distance, asked in ((0, 1), (1, 1), (7, 7), (100, 100), (10_000, DEEPEST)):
        step = advance(INTERSECTING, IntersectionFound(point(50), tip(50 + distance)))
        assert step.effects == (NextBlock(asked),)
        assert max_in_flight(distance) == asked


def test_requests_are_topped_up_when_half_are_answered() -> None:
    """In bulk, before the block is handed over."""
    far = tip(10_000)
    quiet = advance(following(50, 52, far), block(51, far))
    assert quiet.effects == (block(51, far),)
    topped = advance(following(50, 51, far), block(51, far))
    assert topped.effects == (NextBlock(50), block(51, far))


def test_the_first_reply_after_an_intersection_leads_back_to_it_and_changes_nothing() -> None:
    """It is a rollback like any other; the height is not forgotten."""
    step = advance(following(50, 1, tip(50)), RollBackward(point(50), tip(50)))
    assert step == Step(following(50, 1, tip(50)), (NextBlock(1), RollBackward(point(50), tip(50))))


def test_after_a_rollback_the_next_block_tells_the_height() -> None:
    """A point has none; until then one request at a time."""
    step = advance(following(50, 1, tip(50)), RollBackward(point(48), tip(51)))
    assert step.state == Following(point(48), block_id(48), None, 1, tip(51))
    assert advance(step.state, block(49, tip(51))).state == Following(point(49), block_id(49), 49, 2, tip(51))


def test_a_boundary_block_is_a_link_but_no_place() -> None:
    """An EBB has no slot, and the height of the block before it."""
    ebb = RollForward(Header(b"e" * 32, block_id(50), 50, None), tip(60), b"", None)
    step = advance(following(50, 9, tip(60)), ebb)
    assert step.state == replace(following(50, 8, tip(60)), link=b"e" * 32)
    with pytest.raises(errors.AncestorMismatch):
        advance(step.state, block(51, tip(60)))
    assert advance(step.state, block(51, tip(60), ancestor=b"e" * 32)).state == following(51, 7, tip(60))


def test_a_block_that_does_not_follow_the_last_is_refused() -> None:
    """Neither by its ancestor nor by its slot."""
    with pytest.raises(errors.AncestorMismatch, match="does not follow"):
        advance(following(50, 1, tip(60)), block(51, tip(60), ancestor=b"x" * 32))
    late = RollForward(Header(block_id(51), block_id(50), 51, 500), tip(60), b"", None)
    with pytest.raises(errors.ReplyGarbled, match="slot 500"):
        advance(following(50, 1, tip(60)), late)


def test_at_the_origin_any_first_block_will_do() -> None:
    """`genesis` on a network that began with Shelley, the hash of Byron's genesis elsewhere."""
    first = RollForward(Header(block_id(0), None, 0, 0), tip(3), b"", None)
    state = Following(ORIGIN, None, None, 1, tip(3))
    assert advance(state, first).state == Following(Point(0, block_id(0)), block_id(0), 0, 3, tip(3))


@pytest.mark.parametrize(
    "reply", [IntersectionNotFound(tip(49)), IntersectionFound(point(10), tip(49)), IntersectionNotFound(ORIGIN)]
)
def test_a_node_that_is_behind_is_waited_for(reply: IntersectionFound | IntersectionNotFound) -> None:
    """Whatever it knows of our points: it has not come as far as we have."""
    assert Step(INTERSECTING, (AskLater(reply.tip),)) == advance(INTERSECTING, reply)


def test_a_starting_point_in_the_future_of_the_node_is_waited_for() -> None:
    """Its height is not known, its slot is."""
    state = Intersecting((Checkpoint(point(70), None),), 5)
    assert advance(state, IntersectionNotFound(tip(60))).effects == (AskLater(tip(60)),)
    with pytest.raises(errors.IntersectionNotFound):
        advance(state, IntersectionNotFound(tip(71)))


def test_an_intersection_deeper_than_k_is_not_followed_unasked() -> None:
    """Five is as deep as an honest fork can be here."""
    at_k = Intersecting((REMEMBERED[0], Checkpoint(point(45), 45)), 5)
    assert isinstance(advance(at_k, IntersectionFound(point(45), tip(60))).state, Following)
    with pytest.raises(errors.IntersectionTooDeep, match="40 blocks ago") as caught:
        advance(INTERSECTING, IntersectionFound(point(10), tip(60)))
    assert f"indexer rollback {point(10)}" in caught.value.hint


def test_a_lost_intersection_stops() -> None:
    """The node is further than we are and knows none of our points: never a silent re-index."""
    with pytest.raises(errors.IntersectionNotFound, match="knows none"):
        advance(INTERSECTING, IntersectionNotFound(tip(60)))


@pytest.mark.parametrize(
    ("state", "reply"),
    [
        (INTERSECTING, block(51, tip(60))),
        (INTERSECTING, RollBackward(point(50), tip(60))),
        (INTERSECTING, IntersectionFound(point(11), tip(60))),
        (following(50, 1, tip(60)), IntersectionFound(point(50), tip(60))),
        (following(50, 1, tip(60)), IntersectionNotFound(tip(60))),
    ],
)
def test_a_reply_that_makes_no_sense_here_is_refused(state: State, reply: RollForward) -> None:
    """Including an intersection that was not offered."""
    with pytest.raises(errors.ReplyGarbled):
        advance(state, reply)


@pytest.mark.parametrize(
    ("state", "waits"),
    [
        (following(50, 1, tip(50)), True),
        (following(51, 1, tip(50)), True),  # the tip of an answer may be older than the block
        (following(49, 1, tip(50)), False),
        (Following(point(50), block_id(50), None, 1, tip(50)), True),
        (Following(point(48), block_id(48), None, 1, tip(50)), False),
        (replace(following(50, 1, tip(50)), tip=ORIGIN), True),
    ],
)
def test_at_the_tip_a_reply_may_be_long_in_coming(state: Following, waits: bool) -> None:
    """And nowhere else: there, silence is a fault."""
    assert waits is state.at_tip

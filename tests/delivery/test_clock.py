"""A clock that is set back: nobody waits longer for a message than they would have."""

from pathlib import Path

from indexer.store import checkpoints
from indexer.store.db import opened
from tests.delivery.world import NETWORK, World

HOUR_MS = 3_600_000


async def test_a_sink_that_failed_before_the_clock_was_set_back_is_tried_again_within_its_wait(tmp_path: Path) -> None:
    """Five hours back. Both the sink, which rests, and its message, whose next attempt is in the database."""
    world = World(1, tmp_path / "db.sqlite")
    world.receivers = world.receivers[:1]
    (receiver,) = world.receivers
    receiver.mode = "broken"
    async with opened(world.path) as db:
        await checkpoints.claim(db, NETWORK)
        await world.start()
        while not any(block.events for block in world.blocks):
            world.grow()
        await world.store(db)
        for _ in range(3):
            await world._turn(may_die=False)
        assert receiver.got == []
        assert world.deliverer._status.queued["all"][0] > 0
        receiver.mode = "up"
        world.now_ms -= 5 * HOUR_MS
        for _ in range(20):
            world.now_ms += 1_000
            await world._turn(may_die=False)
        assert {message.event["event_id"] for message in receiver.got} == {
            event.id for block in world.blocks for event in block.events if world._wanted(receiver, event)
        }
        assert world.deliverer._status.queued["all"][0] == 0  # told anew all the while
        await world.deliverer.close()
        await world._context.__aexit__(None, None, None)

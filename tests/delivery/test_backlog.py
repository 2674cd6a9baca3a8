"""A sink that is down for long: what waits for it costs nobody anything, and is sent once it is back."""

import asyncio
from pathlib import Path

import pytest

from indexer.domain.delivery import Wants
from indexer.domain.events import Event
from indexer.edge.sinks.message import Fault, Message, SinkFailed
from indexer.status import DeliveryStatus
from indexer.store import checkpoints, events, outbox
from indexer.store.db import opened, transaction
from indexer.workers.deliver import Deliverer, Post
from tests.delivery.world import GENESIS_MS, NETWORK

EVENTS = 5_000
A_BLOCK = 10


class Switched:
    """A receiver that is there or not."""

    def __init__(self) -> None:
        self.up, self.got, self.asked = False, list[str](), 0

    @property
    def at_once(self) -> int:
        return 8

    async def send(self, message: Message) -> None:
        self.asked += 1
        if not self.up:
            raise SinkFailed("connection refused", Fault.SINK)
        self.got.append(message.id)

    async def close(self) -> None:
        pass


def block(number: int, distributions: int) -> list[Event]:
    return [
        Event(
            f"{number * A_BLOCK + each:032x}",
            "milestone.released",
            ((number * A_BLOCK + each) % distributions).to_bytes(32, "big"),
            b"m1",
            number,
            number,
            False,
            {"amount": 1},
        )
        for each in range(A_BLOCK)
    ]


@pytest.mark.parametrize("distributions", [7, 3_000], ids=["few distributions", "many distributions"])
async def test_a_backlog_is_asked_about_seldom_and_then_drained_in_order(distributions: int, tmp_path: Path) -> None:
    """While the sink is down one message at a time finds out, once a minute in the end; of each distribution they
    come in order. A second sink is served all along."""
    now_ms = GENESIS_MS + 10**9
    down, other = Switched(), Switched()
    other.up = True
    path = tmp_path / "db.sqlite"
    async with opened(path) as db, opened(path) as own:
        await checkpoints.claim(db, NETWORK)
        posts = [Post(name, sink, Wants(everything=True)) for name, sink in (("down", down), ("other", other))]
        deliverer = Deliverer(own, "devnet", posts, lambda: now_ms, DeliveryStatus(), lambda: 0.0)
        await deliverer.open()
        await own.execute("UPDATE sink SET since_ms = 0")
        for desk in deliverer._desks.values():
            desk.since = (await outbox.known(own))[desk.post.name].since
        for number in range(EVENTS // A_BLOCK):
            async with transaction(db):
                rows = block(number, distributions)
                await events.reconcile(db, [], rows, whole=False)
            now_ms += 1_000
            await deliverer.step()
            await asyncio.sleep(0)
        while len(other.got) < EVENTS:
            await deliverer.step()
            await asyncio.sleep(0)
        # As many as may be on their way at once; then after 1, 2, 4 … 32 seconds, and a minute each from then on.
        assert down.asked <= down.at_once + 6 + (EVENTS // A_BLOCK - 63) // 60 + 1
        down.up = True
        now_ms += 3_600_000
        while len(down.got) < EVENTS:
            await deliverer.step()
            await asyncio.sleep(0)
        await deliverer.close()
    assert len(set(down.got)) == EVENTS
    for lane in range(min(distributions, 50)):
        mine = [name for name in down.got if int(name[:32], 16) % distributions == lane]
        assert mine == sorted(mine)

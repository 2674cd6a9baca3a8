"""A sink that asks for rest gets it, whatever was under way when it did."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiosqlite import Connection

from indexer.domain.delivery import Since, Wants
from indexer.domain.events import Event
from indexer.edge.sinks.message import Fault, Message, SinkFailed
from indexer.status import DeliveryStatus
from indexer.store import checkpoints, events
from indexer.store.db import opened, transaction
from indexer.workers.deliver import Deliverer, Post
from tests.delivery.world import GENESIS_MS, NETWORK

HOUR_MS = 3_600_000
BUSY = SinkFailed("answers 429", Fault.SINK, 3_600.0)


class Slow:
    """A receiver that answers when it is told to, and how."""

    at_once = 2

    def __init__(self) -> None:
        self.under_way: list[tuple[str, asyncio.Future[None]]] = []
        self.asked = 0

    async def send(self, message: Message) -> None:
        self.asked += 1
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.under_way.append((message.id, answer))
        await answer

    def answer(self, failed: SinkFailed | None) -> None:
        _, answer = self.under_way.pop(0)
        if failed is None:
            answer.set_result(None)
        else:
            answer.set_exception(failed)

    async def close(self) -> None:
        pass


def event(number: int) -> Event:
    lane = number.to_bytes(32, "big")
    return Event(f"{number:032x}", "milestone.released", lane, b"m1", 1_000 + number, 1, False, {"amount": 1})


async def work(deliverer: Deliverer) -> None:
    for _ in range(4):
        await deliverer.step()
        await asyncio.sleep(0)


@asynccontextmanager
async def begun(
    folder: Path, sink: Slow, now_ms: Callable[[], int], told: list[Event]
) -> AsyncIterator[tuple[Connection, Deliverer]]:
    """These events came about, and the sink is at the first of them."""
    async with opened(folder / "db.sqlite") as db:
        await checkpoints.claim(db, NETWORK)
        posts = [Post("one", sink, Wants(everything=True), Since())]
        deliverer = Deliverer(db, "devnet", posts, now_ms, DeliveryStatus(), lambda: 0.0)
        await deliverer.open()
        async with transaction(db):
            await events.reconcile(db, [], told, whole=False)
        await work(deliverer)
        yield db, deliverer


@pytest.mark.parametrize("other", [None, SinkFailed("answers 422", Fault.MESSAGE)], ids=["arrived", "rejected"])
async def test_what_was_under_way_when_a_sink_asked_for_rest_does_not_end_it(
    other: SinkFailed | None, tmp_path: Path
) -> None:
    """Two messages; to one the sink answers that it is busy for an hour, then to the other. After the hour one message
    finds out whether it is back, and then all come."""
    now_ms, sink = GENESIS_MS + 10**7, Slow()
    async with begun(tmp_path, sink, lambda: now_ms, [event(each) for each in range(4)]) as (_, deliverer):
        assert sink.asked == 2
        sink.answer(BUSY)
        await work(deliverer)
        sink.answer(other)
        await work(deliverer)
        now_ms += HOUR_MS - 1
        await work(deliverer)
        assert sink.asked == 2
        now_ms += 1
        await work(deliverer)
        assert sink.asked == 3
        sink.answer(None)
        await work(deliverer)
        assert sink.asked == 5
        await deliverer.close()


async def test_who_retries_by_hand_does_not_wait_for_the_end_of_its_rest(tmp_path: Path) -> None:
    now_ms, sink = GENESIS_MS + 10**7, Slow()
    async with begun(tmp_path, sink, lambda: now_ms, [event(1)]) as (db, deliverer):
        sink.answer(BUSY)
        await work(deliverer)
        await db.execute("UPDATE delivery SET state = 'dead', ended_ms = 1, next_attempt_ms = NULL")
        assert await deliverer.retry("one", None) == {"retried": 1, "outdated": 0}
        await work(deliverer)
        assert [name for name, _ in sink.under_way] == [f"{1:032x}.0"]
        await deliverer.close()

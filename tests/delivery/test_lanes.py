"""Distributions beside each other: those that have to wait hold up no others, however many they are."""

import asyncio
from pathlib import Path

from indexer.domain.delivery import Since, Wants
from indexer.domain.events import Event
from indexer.edge.sinks.message import Fault, Message, SinkFailed
from indexer.status import DeliveryStatus
from indexer.store import checkpoints, events
from indexer.store.db import opened, transaction
from indexer.workers.deliver import Deliverer, Post
from tests.delivery.world import GENESIS_MS, NETWORK

UNKNOWN = 400  # more than are looked at in one go


class Particular:
    """A receiver that knows but one distribution."""

    def __init__(self, known: str) -> None:
        self.known, self.got, self.refused = known, list[str](), set[str]()

    @property
    def at_once(self) -> int:
        return 8

    async def send(self, message: Message) -> None:
        distribution = str(message.event["distribution_id"])
        if distribution != self.known:
            self.refused.add(distribution)
            raise SinkFailed("answers 422", Fault.MESSAGE)
        self.got.append(message.id)

    async def close(self) -> None:
        pass


def event(number: int, distribution: int) -> Event:
    lane = distribution.to_bytes(32, "big")
    return Event(f"{number:032x}", "milestone.released", lane, b"m1", 1_000 + number, 1, False, {"amount": 1})


async def test_hundreds_of_messages_that_are_refused_hold_up_no_other_distribution(tmp_path: Path) -> None:
    """Their distributions come first. No block comes, so that nothing else stirs."""
    now_ms = GENESIS_MS + 10**7
    sink = Particular((UNKNOWN + 1).to_bytes(32, "big").hex())
    path = tmp_path / "db.sqlite"
    async with opened(path) as db, opened(path) as own:
        await checkpoints.claim(db, NETWORK)
        posts = [Post("one", sink, Wants(everything=True), Since())]
        deliverer = Deliverer(own, "devnet", posts, lambda: now_ms, DeliveryStatus(), lambda: 0.0)
        await deliverer.open()
        async with transaction(db):
            await events.reconcile(db, [], [event(each, each) for each in range(UNKNOWN)], whole=False)
        while len(sink.refused) < UNKNOWN:
            await deliverer.step()
            await asyncio.sleep(0)
        await deliverer.step()
        async with transaction(db):
            await db.execute("UPDATE delivery SET next_attempt_ms = ?", (now_ms + 800_000,))
        deliverer._desks["one"].after = ""
        async with transaction(db):
            await events.reconcile(db, [], [event(UNKNOWN + 1, UNKNOWN + 1)], whole=False)
        for _ in range(10):
            await deliverer.step()
            await asyncio.sleep(0)
        await deliverer.close()
    assert sink.got == [f"{UNKNOWN + 1:032x}.0"]

"""Distributions beside each other: those that have to wait hold up no others, however many they are; nor does one
kind of what concerns no distribution hold up another."""

import asyncio
from pathlib import Path

from aiosqlite import Connection

from indexer.domain.delivery import Since, Wants
from indexer.domain.events import Event
from indexer.edge.sinks.message import Fault, Message, SinkFailed
from indexer.status import DeliveryStatus
from indexer.store import checkpoints, events, outbox
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


class Picky:
    """A receiver that has no use for wallets, nor, for now, for what begins with one more word."""

    at_once = 8

    def __init__(self) -> None:
        self.got = list[str]()
        self.rejects: tuple[str, ...] = ("wallet.",)

    async def send(self, message: Message) -> None:
        if message.type.startswith(self.rejects):
            raise SinkFailed("answers 422", Fault.MESSAGE)
        self.got.append(message.type)

    async def close(self) -> None:
        pass


async def say(db: Connection, *kinds: str) -> None:
    for kind in kinds:
        count = next(iter(await db.execute_fetchall("SELECT count(*) FROM event")))[0]
        async with transaction(db):
            await events.tell(
                db, event_id=f"{count:032x}", type=kind, distribution_id=None, milestone_id=None, slot=1, data={}
            )


async def test_a_wallet_that_nobody_wants_to_hear_of_holds_up_no_follower_and_no_keeper(tmp_path: Path) -> None:
    """Whoever is on duty is told of a stall within seconds, not when a rejected message is given up; and of its end
    behind it."""
    now_ms = GENESIS_MS + 10**7
    sink = Picky()
    async with opened(tmp_path / "db.sqlite") as db:
        await checkpoints.claim(db, NETWORK)
        deliverer = Deliverer(db, "devnet", [Post("one", sink, Wants())], lambda: now_ms, DeliveryStatus(), lambda: 0.0)
        await deliverer.open()

        async def work(rounds: int = 8) -> None:
            for _ in range(rounds):
                await deliverer.step()
                await asyncio.sleep(0)

        await say(db, "wallet.low", "keeper.paused")
        await work()
        assert sink.got == ["keeper.paused"]
        sink.rejects = ("wallet.", "follower.stalled")
        await say(db, "follower.stalled", "follower.recovered")
        await work()
        assert sink.got == ["keeper.paused"]
        sink.rejects = ("wallet.",)
        now_ms += 60_000
        await work()
        await deliverer.close()
    assert sink.got == ["keeper.paused", "follower.stalled", "follower.recovered"]


async def test_what_waited_in_one_lane_in_earlier_databases_is_told_before_what_came_later(tmp_path: Path) -> None:
    """There all that concerns no distribution waited behind each other."""
    now_ms = GENESIS_MS + 10**7
    sink = Picky()
    posts = [Post("one", sink, Wants())]
    async with opened(tmp_path / "db.sqlite") as db:
        await checkpoints.claim(db, NETWORK)
        before = Deliverer(db, "devnet", posts, lambda: now_ms, DeliveryStatus(), lambda: 0.0)
        await before.open()
        await say(db, "wallet.low", "follower.stalled")
        async with transaction(db):
            await outbox.hand_out(db, before.sinks, now_ms)
            await db.execute("UPDATE delivery SET lane = '-'")
        await before.close()
        await say(db, "follower.recovered")
        after = Deliverer(db, "devnet", posts, lambda: now_ms, DeliveryStatus(), lambda: 0.0)
        await after.open()
        for _ in range(8):
            await after.step()
            await asyncio.sleep(0)
        await after.close()
    assert sink.got == ["follower.stalled", "follower.recovered"]

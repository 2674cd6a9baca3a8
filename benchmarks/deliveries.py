"""`python -m benchmarks.deliveries`: 100,000 events while a sink is down, beside the same without a sink."""

import asyncio
import resource
import tempfile
import time
from pathlib import Path

from indexer.domain.delivery import Since, Wants
from indexer.domain.events import Event
from indexer.edge.sinks.message import Fault, Message, SinkFailed
from indexer.status import DeliveryStatus
from indexer.store import checkpoints, events, letters, outbox
from indexer.store.db import opened, transaction
from indexer.workers.deliver import Deliverer, Post
from tests.delivery.world import NETWORK

BLOCKS, A_BLOCK, DISTRIBUTIONS = 10_000, 10, 10_000


class Switched:
    """A receiver that is there or not, and answers at once."""

    def __init__(self) -> None:
        self.up, self.got, self.all = False, 0, asyncio.Event()

    @property
    def at_once(self) -> int:
        return 8

    async def send(self, message: Message) -> None:  # noqa: ARG002 -- a sink's signature
        if not self.up:
            raise SinkFailed("connection refused", Fault.SINK)
        self.got += 1
        if self.got == BLOCKS * A_BLOCK:
            self.all.set()

    async def close(self) -> None:
        pass


def block(number: int) -> list[Event]:
    """Ten payments, each of another distribution."""
    found = []
    for each in range(number * A_BLOCK, (number + 1) * A_BLOCK):
        whose = (each % DISTRIBUTIONS).to_bytes(32, "big")
        found.append(Event(f"{each:032x}", "milestone.released", whose, b"m1", number, number, False, {"amount": 1}))
    return found


async def measure(folder: Path, sinks: int) -> None:
    """Print what it takes, with so many sinks."""
    sink, ahead_ms = Switched(), 0

    def now_ms() -> int:
        return time.time_ns() // 1_000_000 + ahead_ms

    async with opened(folder / "db.sqlite") as db, opened(folder / "db.sqlite", durable=True) as own:
        await checkpoints.claim(db, NETWORK)
        posts = [Post("down", sink, Wants(everything=True), Since(ms=0))] * sinks
        deliverer = Deliverer(own, "devnet", posts, now_ms, DeliveryStatus())
        await deliverer.open()
        task = asyncio.create_task(deliverer.run())
        writing = []
        for number in range(BLOCKS):
            began = time.monotonic()
            async with transaction(db):
                await events.reconcile(db, [], block(number), whole=False)
            writing.append(time.monotonic() - began)
            deliverer.wake()
        while await outbox.stirs(db):  # noqa: ASYNC110 -- the deliverer's own pace
            await asyncio.sleep(0.05)
        waiting, _, _ = (await letters.queued(db)).get("down", (0, 0, 0))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        median = sorted(writing)[len(writing) // 2] * 1000
        print(
            f"{sinks} sinks: {BLOCKS * A_BLOCK:,} events, {sum(writing):.1f} s, a block of ten {median:.2f} ms "
            f"by median; {waiting:,} wait; peak {peak} MiB"
        )
        if sinks:
            sink.up, ahead_ms, began = True, 3_600_000, time.monotonic()
            deliverer.wake()
            await sink.all.wait()
            took = time.monotonic() - began
            print(f"drained in {took:.1f} s, {BLOCKS * A_BLOCK / took:,.0f} messages a second")
        deliverer.stop()
        await task


def main() -> None:
    """Without a sink, with one, and without one again."""
    for sinks in (0, 1, 0):
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(measure(Path(folder), sinks))


if __name__ == "__main__":
    main()

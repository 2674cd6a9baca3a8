"""`python -m benchmarks.milestones`: what blocks and questions cost as distributions grow in number: two minutes."""

import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from aiosqlite import Connection

from indexer.chain.point import Checkpoint, Point
from indexer.store import goback, status
from indexer.store.db import opened
from tests.support.crowd import Crowd, Promise, begin, fill, network_from, size, write

COUNTS: Final = (100, 1_000, 10_000)
ROUNDS: Final = 30
PROCESSES: Final = 9
SPAM: Final = 5_000
START_MS: Final = 1_700_000_000_000
NOW_MS: Final = START_MS + 30 * 86_400_000  # half of what is promised has vested
NAMES: Final = (
    "block that concerns no contract, ms",
    "block with an attestation, ms",
    "block with a release, ms",
    f"the same after {SPAM:,} bad attestations of it, ms",
    "rollback of a block with an act, ms",
    "rows of one distribution in three views, ms",
    "first 50 of the milestones due, ms",
    "all milestones due, ms",
    "milestones due",
    "`check-status`, ms beyond start-up",
    "`check-status --json`, the same",
    "`check-status --all`, the same",
    "`check-status DISTRIBUTION`, the same",
    "size of the database, MB",
)


def main() -> None:
    """Measure."""
    columns = []
    for count in COUNTS:
        print(f"{count:,} distributions", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as directory:
            columns.append(asyncio.run(measure(Path(directory) / "db.sqlite", count)))
    print(f"| with so many distributions | {' | '.join(f'{count:,}' for count in COUNTS)} |")
    print(f"| --- |{' ---: |' * len(COUNTS)}")
    for name, *values in zip(NAMES, *columns, strict=True):
        print(f"| {name} | {' | '.join(shown(value) for value in values)} |")


async def measure(path: Path, count: int) -> tuple[float, ...]:
    """A value for each of NAMES."""
    crowd = Crowd(network_from(START_MS))
    async with opened(path) as db:
        await begin(db, crowd.network)
        await fill(db, crowd, count)
        few = [promise for promise in crowd.promises if not promise.paid][:ROUNDS]
        nothing = [await block(db, crowd) for _ in range(ROUNDS)]
        attestation = [await block(db, crowd, lambda p=promise: attest(crowd, p)) for promise in few]  # type: ignore[misc]
        release = [await block(db, crowd, lambda p=promise: crowd.release(p, "m1")) for promise in few]  # type: ignore[misc]
        back = [await undone(db, crowd, promise) for promise in few]
        questions = [ask(path, promise) for promise in few]
        first = [await timed(lambda: status.due(db, NOW_MS, most=50)) for _ in range(5)]
        due = [await timed(lambda: status.due(db, NOW_MS)) for _ in range(5)]
        length = (await status.due(db, NOW_MS)).total
        commands = await beyond_start_up(path, crowd)
        bytes_ = size(path)
        for _ in range(SPAM // 250):
            await block(db, crowd, lambda: crowd.attest(few[0], "m2", *[99] * 250, good=False))
        spammed = [await block(db, crowd, lambda: attest(crowd, few[0])) for _ in range(ROUNDS)]
    times = (nothing, attestation, release, spammed, back, questions, first, due)
    return *(statistics.median(each) for each in times), length, *commands, bytes_ / 1e6


async def beyond_start_up(path: Path, crowd: Crowd) -> list[float]:
    """Milliseconds that each form of `check-status` takes as a process, beyond the same with one distribution."""
    few = path.parent / "few.sqlite"
    little = Crowd(crowd.network)
    async with opened(few) as db:
        await begin(db, little.network)
        await fill(db, little, 1)
    found = []
    for options in ((), ("--json",), ("--all",), (crowd.promises[0].id.hex(),)):
        took: dict[Path, list[float]] = {few: [], path: []}
        for _ in range(PROCESSES):
            for database, times in took.items():
                times.append(await timed(lambda: check_status(database, options)))  # noqa: B023 -- awaited here
        found.append(min(took[path]) - min(took[few]))
    return found


async def check_status(database: Path, options: Sequence[str]) -> None:
    """As a process. The first distribution of every crowd is the same."""
    config = database.with_suffix(".toml")
    config.write_text(f'network = "devnet"\n[database]\npath = "{database}"\n')
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "indexer", "--config", config, "check-status", *options, stdout=DEVNULL
    )
    assert await started.wait() == 0


def attest(crowd: Crowd, promise: Promise) -> None:
    """By an oracle of it, or a stranger; each costs the same."""
    crowd.attest(promise, "m3", len(promise.signed) % 20)


async def block(db: Connection, crowd: Crowd, act: Callable[[], None] | None = None) -> float:
    """Milliseconds until a block is committed."""
    if act is not None:
        act()
    made = crowd.block()
    return await timed(lambda: write(db, [made], crowd.network))


async def undone(db: Connection, crowd: Crowd, promise: Promise) -> float:
    """Milliseconds until the last block is undone, which had an attestation."""
    height, slot = crowd.height, crowd.slot
    before = crowd.block()
    await write(db, [before], crowd.network)
    crowd.attest(promise, "m3", 19)
    await write(db, [crowd.block()], crowd.network)
    promise.signed.pop()
    assert before.header.slot is not None
    there = Checkpoint(Point(before.header.slot, before.header.id), before.header.height)
    took = await timed(lambda: goback.rewind(db, there, crowd.network))
    crowd.height, crowd.slot = height + 1, slot + 1
    return took


def ask(path: Path, promise: Promise) -> float:
    """Milliseconds for the rows of one distribution, through a connection of its own."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    begun = time.perf_counter()
    for view in ("distributions", "milestones", "allocations"):
        db.execute(f"SELECT * FROM {view} WHERE distribution_id = ?", (promise.id.hex(),)).fetchall()
    took = time.perf_counter() - begun
    db.close()
    return 1000 * took


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds."""
    begun = time.perf_counter()
    await work()
    return 1000 * (time.perf_counter() - begun)


def shown(value: float) -> str:
    """Whole numbers as they are."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


if __name__ == "__main__":
    main()

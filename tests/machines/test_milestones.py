"""Whatever is promised, paid and had back, and however the chain forks, the views are a fold of what survived."""

import asyncio
import tempfile
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from indexer.chain.point import ORIGIN, Checkpoint, Point
from indexer.devnet.ogmios.server import serve
from indexer.store import checkpoints
from indexer.store.contracts import record
from indexer.store.db import opened, transaction
from indexer.store.goback import rebuild, rewind
from indexer.workers.follow import Follower
from indexer.workers.local import LocalSignatures
from tests.support.acts import DEEDS, fork, make_blocks, pass_time
from tests.support.fold import Event, Rows, fold
from tests.support.following import until
from tests.support.happenings import Told
from tests.support.oddities import some_told
from tests.support.past import as_of, expected_as_of
from tests.support.promised import NETWORK, follower_of, stands_at_tip
from tests.support.promises import OURS, START_MS, TWIN, World
from tests.support.reading import drop_file, events, expected, views

K, CONFIRMED = 6, 3
SEEDS = st.integers(0, 2**32)


class MilestonesMachine(RuleBasedStateMachine):
    """A devnet on which people promise, attest, pay and cheat; the real follower and SQLite; and a dumb fold."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.path, self.data = Path(self.folder.name) / "db.sqlite", Path(self.folder.name) / "data"
        self.world = World(k=K, contracts=(OURS, TWIN))
        self.told: list[Told] = []
        self.known: set[Event] = set()  # every event that ever held when the follower had caught up
        self.retracted: set[Event] = set()
        self.high = 0  # the height that a rollback fell back from, until it is reached again
        self.stack = AsyncExitStack()
        self.task: asyncio.Task[None]
        self.follower: Follower
        self.local: LocalSignatures

    @initialize(seed=SEEDS)
    def begin(self, seed: int) -> None:
        self.runner.run(self._serve())
        self.runner.run(self._start())
        self._live(Random(seed), 8)

    @rule(seed=SEEDS)
    def go_on(self, seed: int) -> None:
        """People do this and that, in one block or in several."""
        self._live(Random(seed), 8)

    @rule(seed=SEEDS, count=st.integers(1, 4))
    def tell(self, seed: int, count: int) -> None:
        """Signatures come in files, mostly good ones, some with an earlier slot, which is believed. Then comes a block:
        what they put in another light is retracted with it."""
        random = Random(seed)
        for _ in range(count if self.world.plans else 0):
            told = some_told(random, self.world, self._slot)
            if told.subject not in {each.subject for each in self.told}:
                self.told.append(told)
                drop_file(self.data, told.distribution, told.milestone, self.told)
        self.runner.run(self.local.look())
        self._live(random, 2)

    @rule(seed=SEEDS, times=st.integers(1, 2))
    def fork(self, seed: int, times: int) -> None:
        """Blocks give way to others, at times to fewer, and these give way again; some of what was in them is gone."""
        random = Random(seed)
        for _ in range(times):
            self._fork(random, 0)
            self.views_equal_the_fold()

    @rule(seed=SEEDS)
    def restart_after_a_fork(self, seed: int) -> None:
        """The fork happens while nobody looks, and grows higher than what it replaces, as forks that win do."""
        self.runner.run(self._stop())
        self._fork(Random(seed), self._height + 1)
        self.runner.run(self._start())

    @rule(seed=SEEDS, trouble=st.sampled_from(("restart", "reconnect", "lose", "rebuild", "rewind")))
    def survive(self, seed: int, trouble: str) -> None:
        """The daemon starts again, or loses its connection, or its database; or is told to read anew all or some of the
        chain. Life goes on meanwhile."""
        random = Random(seed)
        if trouble == "reconnect":
            self.runner.run(self._drop())
            self._live(random, 4)
            return
        self.runner.run(self._stop())
        if trouble == "lose":
            for file in self.path.parent.glob(f"{self.path.name}*"):
                file.unlink()
            self.known, self.retracted, self.high = set(), set(), 0
        elif trouble != "restart":
            self.high = max(self.high, self._height)
            self.runner.run(self._go_back(None if trouble == "rebuild" else random.randint(0, self._height)))
        self._live(random, 4)
        self.runner.run(self._start())

    @rule()
    def look_back(self) -> None:
        """Every slot so far, as it was known then."""
        self.runner.run(self._caught_up())
        slots = range(self._slot + 1)
        for slot, told in zip(slots, self.runner.run(as_of(self.path, slots)), strict=True):
            now = START_MS + 1000 * slot
            rows = fold(self.world.chain, self.told, now=now, at=slot, start=START_MS)
            assert expected_as_of(rows, now) == told, slot

    @invariant()
    def views_equal_the_fold(self) -> None:
        self.runner.run(self._caught_up())
        rows = fold(self.world.chain, self.told, now=_now(), start=START_MS)
        assert expected(rows) == views(self.path)
        self._check_events(rows)

    def teardown(self) -> None:
        if hasattr(self, "task"):
            self.runner.run(self._stop())
        self.runner.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()

    # --- events

    def _check_events(self, rows: Rows) -> None:
        """Those that hold, with their finality; once the old height is reached again, all others are retracted."""
        tip, holding, told = self._height, set(rows.events), events(self.path)
        assert len(holding) == len(rows.events)
        if tip < self.high:  # what a file shows may be taken back by blocks that come back: it is told then
            holding -= {event for event in holding - self.known if event.by_file}
        self.known |= holding
        gone = self.known - holding
        if tip >= self.high:
            self.high, self.retracted = 0, gone
        self.retracted &= gone
        wanted = Counter(_shown(event, event.finality(tip, K, CONFIRMED)) for event in holding)
        wanted += Counter(_shown(event, "retracted") for event in self.retracted)
        assert not wanted - told
        limbo = Counter(_shown(event, "")[:4] for event in gone - self.retracted)
        assert limbo == Counter(key[:4] for key in (told - wanted).elements() if key[4] != "retracted")
        assert told.total() == len(self.known)

    # --- the chain

    @property
    def _height(self) -> int:
        return len(self.world.node.chain) - 1

    @property
    def _slot(self) -> int:
        return self.world.slot - 1

    def _live(self, random: Random, deeds: int) -> None:
        """Some deeds, now and then a block, and a block at the end."""
        for _ in range(deeds):
            random.choice(DEEDS)(random, self.world)
            if random.random() < 0.3:
                self.world.block()
        random.choice((make_blocks, make_blocks, pass_time))(random, self.world)

    def _fork(self, random: Random, least: int) -> None:
        """Some of what waits now was never in a block."""
        for _ in range(2):
            random.choice(DEEDS)(random, self.world)
        self.high = max(self.high, self._height)
        fork(random, self.world)
        if self._height < least:
            self.world.block(least - self._height)

    # --- both ends

    async def _serve(self) -> None:
        self.server = await self.stack.enter_async_context(serve(self.world.node, "127.0.0.1", 0))

    async def _start(self) -> None:
        self.closing = AsyncExitStack()
        db = await self.closing.enter_async_context(opened(self.path))
        await checkpoints.claim(db, NETWORK)
        async with transaction(db):
            await record(db, [contract.hash for contract in self.world.contracts], ORIGIN, CONFIRMED)
        self.local = LocalSignatures(db, self.data, NETWORK, lambda: self._slot, lambda: 0)
        await self.local.look()  # as the daemon does when it starts, and every second
        self.follower = follower_of(db, self.world, self.server.port)
        self.task = asyncio.create_task(self.follower.run())

    async def _stop(self) -> None:
        self.follower.stop()
        await self.task
        await self.closing.aclose()

    async def _go_back(self, height: int | None) -> None:
        """As `indexer rollback` and `indexer rebuild` do."""
        async with opened(self.path) as db:
            if height is None:
                await rebuild(db)
            else:
                block = self.world.chain[height]
                await rewind(db, Checkpoint(Point(block.slot, block.id), height), NETWORK)

    async def _drop(self) -> None:
        """Cut the connection, and let the follower notice."""
        before = self.follower.status.reconnects
        self.server.drop_connections()
        await until(lambda: self.follower.status.reconnects > before)

    async def _caught_up(self) -> None:
        await until(lambda: self.task.done() or stands_at_tip(self.follower, self.world))
        if self.task.done():
            await self.task


def _now() -> int:
    """The clock on the wall, as the views read it. No vesting time lies near it."""
    return int(datetime.now(UTC).timestamp()) * 1000


def _shown(event: Event, finality: str) -> tuple[str, str, str | None, int, str]:
    return event.type, event.distribution, event.milestone, event.slot, finality


MilestonesMachine.TestCase.settings = settings(max_examples=20, stateful_step_count=20)
TestMilestones = MilestonesMachine.TestCase

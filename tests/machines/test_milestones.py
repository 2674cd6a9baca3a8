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

from indexer.devnet.ogmios.server import serve
from indexer.store import checkpoints
from indexer.store.contracts import record
from indexer.store.db import opened, transaction
from indexer.workers.follow import Follower
from indexer.workers.local import LocalSignatures
from tests.support.acts import CHANGES, DEEDS, fork
from tests.support.fold import Event, Rows, fold
from tests.support.following import until
from tests.support.happenings import Told
from tests.support.oddities import some_told
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
        self.high = 0  # the height that a rollback fell back from, until it is reached again
        self.stack = AsyncExitStack()
        self.task: asyncio.Task[None]
        self.follower: Follower
        self.local: LocalSignatures

    @initialize()
    def begin(self) -> None:
        self.runner.run(self._serve())
        self.runner.run(self._start())

    @rule(seed=SEEDS, count=st.integers(1, 6))
    def live(self, seed: int, count: int) -> None:
        """Some things are done, then they come into a block; or a few blocks, if they are done in steps."""
        random = Random(seed)
        for _ in range(count):
            random.choice(DEEDS)(random, self.world)
            if random.random() < 0.2:
                self.world.block()
        random.choice([change for change in CHANGES if change is not fork])(random, self.world)

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
        self.runner.run(self._look())
        self.world.block()

    @rule(seed=SEEDS)
    def fork(self, seed: int) -> None:
        """Blocks give way to others, at times to fewer; some of what was in them is gone."""
        self._fork(seed, 0)

    @rule()
    def restart(self) -> None:
        self.runner.run(self._stop())
        self.runner.run(self._start())

    @rule(seed=SEEDS)
    def restart_after_a_fork(self, seed: int) -> None:
        """The fork happens while nobody looks, and grows higher than what it replaces, as forks that win do."""
        self.runner.run(self._stop())
        self._fork(seed, self._height + 1)
        self.runner.run(self._start())

    @rule()
    def lose_the_database(self) -> None:
        """All is read anew. That something was retracted is forgotten."""
        self.runner.run(self._stop())
        for file in self.path.parent.glob(f"{self.path.name}*"):
            file.unlink()
        self.known, self.high = set(), 0
        self.runner.run(self._start())

    @rule()
    def reconnect(self) -> None:
        self.runner.run(self._drop())

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
        tip, holding = self._height, set(rows.events)
        assert len(holding) == len(rows.events)
        self.known |= holding
        wanted = Counter(_shown(event, event.finality(tip, K, CONFIRMED)) for event in holding)
        gone = {event for event in self.known - holding if event.height is not None}
        # What no block shows is not retracted, whatever becomes of it.
        wanted += Counter(_shown(event, "final") for event in self.known - holding - gone)
        if tip >= self.high:
            self.high = 0
            assert wanted + Counter(_shown(event, "retracted") for event in gone) == events(self.path)
        else:
            limbo = events(self.path) - wanted
            assert not wanted - events(self.path)
            assert Counter(key[:4] for key in limbo.elements()) == Counter(_shown(event, "")[:4] for event in gone)

    # --- the chain

    @property
    def _height(self) -> int:
        return len(self.world.node.chain) - 1

    @property
    def _slot(self) -> int:
        return self.world.slot - 1

    def _fork(self, seed: int, least: int) -> None:
        self.high = max(self.high, self._height)
        fork(Random(seed), self.world)
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
            await record(db, [contract.hash for contract in self.world.contracts], CONFIRMED)
        self.local = LocalSignatures(db, self.data, NETWORK, lambda: self._slot, lambda: 0)
        await self._look()
        self.follower = follower_of(db, self.world, self.server.port)
        self.task = asyncio.create_task(self.follower.run())

    async def _stop(self) -> None:
        self.follower.stop()
        await self.task
        await self.closing.aclose()

    async def _look(self) -> None:
        """As the daemon does when it starts, and every second."""
        await self.local.look()

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


MilestonesMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=20)
TestMilestones = MilestonesMachine.TestCase

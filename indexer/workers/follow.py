"""The follower: replies in, one transaction a batch of blocks out, for ever.

What must hold wherever the process dies: rows and cursor move together, so the next run goes on from the
cursor as if nothing had happened. What must hold whatever the node says: no row that the chain does not
back; a session that makes no sense is dropped, and a fresh one starts from what is committed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import structlog
from aiosqlite import Connection

from indexer import errors
from indexer.chain.network import Network
from indexer.chain.point import ORIGIN, BlockHeight, Checkpoint, Origin, Place, Point, Tip, slot_of
from indexer.chain.time import slot_to_ms
from indexer.chain.watch import Watch, Watches
from indexer.domain.observe import observe
from indexer.ogmios import chainsync, wire
from indexer.ogmios.decode import transactions
from indexer.ogmios.replies import AskLater, Effect, FindIntersection, NextBlock, RollBackward, RollForward
from indexer.ogmios.sieve import Sieve
from indexer.status import FollowerStatus, Phase
from indexer.step import Step
from indexer.store import checkpoints, events, projection, watches
from indexer.store.db import named_errors, transaction
from indexer.store.goback import rewind
from indexer.workers.batch import Batch
from indexer.workers.goal import Goal
from indexer.workers.pace import Pace
from indexer.workers.progress import Progress
from indexer.workers.session import Session, Since, Until

log = structlog.get_logger(__name__)


class Follower:
    """Follows one chain into one database. Needs to be the only one that writes to it.

    `contracts`: the script hashes whose outputs are read as distributions and attestations; each has to be watched.
    """

    def __init__(
        self,
        db: Connection,
        connect: Callable[[], AbstractAsyncContextManager[Session]],
        network: Network,
        watched: list[Watch],
        *,
        contracts: Iterable[bytes] = (),
        since: Since = ORIGIN,
        until: Until = None,
        status: FollowerStatus | None = None,
        pace: Pace | None = None,
        moved: Callable[[], None] = lambda: None,
        adopt: Callable[[Point], Awaitable[bool]] | None = None,
    ) -> None:
        """`moved` is called whenever the cursor has: after each commit, and each rollback. `adopt` may add outputs as
        of the cursor, at the beginning of a session that starts right there, and says whether it has."""
        self._db, self._connect, self._network = db, connect, network
        self._moved, self._adopt = moved, adopt
        self._anew = False  # whether this session is to end, and another to begin
        self._configured, self._since, self._goal = watched, since, Goal(until)
        self._contracts = frozenset(contracts)
        self.status = status or FollowerStatus()
        self._pace = pace or Pace()
        self._stopping = asyncio.Event()
        self._standing: checkpoints.Standing
        self._state: chainsync.State
        self._watches, self._sieve = Watches(), Sieve(Watches())
        self._current = False  # whether the sieve holds what database and batch hold
        self._batch = Batch(0)
        self._heard = 0.0  # loop time of the last message
        self._progress = Progress(self._pace.progress_s)

    def stop(self) -> None:
        """Finish the batch at hand, commit it, and return from `run`."""
        self._stopping.set()

    def begin_anew(self) -> None:
        """End the session at hand, and begin another one."""
        self._anew = True

    async def run(self) -> None:
        """Follow until stopped, or until `until` is reached. Reconnects for ever, backing off with jitter.

        Raises the errors that no new session can mend: see `errors`.
        """
        with named_errors():
            self._standing = await checkpoints.claim(self._db, self._network)
        self._network = replace(self._network, security_parameter=self._standing.network.security_parameter)
        if not self._network.eras:
            self._network = replace(self._network, eras=self._standing.network.eras)
        await self._run()
        self.status.phase, self.status.reason = Phase.STOPPED, "the follower has stopped"
        log.info("follower.stopped", cursor=str(self._standing.cursor.place), height=self._standing.cursor.height)

    async def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            commits = self.status.commits
            try:
                with named_errors():
                    async with self._connect() as session:
                        self._anew = False
                        await self._follow(session)
                        if not self._anew:
                            break
            except errors.SessionBroken as error:
                failures = 1 if self.status.commits > commits else failures + 1
                self.status.phase, self.status.reason = Phase.CONNECTING, str(error)
                self.status.reconnects += 1
                wait = self._pace.retry_after(failures)
                log.warning("session.broken", code=error.code, reason=str(error), retry_in_s=round(wait, 2))
                await self._sleep(wait)

    async def _follow(self, session: Session) -> None:
        """One session, from the intersection to its end."""
        self._heard = asyncio.get_running_loop().time()
        self._goal.begin()
        # Written down once the node turns out to know our chain, too: another one may have the same magic number.
        self._network = await session.identify(self._network)
        first = self._standing.since is None
        remembered = await self._remembered(session)
        try:
            await self._carry_out(session, chainsync.start(remembered, self._k))
            while not (self._stopping.is_set() or self._anew):
                news = await self._gather(session)
                await self._commit()
                if news is not None:
                    await self._roll_back(news)
                    await self._goal.settle(self._db, self._standing)
                if isinstance(self._state, chainsync.Following) and self._reached():
                    log.info("until.reached", cursor=str(self._standing.cursor.place))
                    return
        except errors.IntersectionNotFound as error:
            if first and self._since == "tip":
                raise errors.RequestRefused("the tip to start from was rolled back: once more") from error
            if first and self._standing.since is None:
                raise errors.SincePointUnknown(
                    f"the node does not know the starting point {remembered[0].place}"
                ) from error
            raise
        except (errors.SessionBroken, errors.BlockNotUnderstood):
            await self._commit()  # the blocks before the trouble are good
            raise

    # --- the starting point

    @property
    def _k(self) -> int:
        k = self._network.security_parameter
        if k is None:
            raise errors.RequestRefused("the node cannot tell its security parameter yet")
        return k

    async def _remembered(self, session: Session) -> tuple[Checkpoint, ...]:
        """The points to offer. On a database that has not started, the place that `since` names."""
        if self._standing.since is not None:
            self._standing = await checkpoints.read(self._db)
            return await checkpoints.remembered(self._db, self._standing)
        if self._since != "tip":
            return (Checkpoint(self._since, None),)
        await session.find_intersection((ORIGIN,))
        reply = wire.decode(await self._within_deadline(session))
        tip = getattr(reply, "tip", ORIGIN)
        return (Checkpoint(tip.point, tip.height) if isinstance(tip, Tip) else Checkpoint(ORIGIN, None),)

    async def _within_deadline(self, session: Session) -> bytes:
        try:
            async with asyncio.timeout(self._pace.request_timeout_s):
                return await session.receive()
        except TimeoutError as error:
            raise errors.RequestTimedOut("no answer to findIntersection") from error

    async def _start_here(self, start: Checkpoint, tip: Tip | Origin) -> None:
        """The node agrees where to start: from now on that is where we stand, and what we watch."""
        async with transaction(self._db):
            if self._standing.network != self._network:
                await checkpoints.learn(self._db, self._network)
            if self._standing.since is None:
                await checkpoints.begin(self._db, start)
                await events.catch_up(self._db, start, tip)
            self._standing = await checkpoints.read(self._db)
            followed = await watches.reconcile(self._db, self._configured, self._standing.cursor.place)
            await checkpoints.see_tip(self._db, tip)
        cursor = self._standing.cursor.place
        if self._adopt is not None and isinstance(cursor, Point) and cursor == start.place:
            self._current = not await self._adopt(cursor) and self._current
            self._heard = asyncio.get_running_loop().time()  # that may have taken a while
        watched = Watches.of(entry.watch for entry in followed)
        if watched != self._watches or not self._current:
            self._watches = watched
            self._sieve = Sieve(self._watches, await projection.held(self._db))
            self._current = True
        self._batch = Batch(self._k + checkpoints.MARGIN)
        self._stand(self._standing.cursor)
        self._goal.see_tip(tip)
        for entry in followed:
            if not entry.configured:
                log.warning("watch.still_followed", watch=str(entry.watch), until="rebuild")
        log.info(
            "chain.following",
            start=str(start.place),
            history_since=str(self._standing.since),
            watches=len(followed),
            tip=getattr(tip, "height", None),
        )

    # --- replies

    async def _carry_out(self, session: Session, step: Step[chainsync.State, Effect]) -> RollBackward | None:
        """Take the step: requests go out, blocks into the batch. A rollback is handed up."""
        before, self._state = getattr(self, "_state", None), step.state
        if isinstance(step.state, chainsync.Following):
            if not isinstance(before, chainsync.Following):
                await self._start_here(Checkpoint(step.state.place, step.state.height), step.state.tip)
                self.status.phase, self.status.reason = Phase.FOLLOWING, ""
            if isinstance(step.state.tip, Tip):
                self.status.tip = step.state.tip
        for effect in step.effects:
            match effect:
                case NextBlock(count):
                    await session.ask(count)
                case RollForward():
                    self._project(effect)
                case RollBackward():
                    return effect
                case FindIntersection(points):
                    self._state = step.state
                    await session.find_intersection(points)
                case AskLater(tip):
                    await self._wait_for_node(session, tip)
        return None

    async def _gather(self, session: Session) -> RollBackward | None:
        """Fill the batch until it is due. Returns early on a rollback, with it."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._pace.batch_s
        try:
            async with asyncio.timeout_at(due) as limit:
                while not self._stopping.is_set():
                    text = await session.receive()
                    self._heard = loop.time()
                    self.status.bytes += len(text)
                    step = chainsync.advance(self._state, wire.decode(text))
                    if step.effects and isinstance(step.effects[0], RollForward):  # by far the most frequent
                        self._state = step.state
                        self._project(step.effects[0])
                    else:
                        limit.reschedule(None)  # nothing but waiting for a message may be interrupted
                        news = await self._carry_out(session, step)
                        limit.reschedule(due)
                        if news is not None:
                            return news
                    if self._due():
                        return None
        except TimeoutError:
            self._check_deadline(loop.time())
        return None

    def _due(self) -> bool:
        return self._at_tip or self._batch.full or self._reached()

    def _check_deadline(self, now: float) -> None:
        """A reply may be long in coming at the tip, and nowhere else."""
        if not self._at_tip and now - self._heard > self._pace.request_timeout_s:
            raise errors.RequestTimedOut(f"no reply from Ogmios within {self._pace.request_timeout_s:g} s")

    def _project(self, reply: RollForward) -> None:
        """One block into the batch; read no further than it concerns us."""
        header, delta = reply.header, None
        if self._sieve.may_concern_us(reply.text):
            self.status.blocks_decoded += 1
            found = transactions(reply, self._sieve.may_concern_us)
            delta = observe(header, found, self._watches, self._sieve, self._contracts)
        self.status.blocks += 1
        self.status.tip = reply.tip
        self._batch.add(delta, header, reply.tip)

    async def _wait_for_node(self, session: Session, tip: Tip | Origin) -> None:
        """The node is behind us: wait for it, never follow it backwards."""
        height = tip.height if isinstance(tip, Tip) else None
        if self.status.phase is not Phase.WAITING_FOR_NODE:
            log.warning("node.behind", tip=height, cursor=self._standing.cursor.height)
        self.status.phase = Phase.WAITING_FOR_NODE
        self.status.reason = (
            f"the node is behind: its tip is at height {height}, we stand at {self._standing.cursor.height}"
        )
        await self._sleep(self._pace.node_behind_s)
        self._heard = asyncio.get_running_loop().time()
        if not self._stopping.is_set() and isinstance(self._state, chainsync.Intersecting):
            await session.find_intersection(tuple(point.place for point in self._state.remembered))

    # --- rows

    async def _commit(self) -> None:
        """Everything gathered, and the cursor with it, in one transaction."""
        batch = self._batch
        if batch.count == 0:
            return
        cursor = batch.close()
        self._batch = Batch(batch.keep)
        if cursor is None or batch.first is None:
            return  # boundary blocks alone: they come again
        self._current = False
        async with transaction(self._db):
            rejected = await batch.write(self._db, cursor, self._network)
            if self.status.tip is not None:
                await checkpoints.see_tip(self._db, self.status.tip)
        self._current = True
        self.status.commits += 1
        self._stand(cursor)
        if rejected:
            log.info("outputs.rejected", count=len(rejected), first=str(rejected[0].reference), why=rejected[0].reason)
        self._progress.tell(batch, cursor, self.status, asyncio.get_running_loop().time())

    async def _roll_back(self, news: RollBackward) -> None:
        """Back to a point that we know. The first reply of a session usually leads to where we stand."""
        was = self._standing.cursor
        if news.point == was.place:
            return
        height = await self._height_of(news.point)
        created, spent = await projection.undone(self._db, slot_of(news.point))
        self._current = False
        with named_errors():
            await rewind(self._db, Checkpoint(news.point, height), self._network)
            await checkpoints.see_tip(self._db, news.tip)  # also where no block follows: others ask the database
        for reference in created:
            self._sieve.release(reference)
        for reference in spent:
            self._sieve.hold(reference)
        self._current = True
        self._standing = await checkpoints.read(self._db)
        self._stand(self._standing.cursor)
        depth = None if was.height is None or height is None else was.height - height
        self.status.rollbacks += 1
        self.status.blocks_rolled_back += depth or 0
        if depth is not None:
            self.status.rollback_depths[depth] += 1
        log.info("chain.rolled_back", to=str(news.point), depth=depth)

    async def _height_of(self, point: Place) -> BlockHeight | None:
        """The height of a point that the node rolls back to.

        One before our history began is as good as its beginning: nothing of ours lies in between.
        """
        if self._standing.since is not None and slot_of(point) < slot_of(self._standing.since):
            return None
        try:
            return await checkpoints.height_of(self._db, point, self._standing)
        except errors.PointNotKept as error:
            raise errors.RollbackPointUnknown(f"the node rolls back to {point}, which we do not know") from error

    def _stand(self, cursor: Checkpoint) -> None:
        self._standing = replace(self._standing, cursor=cursor)
        self.status.cursor, self.status.height = cursor.place, cursor.height
        self.status.cursor_time_ms = (
            slot_to_ms(self._network.eras, cursor.place.slot)
            if isinstance(cursor.place, Point) and self._network.eras
            else None
        )
        self._moved()

    def _reached(self) -> bool:
        return self._goal.is_reached(self._standing, self._batch.last, at_tip=self._at_tip)

    @property
    def _at_tip(self) -> bool:
        return isinstance(self._state, chainsync.Following) and self._state.at_tip

    # --- patience

    async def _sleep(self, seconds: float) -> None:
        """Sleep, unless told to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

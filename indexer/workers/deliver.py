"""Messages to sinks: at least once, in order for each distribution, whatever a sink does.

One loop does what concerns the database: events that changed become messages, messages are marked as begun before they
are sent, results are written down. Each message is then sent by a task of its own, so that a sink that hangs holds up
nothing but itself. Whoever dies on the way sends the messages that were begun once more, under the same ids.
"""

import asyncio
import json
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiosqlite import Connection

from indexer import errors
from indexer.domain import delivery
from indexer.domain.delivery import Since, Wants, given_up, wait_ms
from indexer.domain.submission import rests
from indexer.edge.sinks.message import Fault, Message, Sink, SinkFailed
from indexer.errors import IndexerError
from indexer.status import DeliveryStatus
from indexer.store import letters, outbox
from indexer.store.db import named_errors, transaction
from indexer.store.outbox import Begun, Look

log = structlog.get_logger(__name__)

TICK_S: Final = 0.5
GRACE_S: Final = 2.0  # what is on its way when we stop may arrive until then; after that nobody knows
COUNTED_EVERY_MS: Final = 15_000


class SinkUnknown(IndexerError):
    """The configuration names no such sink."""

    code = "sink.unknown"


class NotRetried(IndexerError):
    """A message is no dead letter, or not one that is worth sending."""

    code = "deliveries.not_retried"
    hint = "`indexer deliveries --state dead` lists those that are"


@dataclass(frozen=True, slots=True)
class Post:
    """A sink of the configuration. `since`: where it is to hear from; None: from when this database first knows it."""

    name: str
    sink: Sink
    wants: Wants
    since: Since | None = None


@dataclass(slots=True)
class _Desk:
    """A sink at work. `rests_until_ms`: it failed, and one message at a time finds out whether it is back."""

    post: Post
    since: Since
    busy: set[str] = field(default_factory=set)
    after: str = ""
    failures: int = 0
    rests_until_ms: int = 0

    def free(self, now_ms: int) -> int:
        if rests(self.rests_until_ms, now_ms):
            return 0
        return (1 if self.failures else self.post.sink.at_once) - len(self.busy)


@dataclass(frozen=True, slots=True)
class _Outcome:
    desk: _Desk
    message: Begun
    failed: SinkFailed | None


class Deliverer:
    """Tells sinks what they want to hear."""

    def __init__(
        self,
        db: Connection,
        network: str,
        posts: Sequence[Post],
        now_ms: Callable[[], int],
        status: DeliveryStatus,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`db`: a connection of its own, whose commits are on the disk. `network`: its name."""
        self._db, self._network, self._posts, self._now_ms = db, network, tuple(posts), now_ms
        self._status, self._jitter = status, jitter
        for post in self._posts:  # so that a metric is there before anything fails
            status.attempts.update({(post.name, "delivered"): 0, (post.name, "failed"): 0})
        self._desks: dict[str, _Desk] = {}
        self._outcomes: list[_Outcome] = []  # of tasks that are done
        self._unwritten: list[_Outcome] = []  # taken in, and not committed yet
        self._sending: set[asyncio.Task[None]] = set()
        self._awake = asyncio.Event()
        self._stopping = False
        self._counted_ms = 0

    @property
    def sinks(self) -> Mapping[str, tuple[Wants, Since]]:
        """What each sink of the configuration wants, and where it hears from."""
        return {name: (desk.post.wants, desk.since) for name, desk in self._desks.items()}

    def wake(self) -> None:
        """Something may be to be told: look soon."""
        self._awake.set()

    def stop(self) -> None:
        """Begin nothing more, and return from `run`."""
        self._stopping = True
        self._awake.set()

    async def retry(self, sink: str | None, message: str | None) -> dict[str, Any]:
        """Dead letters of the sinks of the configuration are tried once more: of one, or one message, or all; how many.
        Nobody waits for the end of a sink's rest then.

        Raises NotRetried, SinkUnknown.
        """
        parts = None if message is None else parse_message(message)
        if sink is not None and sink not in self._desks:
            raise await self._not_configured(sink)
        names = self._desks.keys() if sink is None else {sink}
        async with transaction(self._db):
            revived, outdated = await letters.revive(self._db, names, parts)
        if message is not None and not revived:
            raise NotRetried(
                f"{message} has a newer message, which says what is true"
                if outdated
                else f"{message} is no dead letter of a sink of the configuration"
            )
        for name in names if revived else ():
            self._desks[name].rests_until_ms = 0
        self.wake()
        return {"retried": revived, "outdated": outdated}

    async def _not_configured(self, name: str) -> SinkUnknown:
        if name in await outbox.known(self._db):
            return SinkUnknown(
                f"no [[sink]] has the name {name!a} any longer",
                hint="what it was to get waits until config.toml has it again and the daemon was started anew",
            )
        return SinkUnknown(f"no [[sink]] has the name {name!a}", hint=f"one of {', '.join(self._desks) or 'none'}")

    async def backfill(self, name: str, since: Since, *, again: bool) -> dict[str, Any]:
        """A sink is sent what happened since then and it wants to hear of; with `again` also what it was sent before.

        How many messages. In steps: whoever dies between them asks once more. Raises SinkUnknown.
        """
        desk = self._desks.get(name)
        if desk is None:
            raise await self._not_configured(name)
        made, after = 0, outbox.FIRST
        while True:
            async with transaction(self._db):
                while await outbox.hand_out(self._db, self.sinks, self._now_ms()):
                    pass
                more, following = await outbox.make_up(
                    self._db, name, desk.post.wants, since, self._now_ms(), after=after, again=again
                )
            made += more
            if following is None:
                break
            after = following
        self.wake()
        return {"sink": name, "messages": made}

    async def open(self) -> None:
        """Learn where each sink hears from, before anything else is written. One that is new, that was left out of the
        configuration for a while, or whose `since` has changed, is told what it missed; one that wants less now is not
        told what was only to be sent."""
        now_ms = self._now_ms()
        async with transaction(self._db):
            before = await outbox.known(self._db)
            for post in self._posts:
                old = before.get(post.name)
                since = post.since or (old.since if old is not None else Since(ms=now_ms))
                full = await outbox.enlist(self._db, post.name, since)
                self._desks[post.name] = _Desk(post, full)
                if old is not None:
                    await outbox.drop(self._db, post.name, post.wants, now_ms)
            behind = {name for name, desk in self._desks.items() if _has_missed(before.get(name), desk)}
            # Those that make up come to what changed last in its turn, behind what they missed.
            others = {name: wanted for name, wanted in self.sinks.items() if name not in behind}
            while await outbox.hand_out(self._db, others, now_ms):
                pass
            for name in sorted(behind | (self._desks.keys() - before.keys())):
                log.info("sink.makes_up" if name in before else "sink.new", sink=name)
            for name in sorted(behind):
                desk = self._desks[name]
                after: outbox.Place | None = outbox.FIRST
                while after is not None:
                    _, after = await outbox.make_up(self._db, name, desk.post.wants, desk.since, now_ms, after=after)
            await outbox.retire(self._db, self._desks)
        for name in before.keys() - self._desks.keys():
            if before[name].configured:
                log.warning("sink.left_out", sink=name, hint="what it was to get waits until it is configured again")

    async def run(self) -> None:
        """Deliver until stopped. `open` comes first."""
        while not self._stopping:
            self._awake.clear()
            try:
                with named_errors():
                    await self.step()
            except errors.DatabaseBusy as error:
                log.warning("deliveries.database_busy", reason=str(error))
            if not self._outcomes and not self._stopping:
                with suppress(TimeoutError):
                    async with asyncio.timeout(TICK_S):
                        await self._awake.wait()
        if self._sending:
            await asyncio.wait(self._sending, timeout=GRACE_S)
        now_ms = self._now_ms()
        self._take_in(now_ms)
        with named_errors():
            async with transaction(self._db):
                await self._write_down(now_ms)
        await self.close()

    async def close(self) -> None:
        """Whatever is on its way is not waited for; nor is a sink that does not let go."""
        for task in self._sending:
            task.cancel()
        if self._sending:
            await asyncio.wait(self._sending)
        closing = [asyncio.create_task(desk.post.sink.close(), name=name) for name, desk in self._desks.items()]
        if closing:
            closed, late = await asyncio.wait(closing, timeout=GRACE_S)
            for task in late:
                task.cancel()
            for task in closed:
                if (error := task.exception()) is not None:
                    log.warning("sink.not_closed", sink=task.get_name(), reason=f"{type(error).__name__}: {error}")

    async def step(self) -> None:
        """What there is to do now: write down what came of messages, make new ones, begin those that are due."""
        now_ms = self._now_ms()
        self._take_in(now_ms)
        if self._unwritten or await outbox.stirs(self._db) or await self._something_is_due(now_ms):
            beginning: list[tuple[_Desk, Begun]] = []
            async with transaction(self._db):
                await self._write_down(now_ms)
                more = await outbox.hand_out(self._db, self.sinks, now_ms)
                for desk in self._desks.values():
                    reach = await outbox.reach(self._db, desk.post.wants.finality)
                    await outbox.ripen(self._db, desk.post.name, reach)
                    look = await self._look(desk, now_ms)
                    desk.after = look.after or ""
                    beginning += [(desk, each) for each in await outbox.begin(self._db, look.numbers, now_ms)]
            self._unwritten.clear()
            for desk, message in beginning:
                desk.busy.add(message.lane)
                task = asyncio.create_task(self._send(desk, message), name=f"to {desk.post.name}")
                self._sending.add(task)
                task.add_done_callback(self._sending.discard)
            if more:
                self.wake()
        if not 0 <= now_ms - self._counted_ms < COUNTED_EVERY_MS:
            self._counted_ms = now_ms
            queued = await letters.queued(self._db)
            self._status.queued = {name: queued.get(name, (0, 0, 0)) for name in self._desks}

    async def _something_is_due(self, now_ms: int) -> bool:
        for desk in self._desks.values():
            reach = await outbox.reach(self._db, desk.post.wants.finality)
            look = await self._look(desk, now_ms)
            if look.numbers or await outbox.ripe(self._db, desk.post.name, reach):
                return True
            desk.after = look.after or ""  # behind lanes that all have to wait, others may not have to
        return False

    async def _look(self, desk: _Desk, now_ms: int) -> Look:
        """Messages that may be begun now."""
        free = desk.free(now_ms)
        if free <= 0:
            return Look([], desk.after)
        name = desk.post.name
        reach = await outbox.reach(self._db, desk.post.wants.finality)
        look = await outbox.due(self._db, name, now_ms, reach, desk.busy, desk.after, free)
        if not look.numbers and look.after is None and desk.after:  # from the first lane on, then
            look = await outbox.due(self._db, name, now_ms, reach, desk.busy, "", free)
        return look

    async def _send(self, desk: _Desk, begun: Begun) -> None:
        failed: SinkFailed | None = None
        try:
            await desk.post.sink.send(message_of(begun, self._network))
        except SinkFailed as error:
            failed = error
        except Exception as error:
            log.exception("delivery.bug", sink=desk.post.name)
            failed = SinkFailed(f"{type(error).__name__}, see the log", Fault.MESSAGE)
        self._outcomes.append(_Outcome(desk, begun, failed))
        self.wake()

    def _take_in(self, now_ms: int) -> None:
        """What came of messages frees their lanes, and says how the sinks are."""
        for outcome in self._outcomes:
            desk, failed = outcome.desk, outcome.failed
            desk.busy.discard(outcome.message.lane)
            name = desk.post.name
            self._status.attempts[name, "delivered" if failed is None else "failed"] += 1
            resting = rests(desk.rests_until_ms, now_ms)
            if failed is None or failed.fault is Fault.MESSAGE:
                if resting:
                    continue  # it was under way before another failed, or the sink asked for rest: that stands
                if desk.failures:
                    log.info("sink.recovered", sink=name, after_failures=desk.failures)
                desk.failures = desk.rests_until_ms = 0
            elif not resting or failed.after_s is not None:  # else others have failed just now
                desk.failures += 1
                rest_ms = wait_ms(desk.failures, delivery.LONGEST_REST_MS, self._jitter())
                if failed.after_s is not None:
                    rest_ms = max(rest_ms, int(failed.after_s * 1000))
                known_ms = desk.rests_until_ms if resting else 0
                desk.rests_until_ms = max(known_ms, now_ms + rest_ms)
                if desk.failures == 1:
                    log.warning("sink.failing", sink=name, reason=str(failed), hint=failed.hint)
        self._unwritten += self._outcomes
        self._outcomes.clear()

    async def _write_down(self, now_ms: int) -> None:
        """Kept until that is committed: a busy database is asked again."""
        for outcome in self._unwritten:
            message, failed = outcome.message, outcome.failed
            if failed is None:
                await outbox.arrived(self._db, message.number, now_ms)
            elif given_up(message.attempts, message.first_ms, now_ms):
                log.warning("delivery.dead", sink=outcome.desk.post.name, message=message.id, reason=str(failed))
                await outbox.died(self._db, message.number, str(failed), now_ms)
            else:
                later_ms = now_ms + wait_ms(message.attempts, delivery.LONGEST_WAIT_MS, self._jitter())
                await outbox.failed(self._db, message.number, str(failed), later_ms)


def _has_missed(before: outbox.Known | None, desk: _Desk) -> bool:
    """Whether events that are there already may be for a sink. One that is new and hears from now on has no need of
    them, and there may be millions."""
    if before is None:
        return desk.post.since is not None
    return not before.configured or before.since != desk.since


def parse_message(text: str) -> tuple[str, int]:
    """Event and turn of a message's id. Raises NotRetried."""
    event_id, _, turn = text.rpartition(".")
    if not event_id or not turn.isascii() or not turn.isdigit() or len(turn) > 9:
        raise NotRetried(f"{text!a} is no id of a message", hint="EVENT.N, as `indexer deliveries` has it")
    return event_id, int(turn)


def message_of(begun: Begun, network: str) -> Message:
    """What a sink is given of it."""
    event = {**begun.event, "data": json.loads(begun.event["data"])}
    return Message(begun.id, network, not delivery.holds(begun.turn), event)

"""What `deliveries` answers, and what it asks of a running daemon; where none runs, it does that itself."""

from datetime import datetime
from typing import Any, Final

from aiosqlite import Row

from indexer.cli import find
from indexer.cli.find import now_ms
from indexer.cli.outputs import Output
from indexer.cli.pauses import ask_daemon, daemon_runs
from indexer.cli.told import table
from indexer.config import Config
from indexer.domain.delivery import Since
from indexer.edge.files import only_writer
from indexer.edge.requests import Kind
from indexer.errors import NoDatabase
from indexer.posts import posts_of
from indexer.status import DeliveryStatus
from indexer.store import outbox
from indexer.store.db import opened
from indexer.workers.deliver import Deliverer, SinkUnknown

_DIGITS: Final = 18  # of a slot, at most
LIST: Final = """
    SELECT v.*, e.type FROM (
        SELECT number, sink, event_id, turn FROM delivery
        WHERE (?1 IS NULL OR sink = ?1) AND (?2 IS NULL OR state = ?2) ORDER BY number DESC LIMIT ?3
    ) d CROSS JOIN deliveries v
        ON v.event_id = d.event_id AND v.sink = d.sink AND v.message_id = d.event_id || '.' || d.turn
    CROSS JOIN event e ON e.event_id = d.event_id ORDER BY d.number DESC"""


class DeliveryRow(Output):
    """A message to a sink, as the view `deliveries` has it, and the type of its event."""

    message_id: str
    event_id: str
    type: str
    sink: str
    state: str
    attempts: int
    next_attempt_at: str | None
    last_error: str | None
    first_attempt_at: str | None
    ended_at: str | None


class Deliveries(Output):
    """Messages to sinks, the newest first."""

    deliveries: tuple[DeliveryRow, ...]

    def told(self) -> str:
        """In words."""
        if not self.deliveries:
            return "no message to a sink"
        rows = [
            (
                each.message_id,
                each.type,
                each.sink,
                each.state,
                each.attempts,
                each.ended_at or each.next_attempt_at or "",
                each.last_error or "",
            )
            for each in self.deliveries
        ]
        return table(("message", "event", "sink", "state", "attempts", "when", ""), rows, frozenset((4,)))


class Retried(Output):
    """How many dead letters are tried once more, and how many are not, for a newer message says what is true."""

    retried: int
    outdated: int

    def told(self) -> str:
        """In words."""
        rest = f"; {self.outdated} have a newer message, and are left" if self.outdated else ""
        return f"{self.retried} dead letters are tried once more{rest}"


class Backfilled(Output):
    """How many messages a sink is sent on purpose."""

    sink: str
    messages: int

    def told(self) -> str:
        """In words."""
        return f"{self.messages} messages wait to be sent to {self.sink}"


async def deliveries_of(config: Config, sink: str | None, state: str | None, limit: int) -> Deliveries:
    """The newest messages. Raises NoDatabase, SinkUnknown."""
    async with find.moment(config.database.path) as db:
        names = {*await outbox.known(db), *(each.name for each in config.sink)}
        if sink is not None and sink not in names:
            raise SinkUnknown(f"there is no [[sink]] {sink!a}", hint=f"one of {', '.join(sorted(names)) or 'none'}")
        db.row_factory = Row
        rows = [dict(row) for row in await db.execute_fetchall(LIST, (sink, state, limit))]
    return Deliveries(deliveries=tuple(DeliveryRow(**row) for row in rows))


async def retry(config: Config, sink: str | None, message: str | None) -> Retried:
    """Raises NotRetried, SinkUnknown, Unanswered, FileUnusable."""
    if daemon_runs(config):
        return Retried(**await ask_daemon(config, Kind.RETRY, {"sink": sink, "message": message}))
    return Retried(**await _by_ourselves(config, lambda deliverer: deliverer.retry(sink, message)))


async def backfill(config: Config, sink: str, since: Since, *, again: bool) -> Backfilled:
    """Raises SinkUnknown, Unanswered, FileUnusable."""
    if daemon_runs(config):
        wanted = {"sink": sink, "since_slot": since.slot, "since_ms": since.ms, "again": again}
        return Backfilled(**await ask_daemon(config, Kind.BACKFILL, wanted))
    return Backfilled(**await _by_ourselves(config, lambda deliverer: deliverer.backfill(sink, since, again=again)))


async def _by_ourselves(config: Config, act: Any) -> dict[str, Any]:
    """With the lock of the one writer. What is to be sent is sent by the next daemon."""
    if not config.database.path.exists():
        raise NoDatabase(f"there is no database at {config.database.path}")
    with only_writer(config.database.path):
        async with opened(config.database.path, durable=True) as db:
            deliverer = Deliverer(db, config.chain.name, posts_of(config, now_ms), now_ms, DeliveryStatus())
            await deliverer.open()
            try:
                done: dict[str, Any] = await act(deliverer)
            finally:
                await deliverer.close()
            return done


def parse_since(text: str) -> Since:
    """A slot, a time, or `origin`. Raises ValueError."""
    if text == "origin":
        return Since()
    if text.isascii() and text.isdigit() and len(text) <= _DIGITS:
        return Since(slot=int(text))
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone, such as 2026-01-31T12:00:00Z")
    return Since(ms=round(moment.timestamp() * 1000))

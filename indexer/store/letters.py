"""Messages to sinks that were given up, and how many there are of all. See `indexer.store.outbox`."""

from collections.abc import Iterable
from typing import Final

from aiosqlite import Connection

from indexer.store.lists import listed

QUEUED: Final = """
    SELECT sink, count(*), coalesce(min(first_ms), 0) FROM delivery
    WHERE state = 'pending' AND ready = 1 GROUP BY sink"""
DEAD: Final = "SELECT sink, count(*) FROM delivery WHERE state = 'dead' GROUP BY sink"

REVIVE: Final = """
    UPDATE delivery SET state = 'pending', ready = 1, first_ms = NULL, next_attempt_ms = NULL, ended_ms = NULL
    WHERE number IN (SELECT value FROM json_each(?))"""
OUTDATE: Final = """
    UPDATE delivery SET state = 'cancelled' WHERE number IN (SELECT value FROM json_each(?))"""
DEAD_LETTERS: Final = """
    SELECT d.number, e.turns = d.turn FROM delivery d JOIN event e ON e.event_id = d.event_id
    WHERE d.state = 'dead' AND d.sink IN (SELECT value FROM json_each(?1))
        AND (?2 IS NULL OR d.event_id = ?2 AND d.turn = ?3)"""


async def queued(db: Connection) -> dict[str, tuple[int, int, int]]:
    """For each sink with any: messages that wait to be sent, since when the oldest of them is tried (POSIX
    milliseconds, 0: it is not), dead letters."""
    found = {str(sink): (int(count), int(oldest), 0) for sink, count, oldest in await db.execute_fetchall(QUEUED)}
    for sink, count in await db.execute_fetchall(DEAD):
        pending, oldest, _ = found.get(sink, (0, 0, 0))
        found[sink] = pending, oldest, int(count)
    return found


async def revive(db: Connection, sinks: Iterable[str], message: tuple[str, int] | None = None) -> tuple[int, int]:
    """Dead letters of these sinks are tried once more: one message (its event and turn), or all. How many; and how many
    are not, for the event has turned since and its newer message says what is true: those are cancelled."""
    event_id, turn = (None, None) if message is None else message
    rows = list(await db.execute_fetchall(DEAD_LETTERS, (listed(sinks), event_id, turn)))
    current = [int(number) for number, is_current in rows if is_current]
    outdated = [int(number) for number, is_current in rows if not is_current]
    for statement, numbers in ((REVIVE, current), (OUTDATE, outdated)):
        await db.execute(statement, (listed(numbers),))
    return len(current), len(outdated)

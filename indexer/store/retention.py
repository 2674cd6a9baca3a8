"""What is deleted when it is old: messages to sinks that are settled, of events that no fork can reach any more.

Of each sink and event, all messages go together or none does, and the newest that may have arrived is remembered in
`told`: so nobody is told anything else later than if all were still there. The caller owns the transaction.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from aiosqlite import Connection

from indexer.store.lists import listed

Place = tuple[int, int]  # when a message was settled, and its number
FIRST: Final[Place] = (-1, 0)

OLD: Final = """
    SELECT ended_ms, number FROM delivery
    WHERE ended_ms IS NOT NULL AND ended_ms >= ?1 AND (ended_ms > ?1 OR number > ?2) AND ended_ms < ?3
    ORDER BY ended_ms, number LIMIT ?4"""
# Whether the event holds or not was told as it is (`gone` is as `turns` says), and its block lies k deep; what rests on
# no block cannot be taken away. Height and k NULL: nothing is known to be final.
SPENT: Final = """
    SELECT DISTINCT d.sink, d.event_id, e.number FROM json_each(:numbers) j
    JOIN delivery d ON d.number = j.value JOIN event e ON e.event_id = d.event_id
    WHERE e.gone = e.turns % 2 AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.event = e.number)
        AND (e.height IS NULL OR e.height <= (SELECT cursor_height - coalesce(security_parameter, 2160) FROM chain))
        AND NOT EXISTS (
            SELECT 1 FROM delivery other WHERE other.sink = d.sink AND other.event_id = d.event_id
                AND (other.state = 'pending' OR other.ended_ms >= iif(other.state = 'dead', :dead_before, :before))
        )"""
REMEMBER: Final = """
    INSERT INTO told (event, sink, turn, state, attempts, finality)
    SELECT ?3, sink, turn, state, attempts, finality FROM delivery
    WHERE sink = ?1 AND event_id = ?2 AND attempts > 0 ORDER BY turn DESC LIMIT 1
    ON CONFLICT (event, sink) DO UPDATE SET turn = excluded.turn, state = excluded.state, attempts = excluded.attempts,
        finality = excluded.finality"""
FORGET: Final = "DELETE FROM delivery WHERE sink = ? AND event_id = ?"


@dataclass(frozen=True, slots=True)
class Before:
    """What was settled earlier than this is old, in POSIX milliseconds; dead letters by a time of their own. None: that
    is kept for ever."""

    settled_ms: int | None
    dead_ms: int | None

    @property
    def latest_ms(self) -> int:
        """Nothing that was settled later is old."""
        return max(self.settled_ms or 0, self.dead_ms or 0)


async def old(db: Connection, after: Place, before: Before, most: int) -> list[Place]:
    """The next messages that were settled long ago, the oldest first; not all of them may go. Nothing is written."""
    rows = await db.execute_fetchall(OLD, (*after, before.latest_ms, most))
    return [(int(ended_ms), int(number)) for ended_ms, number in rows]


async def spent(db: Connection, numbers: Collection[int], before: Before) -> list[tuple[str, str, int]]:
    """Sink, event's id and event's number, of those among these messages that may go with all others of the two."""
    asked = {"numbers": listed(numbers), "before": before.settled_ms or 0, "dead_before": before.dead_ms or 0}
    return [(str(sink), str(event), int(number)) for sink, event, number in await db.execute_fetchall(SPENT, asked)]


async def prune(db: Connection, numbers: Collection[int], before: Before) -> int:
    """Delete what of these may go; of how many sinks and events it was."""
    going = await spent(db, numbers, before)
    if going:
        await db.executemany(REMEMBER, going)
        await db.executemany(FORGET, [(sink, event_id) for sink, event_id, _ in going])
    return len(going)

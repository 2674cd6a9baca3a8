"""Messages to sinks as rows: made of the events that changed, begun, settled. See `indexer.domain.delivery`.

Every event that is stored or turns is put into the outbox by triggers, in the transaction that changes it. From there
it is handed to the sinks, as one delivery for each that wants it. The caller owns the transaction.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiosqlite import Connection

from indexer.domain.delivery import (
    LONGEST_WAIT_MS,
    DeliveryState,
    Finality,
    Past,
    Since,
    Subject,
    Wants,
    begun,
    family,
    holds,
    owed,
)
from indexer.store.lists import listed

Place = tuple[int, int]  # an event's slot and number
FIRST: Final[Place] = (-1, 0)  # before every event

_TIME: Final = """(
    SELECT start_ms + (e.slot - start_slot) * slot_ms FROM era
    WHERE start_slot <= e.slot ORDER BY start_slot DESC LIMIT 1
)"""
# While the chain is read again, the distribution may be missing for now; what was told of its creation, which comes
# first, is not.
_FUNDED: Final = """
    SELECT data ->> '$.funder' FROM (
        SELECT type, data FROM event INDEXED BY event_of_distribution
        WHERE distribution_id = e.distribution_id ORDER BY slot LIMIT 8
    ) WHERE type = 'distribution.created' LIMIT 1"""
_SUBJECT: Final = f"""
    SELECT e.number, e.event_id, e.type, e.distribution_id, coalesce(
        (SELECT funder FROM distribution d WHERE d.distribution_id = e.distribution_id),
        e.data ->> '$.funder',
        ({_FUNDED})
    ), e.slot, {_TIME}, e.height, e.turns
    FROM event e"""  # noqa: S608 -- constants
CHANGED: Final = f"{_SUBJECT} JOIN outbox o ON o.event = e.number ORDER BY o.number LIMIT ?"
AFTER: Final = f"""{_SUBJECT}
    WHERE e.slot = ?1 AND e.number > ?2 OR e.slot > ?1
    ORDER BY e.slot, e.number LIMIT ?3"""
HANDED: Final = "DELETE FROM outbox WHERE event IN (SELECT value FROM json_each(?))"
PASTS: Final = """
    SELECT event_id, sink, turn, state, attempts FROM delivery
    WHERE event_id IN (SELECT value FROM json_each(?))"""
REMEMBERED: Final = """
    SELECT e.event_id, t.sink, t.turn, t.state, t.attempts, t.finality
    FROM json_each(?) j JOIN event e ON e.event_id = j.value JOIN told t ON t.event = e.number"""
CANCEL: Final = """
    UPDATE delivery SET state = 'cancelled', ended_ms = ?
    WHERE sink = ? AND event_id = ? AND turn < ? AND state = 'pending'"""
ADD: Final = """
    INSERT INTO delivery (sink, event_id, turn, lane, state, ready, height, attempts, finality)
    VALUES (?, ?, ?, ?, 'pending', ?, ?, ?, ?)
    ON CONFLICT (sink, event_id, turn) DO UPDATE SET state = 'pending', next_attempt_ms = NULL, first_ms = NULL,
        ended_ms = NULL, lane = excluded.lane"""
_UNBEGUN: Final = """(
        SELECT number, event_id FROM delivery WHERE sink = :sink AND state = 'pending' AND ready = 1 AND attempts = 0
        UNION ALL
        SELECT number, event_id FROM delivery WHERE sink = :sink AND state = 'pending' AND ready = 0 AND attempts = 0
    )"""
# One event of each type and distribution stands for all of them: that is what a sink may not want any longer.
UNBEGUN: Final = f"""{_SUBJECT} JOIN (
        SELECT min(of_it.number) AS number FROM {_UNBEGUN} d JOIN event of_it ON of_it.event_id = d.event_id
        GROUP BY of_it.type, of_it.distribution_id
    ) one ON e.number = one.number"""  # noqa: S608 -- constants
DROP: Final = f"""
    UPDATE delivery SET state = 'cancelled', ended_ms = :now_ms WHERE number IN (
        SELECT d.number FROM {_UNBEGUN} d JOIN event e ON e.event_id = d.event_id
        WHERE e.type || ' ' || coalesce(e.distribution_id, '') IN (SELECT value FROM json_each(:unwanted))
            AND NOT EXISTS (
                SELECT 1 FROM delivery o WHERE o.sink = :sink AND o.event_id = d.event_id AND o.attempts > 0
            )
            AND NOT EXISTS (SELECT 1 FROM told t WHERE t.event = e.number AND t.sink = :sink)
    )"""  # noqa: S608 -- constants
STIRS: Final = "SELECT EXISTS (SELECT 1 FROM outbox)"

DEPTH: Final = """
    SELECT CASE ? WHEN 'seen' THEN 0 WHEN 'final' THEN coalesce(security_parameter, 2160)
        ELSE min(confirmed_depth, coalesce(security_parameter, 2160)) END, cursor_height FROM chain"""
RIPEN: Final = """
    UPDATE delivery SET ready = 1 WHERE number IN (
        SELECT number FROM delivery WHERE sink = ? AND state = 'pending' AND ready = 0 AND height <= ? LIMIT 500
    )"""
RIPE: Final = """
    SELECT EXISTS (SELECT 1 FROM delivery WHERE sink = ? AND state = 'pending' AND ready = 0 AND height <= ?)"""

# One look at the index for each lane, from lane to lane: however many messages wait in one, it costs the same.
_NEXT: Final = """
    SELECT number FROM delivery WHERE sink = :sink AND state = 'pending' AND ready = 1 AND lane > {lane}
    ORDER BY lane, number LIMIT 1"""
DUE: Final = f"""
    WITH RECURSIVE head (number, lane, looked) AS (
        SELECT number, lane, 1 FROM delivery WHERE number = ({_NEXT.format(lane=":after")})
        UNION ALL
        SELECT n.number, n.lane, looked + 1 FROM head CROSS JOIN delivery n
        WHERE n.number = ({_NEXT.format(lane="head.lane")}) AND looked < :look
    )
    SELECT d.number, d.lane, d.looked, d.fits FROM (
        SELECT head.number, head.lane, head.looked,
            coalesce(m.next_attempt_ms, 0) NOT BETWEEN :now_ms + 1 AND :now_ms + {LONGEST_WAIT_MS}
            AND NOT EXISTS (SELECT 1 FROM json_each(:busy) WHERE value = head.lane)
            AND e.turns = m.turn AND e.gone = m.turn % 2
            AND (m.turn % 2 OR e.height IS NULL OR :depth = 0 OR e.height <= :height - :depth) AS fits
        FROM head JOIN delivery m ON m.number = head.number JOIN event e ON e.event_id = m.event_id
    ) d ORDER BY d.looked"""  # noqa: S608 -- constants
BEGIN: Final = """
    UPDATE delivery SET attempts = attempts + 1, first_ms = coalesce(first_ms, :now_ms),
        finality = coalesce(finality, (
            SELECT iif(delivery.turn % 2, 'retracted', iif(e.height IS NULL OR e.height <= c.cursor_height - k, 'final',
                iif(e.height <= c.cursor_height - min(c.confirmed_depth, k), 'confirmed', 'seen')))
            FROM event e, (SELECT *, coalesce(security_parameter, 2160) AS k FROM chain) c
            WHERE e.event_id = delivery.event_id
        ))
    WHERE number IN (SELECT value FROM json_each(:numbers))"""
BEGUN: Final = """
    SELECT d.number, d.lane, d.event_id, d.turn, d.finality, d.attempts, d.first_ms, v.type, v.origin,
        v.distribution_id, v.milestone_id, v.slot, v.time, v.data
    FROM json_each(?) j JOIN delivery d ON d.number = j.value JOIN events v ON v.event_id = d.event_id
    ORDER BY d.number"""

ARRIVED: Final = """
    UPDATE delivery SET state = 'delivered', ended_ms = ?, next_attempt_ms = NULL WHERE number = ?"""
FAILED: Final = """
    UPDATE delivery SET last_error = ?, next_attempt_ms = ? WHERE number = ? AND state = 'pending'"""
DIED: Final = """
    UPDATE delivery SET state = 'dead', last_error = ?, ended_ms = ?, next_attempt_ms = NULL
    WHERE number = ? AND state = 'pending'"""

SINKS: Final = "SELECT name, since_ms, since_slot, since_event, configured FROM sink"
SET_SINK: Final = """
    INSERT INTO sink (name, since_ms, since_slot, since_event, configured) VALUES (?, ?, ?, ?, 1)
    ON CONFLICT (name) DO UPDATE SET since_ms = excluded.since_ms, since_slot = excluded.since_slot, configured = 1"""
# As rows were written once: all that concerns no distribution in one lane. Beside newer ones they would be sent in any
# order, a stall behind its end.
PART: Final = """
    UPDATE delivery SET lane = (
        SELECT '-' || substr(type, 1, instr(type, '.') - 1) FROM event e WHERE e.event_id = delivery.event_id
    ) WHERE sink = ? AND lane = '-' AND state = 'pending' AND ready = 1"""
RETIRE: Final = "UPDATE sink SET configured = 0 WHERE name NOT IN (SELECT value FROM json_each(?))"
NEWEST: Final = "SELECT coalesce(max(number), 0) FROM event"


@dataclass(frozen=True, slots=True)
class Known:
    """A sink as the database knows it."""

    since: Since
    configured: bool


@dataclass(frozen=True, slots=True)
class Begun:
    """A message that is being sent, and its event as the view `events` tells it. `attempts` counts this one."""

    number: int
    lane: str
    turn: int
    attempts: int
    first_ms: int
    event: dict[str, Any]

    @property
    def id(self) -> str:
        """The message's id."""
        return f"{self.event['event_id']}.{self.turn}"


@dataclass(frozen=True, slots=True)
class Look:
    """Messages that may be sent now, one a lane, by number; `after`: the lane to go on from, None: from the first."""

    numbers: list[int]
    after: str | None


# --- sinks


async def known(db: Connection) -> dict[str, Known]:
    """The sinks that were ever configured, by name."""
    return {
        str(name): Known(Since(ms, slot, event), bool(configured))
        for name, ms, slot, event, configured in await db.execute_fetchall(SINKS)
    }


async def enlist(db: Connection, name: str, since: Since) -> Since:
    """A sink is configured, and hears from here on; what rests on no block, from now on. Its `since`, in full."""
    event = int(next(iter(await db.execute_fetchall(NEWEST)))[0])
    await db.execute(SET_SINK, (name, since.ms, since.slot, event))
    await db.execute(PART, (name,))
    return (await known(db))[name].since


async def retire(db: Connection, staying: Iterable[str]) -> None:
    """Of these sinks alone the configuration speaks; of others nothing is forgotten."""
    await db.execute(RETIRE, (listed(staying),))


# --- events become messages


async def stirs(db: Connection) -> bool:
    """Whether events changed that were not handed out."""
    return any(row[0] for row in await db.execute_fetchall(STIRS))


async def hand_out(db: Connection, sinks: Mapping[str, tuple[Wants, Since]], now_ms: int, most: int = 500) -> int:
    """Make messages of events that changed, `most` at once; how many events."""
    changed = list(await db.execute_fetchall(CHANGED, (most,)))
    await _tell(db, changed, sinks, now_ms)
    await db.execute(HANDED, (listed(row[0] for row in changed),))
    return len(changed)


async def make_up(
    db: Connection,
    name: str,
    wants: Wants,
    since: Since,
    now_ms: int,
    *,
    after: Place = FIRST,
    again: bool = False,
    most: int = 500,
) -> tuple[int, Place | None]:
    """Make messages, for one sink, of events after this place that it was not told of; with `again`, of all.

    How many, and where to go on; None: there are no more.
    """
    rows = list(await db.execute_fetchall(AFTER, (*after, most)))
    made = await _tell(db, rows, {name: (wants, since)}, now_ms, again=again)
    return made, None if len(rows) < most else (int(rows[-1][5]), int(rows[-1][0]))


async def drop(db: Connection, name: str, wants: Wants, now_ms: int) -> None:
    """Cancel what a sink was to get and does not want any longer, where it can know nothing of the event. Of what it
    may have heard it hears on, whatever it wants now: else it would believe what is not true."""
    unwanted = []
    for number, _, kind, whose, funder, slot, time_ms, height, _ in await db.execute_fetchall(UNBEGUN, {"sink": name}):
        if not wants.includes(Subject(kind, whose, funder, slot, time_ms, number, height is not None)):
            unwanted.append(f"{kind} {whose or ''}")
    if unwanted:
        await db.execute(DROP, {"sink": name, "unwanted": listed(unwanted), "now_ms": now_ms})


async def _tell(
    db: Connection, rows: list[Any], sinks: Mapping[str, tuple[Wants, Since]], now_ms: int, *, again: bool = False
) -> int:
    pasts: defaultdict[tuple[str, str], list[Past]] = defaultdict(list)
    names = listed(row[1] for row in rows)
    for event_id, sink, turn, state, attempts in await db.execute_fetchall(PASTS, (names,)):
        pasts[event_id, sink].append(Past(turn, DeliveryState(state), attempts))
    deleted: dict[tuple[str, str, int], tuple[int, str]] = {}  # what is remembered of them: see `retention`
    for event_id, sink, turn, state, attempts, finality in await db.execute_fetchall(REMEMBERED, (names,)):
        pasts[event_id, sink].append(Past(turn, DeliveryState(state), attempts))
        deleted[event_id, sink, turn] = attempts, finality
    cancelled: list[tuple[object, ...]] = []
    added: list[tuple[object, ...]] = []
    for number, event_id, kind, distribution_id, funder, slot, time_ms, height, turn in rows:
        subject = Subject(kind, distribution_id, funder, slot, time_ms, number, height is not None)
        for name, (wants, since) in sinks.items():
            past = pasts[event_id, name]
            if past:
                cancelled.append((now_ms, name, event_id, turn))
            there = any(each.turn == turn and each.state is not DeliveryState.CANCELLED for each in past)
            wanted = wants.includes(subject) and since.includes(subject)
            for_it = wanted or begun(past) is not None
            if (again and wanted and holds(turn)) or (for_it and not there and owed(turn, past)):
                ready = wants.finality is Finality.SEEN or height is None or not holds(turn)
                lane = distribution_id or f"-{family(kind)}"
                was = deleted.get((event_id, name, turn), (0, None))
                added.append((name, event_id, turn, lane, int(ready), None if ready else height, *was))
    if cancelled:
        await db.executemany(CANCEL, cancelled)
    if added:
        await db.executemany(ADD, added)
    return len(added)


# --- messages are sent


async def reach(db: Connection, finality: Finality) -> tuple[int, int]:
    """How deep the block of an event has to lie, and the cursor's height; -1: it has none."""
    wanted, height = next(iter(await db.execute_fetchall(DEPTH, (str(finality),))), (0, None))
    return int(wanted), -1 if height is None else int(height)


async def ripe(db: Connection, sink: str, reach: tuple[int, int]) -> bool:
    """Whether there are messages whose event has come to lie deep enough."""
    wanted, height = reach
    return any(row[0] for row in await db.execute_fetchall(RIPE, (sink, height - wanted)))


async def ripen(db: Connection, sink: str, reach: tuple[int, int]) -> None:
    """They may be sent from now on; 500 at once."""
    wanted, height = reach
    await db.execute(RIPEN, (sink, height - wanted))


async def due(
    db: Connection, sink: str, now_ms: int, reach: tuple[int, int], busy: Collection[str], after: str, most: int
) -> Look:
    """Messages that may be sent now, `most` of them, of the lanes behind `after` that are not `busy`.

    `reach`: see the function. Nothing is sent of an event that a fork has just taken away and may bring back.
    """
    wanted, height = reach
    look = most + len(busy) + 100
    rows = list(
        await db.execute_fetchall(
            DUE,
            {
                "sink": sink,
                "after": after,
                "now_ms": now_ms,
                "busy": listed(busy),
                "depth": wanted,
                "height": height,
                "look": look,
            },
        )
    )
    fitting = [(int(number), str(lane)) for number, lane, _, fits in rows if fits][:most]
    if len(fitting) == most:
        return Look([number for number, _ in fitting], fitting[-1][1])
    return Look([number for number, _ in fitting], str(rows[-1][1]) if len(rows) == look else None)


async def begin(db: Connection, numbers: Collection[int], now_ms: int) -> list[Begun]:
    """These are being sent. Once this is committed they may have arrived, whatever happens."""
    names = listed(numbers)
    await db.execute(BEGIN, {"now_ms": now_ms, "numbers": names})
    return [
        Begun(
            number,
            lane,
            turn,
            attempts,
            first_ms,
            {
                "event_id": event_id,
                "type": kind,
                "origin": origin,
                "distribution_id": distribution_id,
                "milestone_id": milestone_id,
                "slot": slot,
                "time": time,
                "finality": finality,
                "data": data,
            },
        )
        for (
            number, lane, event_id, turn, finality, attempts, first_ms, kind, origin, distribution_id, milestone_id,
            slot, time, data,
        ) in await db.execute_fetchall(BEGUN, (names,))
    ]  # fmt: skip


async def arrived(db: Connection, number: int, now_ms: int) -> None:
    """It did arrive, also if it was cancelled meanwhile."""
    await db.execute(ARRIVED, (now_ms, number))


async def failed(db: Connection, number: int, reason: str, next_attempt_ms: int) -> None:
    """It is not known to have arrived, and is tried again then."""
    await db.execute(FAILED, (reason, next_attempt_ms, number))


async def died(db: Connection, number: int, reason: str, now_ms: int) -> None:
    """It was tried for long enough."""
    await db.execute(DIED, (reason, now_ms, number))

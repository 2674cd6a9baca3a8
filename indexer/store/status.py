"""How many distributions there are in which state, which milestones are due, and what an id begins."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

from aiosqlite import Connection

from indexer.chain.point import Slot
from indexer.domain.life import State
from indexer.domain.quorum import QuorumStatus

BEGUN: Final = "SELECT count(*) FROM distribution INDEXED BY distribution_by_created_slot WHERE created_slot <= ?"
# Through the primary key: the first of its milestones mostly has something left. The index `milestone_open` is shorter,
# but SQLite looks the condition up in the table all the same.
OPEN: Final = """
    SELECT count(*) FROM distribution d INDEXED BY distribution_by_created_slot
    WHERE EXISTS (
        SELECT 1 FROM milestone m WHERE m.distribution_id = d.distribution_id AND m.pay_from_ms IS NOT NULL
    )"""
ENDED: Final = """
    SELECT NOT EXISTS (
        SELECT 1 FROM allocation a
        WHERE a.distribution_id = d.distribution_id AND (a.paid_slot IS NULL OR a.paid_slot > ?1)
    ) AS complete, count(*)
    FROM distribution d INDEXED BY distribution_by_ended_slot WHERE d.ended_slot <= ?1 GROUP BY complete"""
COMPLETE_AT: Final = """
    SELECT count(*) FROM distribution d INDEXED BY distribution_by_created_slot
    WHERE d.created_slot <= ?1 AND NOT EXISTS (
        SELECT 1 FROM allocation a
        WHERE a.distribution_id = d.distribution_id AND (a.paid_slot IS NULL OR a.paid_slot > ?1)
    )"""
# `pay_from_ms` is NULL where nothing is left to be paid, also because the distribution ended.
COUNT_DUE: Final = """
    SELECT count(*) FROM milestone INDEXED BY milestone_to_pay WHERE pay_from_ms <= ? AND quorum_met_slot IS NOT NULL"""
# Chosen first, through the index alone; what is told of a milestone is looked up for those that are wanted. A negative
# limit is none.
DUE: Final = """
    SELECT w.distribution_id, w.milestone_id, d.token_policy, d.token_name,
        (SELECT count(*) FROM allocation a WHERE a.distribution_id = w.distribution_id
            AND a.milestone_id = w.milestone_id AND a.paid_slot IS NULL AND a.vesting_ms <= ?1),
        (SELECT sum(a.amount) FROM allocation a WHERE a.distribution_id = w.distribution_id
            AND a.milestone_id = w.milestone_id AND a.paid_slot IS NULL AND a.vesting_ms <= ?1),
        w.pay_from_ms, w.quorum_met_slot
    FROM (
        SELECT distribution_id, milestone_id, pay_from_ms, quorum_met_slot FROM milestone INDEXED BY milestone_to_pay
        WHERE pay_from_ms <= ?1 AND quorum_met_slot IS NOT NULL
        ORDER BY pay_from_ms, distribution_id, milestone_id LIMIT ?2
    ) w
        CROSS JOIN distribution d INDEXED BY distribution_token ON d.distribution_id = w.distribution_id
    ORDER BY w.pay_from_ms, w.distribution_id, w.milestone_id"""
# What was due at a slot is not kept anywhere: all that had a quorum by then are looked at, and counted on the way.
DUE_AT: Final = """
    WITH waiting AS (
        SELECT m.distribution_id, m.milestone_id, count(*) AS allocations, sum(a.amount) AS amount,
            min(a.vesting_ms) AS since, m.quorum_met_slot
        FROM milestone m INDEXED BY milestone_by_quorum_met_slot
            CROSS JOIN allocation a ON a.distribution_id = m.distribution_id AND a.milestone_id = m.milestone_id
        WHERE m.quorum_met_slot <= ?2 AND (a.paid_slot IS NULL OR a.paid_slot > ?2) AND a.vesting_ms <= ?1
            AND m.distribution_id NOT IN (
                SELECT distribution_id FROM distribution INDEXED BY distribution_by_ended_slot WHERE ended_slot <= ?2)
        GROUP BY m.distribution_id, m.milestone_id
    )
    SELECT w.distribution_id, w.milestone_id, d.token_policy, d.token_name, w.allocations, w.amount, w.since,
        w.quorum_met_slot, w.total
    FROM (
        SELECT *, count(*) OVER () AS total FROM waiting ORDER BY since, distribution_id, milestone_id LIMIT ?3
    ) w
        CROSS JOIN distribution d INDEXED BY distribution_token ON d.distribution_id = w.distribution_id
    ORDER BY w.since, w.distribution_id, w.milestone_id"""
MILESTONES: Final = "SELECT count(*), count(quorum_met_slot) FROM milestone"
# The threshold stands behind the datum, which may be long: it is looked up where enough have signed, and nowhere else.
EXCEEDED: Final = """
    SELECT count(*) FROM milestone m INDEXED BY milestone_by_quorum_met_slot
        CROSS JOIN distribution d ON d.distribution_id = m.distribution_id
    WHERE m.quorum_met_slot IS NOT NULL AND m.signatures_valid > d.quorum_threshold"""
BEGINNING: Final = """
    SELECT distribution_id FROM distribution WHERE distribution_id >= ?1 AND distribution_id < ?1 || 'g'
    ORDER BY distribution_id LIMIT ?2"""
DEPOSITS: Final = """
    SELECT o.transaction_id || '#' || o.output_index FROM output o INDEXED BY output_unspent
    WHERE o.spent_slot IS NULL AND o.transaction_id >= ?1 AND o.transaction_id < ?1 || 'g'
        AND o.credential_kind = 'script' AND o.payment_credential IN (SELECT script_hash FROM contract)
        AND NOT EXISTS (SELECT 1 FROM state_output s
            WHERE s.transaction_id = o.transaction_id AND s.output_index = o.output_index)
        AND NOT EXISTS (SELECT 1 FROM rejected_output r
            WHERE r.transaction_id = o.transaction_id AND r.output_index = o.output_index)
    ORDER BY o.transaction_id, o.output_index LIMIT ?2"""
HISTORY: Final = """
    SELECT event_id, type, origin, distribution_id, milestone_id, slot, time, finality, data
    FROM events WHERE distribution_id = ?1 AND slot <= ?2 ORDER BY slot"""

_FOREVER: Final = (1 << 63) - 1  # a slot that no chain reaches


@dataclass(frozen=True, slots=True)
class Due:
    """A milestone whose quorum is met, with what could be paid for it now: how many allocations, how much in all.

    `since_ms`: the earliest of their vesting times (POSIX milliseconds). Ids and names in hex, the milestone's as
    people see it.
    """

    distribution_id: str
    milestone_id: str
    token_policy: str
    token_name: str
    allocations: int
    amount: int
    since_ms: int
    quorum_met_slot: Slot


@dataclass(frozen=True, slots=True)
class DueList:
    """The milestones that are due: how many in all, and those that were asked for."""

    total: int
    first: list[Due]


async def states(db: Connection, slot: Slot | None = None) -> Counter[State]:
    """How many distributions are in each state; as of a slot, if one is given."""
    by = (_FOREVER if slot is None else slot,)
    begun = await _count(db, BEGUN, by)
    ended: dict[int, int] = dict(await db.execute_fetchall(ENDED, by))  # type: ignore[arg-type]  # rows are pairs
    closed, reclaimed = ended.get(1, 0), ended.get(0, 0)
    if slot is None:
        still_open = await _count(db, OPEN, ())
    else:
        still_open = begun - await _count(db, COMPLETE_AT, by) - reclaimed
    return Counter(
        {
            State.OPEN: still_open,
            State.COMPLETED: begun - still_open - closed - reclaimed,
            State.CLOSED: closed,
            State.RECLAIMED: reclaimed,
        }
    )


async def quorums(db: Connection) -> Counter[QuorumStatus]:
    """How many milestones there are of each quorum status. Reads each of them: not for every moment."""
    ((total, met),) = await db.execute_fetchall(MILESTONES)
    exceeded = await _count(db, EXCEEDED, ())
    return Counter(
        {
            QuorumStatus.PENDING: total - met,
            QuorumStatus.MET: met - exceeded,
            QuorumStatus.EXCEEDED: exceeded,
        }
    )


async def _count(db: Connection, sql: str, parameters: tuple[int, ...]) -> int:
    return int(next(iter(await db.execute_fetchall(sql, parameters)))[0])


async def count_due(db: Connection, now_ms: int) -> int:
    """How many milestones wait to be paid at a time (POSIX milliseconds)."""
    return await _count(db, COUNT_DUE, (now_ms,))


async def due(db: Connection, now_ms: int, slot: Slot | None = None, most: int | None = None) -> DueList:
    """The milestones that wait to be paid at a time (POSIX milliseconds), those that have waited longest first: no more
    than `most` of them, if given.

    With a slot: as known when its block had been applied.
    """
    limit = -1 if most is None else most
    if slot is None:
        total = await count_due(db, now_ms)
        return DueList(total, [Due(*row) for row in await db.execute_fetchall(DUE, (now_ms, limit))])
    rows = list(await db.execute_fetchall(DUE_AT, (now_ms, slot, limit)))
    return DueList(rows[0][-1] if rows else 0, [Due(*row[:-1]) for row in rows])


async def beginning(db: Connection, digits: str, most: int) -> list[bytes]:
    """The distributions whose id begins with these lowercase hex digits, in order, no more than `most`."""
    return [bytes.fromhex(name) for (name,) in await db.execute_fetchall(BEGINNING, (digits, most))]


async def deposits(db: Connection, digits: str, most: int) -> list[str]:
    """The published signatures that are unspent and whose transaction's id begins with these lowercase hex digits.

    Their references as people write them, in order, no more than `most`.
    """
    return [text for (text,) in await db.execute_fetchall(DEPOSITS, (digits, most))]


async def history(db: Connection, distribution_id: bytes, slot: Slot) -> list[dict[str, Any]]:
    """The rows of the view `events` about a distribution up to a slot, in order, their data read."""
    rows = await db.execute_fetchall(HISTORY, (distribution_id.hex(), slot))
    names = ("event_id", "type", "origin", "distribution_id", "milestone_id", "slot", "time", "finality", "data")
    found = [dict(zip(names, row, strict=True)) for row in rows]
    return [row | {"data": json.loads(row["data"])} for row in found]

"""Events as rows: those that hold, those that do not any longer, and when people are told so."""

import json
from collections.abc import Iterable
from typing import Any, Final

from aiosqlite import Connection

from indexer.chain.point import BlockHeight, Checkpoint, Origin, Slot, Tip
from indexer.domain.events import Event
from indexer.plutus.identity import shown_milestone
from indexer.store.lists import listed

# What rests on no block was told by the keeper, and is none of the chain's business. Nor is a distribution that was
# created before history starts (see `start`): nothing that is read can speak against what was told of it.
KNOWN: Final = """
    SELECT event_id, slot, height FROM event
    WHERE distribution_id IN (
        SELECT value FROM json_each(?) WHERE NOT EXISTS (
            SELECT 1 FROM chain CROSS JOIN event AS first INDEXED BY event_of_distribution
            WHERE first.distribution_id = value AND first.slot <= chain.since_slot
                AND first.type = 'distribution.created'
        )
    ) AND gone = 0 AND height IS NOT NULL"""
KNOWN_BUT_REJECTED: Final = f"{KNOWN} AND type <> 'attestation.rejected'"
ADD: Final = """
    INSERT INTO event (event_id, type, origin, distribution_id, milestone_id, slot, height, data)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (event_id) DO UPDATE SET gone = 0, turns = turns + turns % 2, slot = excluded.slot,
        height = excluded.height, data = excluded.data"""
TELL: Final = """
    INSERT OR IGNORE INTO event (event_id, type, origin, distribution_id, milestone_id, slot, data)
    VALUES (?, ?, 'daemon', ?, ?, ?, ?)"""
LAST: Final = """
    SELECT type, data FROM event INDEXED BY event_by_type WHERE type IN (SELECT value FROM json_each(?))
    ORDER BY number DESC LIMIT 1"""
RECOVERING: Final = "SELECT recover_height IS NOT NULL FROM chain"
TOLD: Final = "SELECT event_id FROM event WHERE event_id IN (SELECT value FROM json_each(?))"
DELAY: Final = "INSERT OR IGNORE INTO event_delayed VALUES (?)"
DELAYED: Final = "DELETE FROM event_delayed WHERE (SELECT recover_height IS NULL FROM chain) RETURNING distribution_id"
GOES: Final = "UPDATE event SET gone = 1 WHERE event_id = ?"
FORGET_REJECTED: Final = """
    UPDATE event SET gone = 1
    WHERE slot > ? AND type = 'attestation.rejected' AND origin = 'chain' AND gone = 0"""
STAYS: Final = """
    UPDATE event SET gone = 0
    WHERE gone = 1 AND turns % 2 = 0 AND (slot <= ?1 OR distribution_id IN (
        SELECT distribution_id FROM event WHERE type = 'distribution.created' AND slot <= ?1
    ))"""
FALL_BACK: Final = """
    UPDATE chain SET recover_height = max(coalesce(recover_height, 0), coalesce(cursor_height, 0))"""
CATCH_UP: Final = "UPDATE chain SET recover_height = max(coalesce(recover_height, 0), ?)"
RECOVERED: Final = "UPDATE chain SET recover_height = NULL WHERE recover_height <= ?"
RETRACT: Final = """
    UPDATE event SET turns = turns + 1
    WHERE gone = 1 AND turns % 2 = 0 AND (SELECT recover_height IS NULL FROM chain)"""


async def reconcile(db: Connection, distributions: Iterable[bytes], holding: Iterable[Event], *, whole: bool) -> None:
    """Of these distributions, exactly the events in `holding` hold. Others that were known are gone, for now.

    After a rollback, until the old height is reached again, and in a new database until it has caught up, what a file
    shows is not told if it never was: a signature in a file may seem to count only because the same oracle's on the
    chain is about to come.
    Unless `whole`, an attestation that was rejected stays so: there may be any amount of them, and `holding` has only
    the new ones.
    """
    rows = await db.execute_fetchall(KNOWN if whole else KNOWN_BUT_REJECTED, (listed(distributions),))
    held = {str(name): (slot, height) for name, slot, height in rows}
    events = {event.id: event for event in await _in_time(db, holding)}
    # What a file showed may come to rest on another block, or to an earlier slot, and is the same event.
    new = [_row(event) for event in events.values() if held.get(event.id) != (event.slot, event.height)]
    going = [(name,) for name in held if name not in events]
    for statement, changes in ((ADD, new), (GOES, going)):
        if changes:
            await db.executemany(statement, changes)


async def _in_time(db: Connection, holding: Iterable[Event]) -> list[Event]:
    """Those that may be told now; of the others the distributions are remembered."""
    events = list(holding)
    by_file = {event.id for event in events if event.by_file}
    if not by_file or not await recovering(db):
        return events
    early = by_file - {str(name) for (name,) in await db.execute_fetchall(TOLD, (listed(by_file),))}
    await db.executemany(DELAY, [(event.distribution_id.hex(),) for event in events if event.id in early])
    return [event for event in events if event.id not in early]


async def fall_back(db: Connection) -> None:
    """The chain falls back from where the cursor stands: nothing is retracted before it is there again."""
    await db.execute(FALL_BACK)


async def start(db: Connection, since: Slot) -> None:
    """History starts after this slot, perhaps later than it once did: what was told of blocks up to there, and of
    distributions that were created in them, stays as it was told. It is not read again, so it cannot come back; but no
    fork has taken it away."""
    await db.execute(STAYS, (since,))


async def tell(
    db: Connection,
    *,
    event_id: str,
    type: str,  # noqa: A002 -- as events name it
    distribution_id: bytes | None,
    milestone_id: bytes | None,
    slot: Slot,
    data: dict[str, Any],
) -> None:
    """Something that came about here, and that no block can take back. Told once, however often it is said."""
    await db.execute(
        TELL,
        (
            event_id,
            type,
            None if distribution_id is None else distribution_id.hex(),
            None if milestone_id is None else shown_milestone(milestone_id),
            slot,
            json.dumps(data, separators=(",", ":")),
        ),
    )


async def last(db: Connection, kinds: Iterable[str]) -> tuple[str, dict[str, Any]] | None:
    """Of all events of these types the one that was told last: its type, and its data."""
    rows = [(str(kind), json.loads(data)) for kind, data in await db.execute_fetchall(LAST, (listed(kinds),))]
    return rows[0] if rows else None


async def recovering(db: Connection) -> bool:
    """Whether the chain is still being read again, after a rollback or from the start: `settle` ends it."""
    return any(row[0] for row in await db.execute_fetchall(RECOVERING))


async def catch_up(db: Connection, start: Checkpoint, tip: Tip | Origin) -> None:
    """The chain is read from its start up to this tip: what it shows on the way may have been told by files too."""
    if isinstance(tip, Tip) and tip.point != start.place:
        await db.execute(CATCH_UP, (tip.height,))


async def forget_rejected(db: Connection, to: Slot) -> None:
    """The attestations that were rejected after the slot are gone, for now: `reconcile` looks at none of them unless
    it has the whole of a distribution."""
    await db.execute(FORGET_REJECTED, (to,))


async def settle(db: Connection, height: BlockHeight | None) -> list[bytes]:
    """The cursor stands at this height. Once it has recovered from every rollback, what is gone is retracted.

    Returns the distributions of which something was not told before: `milestones.reassess` does it now.
    """
    if height is not None:
        await db.execute(RECOVERED, (height,))
    await db.execute(RETRACT)
    return [bytes.fromhex(name) for (name,) in await db.execute_fetchall(DELAYED)]


def _row(event: Event) -> tuple[object, ...]:
    return (
        event.id,
        event.type,
        "daemon" if event.by_file else "chain",
        event.distribution_id.hex(),
        None if event.milestone_id is None else shown_milestone(event.milestone_id),
        event.slot,
        event.height,
        json.dumps(event.data, separators=(",", ":")),
    )

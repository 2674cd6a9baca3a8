"""What commands that ask read from the database: one moment of it, and a distribution by the beginning of its id."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from aiosqlite import Connection

from indexer.chain.point import Point, Slot
from indexer.cli import refusals
from indexer.domain.life import Life
from indexer.plutus.identity import parse_milestone, shown_milestone
from indexer.store import lives, status
from indexer.store.checkpoints import Standing
from indexer.store.db import opened_for_reading

FEWEST_DIGITS: Final = 8
_BEGINNING: Final = re.compile(r"[0-9a-f]{1,64}")
_TELL: Final = 3  # of many ids that begin alike


def now_ms() -> int:
    """The wall clock, POSIX milliseconds."""
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def moment(path: Path) -> AsyncIterator[Connection]:
    """The database, to read from; all that is read is of one moment. Raises as `opened_for_reading`."""
    async with opened_for_reading(path) as db:
        await db.execute("BEGIN")
        yield db


async def life_of(db: Connection, text: str) -> Life:
    """The distribution whose id is, or begins with, these hex digits.

    Raises DistributionUnknown or DistributionAmbiguous.
    """
    digits = text.lower()
    if not _BEGINNING.fullmatch(digits) or len(digits) < FEWEST_DIGITS:
        raise refusals.DistributionUnknown(
            f"{text!a} is no distribution's id, and no beginning of one",
            hint=f"an id has 64 hex digits; give at least the first {FEWEST_DIGITS}",
        )
    found = await status.beginning(db, digits, _TELL + 1)
    if not found:
        raise refusals.DistributionUnknown(f"the database holds no distribution {digits}")
    if len(found) > 1:
        ids = [f"{one.hex()[:24]}…" for one in found[:_TELL]]
        more = ["and more"] if len(found) > _TELL else []
        raise refusals.DistributionAmbiguous(f"{digits} begins more than one id: {', '.join([*ids, *more])}")
    return (await lives.load(db, found))[found[0]]


def life_at(life: Life, slot: Slot) -> Life:
    """The distribution as it was known at a slot. Raises DistributionUnknown where it was not there yet."""
    then = life.at(slot)
    if then.origin is None:
        assert life.origin is not None
        raise refusals.DistributionUnknown(
            f"distribution {life.id.hex()} was not there at slot {slot}",
            hint=f"it was created at slot {life.origin.seen.slot}",
        )
    return then


def milestone_of(life: Life, text: str) -> bytes:
    """The milestone of the distribution that a text names. Raises MilestoneUnknown."""
    try:
        milestone = parse_milestone(text)
    except ValueError as error:
        raise refusals.MilestoneUnknown(f"{text!a}: {error}") from error
    if milestone not in life.milestones:
        known = ", ".join(map(shown_milestone, life.milestones[:20]))
        raise refusals.MilestoneUnknown(
            f"distribution {life.id.hex()} has no milestone {shown_milestone(milestone)}", hint=f"it has: {known}"
        )
    return milestone


def refuse_not_held(standing: Standing, slot: Slot) -> None:
    """Raises SlotNotHeld where the database cannot know what was true at a slot."""
    cursor = standing.cursor.place
    if standing.since is None or not isinstance(cursor, Point):
        raise refusals.SlotNotHeld("nothing was read yet")
    first = standing.since.slot if isinstance(standing.since, Point) else 0
    if not first <= slot <= cursor.slot:
        raise refusals.SlotNotHeld(f"slot {slot} is not held: the database knows slots {first} to {cursor.slot}")

"""Slots and wall-clock time, through the era summaries (Ogmios `queryLedgerState/eraSummaries`)."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from indexer.chain.point import Slot

LAST_MOMENT_MS: Final = 253_402_300_799_000  # 9999-12-31T23:59:59Z
LAST_MOMENT: Final = "9999-12-31T23:59:59Z"


@dataclass(frozen=True, slots=True, order=True)
class Era:
    """From `start_slot` on, which begins at `start_ms` (POSIX milliseconds), slots last `slot_ms`."""

    start_slot: Slot
    start_ms: int
    slot_ms: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """The eras, and the forecast's end: the first slot whose time nobody can tell yet; None where all can be told."""

    eras: tuple[Era, ...]
    horizon: Slot | None


def slot_to_ms(eras: Sequence[Era], slot: Slot) -> int:
    """POSIX milliseconds at which a slot begins. Slots past the forecast are reckoned with the last era."""
    era = eras[max(0, bisect_right([era.start_slot for era in eras], slot) - 1)]
    return era.start_ms + (slot - era.start_slot) * era.slot_ms


def first_slot_at(eras: Sequence[Era], ms: int) -> Slot:
    """The first slot that begins at or after a moment in POSIX milliseconds; slot 0 where that lies before all."""
    era = eras[max(0, bisect_right([era.start_ms for era in eras], ms) - 1)]
    slot = era.start_slot + -(-(ms - era.start_ms) // era.slot_ms)
    later = next((other.start_slot for other in eras if other.start_slot > era.start_slot), slot)
    return max(0, min(slot, later))


def slot_at(eras: Sequence[Era], ms: int) -> Slot:
    """The slot that a moment (POSIX milliseconds) lies in; less than 0 before there were any."""
    era = eras[max(0, bisect_right([era.start_ms for era in eras], ms) - 1)]
    return era.start_slot + (ms - era.start_ms) // era.slot_ms


def iso(ms: int) -> str:
    """ISO-8601 UTC to the second; after the year 9999 its last second."""
    if ms > LAST_MOMENT_MS:
        return LAST_MOMENT
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

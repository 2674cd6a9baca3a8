"""The database's upkeep: what is old is deleted.

In small transactions by a connection of its own, with pauses between them, so that nobody who writes waits for long.
The file is never made smaller meanwhile: what becomes free is used again. Nor are statistics made (`PRAGMA optimize`):
of tables that come and go, such as the outbox, they would be wrong a moment later, and others would be read whole.
"""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog
from aiosqlite import Connection

from indexer import errors
from indexer.store import retention
from indexer.store.db import named_errors, transaction
from indexer.store.retention import Before

log = structlog.get_logger(__name__)

ROUND_EVERY_S: Final = 300.0
A_BATCH: Final = 300
PAUSE_S: Final = 0.05  # after each batch
A_DAY_MS: Final = 86_400_000


class Upkeep:
    """Looks after the database, now and then."""

    def __init__(
        self,
        db: Connection,
        now_ms: Callable[[], int],
        settled_days: float | None,
        dead_days: float | None,
        pause_s: float = PAUSE_S,
    ) -> None:
        """`settled_days`: how long messages to sinks are kept once they are settled; `dead_days`: how long dead letters
        are. None: for ever. `now_ms`: POSIX milliseconds. `pause_s`: after each batch."""
        self._db, self._now_ms, self._pause_s = db, now_ms, pause_s
        self._settled_days, self._dead_days = settled_days, dead_days

    async def run(self) -> None:
        """Round after round, until cancelled. Raises DatabaseUnusable."""
        while True:
            await asyncio.sleep(ROUND_EVERY_S)
            try:
                with named_errors():
                    await self.prune()
            except errors.DatabaseBusy as error:  # what was not done is done in the next round
                log.warning("upkeep.postponed", reason=str(error))

    async def prune(self) -> int:
        """Delete what is old: of how many events, counted for each sink. What was done before an error stays done."""
        now_ms = self._now_ms()
        before = Before(_earlier(now_ms, self._settled_days), _earlier(now_ms, self._dead_days))
        place, gone = retention.FIRST, 0
        while found := await retention.old(self._db, place, before, A_BATCH):
            place = found[-1]
            numbers = [number for _, number in found]
            if await retention.spent(self._db, numbers, before):  # else nobody has to wait for nothing
                async with transaction(self._db):
                    gone += await retention.prune(self._db, numbers, before)
            await asyncio.sleep(self._pause_s)
        if gone:
            log.info("deliveries.pruned", count=gone)
        return gone


def _earlier(now_ms: int, days: float | None) -> int | None:
    return None if days is None else now_ms - int(days * A_DAY_MS)

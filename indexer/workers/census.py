"""Counts what the read model holds, for the metrics: now and then, so that nobody counts when somebody asks.

It reads by a connection of its own, beside the follower, which it never delays.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from indexer import errors
from indexer.status import ModelStatus
from indexer.store import status
from indexer.store.db import opened_for_reading, snapshot

log = structlog.get_logger(__name__)

COUNT_EVERY_S: Final = 15.0
SHARE: Final = 100  # counting takes at most one part in so many of the time


class Census:
    """Writes what it counts into a status."""

    def __init__(self, database: Path, found: ModelStatus, now_ms: Callable[[], int]) -> None:
        """`now_ms`: POSIX milliseconds."""
        self._database, self._found, self._now_ms = database, found, now_ms

    async def run(self) -> None:
        """Count again and again, until cancelled. What goes wrong with the database is the follower's to judge."""
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            try:
                await self.count()
            except errors.IndexerError as error:
                log.warning("census.postponed", code=error.code, reason=str(error))
            await asyncio.sleep(max(COUNT_EVERY_S, SHARE * (loop.time() - begun)))

    async def count(self) -> None:
        """All numbers, as of one moment. Raises DatabaseBusy, DatabaseUnusable or NoDatabase."""
        async with opened_for_reading(self._database) as db, snapshot(db):
            states = await status.states(db)
            quorums = await status.quorums(db)
            due = await status.count_due(db, self._now_ms())
        found = self._found
        found.distributions = {str(state): count for state, count in states.items()}
        found.milestones = {str(quorum): count for quorum, count in quorums.items()}
        found.due = due

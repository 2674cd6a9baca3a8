"""Tells people when the follower has stalled, and when it has recovered: each once, also where the daemon is restarted
meanwhile, for what was told last is in the database.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog
from aiosqlite import Connection

from indexer import errors
from indexer.chain.network import Network
from indexer.chain.point import Slot, slot_of
from indexer.chain.time import iso, slot_at
from indexer.domain.stalling import Recovered, Stalled, Watch, look
from indexer.status import FollowerStatus
from indexer.store import checkpoints, events
from indexer.store.db import named_errors
from indexer.workers.journal import Journal

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 1.0
STALLED: Final = "follower.stalled"
RECOVERED: Final = "follower.recovered"


class Vigil:
    """Looks at the follower's status, now and then."""

    def __init__(
        self,
        db: Connection,
        network: Network,
        status: FollowerStatus,
        why_not_ready: Callable[[], str | None],
        now_ms: Callable[[], int],
        after_s: float,
    ) -> None:
        """`why_not_ready`: what /health/ready says. `now_ms`: POSIX milliseconds. `after_s`: see `[follow]
        stalled_after_s`."""
        self._db, self._status, self._why_not_ready = db, status, why_not_ready
        self._now_ms, self._after_s = now_ms, after_s
        self._journal = Journal(db, network, now_ms)
        self._watch: Watch | None = None

    async def run(self) -> None:
        """Look again and again, until cancelled. Raises DatabaseUnusable."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await self.look(loop.time())
            except errors.DatabaseBusy as error:  # what is to be told is told at the next look
                log.warning("follower.untold", reason=str(error), retry_in_s=LOOK_EVERY_S)
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self, steady_s: float) -> None:
        """One look; `steady_s` by a clock that nobody sets. Raises DatabaseBusy or DatabaseUnusable."""
        place, now_ms = self._status.cursor, self._now_ms()
        with named_errors():
            was = self._watch or Watch(place, steady_s, await self._open())
            after, news = look(
                was, place, self._why_not_ready(), steady_s=steady_s, now_ms=now_ms, after_s=self._after_s
            )
            if news is not None:
                await self._tell(news, now_ms)
        self._watch = after
        self._status.stalled = after.open_ms is not None

    async def _open(self) -> int | None:
        """The onset of the stall that a daemon before this one told of, and saw no end of."""
        last = await events.last(self._db, (STALLED, RECOVERED))
        if last is None or last[0] == RECOVERED:
            return None
        return int(datetime.fromisoformat(last[1]["since"]).timestamp()) * 1000

    async def _tell(self, news: Stalled | Recovered, now_ms: int) -> None:
        slot, since = await self._slot(now_ms), iso(news.onset_ms)
        match news:
            case Stalled(onset_ms, reason):
                await self._journal.tell(STALLED, onset_ms, slot, {"since": since, "reason": reason})
                log.warning("follower.stalled", since=since, reason=reason)
            case Recovered(onset_ms):
                await self._journal.tell(RECOVERED, onset_ms, slot, {"since": since, "until": iso(now_ms)})
                log.info("follower.recovered", since=since)

    async def _slot(self, now_ms: int) -> Slot:
        """Of this moment, where it is known how slots turn into time; else the cursor's."""
        eras = (await checkpoints.read(self._db)).network.eras
        return max(0, slot_at(eras, now_ms) if eras else slot_of(self._status.cursor))

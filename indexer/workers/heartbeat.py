"""The heartbeat: sent while all is well, and never when it is not, so that silence means trouble, whatever kind.

Nothing that happens to it disturbs anybody else: it has no part in the database, and waits for nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from indexer.status import HeartbeatStatus, KeeperStatus

log = structlog.get_logger(__name__)

ROUND_WITHIN_MS: Final = 300_000  # a round of the keeper's may make forty releases, each evaluated by the node


def keeper_trouble(status: KeeperStatus, now_ms: int) -> str | None:
    """Why the keeper's rounds do not go on as they should; None: they do. `now_ms`: POSIX milliseconds.

    They do also where it has no key, is off, or paused: that is somebody's decision.
    """
    if status.round_ms is None:
        return "the keeper has made no round yet"
    ago = now_ms - status.round_ms
    return f"the keeper's last round that went well ended {ago // 1000} s ago" if ago > ROUND_WITHIN_MS else None


class Heartbeat:
    """Sends heartbeats, and says so when that changes."""

    def __init__(
        self,
        beat: Callable[[], Awaitable[str | None]],
        trouble: Callable[[], str | None],
        status: HeartbeatStatus,
        interval_s: float,
    ) -> None:
        """`beat` sends one, and answers why it failed. `trouble`: why there is to be none; None: all is well."""
        self._beat, self._trouble, self._status, self._interval_s = beat, trouble, status, interval_s
        self._silent, self._failed = False, ""

    async def run(self) -> None:
        """Send one at each interval, until cancelled."""
        while True:
            await self.once()
            await asyncio.sleep(self._interval_s)

    async def once(self) -> None:
        """One heartbeat, if all is well."""
        trouble = self._trouble()
        if trouble is not None:
            if not self._silent:
                log.info("heartbeat.silent", reason=trouble)
            self._silent = True
            return
        if self._silent:
            log.info("heartbeat.resumed")
        self._silent = False
        failed = await self._beat() or ""
        if failed:
            self._status.failed += 1
        else:
            self._status.sent += 1
        if failed and failed != self._failed:
            log.warning("heartbeat.failed", reason=failed)
        elif self._failed and not failed:
            log.info("heartbeat.answered")
        self._failed = failed

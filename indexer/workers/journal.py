"""The journal as the keeper writes it: each turn of a release is a row, and what people are told of it goes with it.

Everything is on the disk before whoever asked goes on: the connection syncs each commit.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import structlog
from aiosqlite import Connection

from indexer.chain.network import Network
from indexer.chain.point import BlockHeight, Slot
from indexer.domain.events import event_id
from indexer.domain.judge import Wanted
from indexer.domain.submission import Course, ReleaseState, Turn, retry_after_ms
from indexer.store import events, releases
from indexer.store.db import transaction
from indexer.store.releases import Journaled, Release

log = structlog.get_logger(__name__)

_TOLD: Final = {
    ReleaseState.SUBMITTED: "release.submitted",
    ReleaseState.IN_BLOCK: "release.in_block",
    ReleaseState.CONFIRMED: "release.confirmed",
    ReleaseState.FINAL: "release.confirmed",  # the same event, if it was told
    ReleaseState.FAILED: "release.failed",
    ReleaseState.ROLLED_BACK: "release.rolled_back",
}


def course_of(release: Release) -> Course:
    """Where a release stands, as the machine sees it."""
    latest = release.latest
    return Course(
        release.state,
        release.attempts,
        release.failures,
        None if latest is None else latest.valid_until,
        release.landed,
    )


def new(wanted: Wanted, now_ms: int, *, by_hand: bool) -> Release:
    """A release that is not in the journal yet."""
    return Release(
        id=wanted.id,
        distribution_id=wanted.distribution_id,
        milestone_id=wanted.milestone_id,
        state_output=wanted.state,
        allocations=wanted.allocations,
        state=ReleaseState.INTENDED,
        attempts=0,
        failures=0,
        last_error=None,
        intended_ms=now_ms,
        submitted_ms=None,
        retry_ms=None,
        landed=None,
        by_hand=by_hand,
        settled=False,
        transactions=(),
    )


class Journal:
    """Writes turns of releases. The connection is the keeper's own."""

    def __init__(
        self, db: Connection, network: Network, now_ms: Callable[[], int], turned: Counter[str] | None = None
    ) -> None:
        """`turned` counts how often a release came to a state."""
        self._db, self._network, self._now_ms = db, network, now_ms
        self._turned = Counter() if turned is None else turned

    async def intend(self, release: Release, slot: Slot, reason: str) -> None:
        """A release is wanted that was not before."""
        async with transaction(self._db):
            await releases.begin(self._db, release, slot, reason)

    async def by_hand(self, release: Release) -> Release:
        """Somebody asks for it: it is seen through also where the keeper is not enabled. As it is then."""
        if release.by_hand:
            return release
        async with transaction(self._db):
            await releases.by_hand(self._db, release.id)
        return replace(release, by_hand=True)

    async def write(self, release: Release, turn: Turn, signed: Journaled, slot: Slot) -> Release:
        """A transaction of a release, before it is first sent; the release is begun if it is new."""
        async with transaction(self._db):
            await releases.add_transaction(self._db, release.id, signed, self._now_ms())
            after = await self._turn(release, turn, slot, signed)
        self._turned[str(after.state)] += 1
        return after

    async def write_split(self, signed: Journaled) -> None:
        """A transaction that splits a coin, before it is first sent."""
        async with transaction(self._db):
            await releases.add_transaction(self._db, None, signed, self._now_ms())

    async def turn(self, release: Release, turn: Turn, slot: Slot) -> Release:
        """A release takes a turn; as it is then."""
        return (await self.turns([(release, turn)], slot))[0]

    async def turns(self, turns: Sequence[tuple[Release, Turn]], slot: Slot) -> list[Release]:
        """Releases take turns, all in one transaction; as they are then."""
        if not turns:
            return []
        async with transaction(self._db):
            after = [await self._turn(release, turn, slot, release.latest) for release, turn in turns]
        for (release, turn), now in zip(turns, after, strict=True):
            if now.state is not release.state:
                self._turned[str(now.state)] += 1
                log.info(
                    "release.turned",
                    release=release.id,
                    distribution=release.distribution_id.hex(),
                    state=str(now.state),
                    was=str(release.state),
                    reason=turn.reason,
                )
        return after

    async def sent(self, transaction_id: bytes, height: BlockHeight) -> None:
        """A transaction is about to be handed over."""
        async with transaction(self._db):
            await releases.sent(self._db, transaction_id, self._now_ms(), height)

    async def _turn(self, release: Release, turn: Turn, slot: Slot, latest: Journaled | None) -> Release:
        course, now_ms = turn.course, self._now_ms()
        failed = course.failures > release.failures
        retry_ms = now_ms + retry_after_ms(course.failures) if failed else release.retry_ms
        last_error = turn.reason if failed else release.last_error
        await releases.step(
            self._db,
            release.id,
            course.state,
            attempts=course.attempts,
            failures=course.failures,
            retry_ms=retry_ms,
            last_error=last_error,
            landed=course.landed,
            settled=course.settled,
            slot=slot,
            ms=now_ms,
            reason=turn.reason,
        )
        kind = _TOLD.get(course.state) if course.state is not release.state else None
        if kind is not None:
            await self._tell(release, course, kind, turn.reason, slot, latest)
        after = replace(
            release,
            state=course.state,
            attempts=course.attempts,
            failures=course.failures,
            retry_ms=retry_ms,
            last_error=last_error,
            landed=course.landed,
            settled=course.settled,
        )
        if latest is not None and latest is not release.latest:
            after = replace(after, transactions=(*release.transactions, latest))
        return after

    async def _tell(
        self, release: Release, course: Course, kind: str, reason: str, slot: Slot, latest: Journaled | None
    ) -> None:
        of = course.landed.transaction_id if course.landed is not None else None if latest is None else latest.id
        state = kind.removeprefix("release.")
        cause = f"{release.id}:{course.attempts}:{state}".encode()
        data: dict[str, Any] = {
            "release_id": release.id,
            "attempt": course.attempts,
            "transaction_id": None if of is None else of.hex(),
            "allocations": list(release.allocations),
            "reason": reason,
        }
        await events.tell(
            self._db,
            event_id=event_id(self._network.magic, kind, release.distribution_id, release.milestone_id, b"", cause),
            type=kind,
            distribution_id=release.distribution_id,
            milestone_id=release.milestone_id,
            slot=slot,
            data=data,
        )

    async def tell(self, kind: str, since_ms: int, slot: Slot, data: dict[str, Any]) -> None:
        """Something about the keeper itself, once for each time that it began."""
        async with transaction(self._db):
            await events.tell(
                self._db,
                event_id=event_id(self._network.magic, kind, b"", b"", b"", str(since_ms).encode()),
                type=kind,
                distribution_id=None,
                milestone_id=None,
                slot=slot,
                data=data,
            )

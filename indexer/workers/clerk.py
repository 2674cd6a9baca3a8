"""Requests that commands leave for the daemon: carried out one after the other, each answered."""

import asyncio
from typing import Any

import structlog

from indexer.chain.time import iso
from indexer.domain.delivery import Since
from indexer.domain.judge import Unwanted, judge
from indexer.edge import pause, requests
from indexer.edge.requests import Kind, Request
from indexer.errors import FileUnusable, IndexerError
from indexer.plutus.identity import parse_milestone
from indexer.store import lives
from indexer.workers.deliver import Deliverer
from indexer.workers.premises import Premises
from indexer.workers.releaser import Held, Releaser
from indexer.workers.sending import Connect

log = structlog.get_logger(__name__)


class NotReleasable(IndexerError):
    """Nothing of a milestone can be released now."""

    code = "keeper.not_releasable"
    hint = "`indexer explain` tells the whole chain of reasons"

    def __init__(self, found: Unwanted) -> None:
        when = "" if found.next_ms is None else f": it comes at {iso(found.next_ms)}"
        super().__init__(f"{found.reason}{when}")


class RequestUnusable(IndexerError):
    """A request does not say what it has to."""

    code = "daemon.request_unusable"
    hint = "is the command of the same version as the daemon?"


class Clerk:
    """Carries out what is asked for."""

    def __init__(self, at: Premises, connect: Connect, releaser: Releaser, deliverer: Deliverer) -> None:
        self._at, self._connect, self._releaser, self._deliverer = at, connect, releaser, deliverer
        self._done: set[str] = set()  # whose answer could not be written: nothing is carried out twice

    async def work(self) -> None:
        """All that waits. What goes wrong with a request is its answer."""
        try:
            look = await asyncio.to_thread(requests.look, self._at.data, self._at.now_ms())
        except FileUnusable as error:
            log.warning("requests.unreadable", reason=str(error))
            return
        for path in look.unreadable:
            log.warning("request.unreadable", file=str(path))
        for late in look.late:
            log.warning("request.too_late", request=late.id, kind=str(late.kind))
        self._done &= {request.id for request in look.waiting}
        for request in look.waiting:
            if request.id not in self._done:
                await self._carry_out(request)

    async def _carry_out(self, request: Request) -> None:
        answer = await self._answer(request)
        self._done.add(request.id)
        log.info("request.answered", request=request.id, kind=str(request.kind), refused="error" in answer)
        try:
            await asyncio.to_thread(requests.answer, self._at.data, request, answer)
        except FileUnusable as error:
            log.warning("request.answer_unwritten", request=request.id, reason=str(error))
        else:
            self._done.discard(request.id)

    async def _answer(self, request: Request) -> dict[str, Any]:
        try:
            match request.kind, request.arguments:
                case Kind.PAUSE, {"reason": str() | None as reason}:
                    note = await asyncio.to_thread(pause.pause, self._at.data, self._at.now_ms(), reason)
                    return {"paused": True, "told": note.sentence}
                case Kind.RESUME, _:
                    return {"paused": False, "was_paused": await asyncio.to_thread(pause.resume, self._at.data)}
                case Kind.RELEASE, {"distribution_id": str(name), "milestone_id": str(milestone), "most": int(most)}:
                    return await self._release(name, milestone, most)
                case Kind.RETRY, {"sink": str() | None as sink, "message": str() | None as message}:
                    return await self._deliverer.retry(sink, message)
                case Kind.BACKFILL, {
                    "sink": str(sink),
                    "since_slot": int() | None as slot,
                    "since_ms": int() | None as ms,
                    "again": bool(again),
                }:
                    return await self._deliverer.backfill(sink, Since(ms=ms, slot=slot), again=again)
            raise RequestUnusable(f"a request of kind {request.kind} without what it takes")
        except ValueError as error:
            return _told(RequestUnusable(f"a request of kind {request.kind} that cannot be read: {error}"))
        except IndexerError as error:
            return _told(error)

    async def _release(self, name: str, milestone: str, most: int) -> dict[str, Any]:
        where = await self._at.position()
        if where is None:
            raise Held("no block was followed yet")
        distribution_id = bytes.fromhex(name)
        life = (await lives.load_counting(self._at.db, [distribution_id]))[distribution_id]
        one = judge(life, parse_milestone(milestone), where.time_ms)
        if isinstance(one, Unwanted):
            raise NotReleasable(one)
        async with self._connect() as node:
            released = await self._releaser.release_by_hand(node, where, one, most)
        latest = released.latest
        return {
            "release_id": released.id,
            "state": str(released.state),
            "transaction_id": None if latest is None else latest.id.hex(),
        }


def _told(error: IndexerError) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": str(error), "hint": error.hint, "exit_code": error.exit_code}}

"""Kupo v2.12 over HTTP: matches while they come in, datums, scripts, checkpoints, patterns, health.

Kupo has no pages: an answer is one JSON array of any length, out of one read of its database, and its status is sent
before the first row. So rows are handed on one by one, and an answer that breaks off is asked for anew.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Hashable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import uniform
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import httpx

from indexer import errors
from indexer.chain.block import OutputReference
from indexer.chain.point import Point, Slot
from indexer.chain.seen import Seen
from indexer.edge import kupo_rows
from indexer.edge.kupo_rows import Health
from indexer.edge.ogmios import shown_url

LONGEST_ANSWER: Final = 16 << 20  # bytes; of everything but matches, which may be of any length
_BEYOND_ANY: Final = 9_999_999_999  # a slot after every block: the checkpoint up to it is the newest
_REMEMBERED: Final = 16  # consistent reads
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
# Anything else has Kupo answer /health and /metrics in the text format of Prometheus, under the name of JSON.
_JSON: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient we are. `overall_s` counts for one attempt, with whatever is done with its rows meanwhile."""

    connect_s: float = 10.0
    silence_s: float = 60.0  # between two pieces of an answer
    overall_s: float = 600.0
    tries: int = 4  # where Kupo is busy, or its answer breaks off
    first_retry_s: float = 0.25  # twice as long each time, with jitter
    steady_tries: int = 5  # of a consistent read


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    slot: str | None  # X-Most-Recent-Checkpoint
    body: bytes


class Kupo:
    """A Kupo. Every method raises a KupoFailed, by name, where it does not get its answer."""

    def __init__(self, client: httpx.AsyncClient, url: str, limits: Limits) -> None:
        self._client, self._url, self._limits = client, url.rstrip("/"), limits
        self._head: Point | None = None
        self._results: dict[Hashable, tuple[Point | None, Any]] = {}

    # Where it stands.

    async def head(self) -> Point | None:
        """The newest block of its index; None before the first.

        Asked on condition, so that an answer without news has no body. A 304 can be trusted, though the header that it
        goes by cannot: Kupo sets that just before it commits a block, never after.
        """
        path, known = f"/checkpoints/{_BEYOND_ANY}", self._head
        if known is not None:
            answer = await self._get(path, (200, 304), {"If-None-Match": known.id.hex()})
            if answer.status == 304:
                if answer.slot in (None, str(known.slot)):
                    return known
                answer = await self._get(path)
        else:
            answer = await self._get(path)
        self._head = kupo_rows.read_point(answer.body)
        return self._head

    async def checkpoint(self, slot: Slot, *, strict: bool = False) -> Point | None:
        """The newest block that it remembers up to a slot; `strict`: only one in that slot."""
        answer = await self._get(f"/checkpoints/{slot}{'?strict' if strict else ''}")
        point = kupo_rows.read_point(answer.body)
        if point is not None and (point.slot > slot or (strict and point.slot != slot)):
            raise errors.KupoGarbled(f"asked for the block at slot {slot}, it names {point}")
        return point

    async def checkpoints(self) -> list[Point]:
        """A sample of its blocks, newest first: dense near the tip, sparse further back."""
        return kupo_rows.read_points((await self._get("/checkpoints")).body)

    async def health(self) -> Health:
        """What it says of itself, also where it has no node."""
        return kupo_rows.read_health((await self._get("/health", (200, 202, 503))).body)

    async def patterns(self, including: str | None = None) -> list[str]:
        """What it indexes; with a pattern, only what includes all that this one matches."""
        return kupo_rows.read_patterns((await self._get(f"/patterns{_segments(including)}")).body)

    # What hashes stand for.

    async def datum(self, hash_: bytes) -> bytes | None:
        """The datum with that hash; None where Kupo does not know it (any more)."""
        return kupo_rows.read_datum((await self._get(f"/datums/{hash_.hex()}")).body, hash_)

    async def script(self, hash_: bytes) -> tuple[str, bytes] | None:
        """Language and bytes of the script with that hash; None where Kupo does not know it."""
        return kupo_rows.read_script((await self._get(f"/scripts/{hash_.hex()}")).body, hash_)

    # Matches.

    async def matches(
        self,
        pattern: str,
        consume: Callable[[AsyncIterator[Seen]], Awaitable[T]],
        *,
        unspent: bool = False,
        created_after: Slot | Point | None = None,
        created_before: Slot | Point | None = None,
    ) -> T:
        """What `consume` makes of the outputs that a pattern matches, oldest first, with datums where known.

        It is called anew, with a fresh iterator, where an attempt fails: what it made of the rows before is void. Both
        bounds are inclusive; one that is a point must be on Kupo's chain. However long the answer, one row is held.
        """
        flags = ["resolve_hashes", "order=oldest_first", *(["unspent"] if unspent else [])]
        flags += [f"created_after={created_after}"] if created_after is not None else []
        flags += [f"created_before={created_before}"] if created_before is not None else []
        path = f"/matches{_segments(pattern)}?{'&'.join(flags)}"

        async def attempt() -> T:
            async with self._stream(path, (200,), {}) as response:
                return await consume(_in_order(_rows(response)))

        return await self._retried(attempt)

    async def consistent(self, key: Hashable, read: Callable[[], Awaitable[T]]) -> tuple[Point | None, T]:
        """What `read` finds, and the block at which all of it is true.

        The newest checkpoint before and after must be the same; else it is read again. `key` says what is read: as long
        as Kupo stands at the same block, the last result is given again, for one request without a body.
        Raises KupoUnsteady.
        """
        for _ in range(self._limits.steady_tries):
            before = await self.head()
            remembered = self._results.pop(key, None)
            if remembered is not None and remembered[0] == before:
                self._results[key] = remembered  # the newest again
                return before, remembered[1]
            found = await read()
            if await self.head() == before:
                self._results[key] = (before, found)
                if len(self._results) > _REMEMBERED:
                    del self._results[next(iter(self._results))]
                return before, found
        raise errors.KupoUnsteady(f"a block came or went while we read, {self._limits.steady_tries} times")

    # Asking.

    async def _get(
        self, path: str, statuses: Collection[int] = (200,), headers: Mapping[str, str] | None = None
    ) -> _Answer:
        async def attempt() -> _Answer:
            async with self._stream(path, statuses, headers or {}) as response:
                body = await _whole(response, LONGEST_ANSWER)
                return _Answer(response.status_code, response.headers.get("X-Most-Recent-Checkpoint"), body)

        return await self._retried(attempt)

    async def _retried(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Again, where waiting may help. The last attempt's error is the one that is raised."""
        wait = self._limits.first_retry_s
        for _ in range(self._limits.tries - 1):
            try:
                return await attempt()
            except (errors.KupoBusy, errors.KupoTruncated):
                await asyncio.sleep(wait * uniform(0.5, 1.5))  # noqa: S311 -- so that clients do not come back at once
                wait *= 2
        return await attempt()

    @asynccontextmanager
    async def _stream(
        self, path: str, statuses: Collection[int], headers: Mapping[str, str]
    ) -> AsyncIterator[httpx.Response]:
        """An answer with one of these statuses, its body still to come. What goes wrong meanwhile gets its name."""
        limits, begun = self._limits, False
        try:
            async with (
                asyncio.timeout(limits.overall_s),
                self._client.stream("GET", self._url + path, headers={**_JSON, **headers}) as response,
            ):
                begun = True
                if response.status_code not in statuses:
                    await _refuse(response)
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise errors.KupoGarbled("a compressed answer, which we did not ask for")
                yield response
        except httpx.TimeoutException as error:
            what = "connect" if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout) else "go on answering"
            seconds = limits.connect_s if what == "connect" else limits.silence_s
            raise errors.KupoTimedOut(f"{shown_url(self._url)} did not {what} within {seconds:g} s") from error
        except TimeoutError as error:
            raise errors.KupoTimedOut(f"{shown_url(self._url)} did not end within {limits.overall_s:g} s") from error
        except (httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError) as error:
            where = "in the middle" if begun else "before it begins"
            raise errors.KupoTruncated(f"the answer of {shown_url(self._url)} breaks off {where}") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = str(error) or type(error).__name__
            raise errors.KupoUnreachable(f"cannot reach Kupo at {shown_url(self._url)}: {reason}") from error


@asynccontextmanager
async def connected(url: str, headers: Mapping[str, str], limits: Limits | None = None) -> AsyncIterator[Kupo]:
    """A Kupo at `http://` or `https://`, with extra headers where a hosted one wants them. Nothing is asked yet."""
    limits = limits or Limits()
    timeout = httpx.Timeout(limits.silence_s, connect=limits.connect_s, pool=limits.connect_s)
    behind_proxy = urlsplit(url).hostname not in _LOOPBACK
    async with httpx.AsyncClient(headers=dict(headers), timeout=timeout, trust_env=behind_proxy) as client:
        yield Kupo(client, url, limits)


def _segments(pattern: str | None) -> str:
    return "" if pattern is None else "/" + quote(pattern, safe="*/@")


async def _refuse(response: httpx.Response) -> None:
    """Raise what a status other than the one we asked for means."""
    hint = kupo_rows.read_hint(await _whole(response, LONGEST_ANSWER))
    if response.status_code == 503:
        raise errors.KupoBusy(f"Kupo is busy: {hint}")
    raise errors.KupoRefused(f"Kupo refused {response.url.path}: {hint} (status {response.status_code})")


async def _whole(response: httpx.Response, longest: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > longest:
            raise errors.KupoGarbled(f"an answer of more than {longest:,} bytes")
    return bytes(body)


async def _rows(response: httpx.Response) -> AsyncIterator[Seen]:
    splitter = kupo_rows.Splitter()
    async for chunk in response.aiter_raw():
        for text in splitter.feed(chunk):
            yield kupo_rows.read_match(text)
    splitter.close()


async def _in_order(rows: AsyncIterator[Seen]) -> AsyncIterator[Seen]:
    """The same rows, each once. Raises KupoGarbled where they are not oldest first, or contradict each other.

    Rows of one output have one slot, so what is remembered is the rows of one block.
    """
    slot: Slot = -1
    known: dict[OutputReference, Seen] = {}
    async for row in rows:
        if row.created.slot < slot:
            raise errors.KupoGarbled(f"rows out of order: slot {row.created.slot} after slot {slot}")
        if row.created.slot > slot:
            slot, known = row.created.slot, {}
        if row.reference not in known:
            known[row.reference] = row
            yield row
        elif known[row.reference] != row:
            raise errors.KupoGarbled(f"two rows of {row.reference} that contradict each other")

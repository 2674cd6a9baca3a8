"""A heartbeat over HTTP: a GET to a URL that somebody watches, who raises the alarm when it stops coming.

Whoever knows the URL can send heartbeats, so nothing of it is told to anybody.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import httpx

_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


@asynccontextmanager
async def beating(url: str, timeout_s: float) -> AsyncIterator[Callable[[], Awaitable[str | None]]]:
    """A function that sends one heartbeat, and answers why it failed; None: some 2xx was answered within the time.

    Redirects are not followed, and no more of an answer is read than its head.
    """
    behind_proxy = urlsplit(url).hostname not in _LOOPBACK

    async def beat() -> str | None:
        try:
            async with asyncio.timeout(timeout_s), client.stream("GET", url) as response:
                pass
        except (TimeoutError, httpx.TimeoutException):
            return f"no answer within {timeout_s:g} s"
        except httpx.ConnectError as error:
            return f"no connection: {error}"
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return f"no answer: {type(error).__name__}"  # the text of some has the URL in it
        if response.is_redirect:
            return f"it answers {response.status_code}, and redirects are not followed"
        return None if response.is_success else f"it answers {response.status_code}"

    async with httpx.AsyncClient(
        headers={"User-Agent": "milestone-indexer", "Accept-Encoding": "identity"},
        timeout=timeout_s,
        follow_redirects=False,
        trust_env=behind_proxy,
    ) as client:
        yield beat

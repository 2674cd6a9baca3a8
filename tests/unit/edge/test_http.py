"""Health and metrics: who asks has an answer, who only holds a connection open loses it."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from indexer.edge import http

SOON_S = 10.0


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with http.serving("127.0.0.1", 0, CollectorRegistry(), lambda: None) as found:
        yield found


async def ended_after(port: int, says: list[bytes]) -> float:
    """Says these, one after the other, over and over, and reads nothing; how long until the other end has closed."""
    begun = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def say() -> None:
        while says:
            for each in says:
                writer.write(each)
                await writer.drain()
                await asyncio.sleep(0.05)

    saying = asyncio.create_task(say())
    try:
        async with asyncio.timeout(SOON_S):
            while await reader.read(1024):
                pass
    except ConnectionError:
        pass
    finally:
        saying.cancel()
        writer.close()
    return time.monotonic() - begun


@pytest.mark.parametrize(
    "says",
    [
        pytest.param([], id="nothing"),
        pytest.param([b"G"], id="a line that does not end"),
        pytest.param([b"GET /metrics HTTP/1.1\r\n", *[b"x: y\r\n"] * 1000], id="headers, one by one"),
    ],
)
async def test_a_connection_that_is_held_open_is_closed_and_others_are_served_meanwhile(
    port: int, says: list[bytes]
) -> None:
    """Whether it is idle or slow; fifty of them as well."""
    held = [asyncio.create_task(ended_after(port, says)) for _ in range(50)]
    await asyncio.sleep(0.2)
    begun = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(SOON_S):
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    assert time.monotonic() - begun < SOON_S
    assert max(await asyncio.gather(*held)) < SOON_S


async def test_who_has_had_its_answer_and_stays_is_shown_out(port: int) -> None:
    """One connection is one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n")
    async with asyncio.timeout(SOON_S):
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()

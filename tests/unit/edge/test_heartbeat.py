"""The heartbeat over HTTP, and whatever may answer it."""

import asyncio
import socket

import pytest

from indexer.edge.heartbeat import beating
from tests.support.serving import Asked, begun, saying, whole

SECRET = "aaaabbbb-token"


@pytest.mark.parametrize("status", ["200 OK", "201 Created", "204 No Content"])
async def test_any_success_is_a_good_answer(status: str) -> None:
    """One GET of exactly that URL, with nothing in it that tells of us but our name."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(b"", status))

    async with saying(answer) as there, beating(f"{there.url}/{SECRET}?create=1", 5.0) as beat:
        assert await beat() is None
        assert await beat() is None
    assert [each.target for each in there.asked] == [f"/{SECRET}?create=1"] * 2
    assert there.asked[0].headers["user-agent"] == "milestone-indexer"


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
async def test_a_redirect_is_not_followed(status: str) -> None:
    """Neither elsewhere nor to the same place."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(b"", status, Location="/elsewhere"))

    async with saying(answer) as there, beating(f"{there.url}/{SECRET}", 5.0) as beat:
        assert await beat() == f"it answers {status[:3]}, and redirects are not followed"
    assert len(there.asked) == 1


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (whole(b"", "404 Not Found"), "it answers 404"),
        (whole(b"", "410 Gone"), "it answers 410"),
        (whole(b"", "500 Oh"), "it answers 500"),
        (b"", "no answer: RemoteProtocolError"),
        (b"what\r\n\r\n", "no answer: RemoteProtocolError"),
        (f"HTTP/1.1 2xx {SECRET}\r\n\r\n".encode(), "no answer: RemoteProtocolError"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000, "no answer: RemoteProtocolError"),
    ],
)
async def test_what_is_no_success_is_told_in_a_few_words(said: bytes, told: str) -> None:
    """None of them the server's own."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()

    async with saying(answer) as there, beating(f"{there.url}/{SECRET}", 5.0) as beat:
        assert await beat() == told


async def test_an_answer_is_read_no_further_than_its_head() -> None:
    """A body without end holds up nobody."""

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(begun())
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with saying(answer) as there, beating(there.url, 5.0) as beat:
        assert await beat() is None


async def test_silence_ends_with_the_time() -> None:
    """Also where the head comes byte by byte, each within the time."""
    ended = asyncio.Event()

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        for each in b"HTTP/1.1 200 OK" * 100:
            writer.write(bytes([each]))
            try:
                await asyncio.wait_for(ended.wait(), 0.02)
            except TimeoutError:
                continue
            return

    async with saying(answer) as there, beating(there.url, 0.1) as beat:
        assert await beat() == "no answer within 0.1 s"
        ended.set()


async def test_nobody_there_is_told_without_the_url() -> None:
    """A port where nothing listens, a name that is none, a scheme without a server of it."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        for url in (f"http://127.0.0.1:{port}", "http://nobody.invalid", f"http://{'a' * 300}.invalid"):
            async with beating(f"{url}/{SECRET}", 5.0) as beat:
                told = await beat()
            assert told is not None
            assert told.startswith("no ")
            assert SECRET not in told

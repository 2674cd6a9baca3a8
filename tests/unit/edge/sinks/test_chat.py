"""Messages in words: through Apprise to a server that keeps what it gets."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from indexer.edge.sinks import words
from indexer.edge.sinks.chat import Chat
from indexer.edge.sinks.message import Message, SinkFailed, sample
from indexer.errors import FileUnusable

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated")  # Apprise imports it where it still is

EVENT = {
    "event_id": "cd" * 16,
    "type": "milestone.released",
    "origin": "chain",
    "distribution_id": "ef" * 32,
    "milestone_id": "evil.example",
    "slot": 5,
    "time": "2026-01-31T12:00:00Z",
    "finality": "confirmed",
    "data": {"transaction_id": "01" * 32, "allocations": [0], "amount": 700},
}


def url_file(folder: Path, text: str) -> Path:
    path = folder / "apprise"
    path.write_text(text)
    path.chmod(0o600)
    return path


async def sent(folder: Path, message: Message, status: str = "200 OK") -> dict[str, Any]:
    """What a JSON service is posted."""
    got = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].split("\r\n")[0])
        got.set_result(json.loads(await reader.readexactly(length)))
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        await Chat(url_file(folder, f"# one service\njson://127.0.0.1:{port}/\n"), timeout_s=10).send(message)
        body: dict[str, Any] = await got
        return body


async def test_people_read_what_happened_and_what_comes_from_the_chain_is_code(tmp_path: Path) -> None:
    """A milestone may be called like a web page: no chat is to make a link of it."""
    body = await sent(tmp_path, Message("x.0", "preprod", False, EVENT))
    assert body["title"] == "[preprod] Milestone paid"
    assert "`evil.example`" in body["message"]
    assert "`700`" in body["message"]


async def test_what_the_chain_takes_back_is_said_to_be(tmp_path: Path) -> None:
    body = await sent(tmp_path, Message("x.1", "preprod", True, EVENT | {"finality": "retracted"}))
    assert body["title"] == "[preprod] RETRACTED: Milestone paid"
    assert "does not hold any longer" in body["message"]


async def test_a_service_that_does_not_take_it_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(SinkFailed, match="could not deliver"):
        await sent(tmp_path, sample("preprod", "2026-01-31T12:00:00Z", "ab" * 16), "500 No")


@asynccontextmanager
async def dripping() -> AsyncIterator[str]:
    """A service whose answer comes byte by byte, without an end: no time limit of a read is ever reached."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.1)
        except ConnectionError:
            writer.close()
        except asyncio.CancelledError:  # the test is over
            writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"json://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def test_a_service_that_never_ends_holds_up_nobody_who_stops(tmp_path: Path) -> None:
    """One message is with it at most; others fail at once, so that no threads gather. The process ends all the same."""
    code = """
import asyncio, pathlib, sys, threading
from indexer.edge.sinks.chat import Chat
from indexer.edge.sinks.message import SinkFailed, sample
async def main():
    chat = Chat(pathlib.Path(sys.argv[1]), timeout_s=0.3)
    for _ in range(4):
        try:
            await chat.send(sample("preprod", "2026-01-31T12:00:00Z", "ab" * 16))
        except SinkFailed as failed:
            print(failed, threading.active_count(), flush=True)
asyncio.run(main())
"""
    async with dripping() as url, asyncio.timeout(30):
        arguments = (sys.executable, "-W", "ignore", "-c", code, str(url_file(tmp_path, url)))
        process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
        try:
            said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert said.decode().splitlines() == [
        "no answer within 0.3 s 2",
        *["the service still holds an earlier message 2"] * 3,
    ]


@pytest.mark.parametrize("text", ["", "json://a\njson://b\n", "no-such-service://x", "json://a, json://b"])
def test_one_sink_is_one_service(text: str, tmp_path: Path) -> None:
    with pytest.raises(FileUnusable, match="one Apprise URL"):
        Chat(url_file(tmp_path, text), timeout_s=1)


def test_a_value_cannot_get_out_of_its_code_span() -> None:
    assert words.code("a`b\nc\u202ed") == "`a?b?c?d`"
    assert words.code("x" * 500) == f"`{'x' * 200}…`"

"""A server that says over HTTP whatever a test has it say, byte by byte, and remembers what it was asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Handler = Callable[["Asked", asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Asked:
    """A request: its number from 0, its target, and its headers by lower-case name."""

    number: int
    target: str
    headers: dict[str, str]


@dataclass
class Liar:
    """Where it listens, and what it was asked."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)


@asynccontextmanager
async def saying(handler: Handler) -> AsyncIterator[Liar]:
    """Each request goes to the handler; the connection ends when that returns."""
    liar, tasks, writers = Liar(), set[asyncio.Task[None]](), list[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
            asked = Asked(len(liar.asked), head[0].split(" ")[1], headers)
            liar.asked.append(asked)
            await handler(asked, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        tasks.add(asyncio.create_task(serve(reader, writer)))

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    liar.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield liar
        for writer in writers:
            writer.transport.abort()
        for task in tasks:
            await task


def whole(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    """An answer with its length."""
    return begun(status, **{"Content-Length": str(len(body))}, **headers) + body


def begun(status: str = "200 OK", **headers: str) -> bytes:
    """The head of an answer; without a length, it lasts until the connection ends."""
    lines = [f"HTTP/1.1 {status}", "Connection: close", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()

"""The wire: what is no HTTP is told so, and a client that misbehaves disturbs nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from indexer.devnet import http
from indexer.devnet.kupo.index import Index
from indexer.devnet.kupo.server import KupoServer
from indexer.devnet.listening import CannotListen
from tests.unit.devnet.kupo.asking import serving
from tests.unit.devnet.kupo.making import HOMES, Block, Coin, Tx, digest, index_of

ASK = b"GET /checkpoints HTTP/1.1\r\nHost: x\r\n\r\n"


class Wire:
    """A connection on which bytes are said and answers heard."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self) -> tuple[int, dict[str, str], bytes]:
        """The next answer: status, headers, body."""
        async with asyncio.timeout(10):
            line, *fields = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
            headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
            return int(line.split()[1]), headers, await self.reader.readexactly(int(headers.get("content-length", 0)))

    async def ended(self) -> bytes:
        """What still comes before the end, which may be a rude one."""
        try:
            async with asyncio.timeout(10):
                return await self.reader.read()
        except ConnectionError:
            return b""

    async def flood(self, data: bytes, times: int) -> None:
        """Say it again and again; TimeoutError where nobody listens any more."""
        for _ in range(times):
            async with asyncio.timeout(0.5):
                await self.say(data)
            await asyncio.sleep(0)


@asynccontextmanager
async def wire(server: KupoServer) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield Wire(reader, writer)
    finally:
        writer.close()


async def test_a_connection_serves_many_requests() -> None:
    async with serving(Index()) as (server, _), wire(server) as client:
        for _ in range(3):
            await client.say(ASK)
            status, headers, body = await client.hear()
            assert (status, body, headers["server"], "connection" in headers) == (200, b"[]", "kupo", False)
            assert headers["date"].endswith(" GMT")


@pytest.mark.parametrize(
    ("request_", "stays"),
    [
        (b"GET /health HTTP/1.1\r\nConnection: close\r\n\r\n", False),
        (b"GET /health HTTP/1.0\r\n\r\n", False),
        (b"GET /health HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", True),
        (b"\r\n\r\nGET http://somewhere:1442/health HTTP/1.1\r\n\r\n", True),
    ],
)
async def test_a_connection_ends_when_the_client_says_so(request_: bytes, stays: bool) -> None:
    async with serving(Index()) as (server, _), wire(server) as client:
        await client.say(request_)
        status, headers, _body = await client.hear()
        assert (status, headers.get("connection")) == (202, None if stays else "close")
        if not stays:
            assert await client.ended() == b""


async def test_requests_may_come_in_any_pieces() -> None:
    body = b'{"rollback_to":{"slot_no":1}}'
    request = b"PUT /patterns/* HTTP/1.1\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    async with serving(index_of([Block(1, digest("a"))])) as (server, _), wire(server) as client:
        for n in range(len(request)):
            await client.say(request[n : n + 1])
            await asyncio.sleep(0)
        assert (await client.hear())[::2] == (200, b'["*"]')
        await client.say(request[:-3])
        await client.say(request[-3:] + ASK)
        assert [(await client.hear())[0] for _ in range(2)] == [200, 200]


async def test_a_thousand_requests_sent_ahead_are_answered_in_order() -> None:
    chain = [Block(n, digest(n)) for n in range(1_000)]
    async with serving(index_of(chain)) as (server, _), wire(server) as client:
        await client.say(b"".join(b"GET /checkpoints/%d HTTP/1.1\r\n\r\n" % n for n in range(1_000)))
        for block in chain:
            assert (await client.hear())[2] == b'{"slot_no":%d,"header_hash":"%s"}' % (
                block.slot,
                block.id.hex().encode(),
            )


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"hello\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\xff\xff\r\n\r\n", 400),
        (b"GET /health\r\n\r\n", 400),
        (b"GET health HTTP/1.1\r\n\r\n", 400),
        (b"GET /health HTTP/2.0\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /health HTTP/1.1\r\nAccept : x\r\n\r\n", 400),
        (b"PUT /patterns HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"PUT /patterns HTTP/1.1\r\nContent-Length: one\r\n\r\n", 400),
        (b"PUT /patterns HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"PUT /patterns HTTP/1.1\r\nContent-Length: 1048577\r\n\r\n", 413),
        (b"GET /" + b"x" * 70_000, 431),
    ],
)
async def test_what_cannot_be_read_is_refused_and_ends_the_connection(sent: bytes, status: int) -> None:
    async with serving(Index()) as (server, other), wire(server) as client:
        await client.say(sent)
        assert [(await client.hear())[0], await client.ended()] == [status, b""]
        assert (await other.get("/matches")).status_code == 200


async def test_garbage_without_end_is_not_held() -> None:
    """64 MB of it: the connection ends long before."""
    async with serving(Index()) as (server, other), wire(server) as client:
        with pytest.raises(ConnectionError):
            await client.flood(bytes(1 << 20), 64)
        assert (await other.get("/matches")).status_code == 200


async def test_a_client_that_asks_and_does_not_read_has_to_wait() -> None:
    """Neither its requests nor its answers pile up; others are served, and it too once it reads."""
    chain = [Block(1, digest("a"), (Tx(digest("t"), (), tuple(Coin(HOMES[0]) for _ in range(300))),))]
    ask = b"GET /matches HTTP/1.1\r\n\r\n"
    async with serving(index_of(chain)) as (server, other), wire(server) as client:
        client.writer.transport.set_write_buffer_limits(high=0)
        with pytest.raises(TimeoutError):
            await client.flood(ask * 10_000, 100)
        (connection,) = [each for each in server.sessions if each._paused]
        assert len(connection._received) <= http.AHEAD_AT_MOST + 300_000  # and what one read brings
        assert connection._transport.get_write_buffer_size() < 1 << 20
        assert (await other.get("/matches")).status_code == 200
        for _ in range(50):
            assert (await client.hear())[0] == 200
        client.writer.transport.abort()


async def test_two_hundred_clients_are_served_while_one_stalls_in_the_middle_of_a_request() -> None:
    async with serving(Index()) as (server, _), wire(server) as stalled:
        await stalled.say(ASK[:20])

        async def one() -> int:
            async with wire(server) as client:
                await client.say(ASK)
                return (await client.hear())[0]

        assert await asyncio.gather(*(one() for _ in range(200))) == [200] * 200
        await stalled.say(ASK[20:])
        assert (await stalled.hear())[0] == 200


async def test_a_client_that_says_nothing_is_dropped_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PATIENCE", 0.05)
    async with serving(Index()) as (server, _), wire(server) as client:
        await client.say(ASK[:5])
        assert await client.ended() == b""


async def test_closing_ends_every_connection_with_the_answers_that_are_due() -> None:
    async with KupoServer(Index()) as server:
        async with wire(server) as client, wire(server) as other:
            await client.say(ASK)
            assert (await client.hear())[0] == 200
            await server.close()
            assert [await client.ended(), await other.ended()] == [b"", b""]
        with pytest.raises(OSError, match=r"."):
            await asyncio.open_connection("127.0.0.1", server.port)
        await server.close()


async def test_a_port_that_is_taken_is_named() -> None:
    async with KupoServer(Index()) as server:
        with pytest.raises(CannotListen, match=str(server.port)):
            await KupoServer(Index(), port=server.port).start()

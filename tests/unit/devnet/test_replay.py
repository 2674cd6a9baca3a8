"""The server: memory, manners, plain HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from indexer.chain.point import ORIGIN, Point
from indexer.devnet import websocket
from indexer.devnet.chain import Chain
from indexer.devnet.listening import CannotListen
from indexer.devnet.networks import NetworkUnknown, guess_network
from indexer.devnet.ogmios.server import OgmiosServer
from indexer.devnet.recording import MadeBlock, link, read_recordings
from indexer.devnet.replay import ReplayServer
from tests.unit.devnet.client import PREVIEW, Client, blocks, client_of, made, serving, tip, until


@dataclass
class Counted:
    """A block that counts how often its text is asked for."""

    block: MadeBlock
    built: list[int] = field(default_factory=list)

    @property
    def id(self) -> bytes:
        return self.block.id

    @property
    def height(self) -> int:
        return self.block.height

    @property
    def slot(self) -> int | None:
        return self.block.slot

    @property
    def text(self) -> bytes:
        self.built.append(self.height)
        return self.block.text


async def test_a_client_that_asks_for_a_thousand_and_reads_none_costs_little_memory() -> None:
    """No text is built before there is room for it; once the client reads, all come."""
    built: list[int] = []
    chain = Chain(Counted(made(number, padding=200_000), built) for number in range(1000))
    async with serving(chain) as (server, client):
        client.socket.transport.pause_reading()
        await client.want(1001)
        await until(lambda: bool(built) and not any(session.writable for session in server.sessions))
        assert len(built) < 100
        client.socket.transport.resume_reading()
        assert await client.told() == ("backward", "origin")
        assert [await client.told() for _ in range(1000)] == [("forward", number) for number in range(1000)]


async def test_a_client_that_asks_more_than_it_reads_is_not_listened_to_for_a_while() -> None:
    """Even answers that are due at once wait when megabytes of them lie unread."""
    chain = Chain(blocks(range(2)))
    async with serving(chain) as (server, client):
        (session,) = server.sessions
        identifier = "x" * 100_000
        request = json.dumps({"jsonrpc": "2.0", "method": "queryNetwork/tip", "id": identifier})
        client.socket.transport.pause_reading()
        sending = asyncio.create_task(_send_many(client.socket, request, 200))
        await until(lambda: not session.listening)
        client.socket.transport.resume_reading()
        assert [(await client.answer())["id"] for _ in range(200)] == 200 * [identifier]
        await sending


async def _send_many(socket: ClientConnection, message: str, count: int) -> None:
    for _ in range(count):
        await socket.send(message)


async def test_pings_are_answered_and_closing_is_polite() -> None:
    async with serving(Chain()) as (_, client):
        async with asyncio.timeout(10):
            await (await client.socket.ping(b"still there?"))
        await client.socket.close(1000, "done")
        assert client.socket.close_code == 1000


async def test_a_server_that_closes_says_goodbye_first() -> None:
    async with serving(Chain()) as (server, client):
        await client.want(3)
        await client.told()
        await server.close()
        with pytest.raises(ConnectionClosed):
            await client.answer()
        assert client.socket.close_code == 1001


async def test_dropped_connections_end_without_a_word_and_can_be_made_again() -> None:
    async with serving(Chain(blocks(range(2)))) as (server, client):
        await client.want(4)
        assert [(await client.told())[0] for _ in range(3)] == ["backward", "forward", "forward"]
        server.drop_connections()
        with pytest.raises(ConnectionClosed):
            await client.answer()
        assert client.socket.close_code == 1006
        server.chain.append(made(2))  # nobody is there to be told
        async with client_of(server) as again:
            assert await again.next() == ("backward", "origin")


async def test_a_port_that_is_taken_is_named() -> None:
    async with ReplayServer(Chain()) as server:
        with pytest.raises(CannotListen, match=rf"cannot listen on 127\.0\.0\.1:{server.port}: ") as raised:
            await ReplayServer(Chain(), port=server.port).start()
    assert raised.value.code == "devnet.cannot_listen"


def test_a_network_that_is_not_known_is_refused() -> None:
    with pytest.raises(NetworkUnknown, match="'sanchonet'"):
        ReplayServer(Chain(), "sanchonet")


@pytest.mark.parametrize(
    ("names", "network"),
    [
        (["mainnet-conway-35-blocks.v7.jsonl.gz"], "mainnet"),
        (["preprod-a.jsonl", "preprod-b.jsonl"], "preprod"),
        (["preview-from-origin.jsonl"], "preview"),
        (["preview-a.jsonl", "mainnet-b.jsonl"], "devnet"),
        (["blocks.jsonl"], "devnet"),
        ([], "devnet"),
    ],
)
def test_the_network_is_guessed_from_the_names_of_the_files(names: list[str], network: str) -> None:
    assert guess_network(Path("somewhere") / name for name in names) == network


def test_a_chain_knows_its_blocks_by_point_and_forgets_abandoned_ones() -> None:
    chain = Chain(blocks(range(3)))
    assert [chain.find(ORIGIN), chain.find(Point(20, made(1).id)), chain.find(Point(21, made(1).id))] == [0, 2, None]
    chain.roll_back(1)
    assert (len(chain), chain.find(Point(20, made(1).id)), list(chain)) == (1, None, blocks(range(1)))
    with pytest.raises(ValueError, match="cannot keep 2 of 1"):
        chain.roll_back(2)


async def test_the_server_pings_a_client_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "PING_EVERY", 0.001)
    async with ReplayServer(Chain()) as server, upgraded(server) as (reader, _):
        async with asyncio.timeout(10):
            assert await reader.readexactly(4) == 2 * b"\x89\x00"


async def test_what_is_no_frame_of_a_client_is_answered_by_a_close() -> None:
    async with ReplayServer(Chain()) as server, upgraded(server) as (reader, writer):
        writer.write(b"\x81\x02{}")  # unmasked
        async with asyncio.timeout(10):
            answer = await reader.read()
        assert (answer[0], answer[2:4]) == (0x88, (1002).to_bytes(2, "big"))


async def test_a_client_may_ask_before_it_has_seen_the_handshake_answered() -> None:
    async with ReplayServer(Chain()) as server, upgraded(server, b"\x81\x82\0\0\0\0{}") as (reader, _):
        async with asyncio.timeout(10):
            assert b"-32600" in await reader.readuntil(b"null}")


@asynccontextmanager
async def upgraded(
    server: OgmiosServer, more: bytes = b""
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection that has shaken hands; `more` is sent in the same breath."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    lines = (
        "GET / HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
    )
    writer.write("\r\n".join((*lines, "", "")).encode() + more)
    async with asyncio.timeout(10):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    yield reader, writer
    writer.close()
    await writer.wait_closed()


# Plain HTTP


async def http(server: OgmiosServer, request: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one HTTP exchange."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"{request} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    async with asyncio.timeout(10):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body


async def test_health_tells_of_a_node_that_is_in_step() -> None:
    chain = Chain(link(read_recordings([PREVIEW])))
    async with serving(chain, "preview") as (server, _):
        status, headers, body = await http(server, "GET /health")
        health = json.loads(body)
        last = chain[99]
        assert (status, headers["content-type"]) == (200, "application/json; charset=utf-8")
        assert health["lastKnownTip"] == {"slot": last.slot, "id": last.id.hex(), "height": last.height}
        told = {key: health[key] for key in ("connectionStatus", "networkSynchronization", "network", "version")}
        assert told == {
            "connectionStatus": "connected",
            "networkSynchronization": 1.0,
            "network": "preview",
            "version": "v7.0.0 (replay)",
        }
        assert (health["currentEra"], health["currentEpoch"], health["slotInEpoch"]) == ("conway", 959, 61767)
        assert datetime.fromisoformat(health["startTime"]) <= datetime.fromisoformat(health["lastTipUpdate"])
        assert (health["metrics"]["activeConnections"], health["metrics"]["totalConnections"]) == (1, 1)


async def test_health_knows_when_the_tip_has_moved() -> None:
    chain = Chain()
    async with ReplayServer(chain) as server:
        before = json.loads((await http(server, "GET /health"))[2])
        chain.append(made(0))
        after = json.loads((await http(server, "GET /health"))[2])
    assert (before["lastKnownTip"], before["currentEpoch"], before["network"]) == ("origin", None, "unknown (42)")
    assert after["lastKnownTip"] == tip(0)
    assert before["lastTipUpdate"] < after["lastTipUpdate"]


@pytest.mark.parametrize(
    ("request_line", "status"),
    [("GET /health?now", 200), ("GET /nothing", 404), ("GET /", 404), ("POST /health", 406), ("PUT /x", 404)],
)
async def test_other_requests_get_their_status(request_line: str, status: int) -> None:
    async with ReplayServer(Chain()) as server:
        assert (await http(server, request_line))[0] == status


async def test_an_upgrade_is_taken_on_any_path() -> None:
    async with (
        ReplayServer(Chain()) as server,
        connect(f"ws://127.0.0.1:{server.port}/health") as socket,
    ):
        assert await Client(socket).next() == ("backward", "origin")
        assert socket.subprotocol is None
        assert "Sec-WebSocket-Extensions" not in (socket.response.headers if socket.response else {})

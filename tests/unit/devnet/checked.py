"""A client of the Ogmios face of a node, who holds every answer against the schema before believing it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.client import connect

from indexer.devnet.node import Node
from indexer.devnet.ogmios.server import OgmiosServer, serve
from tests.support import schema
from tests.unit.devnet.client import Client


@dataclass
class CheckedClient(Client):
    """Says and hears as `Client` does."""

    async def answer(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            return schema.check(await self.socket.recv())

    async def ask(self, method: str, params: object = None, **more: object) -> dict[str, Any]:
        await self.send(method, params, **more)
        async with asyncio.timeout(10):
            return schema.check_pair({"method": method, **more}, await self.socket.recv())

    async def result(self, method: str, params: object = None) -> Any:
        return (await self.ask(method, params))["result"]

    async def error(self, method: str, params: object = None) -> dict[str, Any]:
        said: dict[str, Any] = (await self.ask(method, params))["error"]
        return said

    async def submit(self, raw: bytes) -> dict[str, Any]:
        return await self.ask("submitTransaction", {"transaction": {"cbor": raw.hex()}})


@asynccontextmanager
async def facing(node: Node) -> AsyncIterator[tuple[OgmiosServer, CheckedClient]]:
    """A node's face, and a client of it."""
    async with serve(node) as server, another(server) as client:
        yield server, client


@asynccontextmanager
async def another(server: OgmiosServer) -> AsyncIterator[CheckedClient]:
    """One more client."""
    async with connect(f"ws://127.0.0.1:{server.port}", max_size=None, compression=None) as socket:
        yield CheckedClient(socket)


async def post(server: OgmiosServer, body: bytes, *, head: str = "", pause: int | None = None) -> tuple[int, Any]:
    """Status and answer of a POST; with `pause`, the body comes in two pieces."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n{head}\r\n".encode())
    if pause is not None:
        writer.write(body[:pause])
        await writer.drain()
        await asyncio.sleep(0.01)
    writer.write(body[pause:])
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    status, _, said = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").partition(b"\r\n\r\n")
    return int(status.split()[1]), schema.check(said) if said else None


def request(method: str, params: object = None, id_: object = None) -> bytes:
    """A request as bytes."""
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params or {}, "id": id_}).encode()

"""A client that says in few words what comes back, and blocks that are told apart at a glance."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from indexer.devnet.chain import Chain
from indexer.devnet.recording import MadeBlock
from indexer.devnet.replay import ReplayServer
from tests.support import schema

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests" / "data"
PREVIEW = ROOT / "indexer" / "samples" / "preview-conway-100.v7.jsonl.gz"
PREPROD = DATA / "preprod-babbage-913-contiguous.v6.jsonl.gz"
MAINNET = DATA / "mainnet-conway-35-blocks.v7.jsonl.gz"
DEEP = DATA / "preprod-5183974-deep-native-script.v7.jsonl.gz"

ANY_BLOCK = {"type": "ebb", "era": "byron", "id": 64 * "0", "ancestor": 64 * "0", "height": 0}
NEXT = '{"jsonrpc":"2.0","method":"nextBlock"}'


def made(number: int, branch: int = 0, *, boundary: bool = False, padding: int = 0) -> MadeBlock:
    """Block `number` of a branch: its id tells both."""
    block_id = bytes([branch]) * 28 + number.to_bytes(4, "big")
    text = {"era": "conway", "id": block_id.hex(), "height": number, "padding": "x" * padding}
    return MadeBlock(block_id, number, None if boundary else number * 20, json.dumps(text).encode())


def blocks(numbers: Iterable[int], branch: int = 0) -> list[MadeBlock]:
    return [made(number, branch) for number in numbers]


def point(number: int, branch: int = 0) -> dict[str, Any]:
    block = made(number, branch)
    return {"slot": block.slot, "id": block.id.hex()}


def tip(number: int, branch: int = 0) -> dict[str, Any]:
    return {**point(number, branch), "height": number}


@dataclass
class Client:
    """A client that says in few words what comes back: (`forward`, height) or (`backward`, point).

    It holds every answer against the published schema, but for blocks: here they are an Ogmios' own, or made to be told
    apart. `CheckedClient` does not spare those of a node.
    """

    socket: ClientConnection

    async def send(self, method: str, params: object = None, **more: object) -> None:
        request = {"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params}), **more}
        await self.socket.send(json.dumps(request))

    async def answer(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            return checked(await self.socket.recv())

    async def ask(self, method: str, params: object = None, **more: object) -> dict[str, Any]:
        await self.send(method, params, **more)
        return await self.answer()

    async def find(self, *points: object) -> dict[str, Any]:
        return await self.ask("findIntersection", {"points": list(points)})

    async def want(self, count: int = 1) -> None:
        for _ in range(count):
            await self.socket.send(NEXT)

    async def told(self) -> tuple[str, Any]:
        result = (await self.answer())["result"]
        forward = result["direction"] == "forward"
        return result["direction"], result["block"]["height"] if forward else result["point"]

    async def next(self) -> tuple[str, Any]:
        await self.want()
        return await self.told()

    async def nothing_comes(self) -> None:
        """A query overtakes what is withheld: if its answer is the next to come, nothing else came."""
        assert (await self.ask("queryNetwork/blockHeight", id="barrier"))["id"] == "barrier"


def checked(text: str | bytes) -> dict[str, Any]:
    """An answer, if the schema allows all of it around a block."""
    said: dict[str, Any] = json.loads(text)
    match said:
        case {"result": {"block": _}}:
            schema.check(json.dumps({**said, "result": {**said["result"], "block": ANY_BLOCK}}))
        case _:
            schema.check(text)
    return said


@asynccontextmanager
async def serving(chain: Chain, network: str = "devnet", **options: Any) -> AsyncIterator[tuple[ReplayServer, Client]]:
    async with ReplayServer(chain, network, **options) as server, client_of(server) as client:
        yield server, client


@asynccontextmanager
async def client_of(server: ReplayServer) -> AsyncIterator[Client]:
    async with connect(f"ws://127.0.0.1:{server.port}", max_size=None, compression=None) as socket:
        yield Client(socket)


async def until(condition: Callable[[], bool]) -> None:
    """Let the server work until something is so that no answer can tell of."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 -- the server has no use for an event
            await asyncio.sleep(0)

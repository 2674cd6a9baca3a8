"""A chain, recorded or being made, served as Ogmios v7.0.0 would."""

import asyncio
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from indexer.chain.point import Place
from indexer.devnet.chain import Chain, Follower
from indexer.devnet.ledger.addresses import address_text
from indexer.devnet.ledger.refusal import Refusal
from indexer.devnet.listening import Listener
from indexer.devnet.networks import NETWORKS, Network
from indexer.devnet.node import Node
from indexer.devnet.ogmios.faults import Faults
from indexer.devnet.ogmios.health import health
from indexer.devnet.ogmios.lane import Outlet
from indexer.devnet.ogmios.places import shown_place
from indexer.devnet.ogmios.session import Session
from indexer.devnet.recording import Block
from indexer.devnet.websocket import NULL, Connection, encode, text_frame, unframed

VERSION: Final = "v7.0.0 (devnet)"

_FORWARD: Final = b'{"jsonrpc":"2.0","method":"nextBlock","result":{"direction":"forward","block":'
_BACKWARD: Final = b'{"jsonrpc":"2.0","method":"nextBlock","result":{"direction":"backward","point":'


class OgmiosServer(Listener["Client"]):
    """A chain on a TCP port; with a `node` that makes it, also a ledger and a mempool.

    `network` tells of magic and eras, `security_parameter` (k) and `start_time` may differ from it.
    """

    def __init__(
        self,
        chain: Chain,
        network: Network,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        node: Node | None = None,
        version: str = VERSION,
        security_parameter: int | None = None,
        start_time: datetime | None = None,
    ) -> None:
        super().__init__(host, port)
        self.chain, self.network = chain, network
        self.version = version
        self.security_parameter = security_parameter or network.k
        self.start_time = start_time or network.start
        self.faults = Faults()
        self.totals = {"sessions": 0, "messages": 0, "unrouted": 0}
        self.started = self.tip_seen = datetime.now(UTC)
        self._node = node
        self._watch: Follower | None = None
        self._frames: tuple[int, list[bytes]] = (-1, [])
        self._tail: tuple[int, bytes] = (-1, b"")
        self._woken: set[Outlet] = set()
        self._resume: asyncio.TimerHandle | None = None

    def connection(self) -> "Client":
        return Client(self)

    async def start(self) -> None:
        await super().start()
        self._watch = self.chain.follow(self._tip_moved)

    async def close(self) -> None:
        self.resume()
        if self._watch is not None:
            self.chain.leave(self._watch)
            self._watch = None
        await super().close()

    # What goes wrong on command.

    def stall(self, seconds: float | None = None) -> None:
        """Neither listen to anybody nor tell anybody anything, for so long or until `resume`. New clients wait, too."""
        self.resume()
        self.faults.stalled = True
        for client in self.sessions:
            client.hold()
        if seconds is not None:
            self._resume = asyncio.get_running_loop().call_later(seconds, self.resume)

    def resume(self) -> None:
        """Go on where the stall began."""
        if self._resume is not None:
            self._resume.cancel()
            self._resume = None
        if self.faults.stalled:
            self.faults.stalled = False
            for client in list(self.sessions):
                client.let_go()

    def reject(self, refusal: Refusal, count: int = 1) -> None:
        """Refuse the next submissions, whatever they are."""
        self.faults.refusals.extend([refusal] * count)

    def lose_replies(self, count: int = 1) -> None:
        """Take the next submissions that are good, and cut their clients off instead of answering."""
        self.faults.lost_replies += count

    # What sessions ask.

    def prepare(self) -> None:
        """Build every answer now, so that serving a block is one write; a change of the chain undoes it."""
        tail = self.tail()
        self._frames = (-1, [])
        frames = [text_frame(_FORWARD, block.text, tail, NULL, b"}") for block in self.chain]
        self._frames = (self.chain.version, frames)

    def forward(self, index: int, block: Block, id_: bytes) -> bytes:
        """The frame that hands over the block at `index`."""
        version, frames = self._frames
        if version == self.chain.version and id_ == NULL:
            return frames[index]
        return text_frame(_FORWARD, block.text, self.tail(), id_, b"}")

    def backward(self, place: Place, id_: bytes) -> bytes:
        """The frame that sends a client back."""
        return text_frame(_BACKWARD, encode(shown_place(place)), self.tail(), id_, b"}")

    def tail(self) -> bytes:
        """What follows block or point in an answer: the tip, and the key of the id."""
        if self._tail[0] != self.chain.version:
            self._tail = (self.chain.version, b',"tip":' + encode(self.tip()) + b'},"id":')
        return self._tail[1]

    def tip(self) -> Any:
        """The newest block as Ogmios names it in answers to chain-sync: with its height."""
        tip = self.chain.tip
        if tip is None:
            return "origin"
        return {"slot": self.chain.tip_slot, "id": tip.id.hex(), "height": tip.height}

    def genesis(self) -> dict[str, Any]:
        """The Shelley genesis."""
        funds = {}
        if self._node is not None:
            utxo = self._node.genesis.utxo.values()
            funds = {address_text(output.address): output.lovelace for output in utxo}
        return self.network.genesis(self.start_time, self.security_parameter, funds)

    def shown_network(self) -> str:
        """The network as health names it."""
        known = {network.magic: name for name, network in NETWORKS.items() if name != "devnet"}
        return known.get(self.network.magic, f"unknown ({self.network.magic})")

    def session(self, outlet: Outlet) -> Session:
        """What serves a new client."""
        self.totals["sessions"] += 1
        return Session(self, outlet, self._node)

    def wake_soon(self, outlet: Outlet) -> None:
        """Let a client look again once what is going on now is over."""
        if not self._woken:
            asyncio.get_running_loop().call_soon(self._wake)
        self._woken.add(outlet)

    def _wake(self) -> None:
        woken, self._woken = self._woken, set()
        for outlet in woken:
            outlet.wake()

    def _tip_moved(self) -> None:
        self.tip_seen = datetime.now(UTC)


def serve(node: Node, host: str = "127.0.0.1", port: int = 0) -> OgmiosServer:
    """The face of a node."""
    return OgmiosServer(node.chain, node.genesis.network, host, port, node=node)


class Client(Connection):
    """One connection: a WebSocket with its session, or a plain HTTP request."""

    def __init__(self, server: OgmiosServer) -> None:
        super().__init__()
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._server = server
        self._session: Session | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._server.sessions.add(self)
        if self._server.faults.stalled:
            # Soon: asyncio of Python 3.11.2 starts to read after this call, whatever was said in it.
            asyncio.get_running_loop().call_soon(self._hold_if_stalled)

    def _hold_if_stalled(self) -> None:
        if self._server.faults.stalled:
            self.hold()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._server.sessions.discard(self)
        if self._session is not None:
            self._session.close()
        self.gone.set_result(None)

    def http(self, method: str, path: str) -> tuple[HTTPStatus, bytes]:
        if method == "OPTIONS":
            return HTTPStatus.OK, b""
        if path == "/" and method != "GET":
            return HTTPStatus.NOT_ACCEPTABLE, b""
        if path != "/health":
            return HTTPStatus.NOT_FOUND, b""
        if method != "GET":
            return HTTPStatus.NOT_ACCEPTABLE, b""
        return HTTPStatus.OK, encode(health(self._server))

    def takes(self, path: str) -> bool:
        return path == "/"

    def post(self, body: bytes) -> None:
        # As Ogmios: a session of its own, which ends with its first answer.
        self._session = self._server.session(_Once(self))
        self._session.receive(body)
        self._session.proceed()

    def opened(self) -> None:
        self._session = self._server.session(self)

    def received(self, message: bytes) -> None:
        if self._session is not None:
            self._session.receive(message)

    def backlog(self) -> bool:
        return self._server.faults.stalled or (self._session is not None and self._session.backlog())

    def proceed(self) -> None:
        if self._session is not None:
            self._session.proceed()

    @property
    def writable(self) -> bool:
        return super().writable and not self._server.faults.stalled


class _Once:
    """Where the one answer to a POST goes."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.writable = True

    def send(self, frame: bytes) -> None:
        if self.writable:
            self.writable = False
            answer = unframed(frame)
            # An answer of ours has its outcome before anything that a client said.
            failed = b'"error":' in answer.partition(b'"result":')[0]
            self._client.respond(HTTPStatus.BAD_REQUEST if failed else HTTPStatus.OK, answer)

    def wake(self) -> None:
        if self.writable:
            self._client.proceed()

    def abort(self) -> None:
        self.writable = False
        self._client.abort()

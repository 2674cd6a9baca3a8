"""Serves a chain of recorded (or made) blocks as an Ogmios v7.0.0 server would."""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, Self

from indexer.chain.point import ORIGIN, Origin, Place, Point
from indexer.devnet.chain import Chain, Follower
from indexer.devnet.networks import NETWORKS, NetworkUnknown, iso
from indexer.devnet.recording import Block
from indexer.devnet.websocket import (
    NULL,
    Connection,
    InvalidRequest,
    Request,
    encode,
    failure,
    read_request,
    refusal,
    result,
    text_frame,
)
from indexer.errors import IndexerError

VERSION: Final = "v7.0.0 (replay)"
IN_FLIGHT: Final = 1000  # `nextBlock` requests that Ogmios takes from its queue ahead of their answers
BACKLOG: Final = 10_000  # requests beyond them that we hold before we stop listening
GOODBYE: Final = 1.0  # seconds that clients get to answer a close


class CannotListen(IndexerError):
    """The address is taken, or not ours to take."""

    code = "devnet.cannot_listen"
    hint = "stop what listens there, or choose another port"


def _place(place: Place) -> Any:
    return "origin" if isinstance(place, Origin) else {"slot": place.slot, "id": place.id.hex()}


def _read_place(value: Any) -> Place:
    """A point as a client writes it. Raises ValueError."""
    match value:
        case "origin":
            return ORIGIN
        case {"slot": int(slot), "id": str(id_)} if (
            slot >= 0 and not isinstance(slot, bool) and re.fullmatch("[0-9a-f]{64}", id_)
        ):
            return Point(slot, bytes.fromhex(id_))
    raise ValueError(value)


class ReplayServer:
    """A chain, served on a TCP port.

    `network` says whose magic, k, start and eras to tell of; `security_parameter` and `start_time` override
    two of them. Port 0 takes a free one: see `port` once it has started.
    """

    def __init__(
        self,
        chain: Chain,
        network: str = "devnet",
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        security_parameter: int | None = None,
        start_time: datetime | None = None,
    ) -> None:
        if network not in NETWORKS:
            raise NetworkUnknown(f"there is no network called {network!r} to replay")
        self.chain, self.network, self.host, self.port = chain, NETWORKS[network], host, port
        self.network_name = network
        self.security_parameter = security_parameter or self.network.k
        self.start_time = start_time or self.network.start
        self.sessions: set[_Session] = set()
        self.totals = {"sessions": 0, "messages": 0, "unrouted": 0}
        self._started = self._tip_seen = datetime.now(UTC)
        self._listener: asyncio.Server | None = None
        self._frames: tuple[int, list[bytes]] = (-1, [])
        self._tail: tuple[int, bytes] = (-1, b"")
        self._watch: Follower | None = None

    async def start(self) -> None:
        """Listen. Raises CannotListen."""
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(lambda: _Session(self), self.host, self.port)
        except OSError as error:
            reason = error.strerror or error
            raise CannotListen(f"cannot listen on {self.host}:{self.port}: {reason}") from error
        self.port = self._listener.sockets[0].getsockname()[1]
        self._watch = self.chain.follow(self._tip_moved)

    async def close(self) -> None:
        """Stop listening, say goodbye to every client, and drop those that do not answer."""
        if self._listener is None:
            return
        self._listener.close()
        if self._watch is not None:
            self.chain.leave(self._watch)
        gone = [session.gone for session in self.sessions]
        for session in list(self.sessions):
            session.close()
        if gone:
            await asyncio.wait(gone, timeout=GOODBYE)
        self.drop_connections()
        if gone:
            await asyncio.wait(gone)
        self._listener = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def drop_connections(self) -> None:
        """End every connection without a word, as a node that dies does."""
        for session in list(self.sessions):
            session.abort()

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
        return text_frame(_BACKWARD, encode(_place(place)), self.tail(), id_, b"}")

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
        return self.network.genesis(self.start_time, self.security_parameter)

    def health(self) -> dict[str, Any]:
        """What `GET /health` answers; always synchronised, and 0 for what a replay does not measure."""
        tip = self.chain.tip
        era = re.search(rb'"era":"([a-z]+)"', tip.text) if tip is not None else None
        epoch, slot = self.network.epoch(self.chain.tip_slot) if tip is not None else (None, None)
        heap = {"maxHeapSize": 0, "currentHeapSize": 0}
        return {
            "startTime": iso(self._started),
            "lastKnownTip": self.tip(),
            "lastTipUpdate": iso(self._tip_seen),
            "networkSynchronization": 1.0,
            "currentEra": era[1].decode() if era else None,
            "metrics": {
                "runtimeStats": {**heap, "cpuTime": time.process_time_ns(), "gcCpuTime": 0},
                "activeConnections": sum(session.is_open for session in self.sessions),
                "totalConnections": self.totals["sessions"],
                "sessionDurations": {"mean": 0, "min": 0, "max": 0},
                "totalMessages": self.totals["messages"],
                "totalUnrouted": self.totals["unrouted"],
            },
            "connectionStatus": "connected",
            "currentEpoch": epoch,
            "slotInEpoch": slot,
            "version": VERSION,
            "network": f"unknown ({self.network.magic})" if self.network_name == "devnet" else self.network_name,
        }

    def _tip_moved(self) -> None:
        self._tip_seen = datetime.now(UTC)


_FORWARD: Final = b'{"jsonrpc":"2.0","method":"nextBlock","result":{"direction":"forward","block":'
_BACKWARD: Final = b'{"jsonrpc":"2.0","method":"nextBlock","result":{"direction":"backward","point":'


class _Session(Connection):
    """One client. Chain-sync answers in order, and waits at the tip; queries are answered at once."""

    def __init__(self, server: ReplayServer) -> None:
        super().__init__()
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._server, self._chain = server, server.chain
        self._follower: Follower | None = None
        self._queue: deque[bytes | Request] = deque()  # not looked at yet; of `nextBlock`, the id alone
        self._in_flight: deque[bytes] = deque()  # ids of `nextBlock` requests that wait for an answer
        self._waiting = False  # for a block; the queue is not looked at meanwhile
        self._next_block = (b"", b"")  # the last such message, and its id: the next one is likely the same
        self._acquired: Place | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._server.sessions.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._server.sessions.discard(self)
        if self._follower is not None:
            self._chain.leave(self._follower)
        self.gone.set_result(None)

    def http(self, method: str, path: str) -> tuple[HTTPStatus, bytes]:
        if path != "/health":
            return HTTPStatus.NOT_FOUND, b""
        if method != "GET":
            return HTTPStatus.NOT_ACCEPTABLE, b""
        return HTTPStatus.OK, encode(self._server.health())

    def opened(self) -> None:
        self._server.totals["sessions"] += 1
        self._follower = self._chain.follow(self._chain_changed)

    def received(self, message: bytes) -> None:
        self._server.totals["messages"] += 1
        if message == self._next_block[0]:
            self._queue.append(self._next_block[1])
            return
        try:
            request = read_request(message)
            if request.method == "nextBlock":
                self._next_block = (message, request.id)
                self._queue.append(request.id)
            elif request.method == "findIntersection":
                self._queue.append(_with_points(request))
            else:
                self.send(text_frame(self._query(request)))
        except InvalidRequest as invalid:
            self._server.totals["unrouted"] += 1
            self.send(text_frame(refusal(invalid)))

    def backlog(self) -> bool:
        return len(self._queue) > BACKLOG

    def proceed(self) -> None:
        """Do as Ogmios does: take what is queued, and only when nothing is, wait for one answer."""
        follower = self._follower
        while follower is not None and self.writable:
            if not self._waiting:
                self._take(follower)
            if not self._in_flight:
                return
            answer = follower.next()
            self._waiting = answer is None
            if answer is None:
                return
            id_ = self._in_flight.popleft()
            if isinstance(answer, Point | Origin):
                self.send(self._server.backward(answer, id_))
            else:
                self.send(self._server.forward(follower.read - 1, answer, id_))

    def _chain_changed(self) -> None:
        self.proceed()
        self.flush()

    def _take(self, follower: Follower) -> None:
        while self._queue and len(self._in_flight) < IN_FLIGHT:
            request = self._queue.popleft()
            if isinstance(request, bytes):
                self._in_flight.append(request)
            else:
                self.send(text_frame(self._find(follower, request)))

    def _find(self, follower: Follower, request: Request) -> bytes:
        if self._in_flight:
            return failure(request, 1001, _INTERLEAVED)
        for place in request.params:
            if follower.seek(place):
                return result(request, {"intersection": _place(place), "tip": self._server.tip()})
        return failure(request, 1000, "No intersection found.", data={"tip": self._server.tip()})

    def _query(self, request: Request) -> bytes:
        """Answer what is no chain-sync. Raises InvalidRequest."""
        server, tip = self._server, self._chain.tip
        here: Place = ORIGIN if tip is None else Point(self._chain.tip_slot, tip.id)
        match request.method:
            case "queryNetwork/genesisConfiguration":
                self._acquired = None  # so does Ogmios
                return self._genesis(request)
            case "acquireLedgerState":
                return self._acquire(request)
            case "releaseLedgerState":
                self._acquired = None
                return result(request, {"released": "ledgerState"})
        answers: dict[str, Callable[[], Any]] = {
            "queryNetwork/tip": lambda: _place(here),
            "queryNetwork/blockHeight": lambda: "origin" if tip is None else tip.height,
            "queryNetwork/startTime": lambda: iso(server.start_time),
            "queryLedgerState/tip": lambda: _place(self._acquired or here),
            "queryLedgerState/eraSummaries": lambda: server.network.eras(self._chain.tip_slot),
        }
        if request.method not in answers:
            raise InvalidRequest("unknown method in 'method' (beware names are case-sensitive)", request.id)
        if request.params:
            raise InvalidRequest("this method takes no 'params'", request.id)
        return result(request, answers[request.method]())

    def _genesis(self, request: Request) -> bytes:
        match request.params:
            case {"era": "shelley"}:
                return result(request, self._server.genesis())
            case {"era": "byron" | "alonzo" | "conway" | "dijkstra" as era}:
                reason = f"A replay has no genesis configuration of {era}."
                return failure(request, 2004, "Unable to read the genesis configuration.", data=reason)
        raise InvalidRequest("'params.era' must be an era with a genesis", request.id)

    def _acquire(self, request: Request) -> bytes:
        self._acquired = None  # a failure drops what was held
        try:
            place = _read_place(request.params.get("point"))
        except ValueError:
            raise InvalidRequest("'params.point' must be a point or 'origin'", request.id) from None
        count = self._chain.find(place)
        if count is None:
            reason = "Target doesn't or no longer exist."
        elif len(self._chain) - count > self._server.security_parameter:
            reason = "Target point is too old."
        else:
            self._acquired = place
            return result(request, {"acquired": "ledgerState", "point": _place(place)})
        return failure(request, 2000, "Failed to acquire requested point.", data=reason)


_INTERLEAVED: Final = (
    "Cannot interleave 'findIntersection' requests with 'nextBlock'. "
    "Note that you should never face this error. If you do, please open an issue."
)


def _with_points(request: Request) -> Request:
    """A `findIntersection` request with its points read. Raises InvalidRequest."""
    points = request.params.get("points")
    if not isinstance(points, list):
        raise InvalidRequest("'params.points' must be a list of points", request.id)
    try:
        return Request(request.method, [_read_place(point) for point in points], request.id)
    except ValueError:
        raise InvalidRequest("'params.points' holds something that is neither point nor 'origin'", request.id) from None

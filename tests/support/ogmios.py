"""An Ogmios that serves made blocks over a real socket, and misbehaves on command.

It imitates chain-sync (pipelined, withheld at the tip), the network queries, the era summaries and /health.
Correct before fast. What it does depends on its chain, forks and faults and on nothing random.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from random import Random
from types import TracebackType
from typing import Any, Self, TypeAlias
from uuid import UUID

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.support.faults import OF_A_BLOCK, OF_A_CONNECTION, Fault, Fork, Kind
from tests.support.json_text import Style, compact, reserialised
from tests.support.making import (
    Block,
    Point,
    answered,
    backward,
    digest,
    forward,
    is_ebb,
    point_of,
    refused,
    tip_of,
)
from tests.support.node import DOWN, ERA, INTERLEAVED, NETWORKS, genesis, http_json, invalid, text_frame

Asked: TypeAlias = dict[str, Any]


@dataclass(eq=False)
class Session:
    """One connection, and where its client stands: it has `cursor` blocks, or must go back to have them."""

    socket: ServerConnection
    number: int
    cursor: int = 0
    goes_back: bool = True
    served: int = 0
    unanswered: int = 0
    waits: bool = False
    silent: bool = False
    faults: dict[Kind, Fault] = field(default_factory=dict)
    requests: deque[Asked] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class FakeOgmios:
    """The server: `async with FakeOgmios(chain, forks=[…], faults=[…]) as ogmios: … ogmios.url …`.

    `hidden` blocks at the end of the chain have not arrived yet; with `grow_s` one arrives every so often,
    as long as somebody is connected.
    `styles` are how answers to nextBlock are written, in turn (None: as Ogmios writes). `pace_s` passes before
    every block. What was seen is in `connections`, `served`, `asked`, `peak_in_flight`, `fired`.
    """

    def __init__(
        self,
        chain: Iterable[Block] = (),
        *,
        forks: Iterable[Fork] = (),
        faults: Iterable[Fault] = (),
        magic: int = 2,
        security_parameter: int = 432,
        start_time: str = "2022-10-25T00:00:00Z",
        eras: Sequence[Mapping[str, Any]] = (ERA,),
        hidden: int = 0,
        grow_s: float = 0.0,
        pace_s: float = 0.0,
        styles: Sequence[Style | None] = (None,),
        version: str = "v7.0.0 (435189ae)",
        health: Mapping[str, Any] | None = None,
        port: int = 0,
    ) -> None:
        self.chain = list(chain)
        self.forks = list(forks)
        self.faults = list(faults)
        self.magic, self.security_parameter = magic, security_parameter
        self.start_time, self.eras, self.version = start_time, list(eras), version
        self.hidden, self.grow_s, self.pace_s, self.styles = hidden, grow_s, pace_s, tuple(styles)
        self.health_says = dict(health or {})  # replaces members of what /health says
        self.node_is_up = True  # else every connection is closed as by NODE_DOWN, and /health says so
        self.port = port

        self.connections = 0  # handshakes begun
        self.served = 0  # answers to nextBlock
        self.highest = -1  # height served
        self.asked: Counter[str] = Counter()  # methods
        self.peak_in_flight = 0
        self.fired: list[Fault] = []
        self.sessions: list[Session] = []

        self._texts: dict[str, str] = {}  # JSON of blocks by id
        self._positions: dict[str, int] = {}
        self._tip: Point | str = "origin"
        self._numbers: dict[UUID, int] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self._changed = asyncio.Event()
        self._bugs: list[BaseException] = []
        self._server: Server | None = None

    # Life

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen; on `port`, which becomes the real one where it was 0."""
        self._switch(len(self.chain), [])
        self._server = await serve(
            self._handle,
            "127.0.0.1",
            self.port,
            compression=None,
            max_size=None,
            ping_interval=None,
            close_timeout=0.5,
            process_request=self._handshake,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self._grow()

    async def stop(self) -> None:
        """Cut every connection and leave the port. The chain stays: `start` goes on with it, on the same port."""
        for timer in self._timers:
            timer.cancel()
        self.disconnect()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
        if self._bugs:
            raise self._bugs[0]

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def http_url(self) -> str:
        """Where /health is."""
        return f"http://127.0.0.1:{self.port}"

    # The chain

    @property
    def reach(self) -> int:
        """How many blocks the node has."""
        return max(0, len(self.chain) - self.hidden)

    @property
    def tip(self) -> Point | str:
        """The newest block the node has."""
        return self._tip

    def append(self, blocks: Iterable[Block]) -> None:
        """New blocks at the end."""
        self._switch(len(self.chain), list(blocks))

    def fork(self, depth: int, blocks: Iterable[Block]) -> None:
        """Other blocks in the place of the last `depth`."""
        self._switch(max(0, len(self.chain) - depth), list(blocks))

    def replace(self, chain: Iterable[Block], *, disconnect: bool = False) -> None:
        """Another chain; sessions go back to what both have in common, or are cut (a node's database was wiped)."""
        blocks = list(chain)
        keep = 0
        while keep < min(len(self.chain), len(blocks)) and self.chain[keep]["id"] == blocks[keep]["id"]:
            keep += 1
        if disconnect:
            self.disconnect()
        self._switch(keep, blocks[keep:])

    def behind(self, blocks: int) -> None:
        """The node was restarted and lacks the last `blocks`: every connection is cut."""
        self.disconnect()
        self.hidden = blocks
        self._moved()

    def reveal(self, blocks: int | None = None) -> None:
        """Hidden blocks arrive: all of them, or so many."""
        self.hidden = 0 if blocks is None else max(0, self.hidden - blocks)
        self._moved()

    def disconnect(self) -> None:
        """Cut every connection."""
        for session in list(self.sessions):
            session.socket.transport.abort()

    async def until(self, condition: Callable[[], object], timeout_s: float = 30.0) -> None:
        """Wait until something holds of this server; it is asked again after everything that happens."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                await self._changed.wait()

    @property
    def settled(self) -> bool:
        """Whether nothing is to come: no fork, no hidden block, and a client has all and waits for more."""
        return not (self.forks or self.hidden) and any(
            session.waits and not session.goes_back and session.cursor == self.reach for session in self.sessions
        )

    def _switch(self, keep: int, blocks: list[Block]) -> None:
        for lost in self.chain[keep:]:
            self._texts.pop(lost["id"], None)
        self.chain[keep:] = blocks
        back = keep
        while back and is_ebb(self.chain[back - 1]):  # no point names a boundary block: it is sent again
            back -= 1
        for session in self.sessions:
            if session.cursor > keep:
                session.cursor, session.goes_back = back, True
        self._positions = {made["id"]: position for position, made in enumerate(self.chain)}
        self._moved()

    def _moved(self) -> None:
        self._tip = tip_of(self.chain[max(0, self.reach - 9) : self.reach])
        for session in self.sessions:
            session.news.set()
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._timers.append(asyncio.get_running_loop().call_later(seconds, action))

    def _grow(self) -> None:
        if self.grow_s and self.hidden:

            def arrive() -> None:
                if self.sessions:
                    self.reveal(1)
                self._grow()

            self._after(self.grow_s, arrive)

    def _play(self, height: int) -> None:
        """What the timeline has in store for the first time this height is served."""
        self.highest = max(self.highest, height)
        if self.forks and height >= self.forks[0].height:
            fork = self.forks.pop(0)
            keep = len(self.chain)
            while keep and self.chain[keep - 1]["height"] > fork.height - fork.depth:
                keep -= 1
            self._switch(keep, list(fork.blocks))

    # Connections

    def _handshake(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path.startswith("/health"):
            return http_json(*self.health())
        if request.path == "/status":
            return http_json(HTTPStatus.OK, self.status())
        self.connections += 1
        self._numbers[connection.id] = self.connections
        if self._occasion(Kind.UNAVAILABLE, self.connections):
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "no node\n")
        return None

    async def _handle(self, socket: ServerConnection) -> None:
        session = Session(socket, self._numbers.pop(socket.id))
        if not self.node_is_up or self._occasion(Kind.NODE_DOWN, session.number):
            await socket.close(1000, DOWN)
            return
        for kind in (Kind.BEHIND, Kind.FAR_INTERSECTION, Kind.WRONG_GENESIS, Kind.NO_NETWORK_QUERIES):
            if fault := self._occasion(kind, session.number):
                session.faults[kind] = fault
        if fault := session.faults.get(Kind.BEHIND):
            self.hidden = fault.blocks
            self._moved()
            if fault.seconds:
                self._after(fault.seconds, self.reveal)
        self.sessions.append(session)
        follows = asyncio.create_task(self._chain_sync(session))
        follows.add_done_callback(lambda task: self._ended(session, task))
        try:
            async for message in socket:
                await self._receive(session, message)
        except ConnectionClosed:
            pass
        finally:
            self.sessions.remove(session)
            follows.cancel()
            await asyncio.gather(follows, return_exceptions=True)
            self._notify()

    def _ended(self, session: Session, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()):
            self._bugs.append(error)
            session.socket.transport.abort()

    async def _receive(self, session: Session, message: str | bytes) -> None:
        if session.silent:
            return
        try:
            asked = json.loads(message)
        except ValueError:
            asked = None
        if not isinstance(asked, dict) or asked.get("jsonrpc") != "2.0":
            what = "must be a well-formed JSON object" if not isinstance(asked, dict) else "'jsonrpc' must be '2.0'"
            await session.socket.send(invalid(what, None), text=True)
            return
        method = str(asked.get("method"))
        self.asked[method] += 1
        if method in ("nextBlock", "findIntersection"):
            session.unanswered += method == "nextBlock"
            self.peak_in_flight = max(self.peak_in_flight, session.unanswered)
            session.requests.append(asked)
            session.news.set()
        else:
            await session.socket.send(self._query(session, method, asked), text=True)
        self._notify()

    # Chain-sync: one request after the other

    async def _chain_sync(self, session: Session) -> None:
        with suppress(ConnectionClosed):
            while True:
                while not session.requests:
                    await _next(session.news)
                asked = session.requests.popleft()
                if asked["method"] == "findIntersection":
                    await session.socket.send(self._intersect(session, asked), text=True)
                    continue
                await self._next_block(session, asked.get("id"))
                await self._refuse_interleaved(session)
                self._notify()

    async def _refuse_interleaved(self, session: Session) -> None:
        """Ogmios looks at the next request while blocks are outstanding: an intersection cannot be found then."""
        outstanding, kept = 0, []
        if not any(asked["method"] == "findIntersection" for asked in session.requests):
            return
        while session.requests:
            asked = session.requests.popleft()
            outstanding += asked["method"] == "nextBlock"
            if asked["method"] == "findIntersection" and outstanding:
                await session.socket.send(refused("findIntersection", INTERLEAVED, asked.get("id")), text=True)
            else:
                kept.append(asked)
        session.requests.extend(kept)

    def _intersect(self, session: Session, asked: Asked) -> bytes:
        points = (asked.get("params") or {}).get("points")
        if not isinstance(points, list):
            return invalid("missing or invalid 'points'", asked.get("id"))
        far = session.faults.get(Kind.FAR_INTERSECTION)
        highest = self.reach - (far.blocks if far else 0)
        for point in points:
            position = -1 if point == "origin" else self._position(point)
            if position is not None and position < highest:
                session.cursor, session.goes_back = position + 1, True
                found = {"intersection": point, "tip": self.tip}
                return answered("findIntersection", found, asked.get("id"))
        error = {"code": 1000, "message": "No intersection found.", "data": {"tip": self.tip}}
        return refused("findIntersection", error, asked.get("id"))

    def _position(self, point: Any) -> int | None:
        position = self._positions.get(str(point.get("id"))) if isinstance(point, dict) else None
        if position is None or self.chain[position].get("slot", "none") != point.get("slot"):
            return None
        return position

    async def _next_block(self, session: Session, asked_id: Any) -> None:
        if self.pace_s:
            await asyncio.sleep(self.pace_s)
        while not session.goes_back and session.cursor >= self.reach:
            if fault := self._due(session, at_tip=True):
                await self._misbehave(session, fault, asked_id)
            session.waits = True
            self._notify()
            await _next(session.news)
        session.waits = False
        self.served += 1
        session.served += 1
        fault = self._due(session)
        if fault and fault.kind is not Kind.WRONG_ID:
            await self._misbehave(session, fault, asked_id)
            return
        answer = self._answer(session, "of somebody else" if fault else asked_id)
        height = None if session.goes_back else self.chain[session.cursor]["height"]
        session.cursor += height is not None
        session.goes_back = False
        session.unanswered -= 1
        await session.socket.send(answer, text=True)
        if height is not None:
            self._play(height)

    def _answer(self, session: Session, asked_id: Any) -> bytes:
        if session.goes_back:
            answer = backward(point_of(self.chain[: session.cursor]), self.tip, asked_id)
        else:
            made = self.chain[session.cursor]
            text = self._texts.get(made["id"]) or self._texts.setdefault(made["id"], compact(made))
            answer = forward(text, self.tip, asked_id)
        style = self.styles[self.served % len(self.styles)]
        return reserialised(answer, style) if style else answer

    # Faults

    def _occasion(self, kind: Kind, connection: int) -> Fault | None:
        """A fault of a connection that is due."""
        for fault in self.faults:
            if fault.kind is kind and fault.times > 0 and fault.connection in (None, connection):
                return self._fire(fault)
        return None

    def _due(self, session: Session, *, at_tip: bool = False) -> Fault | None:
        """A fault of an answer that is due, or the one at the tip."""
        for fault in self.faults:
            if fault.kind in OF_A_CONNECTION or (fault.kind is Kind.CUT_AT_TIP) != at_tip or fault.times <= 0:
                continue
            answers = self.served if fault.connection is None else session.served
            if fault.connection not in (None, session.number) or (fault.message or 0) > answers:
                continue
            brings = not at_tip and not session.goes_back
            if brings and fault.height not in (None, self.chain[session.cursor]["height"]):
                continue
            if not brings and (fault.kind in OF_A_BLOCK or (fault.height is not None and not at_tip)):
                continue
            return self._fire(fault)
        return None

    def _fire(self, fault: Fault) -> Fault:
        fault.times -= 1
        self.fired.append(fault)
        self._notify()
        return fault

    async def _misbehave(self, session: Session, fault: Fault, asked_id: Any) -> None:
        socket, transport = session.socket, session.socket.transport
        answer = b"" if fault.kind is Kind.CUT_AT_TIP else self._answer(session, asked_id)
        session.unanswered -= 1

        async def send(text: bytes) -> None:
            await socket.send(text, text=True)

        match fault.kind:
            case Kind.CUT_IN_FRAME:
                frame = text_frame(answer)
                transport.write(frame[: max(1, len(frame) // 2)])
                transport.close()
            case Kind.CUT | Kind.CUT_AT_TIP:
                transport.close()
            case Kind.RESET:
                transport.abort()
            case Kind.SILENCE:
                session.silent = True
            case Kind.DEAF:
                session.silent = True
                transport.pause_reading()
            case Kind.GARBAGE:
                return await send(b"<html>502 Bad Gateway</html>")
            case Kind.TRUNCATED:
                return await send(answer[: len(answer) // 2])
            case Kind.BINARY:
                return await socket.send(Random(len(answer)).randbytes(200))
            case Kind.NOT_UTF8:
                return await send(b'{"jsonrpc":"2.0\xff\xfe\xc0"}')
            case Kind.RPC_ERROR:
                named = None if fault.error["code"] in (-32600, -32603) else "nextBlock"
                return await send(refused(named, fault.error, asked_id))
            case Kind.OTHER_METHOD:
                return await send(answered("queryNetwork/blockHeight", 7, asked_id))
            case Kind.BACKWARD_UNKNOWN:
                slot = 0 if isinstance(self.tip, str) else self.tip["slot"] // 2
                return await send(backward({"slot": slot, "id": digest("unknown", slot)}, self.tip, asked_id))
            case Kind.UNKNOWN_ERA | Kind.BAD_ANCESTOR:
                changed = {"era": "voltaire"} if fault.kind is Kind.UNKNOWN_ERA else {"ancestor": digest("nobody")}
                return await send(forward(compact(self.chain[session.cursor] | changed), self.tip, asked_id))
            case _:
                raise AssertionError(fault)
        return await asyncio.Event().wait() and None  # until the connection is gone

    # Queries

    def _query(self, session: Session, method: str, asked: Asked) -> bytes:
        asked_id, params = asked.get("id"), asked.get("params") or {}
        if method.startswith("queryNetwork/") and Kind.NO_NETWORK_QUERIES in session.faults:
            error = {"code": 2002, "message": "This query is not available in the current era."}
            return refused(method, error, asked_id)
        tip = self.tip if isinstance(self.tip, str) else {key: self.tip[key] for key in ("slot", "id")}
        match method:
            case "queryNetwork/tip" | "queryLedgerState/tip":
                return answered(method, tip, asked_id)
            case "queryNetwork/blockHeight":
                return answered(method, self.tip if isinstance(self.tip, str) else self.tip["height"], asked_id)
            case "queryNetwork/startTime":
                return answered(method, self.start_time, asked_id)
            case "queryNetwork/genesisConfiguration" if params.get("era") == "shelley":
                wrong = session.faults.get(Kind.WRONG_GENESIS)
                magic = wrong.magic if wrong else self.magic
                return answered(
                    method,
                    genesis(magic, self.start_time, self.security_parameter),
                    asked_id,
                )
            case "queryNetwork/genesisConfiguration":
                return invalid("this genesis is not imitated", asked_id)
            case "queryLedgerState/eraSummaries":
                return answered(method, self.eras, asked_id)
        return invalid("unknown method in 'method' (beware names are case-sensitive)", asked_id)

    def health(self) -> tuple[HTTPStatus, dict[str, Any]]:
        """What GET /health says."""
        up = self.node_is_up
        era = self.chain[self.reach - 1]["era"] if self.reach else None
        said = {
            "startTime": "2026-01-01T00:00:00.123456789Z",
            "lastKnownTip": self.tip,
            "lastTipUpdate": None if self.tip == "origin" else "2026-01-01T00:00:01.5Z",
            "networkSynchronization": 1.0 if up else None,
            "currentEra": era if up else None,
            "metrics": {"activeConnections": len(self.sessions), "totalConnections": self.connections},
            "connectionStatus": "connected" if up else "disconnected",
            "currentEpoch": 1,
            "slotInEpoch": 1,
            "version": self.version,
            "network": NETWORKS.get(self.magic, f"unknown ({self.magic})"),
        } | self.health_says
        if said["connectionStatus"] != "connected":
            return HTTPStatus.INTERNAL_SERVER_ERROR, said
        return HTTPStatus.OK if said["networkSynchronization"] == 1 else HTTPStatus.ACCEPTED, said

    def status(self) -> dict[str, Any]:
        """What GET /status says; no real Ogmios has it. For tests in another process."""
        return {
            "tip": self.tip,
            "settled": self.settled,
            "connections": self.connections,
            "served": self.served,
            "highest": self.highest,
            "forksLeft": len(self.forks),
            "hidden": self.hidden,
            "fired": [fault.kind for fault in self.fired],
        }


async def _next(event: asyncio.Event) -> None:
    await event.wait()
    event.clear()


if __name__ == "__main__":
    from tests.support.standalone import main

    main()

"""What one client says and hears: four mini-protocols that run side by side."""

import asyncio
from typing import TYPE_CHECKING, Final

from indexer.devnet.node import Node
from indexer.devnet.ogmios.chainsync import ChainSync
from indexer.devnet.ogmios.lane import Lane, Outlet
from indexer.devnet.ogmios.monitor import MempoolMonitor
from indexer.devnet.ogmios.queries import NetworkQueries
from indexer.devnet.ogmios.states import StateQueries
from indexer.devnet.ogmios.submission import Submission
from indexer.devnet.websocket import InvalidRequest, read_request, refusal, text_frame

if TYPE_CHECKING:
    from indexer.devnet.ogmios.server import OgmiosServer

BACKLOG: Final = 10_000  # requests that we hold, beyond those in flight, before we stop listening ...
HELD_AT_MOST: Final = 1 << 22  # ... and bytes of them


class Session:
    """Requests in by `receive`, answers out through `outlet`, at `proceed`. A recorded chain has no node behind it."""

    def __init__(self, server: "OgmiosServer", outlet: Outlet, node: Node | None) -> None:
        self._server, self._outlet = server, outlet
        self._chain_sync = ChainSync(server, outlet)
        self._lanes: list[Lane] = [self._chain_sync]
        if node is None:
            self._lanes.append(NetworkQueries(server, outlet))
        else:
            self._lanes += [
                StateQueries(server, outlet, node),
                Submission(server, outlet, node),
                MempoolMonitor(server, outlet, node),
            ]
        self._methods = {name: (lane, read) for lane in self._lanes for name, read in lane.methods().items()}
        self._next_block = (b"", b"")  # the last such message, and its id: the next one is likely the same
        self._turn: asyncio.Handle | None = None

    def receive(self, message: bytes) -> None:
        """Take a message in; one that is not understood is refused at once."""
        self._server.totals["messages"] += 1
        if message == self._next_block[0]:
            self._chain_sync.want(self._next_block[1])
            return
        try:
            request = read_request(message)
            if request.method == "nextBlock":
                self._next_block = (message, request.id)
                self._chain_sync.want(request.id)
            elif request.method in self._methods:
                lane, read = self._methods[request.method]
                lane.put(read(request), len(message))
            else:
                reason = "unknown method in 'method' (beware names are case-sensitive)"
                raise InvalidRequest(reason, request.id)
        except InvalidRequest as invalid:
            self._server.totals["unrouted"] += 1
            self._outlet.send(text_frame(refusal(invalid)))

    def proceed(self) -> None:
        """Answer what can be answered. What is left over gets its turn after other clients had theirs."""
        more = [lane.proceed() for lane in self._lanes]
        if any(more) and self._turn is None:
            self._turn = asyncio.get_running_loop().call_soon(self._next_turn)

    def backlog(self) -> bool:
        """Whether too much is waiting for more to be listened to."""
        return sum(map(len, self._lanes)) > BACKLOG or sum(lane.held for lane in self._lanes) > HELD_AT_MOST

    def close(self) -> None:
        """The client is gone."""
        if self._turn is not None:
            self._turn.cancel()
        for lane in self._lanes:
            lane.close()

    def _next_turn(self) -> None:
        self._turn = None
        self._outlet.wake()

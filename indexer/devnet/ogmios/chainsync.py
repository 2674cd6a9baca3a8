"""Chain-sync: the blocks in order, pipelined, withheld at the tip."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from indexer.chain.point import Origin, Place, Point
from indexer.devnet.ogmios.lane import Answer, Lane, Outlet
from indexer.devnet.ogmios.places import read_place, shown_place
from indexer.devnet.websocket import InvalidRequest, Request, failure, result, text_frame

if TYPE_CHECKING:
    from indexer.devnet.ogmios.server import OgmiosServer

IN_FLIGHT: Final = 1000  # `nextBlock` requests that Ogmios takes from its queue ahead of their answers

_INTERLEAVED: Final = (
    "Cannot interleave 'findIntersection' requests with 'nextBlock'. "
    "Note that you should never face this error. If you do, please open an issue."
)


class ChainSync(Lane):
    """A client's place on the chain. Ogmios takes what is queued, and only when nothing is, waits for one answer."""

    def __init__(self, server: "OgmiosServer", outlet: Outlet) -> None:
        super().__init__(server, outlet)
        self._follower = server.chain.follow(outlet.wake)
        self._asked: deque[bytes | tuple[Answer, int]] = deque()  # not looked at yet; of `nextBlock`, the id alone
        self._in_flight: deque[bytes] = deque()  # ids of `nextBlock` requests that wait for an answer
        self._waiting = False  # for a block; what is queued is not looked at meanwhile

    def __len__(self) -> int:
        return len(self._asked)

    def methods(self) -> Mapping[str, Callable[[Request], Answer]]:
        return {"findIntersection": self._find_intersection}

    def want(self, id_: bytes) -> None:
        """A `nextBlock` request, of which the id is all that matters."""
        self._asked.append(id_)

    def put(self, answer: Answer, size: int) -> None:
        self._asked.append((answer, size))
        self.held += size

    def proceed(self) -> bool:
        while self.outlet.writable:
            if not self._waiting:
                self._take()
            if not self._in_flight:
                return False
            answer = self._follower.next()
            self._waiting = answer is None
            if answer is None:
                return False
            id_ = self._in_flight.popleft()
            if isinstance(answer, Point | Origin):
                self.outlet.send(self.server.backward(answer, id_))
            else:
                self.outlet.send(self.server.forward(self._follower.read - 1, answer, id_))
        return False

    def close(self) -> None:
        self.server.chain.leave(self._follower)
        self._asked.clear()

    def _take(self) -> None:
        while self._asked and len(self._in_flight) < IN_FLIGHT:
            asked = self._asked.popleft()
            if isinstance(asked, bytes):
                self._in_flight.append(asked)
                continue
            answer, size = asked
            self.held -= size
            self.outlet.send(text_frame(answer() or b""))

    def _find_intersection(self, request: Request) -> Answer:
        points = request.params.get("points")
        if not isinstance(points, list):
            raise InvalidRequest("'params.points' must be a list of points", request.id)
        try:
            places = [read_place(point) for point in points]
        except ValueError:
            reason = "'params.points' holds something that is neither point nor 'origin'"
            raise InvalidRequest(reason, request.id) from None
        return lambda: self._find(request, places)

    def _find(self, request: Request, places: list[Place]) -> bytes:
        if self._in_flight:
            return failure(request, 1001, _INTERLEAVED)
        tip = self.server.tip()
        for place in places:
            if self._follower.seek(place):
                return result(request, {"intersection": shown_place(place), "tip": tip})
        return failure(request, 1000, "No intersection found.", data={"tip": tip})

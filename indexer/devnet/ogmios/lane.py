"""One mini-protocol of a client: its requests are answered one after the other, whatever the other three do."""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

from indexer.devnet.websocket import Request, text_frame

if TYPE_CHECKING:
    from indexer.devnet.ogmios.server import OgmiosServer

BURST: Final = 8  # answers in a row, before others get their turn

Answer: TypeAlias = Callable[[], bytes | None]  # None: it has to wait; ask again when something has happened


class Outlet(Protocol):
    """Where answers go."""

    @property
    def writable(self) -> bool:
        """Whether there is room for more."""

    def send(self, frame: bytes) -> None:
        """Send a text frame."""

    def wake(self) -> None:
        """Look again whether there is something to do."""

    def abort(self) -> None:
        """Cut the connection."""


class Lane(ABC):
    """What waits for its turn. A subclass says in `methods` what it understands.

    A method of it reads a request (and may raise InvalidRequest: such a refusal waits for nobody), and answers with
    what is to be done when its turn comes.
    """

    def __init__(self, server: "OgmiosServer", outlet: Outlet) -> None:
        self.server, self.outlet = server, outlet
        self.held = 0  # bytes of the requests that wait
        self._queue: deque[tuple[Answer, int]] = deque()

    def __len__(self) -> int:
        return len(self._queue)

    @abstractmethod
    def methods(self) -> Mapping[str, Callable[[Request], Answer]]:
        """What is understood, by method."""

    def put(self, answer: Answer, size: int) -> None:
        """A request of `size` bytes takes its place."""
        self._queue.append((answer, size))
        self.held += size

    def proceed(self) -> bool:
        """Answer what can be answered now, up to a burst; whether more could be."""
        for _ in range(BURST):
            if not self._queue or not self.outlet.writable:
                return False
            answer, size = self._queue[0]
            text = answer()
            if text is None:
                return False
            self._queue.popleft()
            self.held -= size
            self.outlet.send(text_frame(text))
        return bool(self._queue)

    def close(self) -> None:
        """The client is gone."""
        self._queue.clear()

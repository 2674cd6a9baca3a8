"""Listening on a TCP port, as all faces do."""

import asyncio
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Final, Generic, Protocol, Self, TypeVar

from indexer.errors import IndexerError

GOODBYE: Final = 1.0  # seconds that clients get to take what was answered, and to answer a close


class CannotListen(IndexerError):
    """The address is taken, or not ours to take."""

    code = "devnet.cannot_listen"
    hint = "stop what listens there, or choose another port"


class Connected(Protocol):
    """A client, for as long as its connection lasts; then `gone` is done."""

    gone: asyncio.Future[None]

    def close(self) -> None:
        """Send what is answered, and end the connection."""

    def abort(self) -> None:
        """End the connection at once."""


C = TypeVar("C", bound=Connected)


class Listener(ABC, Generic[C]):
    """Listens between `start` and `close`. Port 0 takes a free one: see `port` once it has started.

    Clients enter themselves into `sessions`, and leave them.
    """

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.sessions: set[C] = set()
        self._listener: asyncio.Server | None = None

    @abstractmethod
    def connection(self) -> asyncio.Protocol:
        """What serves a new client."""

    async def start(self) -> None:
        """Listen. Raises CannotListen."""
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(self.connection, self.host, self.port)
        except OSError as error:
            reason = error.strerror or error
            raise CannotListen(f"cannot listen on {self.host}:{self.port}: {reason}") from error
        self.port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, say goodbye to every client, and drop those that do not answer."""
        if self._listener is None:
            return
        self._listener.close()
        gone = [client.gone for client in self.sessions]
        for client in list(self.sessions):
            client.close()
        if gone:
            await asyncio.wait(gone, timeout=GOODBYE)
        self.drop_connections()
        if gone:
            await asyncio.wait(gone)
        self._listener = None

    def drop_connections(self) -> None:
        """End every connection without a word, as a node that dies does."""
        for client in list(self.sessions):
            client.abort()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

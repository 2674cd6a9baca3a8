"""A small HTTP server on a TCP port: whoever owns it answers requests, one after the other."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from indexer.devnet.kupo.api import Request, Response
from indexer.devnet.kupo.http import Connection
from indexer.devnet.replay import CannotListen

GOODBYE: Final = 1.0  # seconds that clients get to take what was answered


class Server:
    """What `answer` says, served. Port 0 takes a free one: see `port` once it has started."""

    def __init__(self, answer: Callable[[Request], Response], host: str = "127.0.0.1", port: int = 0) -> None:
        self.host, self.port = host, port
        self._answer = answer
        self._clients: dict[Connection, asyncio.Future[None]] = {}
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises CannotListen."""
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(self._connection, self.host, self.port)
        except OSError as error:
            reason = error.strerror or error
            raise CannotListen(f"cannot listen on {self.host}:{self.port}: {reason}") from error
        self.port = self._listener.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, and end every connection, with what was answered sent if the client takes it."""
        if self._listener is None:
            return
        self._listener.close()
        gone = list(self._clients.values())
        for client in list(self._clients):
            client.close()
        if gone:
            await asyncio.wait(gone, timeout=GOODBYE)
        self.drop_connections()
        if gone:
            await asyncio.wait(gone)
        self._listener = None

    def drop_connections(self) -> None:
        """End every connection without a word."""
        for client in list(self._clients):
            client.abort()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _connection(self) -> Connection:
        return Connection(self._answer, self._opened, self._closed)

    def _opened(self, client: Connection) -> None:
        self._clients[client] = asyncio.get_running_loop().create_future()

    def _closed(self, client: Connection) -> None:
        self._clients.pop(client).set_result(None)

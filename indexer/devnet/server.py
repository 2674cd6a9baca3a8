"""A small HTTP server on a TCP port: whoever owns it answers requests, one after the other."""

from collections.abc import Callable

from indexer.devnet.http import Connection, Request, Response
from indexer.devnet.listening import Listener


class Server(Listener[Connection]):
    """What `answer` says, served under a name."""

    def __init__(
        self, name: str, answer: Callable[[Request], Response], host: str = "127.0.0.1", port: int = 0
    ) -> None:
        super().__init__(host, port)
        self._name, self._answer = name, answer

    def connection(self) -> Connection:
        return Connection(self._name, self._answer, self.sessions)

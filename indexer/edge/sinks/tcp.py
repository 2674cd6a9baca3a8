"""The connection below a client of NATS: as nats-py has it, but for what that leaves open.

Imported only where the extra `nats` is installed.
"""

import asyncio
import ssl
from urllib.parse import ParseResult

from nats.aio.transport import TcpTransport

from indexer.edge.sinks.apart import Names


class Plain(ConnectionError):
    """The server does not ask for TLS."""


class Tcp(TcpTransport):
    """One connection. `needs_tls`: before there is TLS nothing is written, not even who we are. nats-py alone goes by
    what the server says. `names` looks hosts up."""

    def __init__(self, names: Names, *, needs_tls: bool) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as it is in nats-py
        self._names, self._needs_tls, self._has_tls = names, needs_tls, False

    def __bool__(self) -> bool:
        return True  # or the client would take another, before it is connected

    @property
    def is_as_wanted(self) -> bool:
        """Whether there is a connection, and TLS where that is needed."""
        return self._io_writer is not None and (self._has_tls or not self._needs_tls)

    async def connect(self, uri: ParseResult, buffer_size: int, connect_timeout: int) -> None:
        """Raises OSError, TimeoutError."""
        host, port = uri.hostname or "", uri.port or 0
        async with asyncio.timeout(connect_timeout):
            addresses = await self._names.addresses(host, port)
            last: OSError = ConnectionError("it has no address")
            for address in addresses:
                there = uri._replace(netloc=f"[{address}]:{port}" if ":" in address else f"{address}:{port}")
                try:
                    await super().connect(there, buffer_size, connect_timeout)
                except OSError as error:
                    last = error
                else:
                    return
            raise last

    async def connect_tls(
        self, uri: str | ParseResult, ssl_context: ssl.SSLContext, buffer_size: int, connect_timeout: int
    ) -> None:
        """See Transport."""
        await super().connect_tls(uri, ssl_context, buffer_size, connect_timeout)
        self._has_tls = True

    def write(self, payload: bytes) -> None:
        """Raises Plain."""
        self._writer().write(payload)

    def writelines(self, payload: list[bytes]) -> None:
        """Raises Plain."""
        self._writer().writelines(payload)

    def close(self) -> None:
        """Nothing, where there is none yet."""
        if self._io_writer is not None:
            self._io_writer.close()

    def _writer(self) -> asyncio.StreamWriter:
        if self._needs_tls and not self._has_tls:
            raise Plain("it does not ask for TLS, which tls:// promises: nothing was sent")
        assert self._io_writer is not None
        return self._io_writer

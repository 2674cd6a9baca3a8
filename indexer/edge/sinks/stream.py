"""Messages into a JetStream of NATS, so that many machines can read what one indexer finds. The extra `nats`.

The message's id goes along as `Nats-Msg-Id`, by which the stream drops what it has already.
"""

import asyncio
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from indexer.edge.sinks.apart import Names
from indexer.edge.sinks.creds import Credentials, read_credentials
from indexer.edge.sinks.message import CONTENT_TYPE, ExtraMissing, Fault, Message, SinkFailed
from indexer.errors import FileUnusable

if TYPE_CHECKING:
    from nats.aio.client import Client

AT_ONCE: Final = 16


class Stream:
    """One server. A message of type T goes to the subject `<subject>.T`, which a stream has to take in."""

    def __init__(self, url: str, subject: str, credentials: Path | None, *, timeout_s: float) -> None:
        """`credentials`: a NATS .creds file. Raises FileUnusable, ExtraMissing."""
        try:
            import nats  # an extra
        except ImportError as error:
            raise ExtraMissing(
                "sinks of kind nats need a package that is not installed", hint='pip install "milestone-indexer[nats]"'
            ) from error
        self._nats = nats
        self._host, self._needs_tls, self._names = urlsplit(url).hostname, url.startswith("tls:"), Names()
        self._url, self._subject, self._credentials, self._timeout_s = url, subject, credentials, timeout_s
        self._client: Client | None = None
        self._connecting = asyncio.Lock()
        self._read()

    def _read(self) -> Credentials | None:
        return None if self._credentials is None else read_credentials(self._credentials)

    @property
    def at_once(self) -> int:
        """See Sink."""
        return AT_ONCE

    async def send(self, message: Message) -> None:
        """Returns once the stream has stored it. Raises SinkFailed."""
        headers = {"Nats-Msg-Id": message.id, "Content-Type": CONTENT_TYPE}
        try:
            async with asyncio.timeout(self._timeout_s):
                client = await self._connected()
                stream = client.jetstream(timeout=self._timeout_s)
                await stream.publish(f"{self._subject}.{message.type}", message.body(), headers=headers)
        except FileUnusable as error:
            raise SinkFailed(str(error), Fault.SINK) from error
        except TimeoutError as error:
            raise SinkFailed(f"no answer within {self._timeout_s:g} s", Fault.SINK) from error
        except self._nats.js.errors.NoStreamResponseError as error:
            reason = f"no stream takes in {self._subject}.>: nats stream add"
            raise SinkFailed(reason, Fault.SINK) from error
        except (self._nats.errors.Error, OSError, ValueError) as error:
            raise SinkFailed(f"NATS: {str(error) or type(error).__name__}", Fault.SINK) from error

    async def _connected(self) -> "Client":
        """Raises SinkFailed, FileUnusable, and what nats-py raises."""
        async with self._connecting:
            if self._client is None or self._client.is_closed:
                self._client = await self._connect()
            return self._client

    async def _connect(self) -> "Client":
        from nats.aio.client import Client

        from indexer.edge.sinks.tcp import Tcp

        credentials = self._read()
        client, below = Client(), Tcp(self._names, needs_tls=self._needs_tls)
        client._transport = below  # noqa: SLF001 -- there is no other way in; below.is_as_wanted notices if it was none
        reasons: list[Exception] = []

        async def keep(reason: Exception) -> None:
            reasons[:] = [reason]

        with ExitStack() as gone:
            gone.callback(below.close)
            try:
                await client.connect(
                    self._url,
                    name="milestone-indexer",
                    connect_timeout=max(1, int(self._timeout_s)),
                    allow_reconnect=False,  # the next message does
                    max_reconnect_attempts=1,  # of the first connection too; less would be for ever
                    reconnect_time_wait=0,
                    user_jwt_cb=None if credentials is None else credentials.token.encode,
                    signature_cb=None if credentials is None else credentials.sign,
                    error_cb=keep,
                )
                if not below.is_as_wanted:  # a client that goes another way than this was written for
                    await client.close()
                    raise ConnectionError("nats-py has not used the connection that it was given")
            except (OSError, self._nats.errors.NoServersError) as error:
                last = reasons[-1] if reasons and isinstance(error, self._nats.errors.NoServersError) else error
                if isinstance(last, TimeoutError) or not isinstance(last, OSError):
                    raise last from None
                raise SinkFailed(f"cannot reach {self._host}: {str(last) or type(last).__name__}", Fault.SINK) from last
            gone.pop_all()
        return client

    async def close(self) -> None:
        """See Sink."""
        if self._client is not None and not self._client.is_closed:
            await self._client.close()

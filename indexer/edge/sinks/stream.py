"""Messages into a JetStream of NATS, so that many machines can read what one indexer finds. The extra `nats`.

The message's id goes along as `Nats-Msg-Id`, by which the stream drops what it has already.
"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from indexer.edge.files import read_private
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
        self._url, self._subject, self._credentials, self._timeout_s = url, subject, credentials, timeout_s
        self._client: Client | None = None
        self._connecting = asyncio.Lock()
        self._check()

    def _check(self) -> None:
        if self._credentials is not None:
            read_private(self._credentials)

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
        async with self._connecting:
            if self._client is None or self._client.is_closed:
                self._check()
                self._client = await self._nats.connect(
                    self._url,
                    name="milestone-indexer",
                    connect_timeout=max(1, int(self._timeout_s)),
                    allow_reconnect=False,  # the next message does
                    user_credentials=None if self._credentials is None else str(self._credentials),
                    error_cb=_quiet,
                )
            return self._client

    async def close(self) -> None:
        """See Sink."""
        if self._client is not None and not self._client.is_closed:
            await self._client.close()


async def _quiet(_: Exception) -> None:
    """Whoever sends is told too."""

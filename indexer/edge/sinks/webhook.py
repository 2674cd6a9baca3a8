"""Messages by HTTP POST, signed as Standard Webhooks says (symmetric signatures, `v1`).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import asyncio
import base64
import binascii
import hmac
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpcore

from indexer.edge.files import read_private
from indexer.edge.sinks.message import CONTENT_TYPE, Fault, Message, SinkFailed
from indexer.edge.sinks.reach import Private, Reach
from indexer.errors import FileUnusable

AT_ONCE: Final = 8
# A connection is kept for the messages that follow soon. One that lies idle for long, a firewall on the way may have
# forgotten without telling: it would cost a message its time limit.
_KEPT_S: Final = 5.0
_PREFIX: Final = "whsec_"
_LEAST_BYTES, _MOST_BYTES = 24, 64  # of a secret, as Standard Webhooks has it
_MOST_READ: Final = 65_536  # of an answer, of which nothing is used
_MOST_ASKED_S: Final = 3_600.0
# The receiver rejects this message; what else it answers is no more likely to be about one than about all.
_OF_THE_MESSAGE: Final = frozenset({400, 406, 409, 411, 412, 413, 414, 415, 416, 417, 418, 422, 431, 451})


def read_secret(path: Path) -> bytes:
    """A secret: `whsec_` and base64, or base64 alone, of 24 to 64 bytes. Raises FileUnusable."""
    text = read_private(path).strip().removeprefix(_PREFIX)
    try:
        secret = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if not _LEAST_BYTES <= len(secret) <= _MOST_BYTES:
        raise FileUnusable(
            f"{path} holds no webhook secret: `{_PREFIX}` and base64 of {_LEAST_BYTES} to {_MOST_BYTES} bytes",
            hint=f'echo "{_PREFIX}$(openssl rand -base64 32)" > {path} && chmod 600 {path}',
        )
    return secret


def signature(secrets: Sequence[bytes], message_id: str, timestamp_s: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature a secret, so that a receiver may know either while they change."""
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return " ".join(f"v1,{base64.b64encode(hmac.digest(each, signed, 'sha256')).decode()}" for each in secrets)


class Webhook:
    """One receiver. `url` may hold a secret, and is never told; the secrets are read anew for each message, so that
    changing them needs no restart."""

    def __init__(
        self,
        url: str,
        secret_files: Sequence[Path],
        *,
        timeout_s: float,
        allow_private: bool,
        now_ms: Callable[[], int],
        agent: str = "milestone-indexer",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`agent`: as whom we come. `tls`: whom to trust; None: whom the system trusts. Raises FileUnusable."""
        self._url, self._secret_files, self._timeout_s, self._now_ms = url, tuple(secret_files), timeout_s, now_ms
        self._host, self._agent = urlsplit(url).hostname, agent
        self._secrets()
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or ssl.create_default_context(),
            max_connections=AT_ONCE,
            keepalive_expiry=_KEPT_S,
            network_backend=Reach(allow_private=allow_private),
        )

    @property
    def at_once(self) -> int:
        """See Sink."""
        return AT_ONCE

    def _secrets(self) -> list[bytes]:
        return [read_secret(path) for path in self._secret_files]

    async def send(self, message: Message) -> None:
        """Raises SinkFailed unless the answer is 2xx. Redirects are not followed."""
        body, timestamp_s = message.body(), self._now_ms() // 1000
        try:
            secrets = self._secrets()
        except FileUnusable as error:
            raise SinkFailed(str(error), Fault.SINK) from error
        headers = {
            "content-type": CONTENT_TYPE,
            "user-agent": self._agent,
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp_s),
        }
        if secrets:
            headers["webhook-signature"] = signature(secrets, message.id, timestamp_s, body)
        encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
        answer: httpcore.Response | None = None
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                self._pool.stream("POST", self._url, headers=encoded, content=body) as answer,
            ):
                read = 0
                async for chunk in answer.aiter_stream():
                    read += len(chunk)
                    if read > _MOST_READ:
                        break  # whatever it goes on about, the status was said
        except Private as error:
            raise SinkFailed(str(error), Fault.SINK) from error
        except TimeoutError as error:
            if answer is None:  # else the status was said; so below
                raise SinkFailed(f"no answer within {self._timeout_s:g} s", Fault.SINK) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            if answer is None:
                reason = str(error) or type(error).__name__
                raise SinkFailed(f"cannot reach {self._host}: {reason}", Fault.SINK) from error
        assert answer is not None
        _judge(answer.status, dict(answer.headers), timestamp_s)

    async def close(self) -> None:
        """See Sink."""
        await self._pool.aclose()


def _judge(status: int, headers: dict[bytes, bytes], now_s: float) -> None:
    """Raises SinkFailed unless the status is 2xx."""
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise SinkFailed(f"answers {status}: redirects are not followed, give the URL it leads to", Fault.SINK)
    if status in _OF_THE_MESSAGE:
        raise SinkFailed(f"answers {status}", Fault.MESSAGE)
    asked = next((value for name, value in headers.items() if name.lower() == b"retry-after"), b"")
    raise SinkFailed(f"answers {status}", Fault.SINK, _wait_s(asked, now_s))


def _wait_s(asked: bytes, now_s: float) -> float | None:
    """Seconds that `Retry-After` asks for, as a number of them or as a date (RFC 9110, 10.2.3); None: nothing that can
    be told."""
    if asked.isdigit():
        return min(_MOST_ASKED_S, float(asked)) if len(asked) < 10 else None
    try:
        until_s = parsedate_to_datetime(asked.decode("ascii")).replace(tzinfo=UTC).timestamp()
    except ValueError:  # the date, the zone and the text of bytes alike
        return None
    return min(_MOST_ASKED_S, max(0.0, until_s - now_s))

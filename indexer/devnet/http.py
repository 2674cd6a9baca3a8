"""HTTP/1.1 on one connection, as far as a JSON interface needs it: requests one after the other, kept alive.

Bodies come with their length. A client may send many requests ahead; they are answered as fast as it reads.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Final, TypeAlias, cast
from urllib.parse import unquote, unquote_plus

LONGEST_HEAD: Final = 65_536  # bytes
LONGEST_BODY: Final = 1 << 20  # bytes
AHEAD_AT_MOST: Final = LONGEST_HEAD + LONGEST_BODY  # bytes of requests that wait for their answers
PATIENCE: Final = 120.0  # seconds in which a client has to say or take something, as with Kupo

Query: TypeAlias = tuple[tuple[str, str | None], ...]
"""Names and values in order; a bare flag has None, which is something else than no text."""

_REQUEST_LINE: Final = re.compile(r"([A-Z]+) (?:https?://[^/ ]*)?(/[^ ]*) HTTP/1\.([01])")


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request: the path in segments, decoded; names of headers in lower case, the first of each."""

    method: str
    path: tuple[str, ...]
    query: Query = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response."""

    status: HTTPStatus
    headers: Mapping[str, str]
    body: bytes


class _Unreadable(Exception):
    """What came is no request, or none that is taken: answered by this status, and the end of the connection."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class Connection(asyncio.Protocol):
    """A client of a server of that name. `answer` answers its requests; it is among `clients` while it lasts."""

    def __init__(self, name: str, answer: Callable[[Request], Response], clients: set["Connection"]) -> None:
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._name, self._answer, self._clients = name, answer, clients
        self._transport: asyncio.Transport
        self._received = bytearray()
        self._head: tuple[Request, int, bool] | None = None  # of a request whose body is not all there
        self._paused = False
        self._idle: asyncio.TimerHandle | None = None

    def close(self) -> None:
        """Send what is answered, and end the connection."""
        self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._clients.add(self)
        self._wait()

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._proceed()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self._proceed()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._idle is not None:
            self._idle.cancel()
        self._clients.discard(self)
        self.gone.set_result(None)

    # How it is done.

    def _wait(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(PATIENCE, self.abort)

    def _proceed(self) -> None:
        """Answer what has come in, as long as the client takes the answers."""
        self._wait()
        try:
            while not self._paused and not self._transport.is_closing() and (found := self._request()) is not None:
                request, keep_alive = found
                self._send(self._answer(request), request.method, keep_alive=keep_alive)
        except _Unreadable as unreadable:
            self._send(Response(unreadable.status, {}, b""), "GET", keep_alive=False)
        if not self._transport.is_closing():
            if len(self._received) > AHEAD_AT_MOST:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _request(self) -> tuple[Request, bool] | None:
        """Take the next request, once it is whole; and whether another may follow. Raises _Unreadable."""
        if self._head is None:
            while self._received[:2] == b"\r\n":
                del self._received[:2]
            end = self._received.find(b"\r\n\r\n", 0, LONGEST_HEAD + 4)
            if end < 0:
                if len(self._received) > LONGEST_HEAD:
                    raise _Unreadable(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
                return None
            self._head = _read_head(self._received[:end].decode("latin-1"))
            del self._received[: end + 4]
        request, length, keep_alive = self._head
        if len(self._received) < length:
            return None
        body = bytes(self._received[:length])
        del self._received[:length]
        self._head = None
        return Request(request.method, request.path, request.query, request.headers, body), keep_alive

    def _send(self, response: Response, method: str, *, keep_alive: bool) -> None:
        headers = {"Date": formatdate(usegmt=True), "Server": self._name, **response.headers}
        if response.status is not HTTPStatus.NOT_MODIFIED:
            headers["Content-Length"] = str(len(response.body))
        if not keep_alive:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {response.status.value} {response.status.phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        body = b"" if method == "HEAD" else response.body
        self._transport.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        if not keep_alive:
            self._transport.close()


def read_query(text: str) -> Query:
    """What stands behind the question mark."""
    pairs = (part.partition("=") for part in re.split("[&;]", text) if part)
    return tuple((unquote_plus(name), unquote_plus(value) if equals else None) for name, equals, value in pairs)


def _read_head(text: str) -> tuple[Request, int, bool]:
    """A request without its body, the body's length, and whether another request may follow. Raises _Unreadable."""
    first, *lines = text.split("\r\n")
    found = _REQUEST_LINE.fullmatch(first)
    if found is None:
        raise _Unreadable(HTTPStatus.BAD_REQUEST)
    method, target, minor = found.groups()
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise _Unreadable(HTTPStatus.BAD_REQUEST)
        headers.setdefault(name.lower(), value.strip())
    if "transfer-encoding" in headers:
        raise _Unreadable(HTTPStatus.LENGTH_REQUIRED)
    length = headers.get("content-length", "0")
    if not re.fullmatch("[0-9]{1,18}", length):
        raise _Unreadable(HTTPStatus.BAD_REQUEST)
    if int(length) > LONGEST_BODY:
        raise _Unreadable(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    path, _, query = target.partition("?")
    segments = () if path == "/" else tuple(unquote(part) for part in path[1:].split("/"))
    connection = headers.get("connection", "").lower()
    keep_alive = "keep-alive" in connection if minor == "0" else "close" not in connection
    return Request(method, segments, read_query(query), headers), int(length), keep_alive

"""One TCP connection, as Ogmios takes it: plain HTTP or a WebSocket that carries JSON-RPC.

The `websockets` library shakes hands and reads what the client sends; what we send is framed here, so that
a block goes from memory to the socket in one write.
"""

import asyncio
import json
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, cast

from websockets.frames import Frame, Opcode
from websockets.http11 import Request as HandshakeRequest
from websockets.protocol import State
from websockets.server import ServerProtocol

from indexer.devnet.recording import members

PING_EVERY: Final = 30.0  # seconds, as Ogmios does
LONGEST_HEAD: Final = 65_536  # bytes of an HTTP request's head
LONGEST_MESSAGE: Final = 1 << 27  # bytes; Ogmios knows no limit, but our memory does
LONGEST_READ: Final = 1 << 22  # bytes of JSON that we look at: as values they take up to 20 times as much
WRITE_AT_ONCE: Final = 65_536  # bytes of small frames that go out as one write
OWED_AT_MOST: Final = 1 << 20  # bytes of answers that a client may leave unread before we stop listening
NULL: Final = b"null"

_UPGRADE = re.compile(rb"^upgrade:[ \t]*websocket", re.IGNORECASE | re.MULTILINE)
_LENGTH = re.compile(rb"^content-length:[ \t]*([0-9]{1,18})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_EXPECTS = re.compile(rb"^expect:[ \t]*100-continue", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Request:
    """A JSON-RPC request; `id` is the JSON text to mirror."""

    method: str
    params: Any
    id: bytes


class InvalidRequest(Exception):
    """A message that is answered by -32600: `str()` is the reason, `id` what to mirror."""

    def __init__(self, reason: str, id_: bytes = NULL) -> None:
        super().__init__(reason)
        self.id = id_


def read_request(message: bytes) -> Request:
    """Read a client's message. Raises InvalidRequest."""
    if len(message) > LONGEST_READ:
        raise InvalidRequest("longer than any request has to be")
    try:
        # Decoded first: json.loads would guess an encoding. NaN and the like are no JSON.
        envelope = json.loads(message.decode(), parse_constant=_refuse)
        span = members(message).get(b"id")
    except (ValueError, RecursionError):
        raise InvalidRequest("must be a well-formed JSON object") from None
    id_ = message[slice(*span)] if span else NULL
    if envelope.get("jsonrpc") != "2.0":
        raise InvalidRequest("'jsonrpc' must be exactly '2.0'", id_)
    if not isinstance(envelope.get("method"), str):
        raise InvalidRequest("'method' must be present, and a string", id_)
    params = envelope.get("params")
    if not isinstance(params, dict | None):
        raise InvalidRequest("'params' must be an object", id_)
    return Request(envelope["method"], params or {}, id_)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def encode(value: object) -> bytes:
    """JSON in its compact form."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def result(request: Request, value: object) -> bytes:
    """The answer to a request that went well."""
    return result_text(request, encode(value))


def result_text(request: Request, text: bytes) -> bytes:
    """The same, where the value is JSON already."""
    return _answer(b'"result":' + text, request.id, request.method)


def failure(request: Request, code: int, message: str, **data: object) -> bytes:
    """The answer to a request that was understood and failed; `data=` is optional."""
    return _answer(b'"error":' + encode({"code": code, "message": message, **data}), request.id, request.method)


def refusal(invalid: InvalidRequest) -> bytes:
    """The answer to a message that was not understood: the only kind that echoes no method."""
    return _answer(b'"error":' + encode({"code": -32600, "message": f"Invalid request: {invalid}."}), invalid.id)


def _answer(outcome: bytes, id_: bytes, method: str | None = None) -> bytes:
    echo = b"" if method is None else b'"method":' + encode(method) + b","
    return b'{"jsonrpc":"2.0",' + echo + outcome + b',"id":' + id_ + b"}"


def text_frame(*parts: bytes) -> bytes:
    """The parts as one unmasked text frame."""
    size = sum(map(len, parts))
    if size < 126:
        header = bytes((0x81, size))
    elif size < 65_536:
        header = b"\x81\x7e" + size.to_bytes(2, "big")
    else:
        header = b"\x81\x7f" + size.to_bytes(8, "big")
    return b"".join((header, *parts))


_OPEN_TO_ALL: Final = {HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR}


class Connection(asyncio.Protocol, ABC):
    """A client. What to answer is for the subclass: `http`, `post`, `opened`, `received`, `proceed`."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._websocket = ServerProtocol(max_size=LONGEST_MESSAGE)  # which offers no compression
        self._head = bytearray()  # of the HTTP request, and its body where it has one
        self._body: tuple[int, int] | None = None  # where that starts and ends
        self._posted = False
        self._open = False
        self._paused = False
        self._fragments: list[bytes] = []
        self._small: list[bytes] = []
        self._small_size = 0
        self._owed = 0
        self._pings: asyncio.TimerHandle | None = None

    @abstractmethod
    def http(self, method: str, path: str) -> tuple[HTTPStatus, bytes]:
        """The status and JSON body to answer a plain HTTP request with."""

    def takes(self, path: str) -> bool:  # noqa: ARG002
        """Whether something can be posted there."""
        return False

    def post(self, body: bytes) -> None:
        """Answer what was posted by `respond`, now or later."""

    def opened(self) -> None:
        """The WebSocket is open."""

    @abstractmethod
    def received(self, message: bytes) -> None:
        """A message has come in; others that came with it follow before `proceed`."""

    def proceed(self) -> None:
        """There are new messages, or room to write again: send what can be sent."""

    def backlog(self) -> bool:
        """Whether too much is waiting to be answered for more to be listened to."""
        return False

    @property
    def is_open(self) -> bool:
        """Whether this is a WebSocket that has shaken hands."""
        return self._open

    @property
    def writable(self) -> bool:
        """Whether the client takes more now: open, and reading what it was sent."""
        return not self._paused and self._websocket.state is State.OPEN and not self._transport.is_closing()

    @property
    def listening(self) -> bool:
        """Whether we take more from the client now."""
        return self._transport.is_reading()

    def send(self, frame: bytes) -> None:
        """Send a frame; small ones leave together, at `flush`. After a goodbye, nothing is sent."""
        if self._websocket.state is not State.OPEN:
            return
        if self._paused:
            self._owed += len(frame)
        if len(frame) < WRITE_AT_ONCE:
            self._small.append(frame)
            self._small_size += len(frame)
            if self._small_size < WRITE_AT_ONCE:
                return
            frame = b""
        self.flush()
        if frame:
            self._transport.write(frame)

    def flush(self) -> None:
        """Send the small frames that are waiting for company."""
        if self._small:
            self._transport.write(b"".join(self._small))
            self._small.clear()
            self._small_size = 0

    def respond(self, status: HTTPStatus, body: bytes) -> None:
        """Answer a plain HTTP request, and end the connection."""
        if not self._transport.is_closing():
            self._transport.write(_http_response(status, body))
            self._transport.close()

    def wake(self) -> None:
        """Something has happened that may let `proceed` go on."""
        if self._open:
            self._continue()

    def hold(self) -> None:
        """Listen no more, until `let_go`; `backlog` and `writable` are for the subclass to answer accordingly."""
        self._transport.pause_reading()

    def let_go(self) -> None:
        """Listen again."""
        if self._open:
            self._continue()
        else:
            self._transport.resume_reading()

    def close(self) -> None:
        """Say goodbye; the client answers and the connection ends."""
        if self._open and self._websocket.state is State.OPEN:
            self._websocket.send_close(1001)
            self._send_protocol()
        elif not self._open:
            self._transport.close()

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if not self._open:
            data = self._shake_hands(data)
        if not self._open:
            return
        self._websocket.receive_data(data)
        for event in self._websocket.events_received():
            self._collect(cast("Frame", event))
        self._send_protocol()
        self._continue()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused, self._owed = False, 0
        self._continue()

    def eof_received(self) -> None:
        if self._open:
            self._websocket.receive_eof()
            self._send_protocol()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._pings is not None:
            self._pings.cancel()
        self._open = False

    # How it is done.

    def _continue(self) -> None:
        self.proceed()
        self.flush()
        if not self._transport.is_closing():
            # Both are idempotent. A client that asks and asks and reads nothing has to wait.
            if self._owed > OWED_AT_MOST or self.backlog():
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def _send_protocol(self) -> None:
        self.flush()  # what was said before must arrive before
        for data in self._websocket.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()

    def _shake_hands(self, data: bytes) -> bytes:
        """Answer the HTTP request once its head is whole; what follows it is returned."""
        self._head += data
        if self._body is not None:
            self._finish_post()
            return b""
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            if len(self._head) > LONGEST_HEAD:
                self._transport.abort()
            return b""
        head, rest = bytes(self._head[:end]), bytes(self._head[end + 4 :])
        method, path = _request_line(head)
        if method == "GET" and _UPGRADE.search(head):
            self._upgrade(head + b"\r\n\r\n")
            return rest
        if method == "POST" and self.takes(path):
            self._begin_post(head)
        else:
            self.respond(*self.http(method, path))
        return b""

    def _begin_post(self, head: bytes) -> None:
        length = _LENGTH.search(head)
        if length is None:
            self.respond(HTTPStatus.LENGTH_REQUIRED, b"")
        elif int(length[1]) > LONGEST_MESSAGE:
            self.respond(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"")
        else:
            self._body = (len(head) + 4, len(head) + 4 + int(length[1]))
            if _EXPECTS.search(head):
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self._finish_post()

    def _finish_post(self) -> None:
        start, end = self._body or (0, 0)
        if len(self._head) >= end and not self._posted:
            self._posted = True
            self.post(bytes(self._head[start:end]))
            self._head.clear()

    def _upgrade(self, head: bytes) -> None:
        self._websocket.receive_data(head)
        for event in self._websocket.events_received():
            self._websocket.send_response(self._websocket.accept(cast("HandshakeRequest", event)))
        self._send_protocol()
        if self._websocket.state is State.OPEN:
            self._open = True
            self._head.clear()
            self._pings = asyncio.get_running_loop().call_later(PING_EVERY, self._ping)
            self.opened()

    def _collect(self, frame: Frame) -> None:
        """Put a message together; control frames were answered when they were read."""
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                message, self._fragments = b"".join(self._fragments), []
                self.received(message)

    def _ping(self) -> None:
        if self._websocket.state is State.OPEN:
            self._websocket.send_ping(b"")
            self._send_protocol()
            self._pings = asyncio.get_running_loop().call_later(PING_EVERY, self._ping)


def _request_line(head: bytes) -> tuple[str, str]:
    """Method and path, without its query."""
    method, _, target = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    return method, target.partition(" ")[0].partition("?")[0]


def unframed(frame: bytes) -> bytes:
    """What a text frame of ours says."""
    return frame[{126: 4, 127: 10}.get(frame[1], 2) :]


def _http_response(status: HTTPStatus, body: bytes) -> bytes:
    open_to_all = "Access-Control-Allow-Origin: *\r\n" if status in _OPEN_TO_ALL else ""
    return (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n{open_to_all}"
        f"Content-Type: application/json; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + body

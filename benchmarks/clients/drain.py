"""What the server can give: the socket emptied into one buffer, nothing of a frame read but its length."""

import json
import socket
import sys
import time

from benchmarks.clients.bare import REQUEST

HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
LENGTHS = {126: 2, 127: 8}  # how many bytes tell the length of a longer frame


class Frames:
    """The frames of a stream, by length alone."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket, self._buffer = connection, memoryview(bytearray(1 << 20))
        self._start = self._end = 0

    def skip(self) -> None:
        """Go past one frame."""
        size = self._read(2)[1]
        if size in LENGTHS:
            size = int.from_bytes(self._read(LENGTHS[size]), "big")
        while size > self._end - self._start:
            size -= self._end - self._start
            self._start, self._end = 0, self._receive(0)
        self._start += size

    def _read(self, count: int) -> bytes:
        if self._end - self._start < count:
            rest = bytes(self._buffer[self._start : self._end])
            self._buffer[: len(rest)] = rest
            self._start, self._end = 0, len(rest)
            while self._end < count:
                self._end += self._receive(self._end)
        self._start += count
        return bytes(self._buffer[self._start - count : self._start])

    def _receive(self, at: int) -> int:
        count = self._socket.recv_into(self._buffer[at:])
        if not count:
            raise ConnectionError("the server closed the connection")
        return count


def drain(host: str, port: int, blocks: int) -> float:
    """The seconds it takes."""
    with socket.create_connection((host, port)) as connection:
        connection.sendall(HANDSHAKE)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += connection.recv(1)
        frames = Frames(connection)
        begun = time.perf_counter()
        connection.sendall(REQUEST * (blocks + 1))
        for _ in range(blocks + 1):  # a server's first word is a rollback to where it starts
            frames.skip()
        return time.perf_counter() - begun


if __name__ == "__main__":
    address, wanted = sys.argv[1].removeprefix("ws://").split(":"), int(sys.argv[2])
    print(json.dumps({"blocks": wanted, "seconds": drain(address[0], int(address[1]), wanted)}))

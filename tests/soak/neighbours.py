"""Who lives beside the daemon: somebody who reads its database for long, and a webhook that fails half the time."""

import sqlite3
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

OUTPUTS = "SELECT count(*) FROM outputs"
IN_A_ROW = 3  # refusals of one message: each doubles the time until it is tried again, and nobody waits here for hours


@contextmanager
def slow_reader(database: Path, hold_s: float) -> Iterator[list[tuple[int, int]]]:
    """Holds a read transaction for `hold_s` at a time, half as long none; the outputs at its beginning and its end."""
    ended, counted = threading.Event(), list[tuple[int, int]]()

    def read() -> None:
        while not ended.wait(hold_s / 2):
            with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None)) as db:
                db.execute("BEGIN")
                ((before,),) = db.execute(OUTPUTS)
                ended.wait(hold_s)
                ((after,),) = db.execute(OUTPUTS)
                counted.append((int(before), int(after)))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield counted
    finally:
        ended.set()
        thread.join()


class Receiver:
    """What a webhook was told, and how it answers."""

    def __init__(self, random: Random) -> None:
        self.url = ""
        self.answers = Counter[int]()
        self.mended = False
        self._turns: defaultdict[str, int] = defaultdict(lambda: -1)
        self._refused = Counter[str]()
        self._random = random

    @property
    def believes(self) -> set[str]:
        """The events that hold, as it was told: of each, the message with the highest number counts."""
        return {event_id for event_id, turn in list(self._turns.items()) if turn % 2 == 0}

    def answer(self, message_id: str) -> int:
        """The status: half the time it fails, as a whole or for this message."""
        status = self._random.choice((204, 204, 500, 422))
        if status == 204 or self.mended or self._refused[message_id] == IN_A_ROW:
            status = 204
            event_id, _, turn = message_id.rpartition(".")
            self._turns[event_id] = max(self._turns[event_id], int(turn))
        else:
            self._refused[message_id] += 1
        self.answers[status] += 1
        return status


@contextmanager
def receiver(random: Random) -> Iterator[Receiver]:
    """The webhook, until the context ends."""
    found, turn = Receiver(random), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            with turn:
                status = found.answer(self.headers["webhook-id"])
            self.send_response(status)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        found.url = f"http://127.0.0.1:{server.server_address[1]}/"
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

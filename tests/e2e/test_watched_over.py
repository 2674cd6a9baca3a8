"""What those hear who watch over a daemon: heartbeats, metrics, and that it stands still or goes on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx

from tests.support.following import select
from tests.support.process import until
from tests.support.town import Town
from tests.support.watching import furnished, running

TOKEN = "a-token-that-nobody-is-told"


@contextmanager
def monitor() -> Iterator[tuple[str, list[str]]]:
    """Somebody who waits for heartbeats: its URL, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Nothing on stderr."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{TOKEN}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def told(here: Town) -> list[str]:
    sql = "SELECT type FROM events WHERE type LIKE 'follower.%' ORDER BY slot, event_id"
    return [row["type"] for row in select(here.folder / "db.sqlite", sql)]


def cut_off(here: Town) -> None:
    """Ogmios ends every connection, and listens to nobody."""
    here.control("stall", seconds=600)
    here.control("disconnect")


def test_standing_still_is_told_once_through_restarts_and_so_is_its_end(tmp_path: Path) -> None:
    """Heartbeats come while the daemon is ready, and none while it is not."""
    more = "[follow]\nstalled_after_s = 1\n"
    with (
        monitor() as (url, asked),
        furnished(tmp_path, f'{more}[heartbeat]\nurl = "{url}"\ninterval_s = 1\ntimeout_s = 2') as here,
    ):
        with running(here) as daemon:
            until(lambda: len(asked) >= 2)
            assert set(asked) == {f"/{TOKEN}"}
            assert (daemon.ready, daemon.value("indexer_follower_stalled")) == (True, 0)
            assert daemon.value("indexer_heartbeats_total", outcome="answered") >= 1
            cut_off(here)
            assert daemon.logs("follower.stalled")["reason"]
            heard = len(asked)
            assert not daemon.ready
            assert daemon.value("indexer_follower_stalled") == 1
            assert daemon.value("indexer_follower_ready") == 0
            daemon.logs("heartbeat.silent")
        with running(here) as daemon:
            until(lambda: daemon.value("indexer_follower_stalled") == 1)
            assert len(asked) == heard
            assert told(here) == ["follower.stalled"]
            here.control("stall", seconds=0.01)
            assert daemon.logs("follower.recovered")["since"]
            until(lambda: len(asked) > heard)
            assert daemon.value("indexer_follower_stalled") == 0
        assert told(here) == ["follower.stalled", "follower.recovered"]
        with running(here) as daemon:
            until(lambda: daemon.ready)
        assert told(here) == ["follower.stalled", "follower.recovered"]


def test_a_heartbeat_that_fails_disturbs_nobody_and_is_named_nowhere(tmp_path: Path) -> None:
    """Nobody listens there; blocks are followed all the same."""
    more = f'[heartbeat]\nurl = "http://127.0.0.1:9/{TOKEN}"\ninterval_s = 1\ntimeout_s = 1'
    with furnished(tmp_path, more) as here:
        with running(here) as daemon:
            failed = daemon.logs("heartbeat.failed")
            assert TOKEN not in str(failed)
            assert "127.0.0.1:9" not in str(failed)
            height = daemon.value("indexer_follower_height")
            here.control("blocks", count=3)
            until(lambda: daemon.value("indexer_follower_height") >= height + 3)
            until(lambda: daemon.value("indexer_heartbeats_total", outcome="failed") >= 2)
            assert daemon.ready
            assert httpx.get(f"{daemon.url}/health/live").status_code == 200
            assert TOKEN not in daemon.metrics
        assert not any(TOKEN.encode() in path.read_bytes() for path in tmp_path.glob("db.sqlite*"))

"""Datasette, made and served."""

import contextlib
import signal
import socket
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import uvicorn
from datasette.app import Datasette  # type: ignore[import-untyped]
from datasette.database import Database  # type: ignore[import-untyped]
from datasette.plugins import pm  # type: ignore[import-untyped]

from indexer import errors
from indexer.dashboard import site
from indexer.dashboard.figures import Token
from indexer.dashboard.metadata import DATABASE, SETTINGS, metadata
from indexer.dashboard.page import Units
from indexer.dashboard.questions import questions
from indexer.store.describe import describe

AT_ONCE: Final = 100  # connections


def made(database: Path, units: Units, known: Sequence[Token]) -> Any:
    """Datasette on this database. `units` tells amounts; `known` tokens come first among the charts."""
    if not pm.is_registered(site):
        pm.register(site)
    # Where it finds rich, it prints a page for every address that is not there, and fails over some of them.
    pm.get_plugin("datasette.handle_exception").rich = None
    told = site.Told(describe(), questions(), units, known)
    folder = _folder()
    datasette = Datasette(
        metadata=metadata(told.views, told.questions),
        settings=dict(SETTINGS),
        template_dir=str(folder / "templates"),
        static_mounts=[("dashboard", str(folder / "static"))],
    )
    datasette.told = told
    datasette.remove_database("_memory")
    # Mutable, for Datasette, is what others may write to: it opens it with mode=ro.
    datasette.add_database(Database(datasette, path=str(database), is_mutable=True), name=DATABASE)
    return datasette


def serve(datasette: Any, host: str, port: int, listening: Callable[[str], None]) -> None:
    """Until SIGINT or SIGTERM; port 0 takes a free one. `listening` is told the address. Raises PortTaken."""
    with _socket(host, port) as listener:
        port = listener.getsockname()[1]
        config = uvicorn.Config(
            datasette.app(),
            log_level="warning",
            access_log=False,
            lifespan="on",
            limit_concurrency=AT_ONCE,
            timeout_graceful_shutdown=2,
            server_header=False,
        )
        # uvicorn stops by itself, then raises the signal again: that is no reason to end in another way than well.
        signal.signal(signal.SIGTERM, lambda *_: None)
        listening(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
        with contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


def _socket(host: str, port: int) -> socket.socket:
    """Listening already: who is told the address can connect at once."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise errors.PortTaken(
            f"cannot listen on {host}:{port}: {error.strerror or error}", hint="choose another with --port, or --host"
        ) from error


def _folder() -> Path:
    """Templates and style."""
    inside = Path(str(files("indexer"))) / "infra" / "datasette"  # in the wheel
    return inside if inside.is_dir() else Path(__file__).parents[2] / "infra" / "datasette"

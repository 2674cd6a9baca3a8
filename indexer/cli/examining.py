"""What `doctor` looks at, one thing after the other: whatever is wrong with one keeps it from nothing else."""

import asyncio
import http.client
import os
import platform
import re
import sqlite3
import stat
from contextlib import suppress
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from indexer import __version__, config
from indexer.chain.time import iso, slot_to_ms
from indexer.cli.anatomy import anatomy
from indexer.cli.concealing import concealed, plain, secret_files, secrets_of
from indexer.cli.find import now_ms
from indexer.cli.findings import (
    ClockFound,
    DaemonFound,
    DatabaseFound,
    Examination,
    FileFound,
    NodeFound,
    Settings,
    Versions,
)
from indexer.config import Config
from indexer.edge import kupo, ogmios
from indexer.edge import pause as pausing
from indexer.edge.files import holder
from indexer.errors import IndexerError, printable

PATIENCE_S: Final = 5.0
KUPO_LIMITS: Final = kupo.Limits(connect_s=PATIENCE_S, silence_s=PATIENCE_S, overall_s=PATIENCE_S, tries=1)
PACKAGES: Final = (
    *("aiosqlite", "httpx", "msgspec", "prometheus-client", "pycardano", "pydantic", "pynacl", "structlog", "typer"),
    *("websockets", "apprise", "nats-py", "datasette", "pyarrow"),
)
OF_OGMIOS: Final = (
    *("version", "network", "networkSynchronization", "currentEra", "currentEpoch", "connectionStatus"),
    *("lastKnownTip", "lastTipUpdate", "startTime"),
)
_SAMPLE: Final = re.compile(
    r"^(indexer_\w+(?:\{[^}]*\})?) (-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]{1,2})?)$", re.MULTILINE | re.ASCII
)
_GATE: Final = re.compile(r'indexer_keeper_gate_open\{gate="(\w+)"\}')
_MOST_BYTES: Final = 1_000_000
NOTHING: Final = "nothing to compare with"
_NEXT_DOOR: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- who listens everywhere is asked here
_AHEAD_S: Final = -2.0
_STILL_S: Final = 300.0


async def examine(path: Path, check_s: float) -> Examination:
    """All that can be found out by the configuration at a path. Raises nothing that we foresaw."""
    loaded, error = None, None
    try:
        loaded = config.load(path)
    except IndexerError as wrong:
        error = str(wrong)
    settings = Settings(
        path=str(path),
        environment=tuple(sorted(name for name in os.environ if name.upper().startswith(config.PREFIX))),
        values=None if loaded is None else plain(loaded),
        error=error,
    )
    if loaded is None:
        return Examination(
            versions=_versions(), configuration=settings, files=(), database=None, daemon=None, node=None,
            clock=ClockFound(now=iso(now_ms()), node_tip_age_s=None, database_age_s=None, hint=NOTHING),
        )  # fmt: skip
    database = await anatomy(loaded.database.path, check_s)
    node = await _node(loaded)
    found = Examination(
        versions=_versions(),
        configuration=settings,
        files=tuple(_file(what, each) for what, each in [("configuration", path), *_private(loaded)]),
        database=database,
        daemon=await asyncio.to_thread(_daemon, loaded),
        node=node,
        clock=_clock(loaded, node, database),
    )
    secrets = secrets_of(loaded)
    return Examination.model_validate(concealed(found.model_dump(mode="json"), secrets))


def _versions() -> Versions:
    packages = {}
    for name in PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue  # one of an extra that is not installed
    return Versions(
        indexer=__version__,
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        system=platform.platform(),
        packages=packages,
    )


def _private(loaded: Config) -> list[tuple[str, Path]]:
    return [*secret_files(loaded), ("database", loaded.database.path), ("data", loaded.data.directory)]


def _file(what: str, path: Path) -> FileFound:
    try:
        found = path.stat()
    except OSError:
        return FileFound(what=what, path=str(path), mode=None, ours=None, others_may_read=None)
    mode = stat.S_IMODE(found.st_mode)
    return FileFound(
        what=what,
        path=str(path),
        mode=f"{mode:04o}",
        ours=found.st_uid == os.getuid(),
        others_may_read=bool(mode & 0o004),
    )


def _daemon(loaded: Config) -> DaemonFound:
    runs, pid, error, ready, metrics = None, None, None, None, {}
    try:
        name = holder(loaded.database.path)
        runs, pid = name is not None, int(name) if name is not None and name.isdigit() else None
    except IndexerError as wrong:
        error = str(wrong)
    note = pausing.paused(loaded.data.directory)
    try:
        ready = printable(_page(loaded, "/health/ready").strip())
        metrics = {name: float(value) for name, value in _SAMPLE.findall(_page(loaded, "/metrics"))}
    except (OSError, http.client.HTTPException, ValueError) as wrong:
        error = error or f"no answer at {loaded.http.listen}: {printable(str(wrong)) or type(wrong).__name__}"
    return DaemonFound(
        runs=runs,
        pid=pid,
        ready=ready,
        gates={match[1]: bool(value) for name, value in metrics.items() if (match := _GATE.fullmatch(name))},
        metrics=metrics,
        paused=None if note is None else note.sentence,
        requests_waiting=_requests(loaded.data.directory / "requests"),
        error=error,
    )


def _requests(folder: Path) -> int | None:
    try:
        names = {each.name for each in folder.iterdir()}
    except FileNotFoundError:
        return 0
    except OSError:
        return None
    return sum(name.endswith(".json") and not name.endswith(".answer.json") for name in names)


def _page(loaded: Config, path: str) -> str:
    """Of the daemon's own port. Raises OSError, HTTPException."""
    host, port = loaded.http.address
    if not port:
        raise OSError("any free port is listened on, and only the log names it")
    there = http.client.HTTPConnection(_NEXT_DOOR.get(host, host), port, timeout=PATIENCE_S)
    try:
        there.request("GET", path)
        return there.getresponse().read(_MOST_BYTES).decode(errors="replace")
    finally:
        there.close()


async def _node(loaded: Config) -> NodeFound:
    health, error, index, index_error = None, None, None, None
    try:
        headers = ogmios.read_headers(loaded.ogmios.headers_file)
        said = await ogmios.fetch_health(loaded.ogmios.url, headers, PATIENCE_S)
        health = {key: _short(said[key]) for key in OF_OGMIOS if key in said}
    except IndexerError as wrong:
        error = str(wrong)
    if loaded.kupo.url is not None:
        try:
            headers = ogmios.read_headers(loaded.kupo.headers_file)
            async with kupo.connected(loaded.kupo.url, headers, KUPO_LIMITS) as there:
                one = await there.health()
            index = {"version": printable(one.version), "connected": one.connected, "checkpoint": one.checkpoint}
        except IndexerError as wrong:
            index_error = str(wrong)
    return NodeFound(ogmios=health, ogmios_error=error, kupo=index, kupo_error=index_error)


def _short(value: Any) -> Any:
    """Of what a peer says, what is a value, or a short list of them."""
    if isinstance(value, dict):
        return {
            printable(str(key)): _short(each) for key, each in list(value.items())[:10] if not isinstance(each, dict)
        }
    return value if isinstance(value, bool | int | float) or value is None else printable(str(value))


def _clock(loaded: Config, node: NodeFound, database: DatabaseFound) -> ClockFound:
    now, tip_age, held_age = now_ms(), None, None
    tip = (node.ogmios or {}).get("lastKnownTip")
    if isinstance(tip, dict) and isinstance(tip.get("slot"), int) and loaded.chain.eras:
        tip_age = (now - slot_to_ms(loaded.chain.eras, tip["slot"])) / 1000
    time = (database.sync_status or {}).get("time")
    if isinstance(time, str):
        with suppress(ValueError):  # a damaged database may hold any slot
            held_age = now / 1000 - datetime.fromisoformat(time).timestamp()
    age = min((each for each in (tip_age, held_age) if each is not None), default=None)
    if age is None:
        hint = NOTHING
    elif age < _AHEAD_S:
        hint = f"the clock is behind: the newest block begins {-age:,.0f} s from now"
    elif age > _STILL_S:
        hint = f"the newest block is {age:,.0f} s old: the node stands still or catches up, or the clock is ahead"
    else:
        hint = "the newest block is recent, so the clock is right, or nearly"
    return ClockFound(now=iso(now), node_tip_age_s=tip_age, database_age_s=held_age, hint=hint)

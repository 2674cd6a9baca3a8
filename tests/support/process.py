"""The daemon and its commands as processes of their own, as a shell or systemd runs them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.support.blocks import Watch

INDEXER = (sys.executable, "-m", "indexer")
ROOT = Path(__file__).parents[2]


def configure(folder: Path, port: int, watches: Sequence[Watch] = (), network: str = "preview", more: str = "") -> Path:
    """A configuration for a database in the folder; health and metrics on any free port."""
    lines = [
        f'network = "{network}"',
        '[database]\npath = "db.sqlite"',
        f'[ogmios]\nurl = "ws://127.0.0.1:{port}"',
        '[http]\nlisten = "127.0.0.1:0"',
        '[logging]\nformat = "json"',
    ]
    for text, kind in watches:
        lines.append(f'[[watch]]\ncredential = "{text}"' + (f'\nkind = "{kind}"' if kind else ""))
    path = folder / "config.toml"
    path.write_text("\n".join([*lines, more]) + "\n")
    return path


def start(config: Path, *arguments: str) -> "subprocess.Popen[str]":
    """A command in the background."""
    return subprocess.Popen(
        [*INDEXER, "--config", str(config), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=_environment(),
    )


def command(config: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A command to its end."""
    return subprocess.run(
        [*INDEXER, "--config", str(config), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=_environment() | environment,
        check=False,
    )


def answer(config: Path, *arguments: str) -> Any:
    """What a command that succeeds says with --json."""
    done = command(config, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def log_line(process: "subprocess.Popen[str]", event: str) -> dict[str, Any]:
    """Read the log of a process up to an event."""
    assert process.stderr is not None
    for line in process.stderr:
        entry: dict[str, Any] = json.loads(line)
        if entry["event"] == event:
            return entry
    raise AssertionError(f"the process ended without {event}")


def until(condition: Callable[[], object], timeout_s: float = 120.0) -> None:
    """Wait for something that another process will bring about."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.002)


def _environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("INDEXER")}

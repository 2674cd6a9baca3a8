"""The server, as a process of its own: the devnet that replays a recording."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.recording import ROOT


@contextmanager
def serving(recording: Path, cycles: int, *, prepare: bool) -> Iterator[str]:
    """Serve a recording so many times over; its URL, once the server listens. Prepared: every frame made before."""
    command = [sys.executable, "-m", "indexer", "devnet", "--replay", str(recording), "--network", "mainnet"]
    command += ["--repeat", str(cycles), "--port", "0", "--json", *(["--prepare"] if prepare else [])]
    server = subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        line = server.stdout.readline()
        if not line:
            raise RuntimeError(f"the server did not start: exit {server.wait()}")
        yield str(json.loads(line)["url"])
    finally:
        server.terminate()
        server.wait(10)


def environment() -> dict[str, str]:
    """Ours without overrides of the configuration."""
    return {name: value for name, value in os.environ.items() if not name.startswith("INDEXER")}

"""kill -9 at any moment of a sync with forks in it: the next run goes on as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random

import pytest

from tests.support.blocks import WATCHES
from tests.support.following import outputs, place_of, replayed, select
from tests.support.process import ROOT, command, configure, start, until
from tests.support.standalone import Plan

# Two thirds of the chain grow while we watch, so that each block is a transaction of its own and kills meet commits.
SPEC = {"length": 900, "hidden": 600, "grow_every": 0.01, "forks": 12, "k": 432, "recipe": {"ebbs": 0.02}}
KILLS = int(os.environ.get("INDEXER_TEST_KILLS", "30"))
PER_CHAIN = 10  # kills on the way through one chain


@contextmanager
def imitated_ogmios(folder: Path, spec: dict[str, object]) -> Iterator[int]:
    """The server in a process of its own, whose forks happen once, whoever is killed beside it."""
    (folder / "spec.json").write_text(json.dumps(spec))
    port = folder / "port"
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.ogmios", "--spec", folder / "spec.json", "--port-file", port], cwd=ROOT
    )
    try:
        until(port.exists)
        yield int(port.read_text())
    finally:
        server.terminate()
        server.wait()


@pytest.mark.parametrize("round_", range((KILLS + PER_CHAIN - 1) // PER_CHAIN))
def test_whenever_it_is_killed_the_rows_end_as_those_of_an_undisturbed_run(round_: int, tmp_path: Path) -> None:
    """Ten kills a chain, each at a random moment after the process has opened its database."""
    spec = SPEC | {"seed": round_}
    plan, random = Plan.of(spec), Random(round_)
    heights: list[int | None] = []
    database = tmp_path / "db.sqlite"
    with imitated_ogmios(tmp_path, spec) as port:
        config = configure(tmp_path, port, WATCHES)
        for _ in range(min(PER_CHAIN, KILLS - PER_CHAIN * round_)):
            process = start(config, "run")
            until(partial(_is_at_work, database, process.pid))
            time.sleep(random.uniform(0.0, 0.8))  # the moment is the experiment; nothing waits for this
            process.send_signal(signal.SIGKILL)
            process.communicate()
            assert select(database, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
            heights += [row["height"] for row in select(database, "SELECT height FROM sync_status")]
        assert len(set(heights)) >= len(heights) // 2, "most kills must hit a sync that is under way"
        done = command(config, "run", "--until", str(place_of(plan.final)))
        assert done.returncode == 0, done.stderr
    assert replayed(plan.final, WATCHES) == outputs(database)


def _is_at_work(database: Path, pid: int) -> bool:
    lock = database.with_name("db.sqlite.lock")
    if not lock.exists() or lock.read_text().strip() != str(pid):
        return False
    return database.exists() and bool(select(database, "SELECT 1 FROM sqlite_master WHERE name = 'sync_status'"))

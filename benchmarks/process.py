"""What a process of ours takes: time to start, memory over a long way."""

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.contenders import configure
from benchmarks.recording import RARE, ROOT, Recording
from benchmarks.serving import environment, serving

STARTS: Final = 10
EARLY: Final = 20_000  # blocks after which memory must not grow any more
LONG: Final = 100_000
MIB: Final = 1024  # of the KiB that /proc tells


def start_seconds() -> float:
    """`indexer --help`, the console script, warm: the median."""
    command = [str(Path(sys.executable).with_name("indexer")), "--help"]
    took = []
    for _ in range(STARTS + 1):
        begun = time.perf_counter()
        subprocess.run(command, env=environment(), stdout=subprocess.DEVNULL, check=True)
        took.append(time.perf_counter() - begun)
    return median(took[1:])


def memory(recording: Recording, blocks: int = LONG, early: int = EARLY) -> dict[str, float]:
    """Resident memory of `indexer run` after some blocks, after many, and its peak, in MiB. Linux only."""
    cycles = -(-blocks // recording.blocks)
    with tempfile.TemporaryDirectory() as directory, serving(recording.path, cycles, prepare=False) as url:
        config = configure(Path(directory), url, [RARE])
        command = [sys.executable, "-m", "indexer", "--config", str(config), "run", "--until", "tip", "--json"]
        begun = time.perf_counter()
        daemon = subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            samples = _watch(daemon, config.with_name("indexer.sqlite"))
            assert daemon.stdout is not None
            ran = json.loads(daemon.stdout.read())
        finally:
            daemon.kill()
            daemon.wait()
    seconds = time.perf_counter() - begun
    first = min(height for height, _, _ in samples)
    return {
        "blocks": ran["blocks"],
        "seconds": seconds,
        "early_blocks": early,
        "early_mib": next(rss for height, rss, _ in samples if height - first >= early),
        "late_mib": samples[-1][1],
        "peak_mib": max(peak for _, _, peak in samples),
    }


def _watch(daemon: "subprocess.Popen[str]", database: Path) -> list[tuple[int, float, float]]:
    """Height, resident and peak memory of a process, several times a second until it ends."""
    samples = []
    while daemon.poll() is None:
        time.sleep(0.05)
        try:
            facts = dict(
                line.split(":", 1)
                for line in Path(f"/proc/{daemon.pid}/status").read_text().splitlines()
                if ":" in line
            )
            height = _height(database)
            resident, peak = (float(facts[name].split()[0]) / MIB for name in ("VmRSS", "VmHWM"))
        except (OSError, KeyError, sqlite3.Error):
            continue  # before the first commit, or after the end
        if height is not None:
            samples.append((height, resident, peak))
    return samples


def _height(database: Path) -> int | None:
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        row = db.execute("SELECT height FROM sync_status").fetchone()
    finally:
        db.close()
    return None if row is None else row[0]

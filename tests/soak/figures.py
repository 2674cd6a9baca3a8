"""What a daemon takes up, now and then, and whether that stays as it is."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

MIB: Final = 1 << 20
PENDING: Final = "SELECT count(*) FROM deliveries WHERE state = 'pending'"


@dataclass(frozen=True, slots=True)
class Sample:
    """At one moment, in seconds since the beginning: files open, bytes of memory, threads, bytes of the write-ahead
    log, messages that wait."""

    at_s: float
    files: int
    memory: int
    threads: int
    wal: int
    backlog: int


@dataclass(frozen=True, slots=True)
class Tolerance:
    """The last quarter's median may be so many times that of the second, and so much more."""

    times: float
    more: int


# Pages that the allocator keeps, a connection or a message on its way come and go; a leak of one a minute does not go.
TOLERANCES: Final[Mapping[str, Tolerance]] = {
    "files": Tolerance(1.0, 4),
    "memory": Tolerance(1.1, 16 * MIB),
    "threads": Tolerance(1.0, 2),
    "wal": Tolerance(1.0, 8 * MIB),
    "backlog": Tolerance(1.5, 25),
}


def take(pid: int, database: Path, at_s: float) -> Sample | None:
    """Of a process and its database. None: it is gone, or there is no database yet."""
    proc = Path("/proc") / str(pid)
    try:
        files = sum(1 for _ in (proc / "fd").iterdir())
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        memory, threads = int(status["VmRSS"].split()[0]) * 1024, int(status["Threads"])
        wal = database.with_name(f"{database.name}-wal").stat().st_size
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
            ((backlog,),) = db.execute(PENDING)
    except (OSError, KeyError, sqlite3.OperationalError):
        return None
    return Sample(at_s, files, memory, threads, wal, int(backlog))


def quarters(samples: Sequence[Sample], lasting_s: float) -> dict[str, tuple[float, float]]:
    """Of each figure the medians of the second quarter of the time, and of the last."""
    second = [each for each in samples if lasting_s / 4 <= each.at_s < lasting_s / 2]
    last = [each for each in samples if lasting_s * 3 / 4 <= each.at_s <= lasting_s]
    assert second, "no sample was taken in the second quarter"
    assert last, "no sample was taken in the last quarter"
    return {name: (_median(second, _get(name)), _median(last, _get(name))) for name in TOLERANCES}


def grown(samples: Sequence[Sample], lasting_s: float) -> list[str]:
    """Which figures are not flat, each in a sentence."""
    return [
        f"{name} grew from {before:,.0f} to {after:,.0f}"
        for name, (before, after) in quarters(samples, lasting_s).items()
        if after > TOLERANCES[name].times * before + TOLERANCES[name].more
    ]


def told(samples: Sequence[Sample], lasting_s: float) -> str:
    """A line for each figure: the two medians, and the most that there ever was."""
    lines = ["              second quarter    last quarter        at most"]
    for name, (before, after) in quarters(samples, lasting_s).items():
        most = max(map(_get(name), samples))
        lines.append(f"{name:<10}{before:>18,.0f}{after:>16,.0f}{most:>15,}")
    return "\n".join(lines)


def _get(name: str) -> Callable[[Sample], int]:
    return lambda sample: int(getattr(sample, name))


def _median(samples: Iterable[Sample], figure: Callable[[Sample], int]) -> float:
    return median(map(figure, samples))

"""What came out: rates, ratios beside their budgets, and the machine they belong to."""

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks.contenders import Contender
from benchmarks.recording import Recording
from benchmarks.rounds import Round, rate, ratio
from indexer.ogmios.marks import FIND_MARKS

# Which of ours, beside whom, and at least how many times as fast. None: stated, not asked for.
BUDGETS: Final = (
    ("none", "bare", 0.4),
    ("none", "typescript", 10.0),
    ("none", "pyogmios", None),
    ("rare", "bare", 0.4),
    ("rare", "typescript", 10.0),
    ("rare", "pyogmios", None),
    ("many_none", "bare", 0.2),
    ("many_none", "typescript", 5.0),
    ("many_rare", "bare", 0.2),
    ("many_rare", "typescript", 5.0),
    ("busy", "bare", None),
    ("busy", "typescript", None),
    ("busy", "pyogmios", None),
    ("daemon", "bare", None),
    ("daemon", "typescript", None),
)
START_S: Final = 0.3
MEMORY_MIB: Final = 150


@dataclass(frozen=True, slots=True)
class Compared:
    """A ratio, and what it should be at least."""

    ours: str
    beside: str
    ratio: float
    at_least: float | None

    @property
    def verdict(self) -> str:
        """In a word."""
        if self.at_least is None:
            return ""
        return "met" if self.ratio >= self.at_least else "MISSED"


def compared(rounds: Sequence[Round]) -> Iterator[Compared]:
    """All ratios that could be measured."""
    for name, other, at_least in BUDGETS:
        times = ratio(rounds, name, other)
        if times is not None:
            yield Compared(name, other, times, at_least)


def machine() -> dict[str, Any]:
    """Where this was measured, and with what."""
    node = shutil.which("node")
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "node": subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
        if node
        else None,
        "websockets": version("websockets"),
        "scan_compiled": FIND_MARKS is not None,
        "load_before": round(os.getloadavg()[0], 2),
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def as_json(
    where: dict[str, Any],
    recording: Recording,
    contenders: Sequence[Contender],
    rounds: Sequence[Round],
    start: float,
    memory: dict[str, float] | None,
) -> dict[str, Any]:
    """Everything, for machines."""
    return {
        "machine": where,
        "recording": {"blocks": recording.blocks, "bytes": recording.size},
        "contenders": {
            c.name: {"title": c.title, "blocks": c.cycles * recording.blocks, "mb_per_s": rate(rounds, c.name)}
            for c in contenders
        },
        "ratios": [asdict(line) for line in compared(rounds)],
        "rounds": rounds,
        "help_seconds": start,
        "memory": memory,
    }


def as_text(found: dict[str, Any]) -> str:
    """Everything, for people, as Markdown."""
    size = found["recording"]["bytes"] / found["recording"]["blocks"]
    rates = [
        (c["title"], f"{c['blocks']:,}", f"{c['mb_per_s']:,.0f}", f"{c['mb_per_s'] * 1e6 / size:,.0f}")
        for c in found["contenders"].values()
    ]
    titles = {name: c["title"] for name, c in found["contenders"].items()}
    ratios = [
        (titles[r["ours"]], titles[r["beside"]], f"{r['ratio']:.2f}", r["at_least"] or "", Compared(**r).verdict)
        for r in found["ratios"]
    ]
    tables = [
        _table(("client", "blocks read", "MB/s of JSON", "blocks/s"), rates),
        _table(("ours", "beside", "times as fast", "at least", ""), ratios),
    ]
    process: list[tuple[str, str, object]] = [("`indexer --help`, s", f"{found['help_seconds']:.2f}", START_S)]
    memory = found["memory"]
    if memory:
        early, late = f"{memory['early_blocks']:,}", f"{memory['blocks']:,}"
        process += [
            (f"memory of `run` after {early} blocks, MiB", f"{memory['early_mib']:.0f}", ""),
            (f"memory of `run` after {late} blocks, MiB", f"{memory['late_mib']:.0f}", ""),
            ("memory of `run` at its peak, MiB", f"{memory['peak_mib']:.0f}", MEMORY_MIB),
        ]
    tables.append(_table(("process", "measured", "at most"), process))
    return "\n\n".join(tables)


def _table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    cells = [heads, *[tuple(str(cell) for cell in row) for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    lines = ["| " + " | ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) + " |" for row in cells]
    return "\n".join([lines[0], "| " + " | ".join("-" * w for w in widths) + " |", *lines[1:]])

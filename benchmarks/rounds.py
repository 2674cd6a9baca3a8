"""Rounds: every contender once in each, one after the other, in an order that turns."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final, TypeAlias

from benchmarks.contenders import Contender, Task
from benchmarks.recording import ROOT, Recording
from benchmarks.serving import environment, serving

Result: TypeAlias = dict[str, Any]
Round: TypeAlias = dict[str, Result]
LONGEST: Final = 300  # seconds for one contender in one round


def play(recording: Recording, contenders: Sequence[Contender], rounds: int, say: Callable[[str], None]) -> list[Round]:
    """All rounds, against one server."""
    cycles = max(contender.cycles for contender in contenders)
    points = {c: str(recording.point(c)) for c in {contender.cycles for contender in contenders}}
    say(f"preparing {cycles * recording.blocks:,} blocks, {cycles * recording.size / 1e6:,.0f} MB")
    played: list[Round] = []
    with serving(recording.path, cycles, prepare=True) as url:
        run(contenders[0], url, recording, points)  # nobody is the first to touch the frames
        for number in range(rounds):
            turn = number * max(1, len(contenders) // rounds) % len(contenders)
            results: Round = {}
            for contender in (*contenders[turn:], *contenders[:turn]):
                result = run(contender, url, recording, points)
                results[contender.name] = result
                say(
                    f"round {number + 1} of {rounds}: {contender.title:36} {result['mb_per_s']:8,.0f} MB/s"
                    f" (load {os.getloadavg()[0]:.1f})"
                )
            played.append(results)
    return played


def run(contender: Contender, url: str, recording: Recording, points: dict[int, str]) -> Result:
    """One contender, once. Raises RuntimeError where it fails, or has not done what it was asked to."""
    blocks = contender.cycles * recording.blocks
    with tempfile.TemporaryDirectory() as directory:
        task = Task(url, blocks, points[contender.cycles], Path(directory))
        command = contender.command(task)
        begun = time.perf_counter()
        ended = subprocess.run(
            command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=LONGEST, check=False
        )
        wall = time.perf_counter() - begun
    if ended.returncode:
        raise RuntimeError(f"{contender.title}: exit {ended.returncode}\n{ended.stderr}")
    result: Result = json.loads(ended.stdout)
    seconds = wall if contender.whole else result["seconds"]
    if result["blocks"] != blocks:
        raise RuntimeError(f"{contender.title}: read {result['blocks']} blocks of {blocks}")
    if contender.share is not None and result["blocks_with_rows"] != round(contender.share * blocks):
        raise RuntimeError(f"{contender.title}: has rows of {result['blocks_with_rows']} blocks of {blocks}")
    size = contender.cycles * recording.size
    return result | {
        "seconds": seconds,
        "wall_seconds": wall,
        "blocks_per_s": blocks / seconds,
        "mb_per_s": size / seconds / 1e6,
    }


def rate(rounds: Sequence[Round], name: str) -> float:
    """The median rate of a contender, in MB/s."""
    return float(median(results[name]["mb_per_s"] for results in rounds))


def ratio(rounds: Sequence[Round], name: str, other: str) -> float | None:
    """How many times as fast as another one: the median over the rounds; None where the other was left out."""
    if any(other not in results for results in rounds):
        return None
    return float(median(results[name]["mb_per_s"] / results[other]["mb_per_s"] for results in rounds))

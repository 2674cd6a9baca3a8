"""Processes that add to milestone files at the same time as others, and are killed at it.

    merger <folder> <first> <count>     adds one signature after the other; says `stored N` after each, then `done`
    dier <folder> <number> <step>       adds one, and kills itself before its step-th call of the operating system
    limited <folder> <number> <bytes>   adds one, while no file may grow larger than that; says `stored` or the error
    stranger <folder> <number>          adds one as a user who may not; says `stored` or the error
    holder <folder>                     takes the lock, says `held`, and holds it for ever

A nursery (this module as a program) forks them, so that they are there at once. It takes an output file and the
above in a line, separated by tabs, and answers with the process' id; `reap` waits for all of them.
"""

import fcntl
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

from indexer.documents import OracleSignature
from indexer.edge.milestones import Key, merge
from indexer.errors import IndexerError
from tests.support.process import ROOT

KEY = Key(bytes(range(32)), b"m1")
NAME = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f/6d31.json"
NOW_MS = 1_700_000_000_000  # 2023-11-14T22:13:20Z


def signature(number: int, slot: int | None = None) -> OracleSignature:
    """The number-th of many signatures."""
    return OracleSignature(oracle=number.to_bytes(32, "big"), signature=number.to_bytes(64, "big"), slot=slot)


def numbers(signatures: tuple[OracleSignature, ...]) -> list[int]:
    """Which of the many these are."""
    return sorted(int.from_bytes(one.signature, "big") for one in signatures)


class Nursery:
    """Starts processes without the time that it takes to start Python."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.merging"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def start(self, output: Path, kind: str, folder: Path, *arguments: int) -> int:
        """Fork one; what it says goes to `output`."""
        return int(self._ask("\t".join([str(output), kind, str(folder), *map(str, arguments)])))

    def reap(self) -> dict[int, int]:
        """Wait for all, and tell how each ended: its exit code, or minus the signal."""
        pairs = (pair.split("=") for pair in self._ask("reap").split())
        return {int(pid): int(code) for pid, code in pairs}

    def close(self) -> None:
        """No more of them."""
        self._process.communicate(timeout=30)

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        return self._process.stdout.readline().strip()


@contextmanager
def nursery() -> Iterator[Nursery]:
    """One, for a test."""
    one = Nursery()
    try:
        yield one
    finally:
        one.close()


def _say(line: str) -> None:
    os.write(1, f"{line}\n".encode())  # in one piece, whoever is killed


def _merger(folder: Path, first: int, count: int) -> None:
    for number in range(first, first + count):
        merge(folder, KEY, [signature(number)], now_ms=NOW_MS)
        _say(f"stored {number}")
    _say("done")


def _dier(folder: Path, number: int, step: int) -> None:
    left = step

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        if event == "c_call" and getattr(argument, "__module__", None) in ("posix", "fcntl"):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(count)
    merge(folder, KEY, [signature(number)], now_ms=NOW_MS)
    sys.setprofile(None)
    _say("survived")


def _limited(folder: Path, number: int, size: int) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        said = _outcome(folder, number)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    _say(said)


def _stranger(folder: Path, number: int) -> None:
    if os.geteuid() == 0:  # who may do anything; any other user has been refused by the mode of the directory
        os.setuid(65534)
    _say(_outcome(folder, number))


def _outcome(folder: Path, number: int) -> str:
    try:
        merge(folder, KEY, [signature(number)], now_ms=NOW_MS)
    except IndexerError as error:
        return error.code
    return "stored"


def _holder(folder: Path) -> None:
    lock = (folder / "milestones" / NAME).with_name(".lock").open()
    fcntl.flock(lock, fcntl.LOCK_EX)
    _say("held")
    signal.pause()


_KINDS: Final[dict[str, Callable[..., None]]] = {
    "merger": _merger,
    "dier": _dier,
    "limited": _limited,
    "stranger": _stranger,
    "holder": _holder,
}


def _forked(output: str, kind: str, folder: str, *arguments: str) -> int:
    if pid := os.fork():
        return pid
    descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    _KINDS[kind](Path(folder), *map(int, arguments))
    os._exit(0)  # this process is not the nursery; what it raised has ended it with 1


def _main() -> None:
    children: list[int] = []
    for line in sys.stdin:
        words = line.rstrip("\n").split("\t")
        if words == ["reap"]:
            ended = [(pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])) for pid in children]
            print(" ".join(f"{pid}={code}" for pid, code in ended), flush=True)
            children.clear()
        else:
            children.append(_forked(words[0], words[1], words[2], *words[3:]))
            print(children[-1], flush=True)


if __name__ == "__main__":
    _main()

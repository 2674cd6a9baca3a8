"""Who reads the chain: other clients, and ours with several sets of watches. Each is a command to run."""

import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from benchmarks.recording import BUSY, RARE, nobody

HERE: Final = Path(__file__).parent
CLIENTS: Final = "benchmarks.clients."
MANY: Final = 1000

Command: TypeAlias = list[str]


@dataclass(frozen=True, slots=True)
class Task:
    """What a contender is asked to do."""

    url: str
    blocks: int
    point: str  # of the last of them
    directory: Path  # empty, and gone afterwards


@dataclass(frozen=True, slots=True)
class Contender:
    """A client. `cycles`: how many times the recording it reads, fewer where it is slow.

    `share`: of how many blocks it must have kept rows, for those of ours. `whole`: the process is timed from its
    start to its end, by the wall.
    """

    name: str
    title: str
    cycles: int
    command: Callable[[Task], Command]
    share: float | None = None
    whole: bool = False


def bare(form: str) -> Callable[[Task], Command]:
    """The receive loop of `websockets`."""
    return lambda task: [sys.executable, "-m", f"{CLIENTS}bare", task.url, str(task.blocks), form]


def drain(task: Task) -> Command:
    """What the server can give."""
    return [sys.executable, "-m", f"{CLIENTS}drain", task.url, str(task.blocks)]


def following(watches: Sequence[str]) -> Callable[[Task], Command]:
    """Our follower and its database, timed from within."""
    return lambda task: [
        sys.executable,
        "-m",
        f"{CLIENTS}following",
        str(configure(task.directory, task.url, watches)),
        task.point,
    ]


def running(watches: Sequence[str]) -> Callable[[Task], Command]:
    """The daemon as an operator starts it."""
    return lambda task: [
        sys.executable,
        "-m",
        "indexer",
        "--config",
        str(configure(task.directory, task.url, watches)),
        "run",
        "--until",
        task.point,
        "--json",
    ]


def configure(directory: Path, url: str, watches: Sequence[str]) -> Path:
    """Write a configuration for a database beside it."""
    path = directory / "config.toml"
    path.write_text(
        f'network = "mainnet"\n[database]\npath = "indexer.sqlite"\n[ogmios]\nurl = "{url}"\n'
        '[http]\nlisten = "127.0.0.1:0"\n[logging]\nlevel = "warning"\n'
        + "".join(f'[[watch]]\ncredential = "{credential}"\n' for credential in watches)
    )
    return path


def ours(cycles: int) -> list[Contender]:
    """Our follower: nothing, 1 % and every block of the chain concerns it; few watches and many."""
    strangers = [nobody(number) for number in range(MANY)]
    return [
        Contender("none", "1 watch, 0 % of the blocks", cycles, following(strangers[:1]), share=0),
        Contender("rare", "1 watch, 1 % of the blocks", cycles, following([RARE]), share=1 / 105),
        Contender("busy", f"{len(BUSY)} watches, every block", max(1, cycles // 10), following(BUSY), share=1),
        Contender("many_none", "1,000 watches, 0 %", cycles, following(strangers), share=0),
        Contender("many_rare", "1,000 watches, 1 %", cycles, following([*strangers[1:], RARE]), share=1 / 105),
        Contender("daemon", "1 watch, 1 %, whole `indexer run`", cycles, running([RARE]), whole=True),
    ]


def others(cycles: int, say: Callable[[str], None]) -> list[Contender]:
    """The clients to compare with, as far as this machine can run them."""
    few = max(1, cycles // 10)
    found = [
        Contender("server", "the socket emptied, nothing read", cycles, drain),
        Contender("bare", "`websockets`, bare loop, str", cycles, bare("str")),
        Contender("bare_bytes", "`websockets`, bare loop, bytes", cycles, bare("bytes")),
    ]
    python = pyogmios(say)
    if python is not None:
        script = str(HERE / "clients" / "counting.py")
        found.append(
            Contender("pyogmios", "`pyogmios`, counting", few, lambda t: [python, script, t.url, str(t.blocks)])
        )
    node = typescript(say)
    if node is not None:
        script_js = str(HERE / "clients" / "counting.mjs")
        found.append(
            Contender(
                "typescript",
                "`@cardano-ogmios/client`, counting",
                few,
                lambda t: [node, script_js, t.url, str(t.blocks)],
            )
        )
    return found


def typescript(say: Callable[[str], None]) -> str | None:
    """Node, with the official client installed; None where there is no node, or no way to install."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        say("no node and npm here: the TypeScript client is left out")
        return None
    if not (HERE / "node_modules" / "@cardano-ogmios" / "client").is_dir():
        say("installing @cardano-ogmios/client (once)")
        installed = subprocess.run(
            [npm, "ci", "--no-audit", "--no-fund"], cwd=HERE, capture_output=True, text=True, check=False
        )
        if installed.returncode:
            say(f"`npm ci` failed, the TypeScript client is left out: {installed.stderr.strip()[-300:]}")
            return None
    return node


def pyogmios(say: Callable[[str], None]) -> str | None:
    """A Python that has `pyogmios`; None where it cannot be installed."""
    python, ready = HERE / ".venv" / "bin" / "python", HERE / ".venv" / "ready"
    if not ready.exists():
        say("installing pyogmios (once)")
        venv.create(HERE / ".venv", with_pip=True, clear=True)
        installed = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", HERE / "pyogmios.txt"],
            capture_output=True,
            text=True,
            check=False,
        )
        if installed.returncode:
            say(f"pip failed, pyogmios is left out: {installed.stderr.strip()[-300:]}")
            return None
        ready.touch()
    return str(python)

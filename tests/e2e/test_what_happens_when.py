"""The table "What happens when" of docs/operations.md, with the daemon as a process: full and read-only disks, a clock
that jumps, names that do not resolve, another network behind the same URL."""

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.e2e.test_releases import FUNDER, KEEPER, created
from tests.support.blocks import WATCHES
from tests.support.following import outputs, replayed, select
from tests.support.ogmios import FakeOgmios
from tests.support.process import INDEXER, ROOT, answer, configure, log_line, start, until
from tests.support.standalone import Plan
from tests.support.town import ADA, ANY_PORT, Town, town
from tests.support.watching import Watched, furnished

CHAIN: Final = Plan.of({"seed": 11, "length": 160, "forks": []}).chain
HOUR_S: Final = 3_600
KIB: Final = 1_024


def environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("INDEXER")}


def indexer(config: Path, *arguments: str, before: tuple[str, ...] = (), **options: Any) -> tuple[int, dict[str, Any]]:
    """A command to its end: its exit code, and what it says with --json."""
    line = [*before, *INDEXER, "--config", str(config), *arguments, "--json"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, env=environment(), check=False, **options)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, json.loads(done.stdout)


def sound(database: Path) -> None:
    """SQLite finds nothing wrong, and the rows are those of the blocks up to the cursor."""
    db = sqlite3.connect(database)
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    db.close()
    status = select(database, "SELECT height FROM sync_status")
    height = status[0]["height"] if status and status[0]["height"] is not None else -1
    assert replayed([block for block in CHAIN if block["height"] <= height], WATCHES) == outputs(database)


# --- the disk is full

Leave = Callable[[int | None], tuple[str, ...]]


@contextmanager
def small_disk(folder: Path) -> Iterator[Leave]:
    """A file system of 16 MiB of its own; what is yielded leaves so many bytes free on it."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], check=True)
    ballast = folder / "ballast"

    def leave(free: int | None) -> tuple[str, ...]:
        ballast.unlink(missing_ok=True)
        if free is not None:
            with ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(folder).free - free)
        return ()

    try:
        yield leave
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def may_mount() -> bool:
    """Root may; in some containers not even root."""
    line = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return os.geteuid() == 0 and subprocess.run(line, check=False, capture_output=True).returncode == 0


@contextmanager
def no_larger_files(_folder: Path) -> Iterator[Leave]:
    """What anybody may do: a process that can make no file larger than so many bytes."""
    yield lambda free: () if free is None else ("prlimit", f"--fsize={free}")


SMALL: Final = {"files that may not grow": no_larger_files} | ({"a full disk": small_disk} if may_mount() else {})


@pytest.mark.parametrize("free", [0, 16 * KIB, 120 * KIB])
@pytest.mark.parametrize("kind", SMALL)
async def test_a_full_disk_stops_the_daemon_by_name_and_with_room_it_goes_on(
    kind: str, free: int, tmp_path: Path
) -> None:
    """Exit code 1, not a restart for ever; what is committed is whole; nothing is done twice or left out."""
    database = tmp_path / "db.sqlite"
    with SMALL[kind](tmp_path) as leave:
        async with FakeOgmios(CHAIN, hidden=120, security_parameter=40) as ogmios:
            config = configure(tmp_path, ogmios.port, WATCHES)
            assert (await asyncio.to_thread(indexer, config, "run", "--until", "tip"))[0] == 0
            ogmios.reveal()
            known = outputs(database)
            exit_code, said = await asyncio.to_thread(indexer, config, "run", "--until", "tip", before=leave(free))
            assert (exit_code, said["error"]["code"]) == (1, "database.unusable")
            assert "free room" in said["error"]["hint"]
            leave(None)
            sound(database)
            assert len(outputs(database)) >= len(known) > 0
            assert (await asyncio.to_thread(indexer, config, "run", "--until", "tip"))[0] == 0
        assert replayed(CHAIN, WATCHES) == outputs(database)


# --- the database becomes read-only


UNPRIVILEGED: Final = ("setpriv", "--bounding-set=-all", "--inh-caps=-all") if os.geteuid() == 0 else ()


@pytest.mark.parametrize("what", ["the file", "the folder", "both"])
async def test_a_read_only_database_stops_the_daemon_by_name_and_stays_as_it_is(what: str, tmp_path: Path) -> None:
    """Whoever owns it may not write either; when they may again, it goes on."""
    folder = tmp_path / "there"
    folder.mkdir()
    database = folder / "db.sqlite"
    async with FakeOgmios(CHAIN, hidden=60, security_parameter=40) as ogmios:
        config = configure(folder, ogmios.port, WATCHES)
        assert (await asyncio.to_thread(indexer, config, "run", "--until", "tip"))[0] == 0
        (folder / "db.sqlite.lock").unlink()
        ogmios.reveal()
        before = database.read_bytes()
        database.chmod(0o640 if what == "the folder" else 0o440)
        folder.chmod(0o750 if what == "the file" else 0o550)
        exit_code, said = await asyncio.to_thread(indexer, config, "run", "--until", "tip", before=UNPRIVILEGED)
        assert (exit_code, said["error"]["code"]) == (1, "database.unusable")
        assert "permissions" in said["error"]["hint"]
        folder.chmod(0o750)
        database.chmod(0o640)
        assert before == database.read_bytes()
        sound(database)
        assert (await asyncio.to_thread(indexer, config, "run", "--until", "tip", before=UNPRIVILEGED))[0] == 0
    assert replayed(CHAIN, WATCHES) == outputs(database)


# --- somebody else holds the database


async def test_a_database_that_is_locked_while_the_daemon_starts_is_waited_for(tmp_path: Path) -> None:
    """Whoever recovers a long log after a power cut, or is at a VACUUM, keeps no service from coming up."""
    database = tmp_path / "db.sqlite"
    async with FakeOgmios(CHAIN, hidden=60, security_parameter=40) as ogmios:
        config = configure(tmp_path, ogmios.port, WATCHES)
        assert (await asyncio.to_thread(indexer, config, "run", "--until", "tip"))[0] == 0
        ogmios.reveal()
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            process = start(config, "run", "--until", "tip")
            busy = await asyncio.to_thread(log_line, process, "database.busy")
        assert busy["reason"] == "the database is locked by another process"
        await asyncio.to_thread(process.communicate, timeout=60)
        assert process.returncode == 0
    assert replayed(CHAIN, WATCHES) == outputs(database)


# --- a machine that is not well


@contextmanager
def tampered(folder: Path, config: Path) -> Iterator[tuple[Watched, "subprocess.Popen[str]"]]:
    """The daemon on a machine whose clock and names are as the files in the folder say (`tests.support.tampered`)."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.tampered", str(folder), "--config", str(config), "run"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    found = Watched(process)
    try:
        found.begin()
        yield found, process
    finally:
        process.terminate()
        process.wait(30)
        found.ended()
        assert process.stderr is not None
        process.stderr.close()


def not_ready(daemon: Watched) -> str:
    """What the health page says: nothing where it is ready."""
    said = httpx.get(f"{daemon.url}/health/ready", timeout=60)
    return "" if said.status_code == 200 else said.text


def state(here: Town) -> str:
    found = here.do("releases")["releases"]
    return str(found[0]["state"]) if found else ""


def test_a_clock_that_jumps_holds_releases_or_lets_them_pass_and_never_stops_the_daemon(tmp_path: Path) -> None:
    """Five hours ahead: not ready, nothing is sent. Hours behind: the chain's own time decides, and it is paid."""
    with town(tmp_path) as here:
        here.fund(FUNDER, 500 * ADA, 100 * ADA, 50 * ADA)
        here.mint(FUNDER, 1_000_000)
        here.fund(KEEPER, 40 * ADA, 10 * ADA)
        here.configure(here.do("deploy", "--signing-key", here.key(FUNDER), "--yes")["reference"])
        with here.config.open("a") as file:
            file.write(f'[keeper]\nenabled = true\nsigning_key = "{here.key(KEEPER)}"\n')
            file.write('[logging]\nformat = "json"\n')
        created(here)
        (tmp_path / "clock").write_text(str(5 * HOUR_S))
        with tampered(tmp_path, here.config) as (daemon, process):
            until(lambda: "behind the wall clock" in not_ready(daemon))
            until(lambda: daemon.value("indexer_keeper_gate_open", gate="caught_up") == 0)
            height = daemon.value("indexer_follower_height")
            here.control("blocks", count=3)
            until(lambda: daemon.value("indexer_follower_height") >= height + 3)  # it follows all the same
            assert state(here) == ""
            (tmp_path / "clock").write_text(str(-3 * HOUR_S))
            until(lambda: not_ready(daemon) == "")
            until(lambda: (here.control("blocks", count=1), state(here))[1] in ("in_block", "confirmed"))
            (tmp_path / "clock").write_text("0")
            until(lambda: not_ready(daemon) == "")
            assert process.poll() is None
        assert len(here.do("releases")["releases"]) == 1


def test_names_that_do_not_resolve_are_told_and_waited_for(tmp_path: Path) -> None:
    """From the start, and once more in between: the daemon goes on by itself, soon after they do."""
    with furnished(tmp_path) as here:
        url = here.facts["url"]
        text = here.config.read_text()
        here.config.write_text(text.replace(url, url.replace("127.0.0.1", "ogmios.example")))
        (tmp_path / "no-names").touch()
        with tampered(tmp_path, here.config) as (daemon, process):
            broken = daemon.logs("session.broken")
            assert (broken["code"], "ogmios.example" in broken["reason"]) == ("ogmios.unreachable", True)
            assert "Name or service not known" in broken["reason"]
            until(lambda: "Name or service not known" in not_ready(daemon))
            (tmp_path / "no-names").unlink()
            until(lambda: not_ready(daemon) == "")
            (tmp_path / "no-names").touch()
            here.control("disconnect")
            until(lambda: "Name or service not known" in not_ready(daemon))
            (tmp_path / "no-names").unlink()
            until(lambda: not_ready(daemon) == "")
            assert process.poll() is None


# --- another network behind the same URL


@contextmanager
def devnet(magic: int, port: int, folder: Path) -> Iterator[dict[str, Any]]:
    """A devnet with a magic number, on a port (0: any)."""
    line = [*INDEXER, "devnet", *ANY_PORT, "--slot-length", "0.2", "--magic", str(magic), "--json"]
    line[line.index("--port") + 1] = str(port)
    process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True, cwd=folder)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate(timeout=10)


def dump(database: Path) -> list[str]:
    db = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    try:
        return list(db.iterdump())
    finally:
        db.close()


@pytest.mark.parametrize("magic", [43, 42])
def test_another_network_behind_the_same_url_is_refused_by_name_and_nothing_is_written(
    magic: int, tmp_path: Path
) -> None:
    """A magic number of another network; or the same number and another chain, such as of a devnet that began anew."""
    database = tmp_path / "db.sqlite"
    with devnet(42, 0, tmp_path) as facts:
        port = int(facts["url"].rpartition(":")[2])
        config = configure(tmp_path, port, WATCHES, "devnet")
        process = subprocess.Popen(
            [*INDEXER, "--config", str(config), "run", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        daemon = Watched(process)
        daemon.begin()
        until(lambda: daemon.value("indexer_blocks_total") > 3)
    daemon.logs("session.broken")
    before = dump(database)
    with devnet(magic, port, tmp_path):
        process.wait(60)
    daemon.ended()
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        error = json.loads(process.stdout.read())["error"]
    assert process.returncode == 1
    if magic == 43:
        assert error["code"] == "chain.wrong_network"
        assert "magic 43" in error["message"]
        assert "devnet (magic 42)" in error["message"]
    else:
        assert error["code"] == "chain.intersection_not_found"
    assert dump(database) == before
    assert answer(config, "check-status")["network"] == "devnet"

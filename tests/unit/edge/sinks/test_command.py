"""A command of the operator's: what it is given, and what its end means."""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from indexer.edge import program
from indexer.edge.sinks.command import Exec
from indexer.edge.sinks.message import Fault, SinkFailed, sample
from tests.support.following import until

MESSAGE = sample("preprod", "2026-01-31T12:00:00Z", "ab" * 16)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


async def failing(code: str, timeout_s: float = 10.0) -> SinkFailed:
    with pytest.raises(SinkFailed) as failed:
        await Exec(python(code), timeout_s=timeout_s).send(MESSAGE)
    return failed.value


async def test_the_event_is_on_its_standard_input_and_its_id_in_the_environment() -> None:
    code = f"""import json, os, sys
event = json.load(sys.stdin)
assert event == json.loads({json.dumps(json.dumps(MESSAGE.cloud_event()))})
assert os.environ["INDEXER_MESSAGE_ID"] == event["id"]
assert os.environ["INDEXER_EVENT_TYPE"] == "sink.test"
print("much " * 100_000)"""
    await Exec(python(code), timeout_s=10).send(MESSAGE)


async def test_it_failed_when_it_ends_with_another_code_than_0_and_its_last_words_are_told() -> None:
    failed = await failing("import sys; print('first'); sys.exit('no room left')")
    assert str(failed) == "the command ended with exit code 1: no room left"
    assert failed.fault is Fault.MESSAGE


async def test_with_exit_code_75_it_asks_for_patience_with_everything() -> None:
    """EX_TEMPFAIL of sysexits.h."""
    assert (await failing("raise SystemExit(75)")).fault is Fault.SINK


async def test_one_that_takes_too_long_is_ended_with_whatever_it_started() -> None:
    failed = await failing("import subprocess; subprocess.run(['sleep', '600'])", timeout_s=0.3)
    assert str(failed) == "the command did not answer within 0.3 s"


@pytest.mark.parametrize("away", [False, True], ids=["in its group", "in a session of its own"])
async def test_what_outlives_it_and_keeps_its_output_open_is_not_waited_for(away: bool, tmp_path: Path) -> None:
    """It has dealt with the message: it is not asked again for three days. What it left is ended, or further attempts
    would leave more behind, unless it has gone to a session of its own, as a daemon does."""
    started = tmp_path / "pid"
    code = f"""import pathlib, subprocess
rest = subprocess.Popen(["sleep", "600"], start_new_session={away})
pathlib.Path({str(started)!r}).write_text(str(rest.pid))"""
    async with asyncio.timeout(20):
        await Exec(python(code), timeout_s=60.0).send(MESSAGE)
    pid = int(started.read_text())
    try:
        if not away:
            await until(lambda: not _lives(pid))
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def test_what_outlives_it_does_not_hide_how_it_ended() -> None:
    """Neither its exit code nor what it said before."""
    code = """import subprocess, sys
subprocess.Popen(["sleep", "600"])
print("no room left", flush=True)
sys.exit(3)"""
    failed = await failing(code, timeout_s=60.0)
    assert str(failed) == "the command ended with exit code 3: no room left"
    assert failed.fault is Fault.MESSAGE


async def test_one_that_takes_too_long_is_given_up_whoever_holds_what_it_was_told(tmp_path: Path) -> None:
    """More than fits into a pipe, held by something that has gone to a session of its own."""
    started = tmp_path / "pid"
    code = f"""import pathlib, subprocess, time
rest = subprocess.Popen(["sleep", "600"], start_new_session=True, stdin=0)
pathlib.Path({str(started)!r}).write_text(str(rest.pid))
time.sleep(600)"""
    try:
        async with asyncio.timeout(20):
            with pytest.raises(program.ProgramFailed, match="within 2 s"):
                await program.run(python(code), b"x" * 1_000_000, 2.0, 1_000)
    finally:
        os.kill(int(started.read_text()), signal.SIGKILL)


def _lives(pid: int) -> bool:
    """Not if it only waits for somebody to ask how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_one_that_is_not_there_is_no_fault_of_the_message() -> None:
    with pytest.raises(SinkFailed, match="cannot be started") as failed:
        await Exec(["/nowhere/at/all"], timeout_s=1).send(MESSAGE)
    assert failed.value.fault is Fault.SINK

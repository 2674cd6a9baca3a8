"""A command of the operator's: what it is given, and what its end means."""

import json
import sys
from pathlib import Path

import pytest

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


async def test_what_outlives_it_and_keeps_its_output_open_is_ended_too(tmp_path: Path) -> None:
    """Each further attempt would leave one more behind."""
    started = tmp_path / "pid"
    code = f"""import pathlib, subprocess
pathlib.Path({str(started)!r}).write_text(str(subprocess.Popen(["sleep", "600"]).pid))"""
    failed = await failing(code, timeout_s=2.0)
    assert str(failed) == "the command did not answer within 2 s"
    await until(lambda: not _lives(int(started.read_text())))


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

"""Requests in files: whole or not at all, in order, answered once, and never carried out late."""

import asyncio
import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from indexer import errors
from indexer.edge import requests
from indexer.edge.requests import Kind, Look, Request, Unanswered
from tests.support.crashes import killed_at_each_step

NOON_MS = 1_700_000_000_000


def files(data: Path) -> list[str]:
    return sorted(path.name for path in (data / "requests").iterdir())


def test_what_was_left_is_waiting_word_for_word(tmp_path: Path) -> None:
    left = requests.leave(tmp_path / "data", Kind.PAUSE, {"reason": "ü"}, NOON_MS, wait_s=1.5)
    assert left.until_ms == NOON_MS + 1500
    assert requests.look(tmp_path / "data", NOON_MS) == Look((left,))
    assert files(tmp_path / "data") == [f"{left.id}.json"]


def test_only_its_owner_can_read_a_request(tmp_path: Path) -> None:
    left = requests.leave(tmp_path, Kind.PAUSE, {}, NOON_MS)
    folder = tmp_path / "requests"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / f"{left.id}.json").stat().st_mode) == 0o600


def test_requests_come_in_the_order_in_which_they_were_left(tmp_path: Path) -> None:
    """Also where the clock has one digit less."""
    times = [NOON_MS + 7, 999, NOON_MS]
    left = [requests.leave(tmp_path, Kind.RESUME, {}, now, wait_s=2e9) for now in times]
    waiting = requests.look(tmp_path, NOON_MS).waiting
    assert [request.id for request in waiting] == [left[1].id, left[2].id, left[0].id]


def test_two_of_the_same_moment_are_two(tmp_path: Path) -> None:
    assert len({requests.leave(tmp_path, Kind.RESUME, {}, NOON_MS).id for _ in range(20)}) == 20
    assert len(requests.look(tmp_path, NOON_MS).waiting) == 20


def test_where_nobody_ever_asked_nothing_waits(tmp_path: Path) -> None:
    assert requests.look(tmp_path / "nowhere", NOON_MS) == Look()


async def test_whoever_asked_gets_the_answer_and_nothing_is_left(tmp_path: Path) -> None:
    mine = requests.leave(tmp_path, Kind.PAUSE, {}, NOON_MS)
    other = requests.leave(tmp_path, Kind.RESUME, {}, NOON_MS)
    asking = asyncio.create_task(requests.answer_to(tmp_path, mine, 30))
    await asyncio.sleep(0)
    requests.answer(tmp_path, other, {"for": "another"})
    requests.answer(tmp_path, mine, {"paused": True, "told": "ü"})
    assert requests.look(tmp_path, NOON_MS) == Look()
    assert await asking == {"paused": True, "told": "ü"}
    assert files(tmp_path) == [f"{other.id}.answer.json"]


async def test_who_waited_in_vain_takes_the_request_back(tmp_path: Path) -> None:
    left = requests.leave(tmp_path, Kind.RELEASE, {}, NOON_MS)
    with pytest.raises(Unanswered, match=r"within 0\.01 s"):
        await requests.answer_to(tmp_path, left, 0.01)
    assert files(tmp_path) == []


async def test_who_is_interrupted_takes_the_request_back(tmp_path: Path) -> None:
    """Whoever presses Ctrl-C does not want it any more."""
    left = requests.leave(tmp_path, Kind.RELEASE, {}, NOON_MS)
    asking = asyncio.create_task(requests.answer_to(tmp_path, left, 30))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert files(tmp_path) == []


@pytest.mark.parametrize("content", ["", "[]", "{", '"' + "x" * 70_000 + '"'])
async def test_an_answer_that_cannot_be_read_is_none(tmp_path: Path, content: str) -> None:
    left = requests.leave(tmp_path, Kind.RELEASE, {}, NOON_MS)
    (tmp_path / "requests" / f"{left.id}.answer.json").write_text(content)
    with pytest.raises(Unanswered, match="cannot be read"):
        await requests.answer_to(tmp_path, left, 1)


@pytest.mark.parametrize(("late_by", "late"), [(-1, False), (0, True), (1, True)])
def test_a_request_is_not_carried_out_from_its_last_moment_on(tmp_path: Path, late_by: int, late: bool) -> None:
    """Nobody waits for it any longer; it goes."""
    left = requests.leave(tmp_path, Kind.RELEASE, {}, NOON_MS, wait_s=60)
    look = requests.look(tmp_path, NOON_MS + 60_000 + late_by)
    assert look == (Look(late=(left,)) if late else Look(waiting=(left,)))
    assert files(tmp_path) == ([] if late else [f"{left.id}.json"])


GOOD = "1700000000000-0123456789abcdef"
BODY = {"kind": "pause", "arguments": {}, "until_ms": NOON_MS + 1}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (GOOD, ""),
        (GOOD, "{"),
        (GOOD, "[" * 60_000),
        (GOOD, json.dumps(BODY | {"arguments": {"reason": "x" * 70_000}})),
        (GOOD, json.dumps(BODY | {"kind": "spend_everything"})),
        (GOOD, json.dumps(BODY | {"kind": 1})),
        (GOOD, json.dumps(BODY | {"arguments": []})),
        (GOOD, json.dumps(BODY | {"until_ms": "never"})),
        (GOOD, json.dumps({"kind": "pause", "arguments": {}})),
        ("mine", json.dumps(BODY)),
        (GOOD.upper(), json.dumps(BODY)),
        (f"{GOOD}0", json.dumps(BODY)),
    ],
)
def test_what_is_no_request_is_set_aside_and_others_are_seen(tmp_path: Path, name: str, content: str) -> None:
    """It is told of once, and kept for whoever wonders."""
    left = requests.leave(tmp_path, Kind.PAUSE, {}, NOON_MS)
    path = tmp_path / "requests" / f"{name}.json"
    path.write_text(content)
    assert requests.look(tmp_path, NOON_MS) == Look((left,), (path,))
    assert requests.look(tmp_path, NOON_MS) == Look((left,))
    assert path.with_name(f"{name}.json.unreadable").read_text() == content


@pytest.mark.parametrize("kind", ["a link to a request", "a link to nothing", "a pipe", "a folder"])
def test_what_is_no_plain_file_is_set_aside_and_holds_nobody_up(kind: str, tmp_path: Path) -> None:
    """A link might lead out of the folder, to what others may write."""
    left = requests.leave(tmp_path, Kind.PAUSE, {}, NOON_MS)
    path = tmp_path / "requests" / f"{GOOD}.json"
    if kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a folder":
        path.mkdir()
    else:
        (tmp_path / "elsewhere").write_text(json.dumps(BODY))
        path.symlink_to(tmp_path / ("elsewhere" if kind == "a link to a request" else "nowhere"))
    assert requests.look(tmp_path, NOON_MS) == Look((left,), (path,))
    assert requests.look(tmp_path, NOON_MS) == Look((left,))


def test_a_request_that_is_being_written_is_not_seen(tmp_path: Path) -> None:
    left = requests.leave(tmp_path, Kind.PAUSE, {}, NOON_MS)
    path = tmp_path / "requests" / f"{left.id}.json"
    path.rename(path.with_name(f".{path.name}.77"))
    assert requests.look(tmp_path, NOON_MS) == Look()


def test_a_request_that_is_taken_back_while_it_is_looked_at_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests.leave(tmp_path, Kind.RELEASE, {}, NOON_MS)
    read = requests._read

    def too_late(path: Path) -> object:
        path.unlink()
        return read(path)

    monkeypatch.setattr(requests, "_read", too_late)
    assert requests.look(tmp_path, NOON_MS) == Look()
    assert files(tmp_path) == []


def test_answers_that_nobody_fetched_go_after_an_hour(tmp_path: Path) -> None:
    left = requests.leave(tmp_path, Kind.PAUSE, {}, NOON_MS)
    requests.answer(tmp_path, left, {})
    requests.look(tmp_path, NOON_MS + 3_600_000)
    assert files(tmp_path) == [f"{left.id}.answer.json"]
    requests.look(tmp_path, NOON_MS + 3_600_001)
    assert files(tmp_path) == []


def test_a_full_disk_is_told_and_leaves_no_half_of_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(errors.FileUnusable, match="No space left on device"):
        requests.leave(tmp_path, Kind.PAUSE, {}, NOON_MS)
    assert files(tmp_path) == []


def test_what_cannot_be_listed_is_told(tmp_path: Path) -> None:
    (tmp_path / "requests").write_text("a file")
    with pytest.raises(errors.FileUnusable):
        requests.look(tmp_path, NOON_MS)
    with pytest.raises(errors.FileUnusable):
        requests.answer(tmp_path, Request(GOOD, Kind.PAUSE, {}, NOON_MS), {})


IMPORTS = "from pathlib import Path\nfrom indexer.edge import requests\nfrom indexer.edge.requests import Kind, Request"


def test_a_kill_anywhere_leaves_a_whole_request_or_none(tmp_path: Path) -> None:
    """And what was begun of one is gone after an hour."""

    def work(number: int) -> str:
        return f"requests.leave(Path({str(tmp_path / str(number))!r}), Kind.PAUSE, {{'reason': 'x'}}, {NOON_MS})"

    waiting = []
    for number in killed_at_each_step(IMPORTS, work):
        look = requests.look(tmp_path / str(number), NOON_MS)
        assert (look.unreadable, look.late) == ((), ())
        waiting.append([(one.kind, one.arguments) for one in look.waiting])
        requests.look(tmp_path / str(number), NOON_MS + 3_600_001)
        assert not (tmp_path / str(number) / "requests").exists() or files(tmp_path / str(number)) == []
    assert len(waiting) >= 4  # the folder, the file, its sync, its name
    assert all(found == [] for found in waiting)  # its name is the last step: a kill before that leaves nothing to do


async def test_a_kill_anywhere_in_an_answer_leaves_the_request_or_an_answer_to_it(tmp_path: Path) -> None:
    """Once there is an answer, it is not carried out again, whoever looks first."""

    def work(number: int) -> str:
        folder = tmp_path / str(number)
        left = requests.leave(folder, Kind.RESUME, {}, NOON_MS)
        again = f"Request({left.id!r}, Kind.RESUME, {{}}, {left.until_ms})"
        return f"requests.answer(Path({str(folder)!r}), {again}, {{'done': True}})"

    answered = []
    for number in killed_at_each_step(IMPORTS, work):
        folder = tmp_path / str(number)
        there = any(name.endswith(".answer.json") for name in files(folder) if not name.startswith("."))
        answered.append(there)
        waiting = requests.look(folder, NOON_MS).waiting
        assert len(waiting) == (not there)
        if there:
            (name,) = [name for name in files(folder) if name.endswith(".answer.json")]
            asked = Request(name.removesuffix(".answer.json"), Kind.RESUME, {}, NOON_MS)
            assert await requests.answer_to(folder, asked, 5) == {"done": True}
            assert files(folder) == []
    assert answered == sorted(answered)
    assert set(answered) == {False, True}


async def test_an_answer_that_is_fetched_takes_a_request_along_that_was_left_behind(tmp_path: Path) -> None:
    """The daemon was killed after it answered."""
    left = requests.leave(tmp_path, Kind.RELEASE, {}, NOON_MS)
    (tmp_path / "requests" / f"{left.id}.answer.json").write_text('{"state": "submitted"}')
    assert await requests.answer_to(tmp_path, left, 5) == {"state": "submitted"}
    assert requests.look(tmp_path, NOON_MS) == Look()


def test_processes_that_ask_at_once_get_each_its_own_answer(tmp_path: Path) -> None:
    """Four that ask ten times each; one that answers. Each request is seen until it is answered, and never after."""
    work = f"""
import asyncio, sys
{IMPORTS}
for number in range(10):
    words = f"{{sys.argv[1]}} {{number}}"
    left = requests.leave(Path({str(tmp_path)!r}), Kind.PAUSE, {{"reason": words}}, {NOON_MS})
    answer = asyncio.run(requests.answer_to(Path({str(tmp_path)!r}), left, 60))
    assert answer == {{"heard": words}}, answer
"""
    asking = [subprocess.Popen([sys.executable, "-c", work, name]) for name in "abcd"]
    heard = []
    while any(one.poll() is None for one in asking):
        look = requests.look(tmp_path, NOON_MS)
        assert (look.unreadable, look.late) == ((), ())
        for request in look.waiting:
            heard.append(request.arguments["reason"])
            requests.answer(tmp_path, request, {"heard": request.arguments["reason"]})
    assert [one.returncode for one in asking] == [0] * 4
    assert sorted(heard) == [f"{name} {number}" for name in "abcd" for number in range(10)]
    assert files(tmp_path) == []

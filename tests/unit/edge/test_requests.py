"""Requests in files: whole or not at all, in order, answered once, and never carried out late."""

import asyncio
import errno
import json
import stat
from pathlib import Path

import pytest

from indexer import errors
from indexer.edge import requests
from indexer.edge.requests import Kind, Look, Request, Unanswered

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


def test_a_request_that_is_being_written_is_not_seen(tmp_path: Path) -> None:
    left = requests.leave(tmp_path, Kind.PAUSE, {}, NOON_MS)
    path = tmp_path / "requests" / f"{left.id}.json"
    path.rename(path.with_name(f".{path.name}.77"))
    assert requests.look(tmp_path, NOON_MS) == Look()


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

"""The keeper's pause: whatever there is under its name pauses, and outlives whoever made it."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from indexer import errors
from indexer.edge.pause import Note, pause, paused, resume
from tests.support.crashes import killed_at_each_step

NEW_YEAR_MS = 1_704_067_200_000  # 2024-01-01T00:00:00Z


def test_it_is_paused_from_the_one_until_the_other(tmp_path: Path) -> None:
    """In a folder that need not exist; and nothing else is left there."""
    data = tmp_path / "new" / "data"
    assert paused(data) is None
    assert pause(data, NEW_YEAR_MS, "the node moves") == Note(NEW_YEAR_MS, "the node moves")
    assert [path.name for path in data.iterdir()] == ["paused"]
    note = paused(data)
    assert note is not None
    assert note.sentence == "paused since 2024-01-01T00:00:00Z: the node moves"
    assert resume(data)
    assert list(data.iterdir()) == []
    assert paused(data) is None
    assert not resume(data)


def test_a_pause_stays_as_it_was_made_first(tmp_path: Path) -> None:
    pause(tmp_path, NEW_YEAR_MS, "first")
    assert pause(tmp_path, NEW_YEAR_MS + 5000, "second") == Note(NEW_YEAR_MS, "first")
    assert json.loads((tmp_path / "paused").read_text()) == {"since_ms": NEW_YEAR_MS, "reason": "first"}


@pytest.mark.parametrize("make", ["link", "pipe", "folder"])
def test_what_is_no_plain_file_pauses_and_holds_nobody_up(make: str, tmp_path: Path) -> None:
    """Somebody put it there under that name; what it leads to is not read."""
    path = tmp_path / "paused"
    if make == "link":
        (tmp_path / "there").write_text('{"since_ms": 1, "reason": "secret"}')
        path.symlink_to(tmp_path / "there")
    elif make == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    note = paused(tmp_path)
    assert note is not None
    assert note.sentence.startswith("paused: its file cannot be read")


def test_a_pause_without_a_reason_is_one(tmp_path: Path) -> None:
    note = pause(tmp_path, NEW_YEAR_MS, None)
    assert paused(tmp_path) == note
    assert note.sentence == "paused since 2024-01-01T00:00:00Z"


def test_a_reason_cannot_draw_on_a_terminal(tmp_path: Path) -> None:
    pause(tmp_path, NEW_YEAR_MS, "\x1b[2Jgone\nü")
    note = paused(tmp_path)
    assert note is not None
    assert note.sentence == "paused since 2024-01-01T00:00:00Z: \\x1b[2Jgone\\n\\xfc"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"stop",
        b"\xff\xfe",
        b"[" * 4000,
        b"9" * 4096,
        b"null",
        b'{"since_ms": -1, "reason": "before the clock"}',
        b'{"since_ms": -100000000000000000000, "reason": null}',
        b'{"since_ms": "noon", "reason": null}',
        b'{"since_ms": 5, "reason": 5}',
        b'{"reason": "half"',
        b'{"since_ms": 5, "reason": "' + b"x" * 5000 + b'"}',
    ],
)
def test_what_nobody_can_read_pauses_too(tmp_path: Path, content: bytes) -> None:
    """As `touch` makes it, or a disk that was full."""
    (tmp_path / "paused").write_bytes(content)
    note = paused(tmp_path)
    assert note is not None
    assert note.sentence == "paused"
    assert resume(tmp_path)


def test_a_time_beyond_all_calendars_is_shown(tmp_path: Path) -> None:
    (tmp_path / "paused").write_text('{"since_ms": 100000000000000000000, "reason": null}')
    note = paused(tmp_path)
    assert note is not None
    assert note.sentence == "paused since 9999-12-31T23:59:59Z"


def test_what_is_no_file_pauses_too(tmp_path: Path) -> None:
    (tmp_path / "paused").mkdir()
    note = paused(tmp_path)
    assert note is not None
    assert "cannot be read" in note.sentence
    with pytest.raises(errors.FileUnusable, match="cannot delete"):
        resume(tmp_path)


def test_a_link_to_nothing_pauses_too(tmp_path: Path) -> None:
    (tmp_path / "paused").symlink_to(tmp_path / "elsewhere")
    assert paused(tmp_path) is not None
    assert resume(tmp_path)
    assert not os.path.lexists(tmp_path / "paused")


def test_a_full_disk_is_told_and_leaves_no_half_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(errors.FileUnusable, match="No space left on device"):
        pause(tmp_path, NEW_YEAR_MS, None)
    assert list(tmp_path.iterdir()) == []


IMPORTS = "from pathlib import Path\nfrom indexer.edge.pause import pause, paused, resume"


def test_a_kill_anywhere_leaves_a_whole_pause_or_none(tmp_path: Path) -> None:
    """It begins with one of the steps, never to be taken back by a later one; whoever pauses again is heard."""
    seen = []
    for number in killed_at_each_step(
        IMPORTS, lambda n: f"pause(Path({str(tmp_path / str(n))!r}), {NEW_YEAR_MS}, 'x')"
    ):
        folder = tmp_path / str(number)
        seen.append(paused(folder))
        assert pause(folder, NEW_YEAR_MS + 1, "again") == (seen[-1] or Note(NEW_YEAR_MS + 1, "again"))
    first = seen.index(Note(NEW_YEAR_MS, "x"))
    assert 0 < first < len(seen)
    assert set(seen[:first]) == {None}
    assert set(seen[first:]) == {Note(NEW_YEAR_MS, "x")}


def test_a_kill_anywhere_leaves_a_pause_whole_until_it_is_ended(tmp_path: Path) -> None:
    def work(number: int) -> str:
        folder = tmp_path / str(number)
        pause(folder, NEW_YEAR_MS, "x")
        return f"resume(Path({str(folder)!r}))"

    seen = [paused(tmp_path / str(number)) for number in killed_at_each_step(IMPORTS, work)]
    assert seen[0] == Note(NEW_YEAR_MS, "x")
    assert seen[-1] is None
    assert set(seen) == {Note(NEW_YEAR_MS, "x"), None}


def test_who_looks_while_another_process_pauses_and_resumes_sees_all_of_it_or_nothing(tmp_path: Path) -> None:
    work = f"""
{IMPORTS}
folder = Path({str(tmp_path)!r})
for number in range(200):
    pause(folder, number, "x" * 2000)
    resume(folder)
(folder / "over").touch()
"""
    other = subprocess.Popen([sys.executable, "-c", work])
    seen = set()
    while other.poll() is None:
        seen.add(paused(tmp_path))
    assert other.returncode == 0
    assert (tmp_path / "over").exists()
    assert seen <= {None} | {Note(number, "x" * 2000) for number in range(200)}
    assert len(seen) > 2

"""Milestone files while several processes write them, are killed at it, or find no room."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from indexer import errors
from indexer.documents import MilestoneCompletionData, parse
from indexer.edge.milestones import merge
from tests.support.merging import KEY, NAME, NOW_MS, Nursery, numbers, nursery, signature
from tests.support.process import until

ROUNDS = 100
EACH = 8  # signatures that each of two processes adds in a round


@pytest.fixture(scope="module")
def others() -> Iterator[Nursery]:
    with nursery() as one:
        yield one


def held(folder: Path) -> list[int]:
    """The signatures in the file, which is whole whenever one looks."""
    path = folder / "milestones" / NAME
    if not path.exists():
        return []
    return numbers(parse(MilestoneCompletionData, path.read_bytes(), NAME).oracle_signatures)


def stored(output: Path) -> list[int]:
    """The signatures that a process said it had stored."""
    lines = output.read_text().splitlines() if output.exists() else []
    return [int(line.split()[1]) for line in lines if line.startswith("stored")]


def names(folder: Path) -> set[str]:
    return {path.name for path in (folder / "milestones" / NAME).parent.iterdir()}


def test_of_two_that_write_at_once_one_is_killed_and_nothing_that_was_stored_is_lost(
    others: Nursery, tmp_path: Path
) -> None:
    """A hundred times, at a random moment: no half file, no lock that stays, no leftover after the next merge."""
    random, cut_short = Random(6), 0
    for round_ in range(ROUNDS):
        folder = tmp_path / str(round_)
        folder.mkdir()
        said = folder / "survivor", folder / "victim"
        survivor = others.start(said[0], "merger", folder, 100, EACH)
        victim = others.start(said[1], "merger", folder, 200, EACH)
        until(_has_stored(folder, said[1], random.randrange(EACH)))
        time.sleep(random.uniform(0.0, 0.002))  # the moment is the experiment; nothing waits for this
        os.kill(victim, signal.SIGKILL)

        ended = others.reap()
        assert ended[survivor] == 0
        assert "done" in said[0].read_text().splitlines(), "the lock of a killed process does not stay"
        cut_short += ended[victim] == -signal.SIGKILL
        assert stored(said[0]) == list(range(100, 100 + EACH))
        reported = [*stored(said[0]), *stored(said[1])]
        # What the victim had put in place when it was killed, and could not report any more, may be there too.
        assert held(folder) in (reported, [*reported, 200 + len(stored(said[1]))])

        merge(folder, KEY, [signature(1)], now_ms=NOW_MS, patience_s=0)
        assert held(folder)[0] == 1
        assert names(folder) == {"6d31.json", ".lock"}
    assert cut_short > ROUNDS // 2, "most kills must meet a process at work"


def _has_stored(folder: Path, output: Path, count: int) -> Callable[[], bool]:
    def condition() -> bool:
        held(folder)  # whole at every look
        return len(stored(output)) >= count

    return condition


def test_killed_before_any_step_it_leaves_the_old_file_or_the_new_one(others: Nursery, tmp_path: Path) -> None:
    """Each call of the operating system that a merge makes, one after the other; the next merge clears up."""
    found = []
    for step in range(1, 100):
        folder = tmp_path / str(step)
        merge(folder, KEY, [signature(1)], now_ms=NOW_MS)
        died = others.start(folder / "said", "dier", folder, 2, step)
        if others.reap()[died] == 0:
            break
        found.append((held(folder), ".new" in names(folder)))
        merge(folder, KEY, [signature(3)], now_ms=NOW_MS, patience_s=0)
        assert held(folder) == [*found[-1][0], 3]
        assert names(folder) == {"6d31.json", ".lock"}
    assert (folder / "said").read_text() == "survived\n"
    assert [one for i, one in enumerate(found) if one not in found[:i]] == [([1], False), ([1], True), ([1, 2], False)]


def test_killed_while_a_damaged_file_gives_way_it_keeps_the_damaged_one(others: Nursery, tmp_path: Path) -> None:
    """Under its own name or the new one; the next merge has everything that it is given."""
    for step in range(1, 100):
        folder = tmp_path / str(step)
        path = folder / "milestones" / NAME
        path.parent.mkdir(parents=True)
        path.write_text("damaged")
        died = others.start(folder / "said", "dier", folder, 2, step)
        ended = others.reap()[died]
        merge(folder, KEY, [signature(1), signature(2)], now_ms=NOW_MS, patience_s=0)
        assert held(folder) == [1, 2]
        assert [file.read_text() for file in path.parent.glob("*.damaged-20231114T221320Z")] == ["damaged"]
        assert len(names(folder)) == 3
        if ended == 0:
            break
    assert step > 10


def test_without_room_the_file_stays_as_it_was(others: Nursery, tmp_path: Path) -> None:
    """As on a full disk: the operating system takes a part of the bytes, and then no more."""
    merge(tmp_path, KEY, [signature(1)], now_ms=NOW_MS)
    before = (tmp_path / "milestones" / NAME).read_bytes()
    for size in (0, 1, len(before)):
        others.start(tmp_path / f"said-{size}", "limited", tmp_path, 2, size)
        others.reap()
        assert (tmp_path / f"said-{size}").read_text() == "milestones.no_room\n"
        assert (tmp_path / "milestones" / NAME).read_bytes() == before
        assert names(tmp_path) == {"6d31.json", ".lock"}
    others.start(tmp_path / "said", "limited", tmp_path, 2, 10_000)
    others.reap()
    assert (tmp_path / "said").read_text() == "stored\n"
    assert held(tmp_path) == [1, 2]


def test_a_user_who_may_not_write_is_told_so(others: Nursery, tmp_path: Path) -> None:
    """And changes nothing."""
    merge(tmp_path, KEY, [signature(1)], now_ms=NOW_MS)
    folder = (tmp_path / "milestones" / NAME).parent
    folder.chmod(0o555)
    try:
        others.start(tmp_path / "said", "stranger", tmp_path, 2)
        others.reap()
    finally:
        folder.chmod(0o755)
    assert (tmp_path / "said").read_text() == "milestones.unusable\n"
    assert held(tmp_path) == [1]


def test_a_lock_that_another_process_holds_is_waited_for_and_then_told(others: Nursery, tmp_path: Path) -> None:
    """It is free again as soon as that process is gone, however it went."""
    merge(tmp_path, KEY, [signature(1)], now_ms=NOW_MS)
    holder = others.start(tmp_path / "said", "holder", tmp_path)
    until(lambda: (tmp_path / "said").exists() and (tmp_path / "said").read_text() == "held\n")
    with pytest.raises(errors.MilestoneDataBusy, match=r"\.lock"):
        merge(tmp_path, KEY, [signature(2)], now_ms=NOW_MS, patience_s=0.02)
    os.kill(holder, signal.SIGKILL)
    others.reap()
    merge(tmp_path, KEY, [signature(2)], now_ms=NOW_MS, patience_s=0)
    assert held(tmp_path) == [1, 2]

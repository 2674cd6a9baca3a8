"""What people are told of a follower that stands still, through restarts."""

import json
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from indexer import errors
from indexer.chain.network import Network
from indexer.chain.point import ORIGIN, Point
from indexer.chain.time import Era
from indexer.cli.happened import event_of
from indexer.status import FollowerStatus
from indexer.store import checkpoints
from indexer.store.db import opened
from indexer.workers.vigil import Vigil
from tests.support.following import select

START_MS = 1_700_000_000_000
NETWORK = Network("devnet", 42, 40, (Era(0, START_MS, 1000),))
HERE = Point(50, b"\x01" * 32)


@dataclass
class Post:
    """A daemon as far as the vigil sees it; each `look` is a restart's first where `fresh` was said before."""

    folder: Path
    status: FollowerStatus = field(default_factory=lambda: FollowerStatus(cursor=HERE))
    trouble: str | None = None
    second: float = 0.0

    async def looks(self, *seconds: float) -> None:
        """One process, which looks at these seconds after the chain began; its own clock runs from its start."""
        async with opened(self.folder / "db.sqlite") as db:
            await checkpoints.claim(db, NETWORK)
            vigil = Vigil(
                db, NETWORK, self.status, lambda: self.trouble, lambda: START_MS + int(self.second * 1000), 300.0
            )
            for self.second in seconds:
                await vigil.look(self.second - seconds[0])

    @property
    def told(self) -> list[tuple[str, str, int, dict[str, Any]]]:
        """Type, origin, slot and data, in the order in which they were told."""
        rows = select(self.folder / "db.sqlite", "SELECT * FROM event ORDER BY number")
        return [(row["type"], row["origin"], row["slot"], json.loads(row["data"])) for row in rows]


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path)


ONSET = "2023-11-14T22:15:00Z"  # 100 s after 22:13:20, which is 1,700,000,000
STALLED = ("follower.stalled", "daemon", 400, {"since": ONSET, "reason": "cut off"})


async def test_a_stall_is_told_once_with_its_reason_and_its_onset(post: Post) -> None:
    """In the slot of that moment, not in the one where the follower stands."""
    post.trouble = "cut off"
    await post.looks(100, 399.9)
    assert (post.told, post.status.stalled) == ([], False)
    await post.looks(100, 399, 400, 401, 1000)
    assert (post.told, post.status.stalled) == ([STALLED], True)


async def test_a_restart_while_stalled_does_not_tell_again_and_the_recovery_is_told(post: Post) -> None:
    """However often it is restarted; a recovery while the daemon was down is told by the next."""
    post.trouble = "cut off"
    await post.looks(100, 400)
    for begin in (500, 900, 1300):
        await post.looks(begin, begin + 399)
        assert post.status.stalled
    assert post.told == [STALLED]
    post.trouble = None
    await post.looks(2000, 2001)
    await post.looks(3000)
    recovered = ("follower.recovered", "daemon", 2000, {"since": ONSET, "until": "2023-11-14T22:46:40Z"})
    assert (post.told, post.status.stalled) == ([STALLED, recovered], False)


async def test_the_next_stall_is_another_event(post: Post) -> None:
    """With an id of its own; they are shown as events are, and rest on no block."""
    for begin in (100, 1000):
        post.trouble = "cut off"
        await post.looks(begin, begin + 300)
        post.trouble = None
        await post.looks(begin + 400)
    assert [kind for kind, *_ in post.told] == ["follower.stalled", "follower.recovered"] * 2
    rows = select(post.folder / "db.sqlite", "SELECT * FROM events")
    assert len({row["event_id"] for row in rows}) == 4
    shown = [event_of(row | {"data": json.loads(row["data"])}) for row in rows]
    assert [each.finality for each in shown] == ["final"] * 4


async def test_a_chain_of_which_nothing_is_known_does_not_hinder_it(tmp_path: Path) -> None:
    """No era, no block: slot 0."""
    async with opened(tmp_path / "db.sqlite") as db:
        unknown = Network("77", 77, None, ())
        await checkpoints.claim(db, unknown)
        vigil = Vigil(db, unknown, FollowerStatus(cursor=ORIGIN), lambda: "cut off", lambda: START_MS, 1.0)
        await vigil.look(0.0)
        await vigil.look(1.0)
    assert [row["slot"] for row in select(tmp_path / "db.sqlite", "SELECT slot FROM event")] == [0]


async def test_what_could_not_be_written_is_told_at_the_next_look(tmp_path: Path) -> None:
    """Somebody else holds the database meanwhile."""
    path = tmp_path / "db.sqlite"
    async with opened(path) as db:
        await checkpoints.claim(db, NETWORK)
        await db.execute("PRAGMA busy_timeout = 0")
        vigil = Vigil(db, NETWORK, FollowerStatus(cursor=HERE), lambda: "cut off", lambda: START_MS, 1.0)
        await vigil.look(0.0)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(errors.DatabaseBusy):
            await vigil.look(1.0)
        other.close()
        await vigil.look(2.0)
        await vigil.look(3.0)
    assert len(select(path, "SELECT * FROM event")) == 1

"""What is counted for the metrics, beside whoever writes."""

import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from indexer import errors
from indexer.status import ModelStatus
from indexer.store.db import opened
from indexer.workers.census import Census
from tests.support.crowd import Crowd, begin, fill, network_from
from tests.support.following import select

START_MS = 1_700_000_000_000


async def test_it_counts_what_the_views_show(tmp_path: Path) -> None:
    """Distributions by state; milestones by quorum, also where more signed than it takes; what is due by the clock."""
    path, found = tmp_path / "db.sqlite", ModelStatus()
    network = network_from(START_MS)
    async with opened(path) as db:
        await begin(db, network)
        await fill(db, Crowd(network), 200)
        await db.execute(
            """UPDATE milestone SET signatures_valid = signatures_valid + 1
            WHERE quorum_met_slot IS NOT NULL AND distribution_id < '8'"""
        )
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("DELETE FROM milestone")  # somebody is writing: that is not waited for, nor seen
    await Census(path, found, lambda: START_MS + 30 * 86_400_000).count()
    other.close()
    quorums = Counter(row["quorum_status"] for row in select(path, "SELECT quorum_status FROM milestones"))
    states = Counter(row["state"] for row in select(path, "SELECT state FROM distributions"))
    due = select(
        path,
        """SELECT count(DISTINCT a.distribution_id || a.milestone_id) AS count
        FROM milestones m JOIN allocations a USING (distribution_id, milestone_id)
        WHERE m.quorum_met_slot IS NOT NULL AND NOT a.claimed AND a.vesting_ms <= ?""",
        START_MS + 30 * 86_400_000,
    )
    assert found.milestones == dict(quorums)
    assert min(quorums[each] for each in ("pending", "met", "exceeded")) > 0
    assert {state: count for state, count in (found.distributions or {}).items() if count} == dict(states)
    assert found.due == due[0]["count"] > 0


async def test_a_database_that_is_gone_leaves_what_was_counted(tmp_path: Path) -> None:
    """The follower judges what that means."""
    found = ModelStatus(due=3)
    with pytest.raises(errors.NoDatabase):
        await Census(tmp_path / "db.sqlite", found, lambda: 0).count()
    assert found.due == 3

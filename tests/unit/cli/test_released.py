"""What `releases` asks of the journal: the newest first, to the millisecond, however long it is."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from indexer.cli import released
from indexer.store.db import opened

NOON_MS = 1_700_000_000_000
FIRST, SECOND = "aa" * 32, "bb" * 32


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[sqlite3.Connection]:
    """Eight releases of one second, those of two distributions in turn; every third failed."""
    async with opened(tmp_path / "db.sqlite"):
        pass
    found = sqlite3.connect(tmp_path / "db.sqlite")
    found.execute("INSERT INTO chain (only_row, magic, network, cursor_height) VALUES (1, 2, 'preview', 9)")
    for number in (5, 2, 7, 0, 3, 6, 1, 4):
        found.execute(
            """INSERT INTO release (release_id, distribution_id, milestone_id, state_transaction_id, state_index,
                allocations, state, attempts, failures, intended_ms, by_hand)
            VALUES (?, ?, 'm1', ?, 0, '[0]', ?, 1, 0, ?, 0)""",
            (
                named(number),
                SECOND if number % 2 else FIRST,
                "cc" * 32,
                "submitted" if number % 3 else "failed",
                NOON_MS + number,
            ),
        )
    yield found
    found.close()


def named(number: int) -> str:
    """Ids whose order is another than that of time."""
    return f"{number * 7 % 8:032x}"


@pytest.mark.parametrize(
    ("sql", "which", "expected"),
    [
        (released.NEWEST, (), [7, 6, 5]),
        (released.IN_STATE, ("failed",), [6, 3, 0]),
        (released.OF_DISTRIBUTION, (SECOND,), [7, 5, 3]),
        (released.OF_BOTH, (FIRST, "submitted"), [4, 2]),
        (released.OF_BOTH, (SECOND, "final"), []),
    ],
)
def test_the_newest_come_first_within_a_second_too(
    db: sqlite3.Connection, sql: str, which: tuple[str, ...], expected: list[int]
) -> None:
    assert [row[0] for row in db.execute(sql, (*which, 3))] == [named(number) for number in expected]


@pytest.mark.parametrize(
    ("sql", "count"),
    [
        (released.NEWEST, 1),
        (released.IN_STATE, 2),
        (released.OF_DISTRIBUTION, 2),
        (released.OF_BOTH, 3),
        (released.ONE, 1),
        (released.STEPS, 1),
    ],
)
def test_no_question_reads_the_whole_journal_to_sort_it(db: sqlite3.Connection, sql: str, count: int) -> None:
    """`r` is the few that were picked, `c` the chain's one row; an index is walked until there are enough."""
    plan = [str(row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * count)]
    scans = {step for step in plan if step.startswith("SCAN")} - {"SCAN r", "SCAN c"}
    assert all("USING" in step and "release_by_intended_ms" in step for step in scans), plan

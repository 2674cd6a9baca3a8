"""What the charts show, beside figures that the story tells by heart."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from indexer.dashboard import figures
from indexer.dashboard.figures import Figures, Line, Money
from indexer.store.db import opened
from tests.support.crowd import ADA, TOKEN, Crowd, begin, digest, terms_of, write
from tests.support.story import DAY, NETWORK, NOW, START, write_story

BEGIN = int(START.timestamp())
TOKEN_KEY = (TOKEN.policy_id.hex(), TOKEN.asset_name.hex())
ADA_KEY = ("", "")
FUNDERS = [digest(f"funder {n}")[:28].hex() for n in range(2)]
SPANS = ["< 1 min", "< 1 h", "< 6 h", "< 1 day", "< 1 week", "< 30 days", "longer"]
MONTHS = [f"2025-{n:02}" for n in range(4, 13)] + [f"2026-{n:02}" for n in range(1, 4)]


@pytest.fixture
async def db(tmp_path: Path) -> Any:
    await write_story(tmp_path / "db.sqlite")
    return reading(tmp_path / "db.sqlite")


def reading(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def read(db: sqlite3.Connection, **narrowed: Any) -> Figures:
    return figures.read(db, NOW, **{"token": None, "funder": None, "known": [ADA_KEY]} | narrowed)


def owed(**amounts: int) -> tuple[tuple[str, int], ...]:
    names = ["due now", "no quorum yet", *MONTHS, "later"]
    told = {name.replace("_", " "): amount for name, amount in amounts.items()}
    assert told.keys() <= set(names)
    return tuple((name, told.get(name, 0)) for name in names)


def quorums(since_creation: dict[str, int], since_first: dict[str, int]) -> tuple[tuple[str, int, int], ...]:
    return tuple((span, since_creation.get(span, 0), since_first.get(span, 0)) for span in SPANS)


def test_all_of_it(db: sqlite3.Connection) -> None:
    """Known tokens first. The lines end with the last block."""
    end = BEGIN + 21 * DAY
    assert read(db) == Figures(
        (ADA_KEY, TOKEN_KEY),
        (
            Money(
                ADA_KEY,
                BEGIN + 12 * DAY + 100,
                end,
                (Line("promised", ((BEGIN + 12 * DAY + 100, 7_000_000),)),),
                owed(no_quorum_yet=7_000_000),
            ),
            Money(
                TOKEN_KEY,
                BEGIN,
                end,
                (
                    Line("promised", ((BEGIN, 350), (BEGIN + 12 * DAY + 100, 1_350))),
                    Line("paid", ((BEGIN + 12 * DAY, 100),)),
                    Line("taken back", ((BEGIN + 20 * DAY, 1_000),)),
                ),
                owed(due_now=200, later=50),
            ),
        ),
        quorums({"< 1 week": 1, "< 30 days": 1}, {"< 6 h": 1, "< 1 min": 1}),
    )


def test_one_token_or_one_funder_alone(db: sqlite3.Connection) -> None:
    """Of all charts; the tokens that can be chosen stay."""
    ada = read(db, token=ADA_KEY)
    assert ([each.token for each in ada.money], ada.tokens) == ([ADA_KEY], (ADA_KEY, TOKEN_KEY))
    assert quorums({}, {}) == ada.quorums
    token = read(db, token=TOKEN_KEY, funder=FUNDERS[1])
    assert [(line.kind, line.points[-1][1]) for line in token.money[0].lines] == [
        ("promised", 1_000),
        ("taken back", 1_000),
    ]
    assert owed() == token.money[0].owed
    assert quorums({}, {}) == token.quorums
    assert read(db).quorums == read(db, funder=FUNDERS[0]).quorums
    nobody = read(db, funder="nobody")
    assert ((), (), quorums({}, {})) == (nobody.tokens, nobody.money, nobody.quorums)


def test_what_vests_ahead_is_told_by_month(db: sqlite3.Connection) -> None:
    """As of another day: 200 in the middle of March, 50 after the twelve months that are shown."""
    january = figures.read(db, datetime(2025, 1, 31, 23, tzinfo=UTC), token=TOKEN_KEY, funder=None)
    told = dict(january.money[0].owed)
    assert [list(told)[2], list(told)[-2]] == ["2025-01", "2025-12"]
    assert {name: amount for name, amount in told.items() if amount} == {"2025-03": 200, "later": 50}
    june = figures.read(db, datetime(2026, 7, 1, tzinfo=UTC), token=TOKEN_KEY, funder=None)
    assert {name: amount for name, amount in june.money[0].owed if amount} == {"due now": 200, "2027-06": 50}


def test_the_database_is_left_as_it_was_also_after_a_failure(db: sqlite3.Connection) -> None:
    """No transaction stays open, which would keep SQLite from clearing its log."""
    read(db)
    db.set_progress_handler(lambda: 1, 1)
    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        read(db)
    assert not db.in_transaction
    db.set_progress_handler(None, 1)
    assert read(db).money


async def test_many_rows_make_few_points_that_end_with_the_exact_sum(tmp_path: Path) -> None:
    """10,000 allocations in 500 blocks."""
    crowd, path = Crowd(NETWORK), tmp_path / "db.sqlite"
    async with opened(path) as db:
        await begin(db, NETWORK)
        for n in range(500):
            crowd.found(terms_of([(f"m{i % 3}", i, 10**9 - 1 + i, 0) for i in range(20)], funder=n))
            await write(db, [crowd.block(60)], NETWORK)
    (money,) = read(reading(path)).money
    (promised,) = money.lines
    assert 100 < len(promised.points) <= figures.POINTS
    assert list(promised.points) == sorted(promised.points)
    assert (BEGIN + 499 * 60, 500 * sum(10**9 - 1 + i for i in range(20))) == promised.points[-1]
    for time, total in promised.points:
        assert total == ((time - BEGIN) // 60 + 1) * sum(10**9 - 1 + i for i in range(20))


async def test_sums_beyond_64_bits_are_exact_and_strangers_tokens_crowd_nobody_out(tmp_path: Path) -> None:
    """Anyone may promise as much as there can be, of as many tokens as they mint."""
    largest, crowd, path = (1 << 63) - 1, Crowd(NETWORK), tmp_path / "db.sqlite"
    async with opened(path) as db:
        await begin(db, NETWORK)
        for n in range(60):
            crowd.found(terms_of([("m", 0, largest, 0)], token=type(TOKEN)(bytes([n] * 28), b"")))
            crowd.found(terms_of([("m", 0, largest, 0)], token=type(TOKEN)(bytes([n] * 28), b"")))
        crowd.found(terms_of([("m", 0, 5, 0)], token=TOKEN))
        crowd.found(terms_of([("m", 0, 6, 0)], token=ADA))
        await write(db, [crowd.block()], NETWORK)
    found = figures.read(reading(path), NOW, token=None, funder=None, known=[TOKEN_KEY, ADA_KEY])
    assert [each.token for each in found.money] == [ADA_KEY, TOKEN_KEY, ("00" * 28, "")]
    assert len(found.tokens) == figures.TOKENS_NAMED
    assert 2 * largest == found.money[2].lines[0].points[-1][1]
    assert 2 * largest == sum(amount for _, amount in found.money[2].owed)

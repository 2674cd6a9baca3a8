"""The database: migrations, transactions, and statements that find their rows."""

import os
import re
import sqlite3
import stat
from pathlib import Path

import pytest

from indexer import errors
from indexer.chain.network import KNOWN
from indexer.chain.point import ORIGIN, Point
from indexer.cli import released
from indexer.store import (
    checkpoints,
    coins,
    contracts,
    due,
    events,
    letters,
    lives,
    milestones,
    outbox,
    projection,
    releases,
    retention,
    status,
    watches,
)
from indexer.store.db import (
    examine,
    migrations,
    named_errors,
    opened,
    opened_for_reading,
    schema_version,
    snapshot,
    statements,
    transaction,
)
from tests.support.following import select

NAMED = {
    f"{module.__name__.rpartition('.')[2]}.{name}": sql
    for module in (
        checkpoints,
        coins,
        contracts,
        due,
        events,
        letters,
        lives,
        milestones,
        outbox,
        projection,
        releases,
        retention,
        status,
        watches,
    )
    for name, sql in vars(module).items()
    if name.isupper() and not name.startswith("_") and isinstance(sql, str)
}
# Tables of a row, or a handful.
SINGLE_ROWS = {
    "chain",
    "era",
    "watch",
    "contract",
    "c",
    "event_delayed",
    "json_each",
    "j",
    "wallet",
    "wallet_reading",
    "sink",
    "outbox",  # what waits there is what is read of it
    "o",
    "head",
    "CONSTANT",
}
READS_ALL = {  # each through an index; once a session, where nothing else is said
    "projection.HELD",
    "checkpoints.BLOCKS",
    "lives.LOCAL_MILESTONES",
    "letters.QUEUED",  # counts, now and then
    "letters.DEAD",
    "letters.DEAD_LETTERS",  # an index of those alone
    "status.MILESTONES",  # a count for metrics, on a connection of its own, one part in a hundred of the time
    "status.BEGUN",  # a count, when somebody asks
    "status.OPEN",
    "status.COMPLETE_AT",
    "releases.UNSETTLED",  # an index of those alone
    "releases.AT_STAKE",
    "releases.SIGHTS",
}


def plan(sql: str) -> list[str]:
    db = sqlite3.connect(":memory:")
    for migration in migrations():
        db.executescript(migration)
    count = sql.count("?") if "?1" not in sql else max(int(n) for n in re.findall(r"\?(\d+)", sql))
    named = dict.fromkeys(re.findall(r":([a-z_]+)", sql))
    rows = db.execute(f"EXPLAIN QUERY PLAN {sql}", named or (None,) * count).fetchall()
    db.close()
    return [str(row[3]) for row in rows]


@pytest.mark.parametrize("name", NAMED)
def test_no_statement_scans_a_table_that_grows(name: str) -> None:
    """Rollbacks least of all: each finds its rows through an index, however long the history."""
    steps = plan(NAMED[name])
    # What a part of the statement has found is gone through once more; how it was found is a step of its own.
    found = {step.split()[1] for step in steps if step.startswith(("CO-ROUTINE", "MATERIALIZE"))}
    scans = [step for step in steps if step.startswith("SCAN") and step.split()[1] not in SINGLE_ROWS | found]
    if name in READS_ALL:
        assert all("INDEX" in step or step in ("SCAN block", "SCAN milestone") for step in scans)
    else:
        assert scans == []


async def test_a_fresh_database_has_the_newest_schema_and_says_so_in_its_view(tmp_path: Path) -> None:
    """The number in `sync_status` is a literal that each migration has to renew."""
    path = tmp_path / "db.sqlite"
    async with opened(path) as db:
        assert await schema_version(db) == len(migrations())
        await checkpoints.claim(db, KNOWN["preview"])
    assert len(migrations()) == select(path, "SELECT schema_version FROM sync_status")[0]["schema_version"]
    async with opened(path) as db:
        assert await schema_version(db) == len(migrations())


async def test_a_newer_schema_is_refused_by_writers_and_readers(tmp_path: Path) -> None:
    """A later version knows better what it wrote."""
    path = tmp_path / "db.sqlite"
    async with opened(path) as db:
        await db.execute("PRAGMA user_version = 99")
    with pytest.raises(errors.SchemaTooNew, match="schema 99"):
        async with opened(path):
            pass
    with pytest.raises(errors.SchemaTooNew, match="schema 99"):
        async with opened_for_reading(path):
            pass


async def test_a_new_database_is_not_for_others_to_read(tmp_path: Path) -> None:
    """Nor is its log, or the index of that; one that is there keeps its mode."""
    before = os.umask(0)
    try:
        async with opened(tmp_path / "db") as db:
            await db.execute("INSERT INTO era VALUES (1, 1, 1)")
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}  # noqa: ASYNC240
    finally:
        os.umask(before)
    assert modes == {"db": 0o640, "db-wal": 0o640, "db-shm": 0o640}
    (tmp_path / "db").chmod(0o600)
    async with opened(tmp_path / "db"):
        assert stat.S_IMODE((tmp_path / "db").stat().st_mode) == 0o600


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    """And left as it is."""
    path = tmp_path / "db.sqlite"
    path.write_text("dear diary, " * 100)
    with pytest.raises(errors.DatabaseUnusable, match="not a database"):
        async with opened(path):
            pass
    assert path.read_text().startswith("dear diary")


DAMAGE = {
    "a table is gone": "DROP TABLE wallet",
    "a column is gone": "ALTER TABLE wallet RENAME COLUMN first_slot TO last_slot",
    "a view is gone": "DROP VIEW releases",
}


@pytest.mark.parametrize("name", DAMAGE)
async def test_a_database_in_which_something_is_missing_is_to_be_set_aside(name: str, tmp_path: Path) -> None:
    """Room and permissions would change nothing. A look finds it also where it is not asked for."""
    async with opened(tmp_path / "db") as db:
        await examine(db)
        await db.execute(DAMAGE[name])
    async with opened_for_reading(tmp_path / "db") as db:
        with pytest.raises(errors.DatabaseUnusable) as caught:
            await examine(db)
    assert "set the file aside" in caught.value.hint
    with pytest.raises(errors.DatabaseUnusable) as caught:
        async with opened_for_reading(tmp_path / "db") as db:
            await db.execute("SELECT first_slot, (SELECT count(*) FROM releases) FROM wallet")
    assert "set the file aside" in caught.value.hint
    # Of an earlier version, it is not there yet.
    async with opened(tmp_path / "db") as db:
        await db.execute("PRAGMA user_version = 1")
    with pytest.raises(errors.DatabaseUnusable) as caught:
        async with opened_for_reading(tmp_path / "db") as db:
            await db.execute("SELECT first_slot, (SELECT count(*) FROM releases) FROM wallet")
    assert "`indexer run`, which brings" in caught.value.hint


async def test_a_damaged_database_is_to_be_set_aside(tmp_path: Path) -> None:
    """Whether its head or some page of it is another one."""
    async with opened(tmp_path / "db"):
        pass
    for at, where in ((0, "no database any more"), (4096, "a page of it")):
        path = tmp_path / where
        content = bytearray((tmp_path / "db").read_bytes())
        content[at : at + 4096] = os.urandom(4096)
        path.write_bytes(content)
        with pytest.raises(errors.DatabaseUnusable) as caught:
            async with opened_for_reading(path) as db:
                await examine(db)
        assert "set the file aside" in caught.value.hint


async def test_a_full_disk_has_another_hint(tmp_path: Path) -> None:
    """To make room."""
    async with opened(tmp_path / "db") as db:
        await db.execute("PRAGMA max_page_count = 1")
        with pytest.raises(errors.DatabaseUnusable) as caught, named_errors():
            await db.execute("CREATE TABLE much AS SELECT randomblob(1000000)")
    assert "free room" in caught.value.hint


async def test_a_database_of_another_network_is_refused(tmp_path: Path) -> None:
    """Each network has a database of its own."""
    async with opened(tmp_path / "db.sqlite") as db:
        await checkpoints.claim(db, KNOWN["preview"])
        with pytest.raises(errors.AnotherNetworkInDatabase, match="preview"):
            await checkpoints.claim(db, KNOWN["mainnet"])


async def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """And the connection is ready for the next one."""
    async with opened(tmp_path / "db.sqlite") as db:
        with pytest.raises(sqlite3.IntegrityError):  # noqa: PT012 -- the second statement fails, the first must go
            async with transaction(db):
                await db.execute("INSERT INTO era VALUES (1, 1, 1)")
                await db.execute("INSERT INTO era VALUES (1, 1, 1)")
        async with transaction(db):
            await db.execute("INSERT INTO era VALUES (2, 2, 2)")
        assert list(await db.execute_fetchall("SELECT * FROM era")) == [(2, 2, 2)]


def test_a_script_is_split_into_its_statements() -> None:
    """Comments and quotes may hold semicolons."""
    sql = (
        "CREATE TABLE a (b);  -- not; here\nINSERT INTO a VALUES (';');\nCREATE VIEW v AS\nSELECT b -- ; no\nFROM a;\n"
    )
    assert len(statements(sql)) == 3


async def test_a_contract_once_followed_is_followed_until_a_rebuild(tmp_path: Path) -> None:
    """Dropped and named again, it has missed nothing; one that is new is read from the cursor on, wherever that is."""
    old, new, cursor = b"o" * 28, b"n" * 28, Point(7, b"b" * 32)
    async with opened(tmp_path / "db.sqlite") as db:
        await checkpoints.claim(db, KNOWN["preview"])
        async with transaction(db):
            assert await contracts.record(db, [old], ORIGIN, 15) == (contracts.Followed(old, ORIGIN, True),)
        async with transaction(db):
            await contracts.record(db, [new], cursor, 15)
        assert await contracts.read(db) == (
            contracts.Followed(new, cursor, True),
            contracts.Followed(old, ORIGIN, False),
        )
        await contracts.start_earlier(db, Point(5, b"a" * 32))
        async with transaction(db):
            await contracts.record(db, [old, new], Point(9, b"c" * 32), 15)
        assert await contracts.read(db) == (
            contracts.Followed(old, ORIGIN, True),
            contracts.Followed(new, Point(5, b"a" * 32), True),
        )


@pytest.mark.parametrize("own", [True, False])
async def test_who_moves_the_write_ahead_log_into_the_database(tmp_path: Path, own: bool) -> None:
    """SQLite does by itself, past a thousand pages of it; where Litestream is to do it, nobody else does."""
    path = tmp_path / "db.sqlite"
    async with opened(path, checkpoints=own) as db:
        before = path.stat().st_size
        await db.execute("CREATE TABLE much (of_it)")
        for _ in range(3):
            async with transaction(db):
                await db.execute("INSERT INTO much VALUES (zeroblob(?))", (2_000 * 4_096,))
        assert (path.stat().st_size > before) == own


async def test_the_write_ahead_log_is_short_again_once_a_long_reader_has_gone(tmp_path: Path) -> None:
    path, log = tmp_path / "db.sqlite", tmp_path / "db.sqlite-wal"
    async with opened(path) as db:
        await db.execute("CREATE TABLE big (bytes BLOB)")
        async with opened_for_reading(path) as reader, snapshot(reader):
            await reader.execute_fetchall("SELECT * FROM big")
            for _ in range(24):
                await db.execute("INSERT INTO big VALUES (zeroblob(1048576))")
            assert log.stat().st_size > 24 << 20
        for _ in range(2):  # one takes the log into the database, one begins it anew
            await db.execute("INSERT INTO big VALUES (zeroblob(1))")
        assert log.stat().st_size <= 8 << 20


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (released.NEWEST, "release_by_intended_ms"),
        (released.IN_STATE, "release_by_state (state=?)"),
        (released.OF_DISTRIBUTION, "release_of_milestone (distribution_id=?)"),
        (released.OF_BOTH, "release_of_milestone (distribution_id=?)"),
    ],
)
def test_a_few_releases_are_found_without_reading_the_whole_journal(sql: str, index: str) -> None:
    assert plan(sql)[1].endswith(index)

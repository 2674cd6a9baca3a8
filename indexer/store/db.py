"""Opening the database: pragmas, migrations, transactions.

Durability: WAL with `synchronous=NORMAL`. A killed process loses nothing that was committed. A power loss may
cost the last transactions, never half of one: the cursor goes back with its rows, and the chain is read again
from there.
"""

import asyncio
import os
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from importlib.resources import files
from pathlib import Path
from typing import Final
from urllib.parse import quote
from weakref import WeakKeyDictionary

import aiosqlite
from aiosqlite import Connection

from indexer import errors

_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA busy_timeout = 2000",  # a reader that checkpoints, a backup: wait for it
    "PRAGMA journal_size_limit = 8388608",  # twice what fills between checkpoints: what a long reader left goes again
    "PRAGMA cache_size = -16384",
    "PRAGMA temp_store = MEMORY",
)
_MISSING: Final = re.compile(r"no such (table|column|view|index)|has no column")
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_READ_ANEW: Final = (
    "stop the daemon, set the file aside with its -wal and -shm, and `indexer run`: it reads the chain anew, "
    "only the journal and what sinks were told are lost"
)
_BRING_UP: Final = "start `indexer run`, which brings the database up to date"
_COLUMNS: Final = """
    SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type IN ('table', 'view')"""


@asynccontextmanager
async def opened(path: Path, *, durable: bool = False, checkpoints: bool = True) -> AsyncIterator[Connection]:
    """The database for its one writer: created where it is missing, its schema brought up to date.

    `durable`: each commit is on the disk before it returns. Without `checkpoints`, commits leave it to somebody else
    to move the write-ahead log into the database. Raises DatabaseUnusable or SchemaTooNew.
    """
    with named_errors(path):
        _make_private(path)
        db = await aiosqlite.connect(path, isolation_level=None)
    try:
        with named_errors(path):
            for pragma in _PRAGMAS:
                await db.execute(pragma)
            if durable:
                await db.execute("PRAGMA synchronous = FULL")
            if not checkpoints:
                await db.execute("PRAGMA wal_autocheckpoint = 0")
            await migrate(db)
            yield db
    finally:
        await db.close()


@asynccontextmanager
async def opened_for_reading(path: Path) -> AsyncIterator[Connection]:
    """The database for a command that only asks. Raises NoDatabase, DatabaseUnusable or SchemaTooNew."""
    if not os.path.exists(path):  # noqa: ASYNC240, PTH110 -- a look at one name does not block
        raise errors.NoDatabase(f"there is no database at {path}")
    named = named_errors(path)
    with named:
        db = await aiosqlite.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
    try:
        with named:
            await db.execute("PRAGMA busy_timeout = 5000")
            version = await schema_version(db)
            if version == 0:
                raise errors.NoDatabase(f"{path} is not a database of the indexer")
            _refuse_newer(version)
            named.outdated = version < len(migrations())
            yield db
    finally:
        await db.close()


async def is_outdated(db: Connection) -> bool:
    """Whether the daemon has to bring it up to date first."""
    return await schema_version(db) < len(migrations())


async def examine(db: Connection) -> None:
    """Look whether all that a database should hold is there, and whole. Raises DatabaseUnusable."""
    rows = [row[0] for row in await db.execute_fetchall("PRAGMA quick_check(1)")]
    if rows != ["ok"]:
        raise errors.DatabaseUnusable(f"the database is damaged: {rows[0]}", hint=_READ_ANEW)
    if await is_outdated(db):
        return
    with closing(sqlite3.connect(":memory:")) as made:
        for migration in migrations():
            made.executescript(migration)
        wanted = set(made.execute(_COLUMNS))
    missing = wanted - {(table, column) for table, column in await db.execute_fetchall(_COLUMNS)}
    for table, column in sorted(missing):
        raise errors.DatabaseUnusable(f"the database has no {table} with a column {column}", hint=_READ_ANEW)


# Tasks that share a connection would otherwise write into each other's transactions.
_TURNS: Final["WeakKeyDictionary[Connection, asyncio.Lock]"] = WeakKeyDictionary()


@asynccontextmanager
async def transaction(db: Connection) -> AsyncIterator[None]:
    """All of it, or nothing; one at a time on a connection, so never one inside another.

    A cancelled aiosqlite call still runs, so BEGIN stands inside the try.
    """
    async with _TURNS.setdefault(db, asyncio.Lock()):
        try:
            await db.execute("BEGIN IMMEDIATE")
            yield
            await db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                await db.execute("ROLLBACK")
            raise


@asynccontextmanager
async def snapshot(db: Connection) -> AsyncIterator[None]:
    """What is read inside is of one moment, whatever another connection writes meanwhile. Not for writing."""
    async with _TURNS.setdefault(db, asyncio.Lock()):
        try:
            await db.execute("BEGIN")
            yield
        finally:
            if db.in_transaction:
                await db.execute("ROLLBACK")


class named_errors:  # noqa: N801 -- used as a function is
    """Turns SQLite's errors about files, disks and formats into one of ours. `outdated`: whether it is known that the
    schema is one of an earlier version, so that something may be missing."""

    def __init__(self, path: object = "the database") -> None:
        self._path = path
        self.outdated = False

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.OperationalError | sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.IntegrityError | sqlite3.ProgrammingError
        ):
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise errors.DatabaseBusy(f"{self._path} is locked by another process") from error
            hint = None
            if code in _DAMAGED or _MISSING.search(str(error)):
                hint = _BRING_UP if self.outdated and code not in _DAMAGED else _READ_ANEW
            raise errors.DatabaseUnusable(f"{self._path}: {error}", hint=hint) from error


def _make_private(path: Path) -> None:
    """A new database is not for others to read. Its log and index get the mode that it has."""
    with suppress(OSError):  # it is there already; or SQLite says, in its own words, why it cannot be made
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640))


async def schema_version(db: Connection) -> int:
    """Which migration the database has seen last; 0 for none."""
    rows = await db.execute_fetchall("PRAGMA user_version")
    return int(next(iter(rows))[0])


def migrations() -> list[str]:
    """The SQL of every migration, in order; the first is number 1."""
    inside = files("indexer") / "schema"  # in the wheel
    folder = Path(str(inside)) if inside.is_dir() else Path(__file__).parents[2] / "schema"
    return [path.read_text() for path in sorted(folder.glob("[0-9]*.sql"))]


async def migrate(db: Connection) -> None:
    """Apply the migrations that are missing, each in a transaction of its own. Raises SchemaTooNew."""
    version = await schema_version(db)
    _refuse_newer(version)
    if version == 0 and await db.execute_fetchall("SELECT 1 FROM sqlite_master"):
        raise errors.DatabaseUnusable("the database holds tables of something else")
    for number, sql in enumerate(migrations()[version:], start=version + 1):
        async with transaction(db):
            for statement in statements(sql):
                await db.execute(statement)
            await db.execute(f"PRAGMA user_version = {number}")


def statements(sql: str) -> list[str]:
    """A script's statements one by one: `executescript` would commit the transaction around it."""
    found, pending = [], ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            found.append(pending.strip())
            pending = ""
    return found


def _refuse_newer(version: int) -> None:
    known = len(migrations())
    if version > known:
        raise errors.SchemaTooNew(f"the database has schema {version}, this version knows up to {known}")

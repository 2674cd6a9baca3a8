"""Opening the database: pragmas, migrations, transactions.

Durability: WAL with `synchronous=NORMAL`. A killed process loses nothing that was committed. A power loss may
cost the last transactions, never half of one: the cursor goes back with its rows, and the chain is read again
from there.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
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
    with named_errors(path):
        db = await aiosqlite.connect(f"file:{quote(str(path))}?mode=ro", uri=True, isolation_level=None)
    try:
        with named_errors(path):
            await db.execute("PRAGMA busy_timeout = 5000")
            version = await schema_version(db)
            if version == 0:
                raise errors.NoDatabase(f"{path} is not a database of the indexer")
            _refuse_newer(version)
            yield db
    finally:
        await db.close()


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
    """Turns SQLite's errors about files, disks and formats into one of ours."""

    def __init__(self, path: object = "the database") -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.OperationalError | sqlite3.DatabaseError) and not isinstance(
            error, sqlite3.IntegrityError | sqlite3.ProgrammingError
        ):
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise errors.DatabaseBusy(f"{self._path} is locked by another process") from error
            raise errors.DatabaseUnusable(f"{self._path}: {error}") from error


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

"""The database as `doctor` finds it: whatever cannot be read is named, and the rest is told all the same."""

import re
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from aiosqlite import Connection

from indexer.cli.findings import DatabaseFound, RecentError
from indexer.errors import IndexerError, NoDatabase, printable
from indexer.store.db import migrations, opened_for_reading, schema_version

A_QUESTION_S: Final = 5.0
MOST_ERRORS: Final = 20
_NAME: Final = re.compile(r"[a-z_]+")

CHECK: Final = "PRAGMA quick_check(10)"
FREE_PAGES: Final = "PRAGMA freelist_count"
SYNC_STATUS: Final = "SELECT * FROM sync_status"
VIEWS: Final = "SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name"
RELEASES: Final = "SELECT state, count(*) FROM release GROUP BY state"
DELIVERIES: Final = "SELECT sink, state, count(*) FROM delivery GROUP BY sink, state"
REJECTED: Final = "SELECT reason, count(*) FROM rejected_output GROUP BY reason ORDER BY 2 DESC LIMIT 20"
RELEASE_ERRORS: Final = """
    SELECT 'release ' || release_id, state, last_error FROM release
    WHERE last_error IS NOT NULL ORDER BY intended_ms DESC LIMIT ?"""
DELIVERY_ERRORS: Final = """
    SELECT 'delivery to ' || sink, state, last_error FROM delivery
    WHERE last_error IS NOT NULL ORDER BY number DESC LIMIT ?"""


async def anatomy(path: Path, check_s: float) -> DatabaseFound:
    """The database at a path; its pages are checked for so many seconds at most, for 0 not at all."""
    look = _Look()
    free = None
    with suppress(OSError):
        free = next(shutil.disk_usage(each).free for each in path.parents if each.is_dir())
    try:
        async with opened_for_reading(path) as db:
            await look.at(db, check_s)
    except NoDatabase as error:
        look.errors["database"] = str(error)
    except (IndexerError, sqlite3.Error) as error:
        look.errors["database"] = printable(str(error))
    size = _size(path)
    return DatabaseFound(
        path=str(path),
        there=size is not None,
        bytes=size,
        wal_bytes=_size(path.with_name(f"{path.name}-wal")),
        disk_free_bytes=free,
        schema_known=len(migrations()),
        errors=look.errors,
        **look.found,
    )


class _Look:
    """What was found so far, and what could not be."""

    def __init__(self) -> None:
        self.errors: dict[str, str] = {}
        self.found: dict[str, Any] = {
            "schema_version": None,
            "free_pages": None,
            "pages": None,
            "sync_status": None,
            "views": {},
            "releases": {},
            "deliveries": {},
            "rejected_outputs": {},
            "recent_errors": (),
        }

    async def at(self, db: Connection, check_s: float) -> None:
        found = self.found
        found["schema_version"] = await schema_version(db)
        for row in await self.ask(db, "free pages", FREE_PAGES):
            found["free_pages"] = row[0]
        db.row_factory = sqlite3.Row
        for row in await self.ask(db, "sync_status", SYNC_STATUS):
            found["sync_status"] = {key: value if value is None else _plain(value) for key, value in dict(row).items()}
        db.row_factory = None
        found["releases"] = dict(await self.ask(db, "releases", RELEASES))
        for sink, state, count in await self.ask(db, "deliveries", DELIVERIES):
            found["deliveries"].setdefault(sink, {})[state] = count
        found["rejected_outputs"] = dict(await self.ask(db, "rejected outputs", REJECTED))
        wrong = await self.ask(db, "errors of releases", RELEASE_ERRORS, (MOST_ERRORS,))
        wrong += await self.ask(db, "errors of deliveries", DELIVERY_ERRORS, (MOST_ERRORS,))
        found["recent_errors"] = tuple(
            RecentError(of=of, state=state, error=printable(str(error))) for of, state, error in wrong
        )
        for (view,) in await self.ask(db, "views", VIEWS):
            if _NAME.fullmatch(view):
                counted = await self.ask(db, f"rows of {view}", f"SELECT count(*) FROM {view}")  # noqa: S608 -- a name
                found["views"][view] = counted[0][0] if counted else None
        if check_s:
            pages = await self.ask(db, "pages", CHECK, within_s=check_s)
            found["pages"] = tuple(printable(str(row[0])) for row in pages) or None

    async def ask(
        self, db: Connection, what: str, sql: str, values: tuple[object, ...] = (), within_s: float = A_QUESTION_S
    ) -> list[Any]:
        """Rows; none, and a reason, where that fails or takes too long."""
        await db.set_progress_handler(_later_than(time.monotonic() + within_s), 10_000)
        try:
            return list(await db.execute_fetchall(sql, values))
        except sqlite3.Error as error:
            late = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT
            self.errors[what] = f"not within {within_s:g} s" if late else printable(str(error))
            return []


def _later_than(end: float) -> Callable[[], int]:
    return lambda: int(time.monotonic() > end)


def _plain(value: object) -> int | str:
    return value if isinstance(value, int) else printable(str(value))


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None

"""What `export` does: a view as CSV, JSON or Parquet, row by row, as of one moment.

Values are those of the view: integers exact, quantities that may exceed 64 bits as the text that they are. Nothing is
put in front of a cell to keep spreadsheets from reading it as a formula: no text in the views can be one, as ids,
addresses and words have neither brackets nor operators; control characters, of which there should be none, are escaped.
"""

import csv
import importlib
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, Protocol

from aiosqlite import Connection

from indexer import errors
from indexer.cli import refusals
from indexer.cli.find import moment
from indexer.cli.outputs import Output
from indexer.cli.told import escaped
from indexer.edge.files import replaced

STDOUT: Final = 1
AT_ONCE: Final = 2_000  # rows
VIEWS: Final = "SELECT name FROM sqlite_master WHERE type = 'view' ORDER BY name"
# Columns that are reckoned have no declared type. Those that are integers; all others are text.
RECKONED: Final = frozenset(
    (
        "allocations_claimed",
        "allocations_total",
        "amount_left",
        "amount_paid",
        "amount_total",
        "amount_vested",
        "claimed",
        "milestones_released",
        "milestones_total",
        "schema_version",
        "seconds_behind",
        "updated_slot",
    )
)


class Exported(Output):
    """What was written."""

    view: str
    format: str
    file: str
    rows: int

    def told(self) -> str:
        """In words."""
        return f"{self.rows:,} rows of {self.view} in {self.file}"


class Writer(Protocol):
    """Takes rows in portions, then ends."""

    def rows(self, rows: Sequence[Sequence[Any]]) -> None:
        """Some more."""

    def end(self) -> None:
        """That was all."""


async def export_to(database: Path, view: str, form: str, out: Path | None) -> Exported:
    """Write a view to a file, in one step, or to stdout.

    Raises ViewUnknown, ExtraMissing, FileUnusable, and what `opened_for_reading` raises.
    """
    if form == "parquet" and out is None:
        raise errors.FileUnusable("Parquet is no text for a terminal", hint="name a file with --out")
    count = 0
    async with moment(database) as db:
        columns = await _columns(db, view)
        with _opened(out) as file:
            try:
                writer = WRITERS[form](file, columns)
                async for rows in _portions(db, view):
                    writer.rows(rows)
                    count += len(rows)
                writer.end()
                file.flush()
            except BrokenPipeError:
                # Whoever reads has had enough, and shall not be told so again when stdout is closed.
                os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
    return Exported(view=view, format=form, file="-" if out is None else str(out), rows=count)


async def _columns(db: Connection, view: str) -> dict[str, bool]:
    """The columns of a view, and whether each holds integers."""
    views = [name for (name,) in await db.execute_fetchall(VIEWS)]
    if view not in views:
        raise refusals.ViewUnknown(f"there is no view {view!a}", hint=f"the views: {', '.join(views)}")
    info = await db.execute_fetchall("SELECT name, type FROM pragma_table_info(?)", (view,))
    return {name: kind == "INTEGER" or name in RECKONED for name, kind in info}


async def _portions(db: Connection, view: str) -> AsyncIterator[list[Any]]:
    async with db.execute(f"SELECT * FROM {view}") as cursor:  # noqa: S608 -- one of the views that there are
        while rows := list(await cursor.fetchmany(AT_ONCE)):
            yield rows


@contextmanager
def _opened(out: Path | None) -> Iterator[IO[bytes]]:
    """Stdout, or a file that gets its name when it is whole."""
    if out is None:
        with open(STDOUT, "wb", closefd=False) as stdout:
            yield stdout
        return
    with replaced(out) as file:
        yield file


class _Csv:
    """RFC 4180 but for line ends, which are LF; NULL is an empty cell."""

    def __init__(self, file: IO[bytes], columns: dict[str, bool]) -> None:
        self._writer = csv.writer(_Encoding(file), lineterminator="\n")
        self._writer.writerow(columns)

    def rows(self, rows: Sequence[Sequence[Any]]) -> None:
        self._writer.writerows([escaped(value) if isinstance(value, str) else value for value in row] for row in rows)

    def end(self) -> None:
        return


class _Json:
    """One array of objects, an object a line."""

    def __init__(self, file: IO[bytes], columns: dict[str, bool]) -> None:
        self._file, self._columns, self._before = file, tuple(columns), b"[\n"

    def rows(self, rows: Sequence[Sequence[Any]]) -> None:
        for row in rows:
            line = json.dumps(dict(zip(self._columns, row, strict=True)), separators=(",", ":"))
            self._file.write(self._before + line.encode())
            self._before = b",\n"

    def end(self) -> None:
        self._file.write(b"\n]\n" if self._before == b",\n" else b"[]\n")


class _Parquet:
    """Integers as int64, all else as text. Raises ExtraMissing."""

    def __init__(self, file: IO[bytes], columns: dict[str, bool]) -> None:
        try:
            self._arrow: Any = importlib.import_module("pyarrow")
            parquet: Any = importlib.import_module("pyarrow.parquet")
        except ImportError as error:
            raise refusals.ExtraMissing("Parquet needs the package pyarrow, which is not installed") from error
        kinds = [(name, self._arrow.int64() if whole else self._arrow.string()) for name, whole in columns.items()]
        self._schema = self._arrow.schema(kinds)
        self._writer = parquet.ParquetWriter(file, self._schema)

    def rows(self, rows: Sequence[Sequence[Any]]) -> None:
        arrays = [
            self._arrow.array(values, field.type)
            for values, field in zip(zip(*rows, strict=True), self._schema, strict=True)
        ]
        self._writer.write_batch(self._arrow.record_batch(arrays, schema=self._schema))

    def end(self) -> None:
        self._writer.close()


class _Encoding:
    """What csv writes, as UTF-8."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        return self._file.write(text.encode())


WRITERS: Final[dict[str, Callable[[IO[bytes], dict[str, bool]], Writer]]] = {
    "csv": _Csv,
    "json": _Json,
    "parquet": _Parquet,
}

"""How commands speak: results for people or as one JSON document, foreseen errors as a sentence and a hint."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from indexer.errors import IndexerError, NotConfirmed, printable

if TYPE_CHECKING:
    from pydantic import BaseModel

MOST_LISTED = 1_000_000  # rows that a command may be asked for
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]


class Result(Protocol):
    """A pydantic model that also knows how to speak to people."""

    def model_dump_json(self, *, indent: int | None = None) -> str:
        """The result as JSON."""

    def told(self) -> str:
        """The result in words."""


def tell(result: Result, as_json: bool) -> None:
    """Print a result."""
    typer.echo(result.model_dump_json(indent=2) if as_json else result.told())


@contextmanager
def told_apart(as_json: bool = False) -> Iterator[None]:
    """Errors we foresaw end in a sentence and a hint; anything else keeps its traceback."""
    try:
        yield
    except IndexerError as error:
        if as_json:
            typer.echo(json.dumps({"error": {"code": error.code, "message": str(error), "hint": error.hint}}))
        else:
            typer.echo(f"error: {error}\nhint:  {escaped(error.hint)}", err=True)
        raise typer.Exit(error.exit_code) from error


def confirm(question: str, otherwise: str, *, go_ahead: bool, may_ask: bool = True) -> None:
    """Go on where the command line says so, or else somebody at a terminal. Raises NotConfirmed, which says what holds
    `otherwise`."""
    if not go_ahead and not (may_ask and sys.stdin.isatty() and typer.confirm(question)):
        raise NotConfirmed(otherwise)


@dataclass(frozen=True, repr=False)  # asyncio.run takes the repr of what it returns, and this may be long
class Told:
    """A result whose words need more than is in it, such as how many decimals its amounts have."""

    result: "BaseModel"
    words: Callable[[], str]

    def model_dump_json(self, *, indent: int | None = None) -> str:
        """The result as JSON."""
        return self.result.model_dump_json(indent=indent)

    def told(self) -> str:
        """The result in words."""
        return self.words()


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], right: frozenset[int] = frozenset()) -> str:
    """Columns padded to their widest cell; those in `right` are set flush right."""
    cells = [tuple(heads), *(tuple("" if cell is None else escaped(str(cell)) for cell in row) for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(heads))]
    lines = [
        "  ".join(c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in cells
    ]
    return "\n".join(line.rstrip() for line in [lines[0], "  ".join("-" * w for w in widths), *lines[1:]])


def ada(lovelace: int) -> str:
    """An amount of lovelace in ada, with all its decimals."""
    return f"{lovelace // 1_000_000:,}.{lovelace % 1_000_000:06d}"


def escaped(text: str) -> str:
    """Text without anything that a terminal would obey, or that cannot be seen: that becomes \\x, \\u and digits."""
    return printable(text, len(text))


def shortened(digits: str) -> str:
    """The beginning of an id, a hash or a key, enough to name it on the command line."""
    return digits if len(digits) <= 20 else f"{digits[:16]}…"

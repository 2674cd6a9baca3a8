"""`indexer`: the commands, and what is common to them."""

import json
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from indexer import __version__
from indexer.cli import asking, audit, dashboard, devnet, doctor, follow, funding, keeping, signing, sinking, start

app = typer.Typer(
    name="indexer",
    help="Follows Cardano through Ogmios into an SQLite read model of what happens at the credentials it watches.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
follow.add_to(app)
asking.add_to(app)
signing.add_to(app)
funding.add_to(app)
keeping.add_to(app)
sinking.add_to(app)
audit.add_to(app)
doctor.add_to(app)
dashboard.add_to(app)
start.add_to(app)
devnet.add_to(app)

USAGE, BUG = 2, 70
INTERRUPTED = 130  # as shells have it: 128 and the number of SIGINT, which is also what typer returns then
# typer does not export the class, and where it lives depends on its version.
USAGE_ERROR = typer.BadParameter.__mro__[1]


@app.callback()
def common(
    context: typer.Context,
    config: Annotated[Path, typer.Option(help="The configuration.", envvar="INDEXER_CONFIG")] = Path("config.toml"),
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=lambda on: _print_version(on)),
    ] = False,
) -> None:
    """What every command takes."""
    context.obj = config


def _print_version(on: bool) -> None:
    if on:
        typer.echo(f"indexer {__version__}")
        raise typer.Exit


def main() -> None:
    """The console script. What nobody foresaw keeps its traceback, and exits 70."""
    try:
        code = app(standalone_mode=False)
        if code == INTERRUPTED:
            _tell_interrupted()
        sys.exit(code)
    except typer.Abort:
        _tell_interrupted()
        sys.exit(INTERRUPTED)
    except Exception as error:  # noqa: BLE001 -- the last line of defence: report, and tell the shell
        if isinstance(error, USAGE_ERROR) and "--json" not in sys.argv:
            error.show()  # type: ignore[attr-defined]  # see USAGE_ERROR
            sys.exit(USAGE)
        if isinstance(error, USAGE_ERROR):
            _tell_error("usage", str(error), "see --help")
            sys.exit(USAGE)
        traceback.print_exc()
        if "--json" in sys.argv:
            _tell_error("bug", f"{type(error).__name__}: {error}", "please report it with what is on stderr")
        sys.exit(BUG)


def _tell_interrupted() -> None:
    if "--json" in sys.argv:
        _tell_error("interrupted", "interrupted", "what was done already is done: ask, and begin again")
    else:
        typer.echo("interrupted", err=True)


def _tell_error(code: str, message: str, hint: str) -> None:
    typer.echo(json.dumps({"error": {"code": code, "message": message, "hint": hint}}))

"""`indexer`: the commands, and what is common to them."""

import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from indexer import __version__
from indexer.cli import follow, start

app = typer.Typer(
    name="indexer",
    help="Follows Cardano through Ogmios into an SQLite read model of what happens at the credentials it watches.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
follow.add_to(app)
start.add_to(app)

BUG = 70


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
        app()
    except Exception:  # noqa: BLE001 -- the last line of defence: report, and tell the shell
        traceback.print_exc()
        sys.exit(BUG)

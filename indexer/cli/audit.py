"""The command `audit`."""

import asyncio

import typer

from indexer.cli.loading import load
from indexer.cli.told import AsJson, tell, told_apart


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(audit)


def audit(context: typer.Context, as_json: AsJson = False) -> None:
    """Compare what the database holds with Kupo, output by output, as of a block that both know.

    Ends with 0 where all is the same, with 1 where anything is different. The daemon may run meanwhile.
    """
    with told_apart(as_json):
        from indexer.cli.auditing import compare_with_kupo

        found = asyncio.run(compare_with_kupo(load(context), _progress))
        tell(found, as_json)
        if found.differences:
            raise typer.Exit(1)


def _progress(sentence: str) -> None:
    typer.echo(sentence, err=True)

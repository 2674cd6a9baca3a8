"""Commands to start with: init, demo."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from indexer.cli.told import AsJson, tell, told_apart


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(init)
    app.command()(demo)


def init(
    context: typer.Context,
    network: Annotated[
        str | None, typer.Option(help="For a new configuration: mainnet, preprod, preview, devnet or a magic number.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a configuration if there is none, and check everything that `run` needs."""
    from indexer.cli.checks import check_everything, write_config

    with told_apart(as_json):
        written = write_config(context.obj, network)
        report = asyncio.run(check_everything(context.obj, written))
        tell(report, as_json)
        if report.exit_code:
            raise typer.Exit(report.exit_code)


def demo(
    directory: Annotated[
        Path, typer.Option(help="Where the database goes; one from an earlier demo is replaced.")
    ] = Path("demo"),
    recorded: Annotated[
        bool, typer.Option("--recorded", help="Follow a sample of real blocks instead, and show what was found.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a promise on a devnet, have oracles attest it until the quorum is met, and show it: no node, no set-up."""
    say = typer.echo if not as_json else _silent
    with told_apart(as_json):
        if recorded:
            from indexer.cli.demo import play

            tell(asyncio.run(play(directory, say)), as_json)
            return
        from indexer.cli.demo_story import tell_story

        tell(tell_story(directory, say), as_json)


def _silent(_text: str) -> None:
    return

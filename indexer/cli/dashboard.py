"""`indexer dashboard`: the analysts' page."""

import asyncio
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from indexer.cli.told import told_apart

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(dashboard)


def dashboard(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Where to listen. Whoever reaches it may ask anything.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one, and says which.")] = 8001,
    in_browser: Annotated[bool, typer.Option("--open/--no-open", help="Show it in a browser.")] = False,
    database: Annotated[
        Path | None, typer.Option(help="This one instead of the configuration's; no configuration is read then.")
    ] = None,
) -> None:
    """The analysts' page, until interrupted: views, the questions of docs/analysts.md, charts and SQL, read-only.

    It needs Datasette: pip install "milestone-indexer[dashboard]". The daemon may run meanwhile.
    """
    from indexer.cli import refusals
    from indexer.cli.tokens import Tokens
    from indexer.store.db import opened_for_reading

    with told_apart():
        try:
            from indexer.dashboard import serving
        except ModuleNotFoundError as error:
            raise refusals.DashboardMissing(f"the dashboard needs Datasette; not installed: {error.name}") from error
        if database is None:
            from indexer.cli.loading import load

            config = load(context)
            path, tokens = config.database.path, Tokens.of(config.token)
        else:
            path, tokens = database, Tokens.of(())

        async def readable() -> None:
            async with opened_for_reading(path):
                return

        def listening(url: str) -> None:
            typer.echo(f"the dashboard of {path} is at {url}; ctrl-c to stop")
            if host not in LOOPBACK:
                typer.echo("whoever reaches it may read all of it: there is no password", err=True)
            sys.stdout.flush()
            if in_browser and not webbrowser.open(url):
                typer.echo("no browser can be opened here", err=True)

        asyncio.run(readable())
        serving.serve(serving.made(path, tokens, tuple(tokens.known)), host, port, listening)

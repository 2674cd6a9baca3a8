"""The command `doctor`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from indexer.cli.told import AsJson, tell, told_apart


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the JSON there: its owner may read it.")
    ] = None,
    check_s: Annotated[
        float, typer.Option("--check-s", min=0, help="How long the database's pages may be checked; 0: not at all.")
    ] = 20.0,
    as_json: AsJson = False,
) -> None:
    """Collect what a bug report needs, without secrets: versions, configuration, database, daemon, node, errors.

    Whatever is missing, locked, damaged or out of reach is said in its place; the exit code is 0 all the same. Nothing
    but the file is written. Read it before you send it: it tells what is watched, and where files are.
    """
    with told_apart(as_json):
        from indexer.cli.examining import examine
        from indexer.edge.files import replaced

        report = asyncio.run(examine(context.obj.absolute(), check_s))
        if out is not None:
            with replaced(out, 0o600) as file:
                file.write(report.model_dump_json(indent=2).encode() + b"\n")
        tell(report, as_json)

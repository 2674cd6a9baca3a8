"""The options of commands that spend."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from indexer.cli.spending import Means
    from indexer.config import Config

SigningKeys = Annotated[
    list[Path] | None,
    typer.Option("--signing-key", metavar="FILE", help="Who pays and signs; further ones sign too."),
]
Payer = Annotated[
    str | None,
    typer.Option("--address", metavar="ADDRESS", help="Where the payer's coins lie; default: the first key's own."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Build and check the transaction; send nothing.")]
OutFile = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="Write the unsigned transaction for cold keys; `submit` sends it."),
]
Again = Annotated[bool, typer.Option("--again", help="Also where it was done before.")]


def means(
    config: "Config",
    signing_key: list[Path] | None,
    address: str | None,
    *,
    yes: bool,
    dry_run: bool,
    out: Path | None,
    as_json: bool,
) -> "Means":
    """Who pays, and how far to go. Raises what `spending.means_of` raises."""
    from indexer.cli.spending import means_of

    return means_of(config, tuple(signing_key or ()), address, yes=yes, dry_run=dry_run, out=out, as_json=as_json)

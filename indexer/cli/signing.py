"""Commands about signatures and keys: attest, commit-milestone, keys."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from indexer.cli.asking import Distribution
from indexer.cli.loading import load
from indexer.cli.paying import Again, Paying, spends
from indexer.cli.told import AsJson, Result, confirm, tell, told_apart

if TYPE_CHECKING:
    from indexer.config import Config

keys = typer.Typer(name="keys", help="Key pairs, as cardano-cli text envelopes.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(spends(attest))
    app.command("commit-milestone")(spends(commit_milestone))
    app.add_typer(keys)


def attest(
    config: "Config",
    paying: Paying,
    distribution: Distribution,
    milestone: Annotated[str, typer.Argument(help="A word, or 0x and hex.", show_default=False)],
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="The oracle's signing key.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the signature goes; one that is there gains it.")
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Put the signature on the chain, with a deposit, instead of into a file.")
    ] = False,
    again: Again = False,
) -> Result:
    """Sign, as an oracle, that a milestone of a distribution is complete.

    The id of the distribution is reckoned anew from seed and terms, and the terms are shown, before anything is
    signed. With --json nothing is asked; what spends still wants --yes. With --publish, whoever pays (--signing-key)
    has the deposit back with `withdraw-attestation`, and --out takes the unsigned transaction.
    """
    from indexer.cli import attests

    if not publish and (again or paying.signing_key or paying.address or paying.dry_run):
        raise typer.BadParameter("--again, --signing-key, --address and --dry-run belong to --publish")

    matter = asyncio.run(attests.prepare(config, distribution, milestone))
    signer = attests.signer_of(matter, key)
    if not paying.as_json:
        typer.echo(matter.told())
    if publish:
        from indexer.cli import publishes

        return publishes.attest(config, paying.means(config), matter, signer, again=again)
    confirm("\nSign this?", "nothing was signed", go_ahead=paying.yes or paying.as_json)
    return attests.sign(matter, signer, out)


def commit_milestone(
    config: "Config",
    paying: Paying,
    file: Annotated[Path, typer.Argument(metavar="FILE.json", help="A MilestoneCompletionData.", show_default=False)],
    force: Annotated[
        bool, typer.Option("--force", help="Store signatures of a distribution that is not known yet, unverified.")
    ] = False,
    publish: Annotated[
        bool, typer.Option("--publish", help="Put them on the chain, each with a deposit, instead of storing them.")
    ] = False,
    again: Again = False,
) -> Result:
    """Store signatures that were gathered off the chain, after verifying each.

    They go into the local milestone data, which no rollback and no rebuild takes away, and from there into the
    database: at once where no daemon runs, else the daemon takes them.
    """
    from indexer.cli.commits import commit

    if publish and force:
        raise typer.BadParameter("--force stores what cannot be verified yet: such signatures are not published")
    if not publish and (again or paying.signing_key or paying.address or paying.yes or paying.dry_run or paying.out):
        raise typer.BadParameter("--again, --signing-key, --address, --yes, --dry-run and --out belong to --publish")
    if publish:
        from indexer.cli import publishes

        return publishes.commit(config, paying.means(config), file, again=again)
    return asyncio.run(commit(config, file, force))


@keys.command("new")
def new(
    context: typer.Context,
    kind: Annotated[Literal["oracle", "keeper", "funder"], typer.Argument(help="What it is for.", show_default=False)],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Of the signing key; default: KIND.skey. The .vkey is beside.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key pair: .skey for its owner only, and .vkey beside it. Nothing is ever overwritten."""
    from indexer.cli.keypairs import make

    with told_apart(as_json):
        network = None if kind == "oracle" else load(context).chain  # an oracle's key has no address
        tell(make(kind, Path(f"{kind}.skey") if out is None else out, network), as_json)

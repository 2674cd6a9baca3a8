"""Commands that make transactions: deploy, register-milestone, withdraw-attestation, reclaim, submit."""

from pathlib import Path
from typing import Annotated

import typer

from indexer.cli.asking import Distribution
from indexer.cli.loading import load
from indexer.cli.paying import Again, DryRun, OutFile, Payer, SigningKeys, Yes, means
from indexer.cli.told import AsJson, Told, tell, told_apart

Reference = Annotated[str, typer.Argument(metavar="TRANSACTION#INDEX", help="An output.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(deploy)
    app.command("register-milestone")(register_milestone)
    app.command("withdraw-attestation")(withdraw_attestation)
    app.command()(reclaim)
    app.command()(submit)


def deploy(
    context: typer.Context,
    forever: Annotated[
        bool, typer.Option("--forever", help="Where nobody can spend it: the deposit does not come back.")
    ] = False,
    again: Again = False,
    signing_key: SigningKeys = None,
    address: Payer = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Publish the contract's script, so that transactions refer to it instead of carrying it.

    At the payer's own address, where its ada can be had back.
    """
    from indexer.cli import deploys

    with told_apart(as_json):
        config = load(context)
        who = means(config, signing_key, address, yes=yes, dry_run=dry_run, out=out, as_json=as_json)
        tell(deploys.deploy(config, who, forever=forever, again=again), as_json)


def register_milestone(
    context: typer.Context,
    schedule: Annotated[Path, typer.Argument(metavar="SCHEDULE.json", help="A MilestoneSchedule.", show_default=False)],
    submit: Annotated[bool, typer.Option("--submit", help="Create the distribution, and wait for the block.")] = False,
    again: Again = False,
    signing_key: SigningKeys = None,
    address: Payer = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Check a schedule in full, and say what it takes; with --submit, create the distribution.

    The creation and each milestone's releases are built, and evaluated by the node: what could not be paid is refused.
    """
    from indexer.cli import registers
    from indexer.cli.tokens import Tokens

    with told_apart(as_json):
        config = load(context)
        who = means(config, signing_key, address, yes=yes, dry_run=dry_run, out=out, as_json=as_json)
        found = registers.register(config, who, schedule, submit=submit, again=again)
        tell(Told(found, lambda: found.words(Tokens.of(config.token))), as_json)


def withdraw_attestation(
    context: typer.Context,
    reference: Reference,
    signing_key: SigningKeys = None,
    address: Payer = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Take back the deposit of a published signature. The signature stays valid."""
    from indexer.cli import gives_back
    from indexer.cli.tokens import Tokens

    with told_apart(as_json):
        config = load(context)
        who = means(config, signing_key, address, yes=yes, dry_run=dry_run, out=out, as_json=as_json)
        found = gives_back.withdraw(config, who, reference)
        tell(Told(found, lambda: found.words(Tokens.of(config.token))), as_json)


def reclaim(
    context: typer.Context,
    distribution: Distribution,
    signing_key: SigningKeys = None,
    address: Payer = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    out: OutFile = None,
    as_json: AsJson = False,
) -> None:
    """Take back what is left of a distribution, when all is paid or it has expired.

    Or, at any time, a stray output at the contract: give TRANSACTION#INDEX instead of an id.
    """
    from indexer.cli import gives_back
    from indexer.cli.tokens import Tokens

    with told_apart(as_json):
        config = load(context)
        who = means(config, signing_key, address, yes=yes, dry_run=dry_run, out=out, as_json=as_json)
        found = gives_back.reclaim(config, who, distribution)
        tell(Told(found, lambda: found.words(Tokens.of(config.token))), as_json)


def submit(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A transaction, as --out writes it.", show_default=False)
    ],
    witness: Annotated[
        list[Path] | None,
        typer.Option("--witness", metavar="FILE", help="A signature, as cardano-cli writes it; as often as needed."),
    ] = None,
    signing_key: SigningKeys = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send a transaction that was signed elsewhere, and wait for the block. Sending the same again does no harm."""
    from indexer.cli import submits

    with told_apart(as_json):
        config = load(context)
        tell(
            submits.submit(config, file, tuple(witness or ()), tuple(signing_key or ()), yes=yes, as_json=as_json),
            as_json,
        )

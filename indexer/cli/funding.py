"""Commands that make transactions: deploy, register-milestone, withdraw-attestation, reclaim, submit."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.cli.asking import Distribution, configured
from indexer.cli.loading import load
from indexer.cli.paying import Again, Paying, SigningKeys, Yes, spends
from indexer.cli.told import AsJson, Result, tell, told_apart

if TYPE_CHECKING:
    from indexer.config import Config


def _completed(context: typer.Context, incomplete: str) -> list[str]:
    """Published signatures whose reference begins so, for the shell."""
    from indexer.cli.completing import deposits

    return deposits(configured(context), incomplete)


Reference = Annotated[
    str,
    typer.Argument(
        metavar="TRANSACTION#INDEX",
        help="The output, as it was printed.",
        autocompletion=_completed,
        show_default=False,
    ),
]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(spends(deploy))
    app.command("register-milestone")(spends(register_milestone))
    app.command("withdraw-attestation")(spends(withdraw_attestation))
    app.command()(spends(reclaim))
    app.command()(submit)


def deploy(
    config: "Config",
    paying: Paying,
    forever: Annotated[
        bool, typer.Option("--forever", help="Where nobody can spend it: the deposit does not come back.")
    ] = False,
    take_back: Annotated[
        str | None,
        typer.Option("--take-back", metavar="TRANSACTION#INDEX", help="Spend what was published, for its deposit."),
    ] = None,
    again: Again = False,
) -> Result:
    """Publish the contract's script, so that transactions refer to it instead of carrying it.

    At the payer's own address, where its ada can be had back with --take-back.
    """
    from indexer.cli import deploys

    if take_back is not None:
        if forever or again:
            raise typer.BadParameter("--forever and --again do not go with --take-back")
        return deploys.take_back(config, paying.means(config), take_back)
    return deploys.deploy(config, paying.means(config), forever=forever, again=again)


def register_milestone(
    config: "Config",
    paying: Paying,
    schedule: Annotated[Path, typer.Argument(metavar="SCHEDULE.json", help="A MilestoneSchedule.", show_default=False)],
    submit: Annotated[bool, typer.Option("--submit", help="Create the distribution, and wait for the block.")] = False,
    again: Again = False,
) -> Result:
    """Check a schedule in full, and say what it takes; with --submit, create the distribution.

    The creation and each milestone's releases are built, and evaluated by the node: what could not be paid is refused.
    """
    from indexer.cli import registers
    from indexer.cli.tokens import worded

    means = paying.means(config, required=submit or paying.dry_run or paying.out is not None)
    return worded(registers.register(config, means, schedule, submit=submit, again=again), config)


def withdraw_attestation(config: "Config", paying: Paying, reference: Reference) -> Result:
    """Take back the deposit of a published signature. The signature stays valid."""
    from indexer.cli import gives_back
    from indexer.cli.tokens import worded

    return worded(gives_back.withdraw(config, paying.means(config), reference), config)


def reclaim(config: "Config", paying: Paying, distribution: Distribution) -> Result:
    """Take back what is left of a distribution, when all is paid or it has expired.

    Or, at any time, a stray output at the contract: give TRANSACTION#INDEX instead of an id.
    """
    from indexer.cli import gives_back
    from indexer.cli.tokens import worded

    return worded(gives_back.reclaim(config, paying.means(config), distribution), config)


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

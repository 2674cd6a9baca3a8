"""Commands about the keeper: pause, resume, releases, submit-release, explain."""

import asyncio
from typing import Annotated

import typer

from indexer.cli.asking import Distribution
from indexer.cli.loading import load
from indexer.cli.paying import DryRun, Yes
from indexer.cli.told import MOST_LISTED, AsJson, tell, told_apart

Milestone = Annotated[str, typer.Argument(help="A word, or 0x and hex.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(pause)
    app.command()(resume)
    app.command()(releases)
    app.command("submit-release")(submit_release)
    app.command()(explain)


def pause(
    context: typer.Context,
    reason: Annotated[str | None, typer.Option(help="Why, for whoever asks.")] = None,
    as_json: AsJson = False,
) -> None:
    """Stop every send of the keeper's; the indexer follows on. It outlives restarts, and the database."""
    from indexer.cli.pauses import pause

    with told_apart(as_json):
        tell(asyncio.run(pause(load(context), reason)), as_json)


def resume(context: typer.Context, as_json: AsJson = False) -> None:
    """End a pause: the keeper releases what is due."""
    from indexer.cli.pauses import resume

    with told_apart(as_json):
        tell(asyncio.run(resume(load(context))), as_json)


def releases(
    context: typer.Context,
    which: Annotated[
        str | None, typer.Argument(metavar="[RELEASE|DISTRIBUTION]", help="One of them, or those of a distribution.")
    ] = None,
    state: Annotated[str | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="The newest so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """What the keeper released, or tries to: the newest first. One release (by its id) with every turn it took."""
    from indexer.cli.released import listed

    with told_apart(as_json):
        tell(asyncio.run(listed(load(context), which, state, limit)), as_json)


def submit_release(
    context: typer.Context,
    distribution: Distribution,
    milestone: Milestone,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Release what is due of one milestone now, the keeper's way: built, journaled, sent, and watched by the daemon.

    The daemon has to be running, unless it is a dry run. Whatever it costs the keeper's wallet is shown before.
    """
    from indexer.cli.by_hand import submit

    with told_apart(as_json):
        tell(submit(load(context), distribution, milestone, yes=yes, dry_run=dry_run, as_json=as_json), as_json)


def explain(
    context: typer.Context,
    distribution: Distribution,
    milestone: Milestone,
    as_json: AsJson = False,
) -> None:
    """Why a milestone is, was, or is not released: signatures, times, gates, wallet, journal, and what comes next."""
    from indexer.cli.explains import explain

    with told_apart(as_json):
        tell(asyncio.run(explain(load(context), distribution, milestone)), as_json)

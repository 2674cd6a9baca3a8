"""Commands about sinks: sinks test; deliveries, deliveries retry, deliveries backfill."""

import asyncio
from typing import Annotated, Literal

import typer

from indexer.cli.loading import load
from indexer.cli.told import MOST_LISTED, AsJson, tell, told_apart

sinks = typer.Typer(help="Who is told of events.", no_args_is_help=True)
deliveries = typer.Typer(help="Messages to sinks: list them, try dead letters once more, send history on purpose.")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    sinks.command("test")(send_test)
    deliveries.callback(invoke_without_command=True)(listed)
    deliveries.command()(retry)
    deliveries.command()(backfill)
    app.add_typer(sinks, name="sinks")
    app.add_typer(deliveries, name="deliveries")


def send_test(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[SINK]...", help="Default: all of them.")] = None,
    as_json: AsJson = False,
) -> None:
    """Send a sample, about nothing, to each sink, as the daemon would. Exit code 3 where one does not take it."""
    from indexer.cli.samples import send_samples

    with told_apart(as_json):
        sent = asyncio.run(send_samples(load(context), names or []))
        tell(sent, as_json)
        if not all(each.arrived for each in sent.sinks):
            raise typer.Exit(3)


def listed(
    context: typer.Context,
    sink: Annotated[str | None, typer.Option(help="Only those to this sink.")] = None,
    state: Annotated[
        Literal["pending", "delivered", "dead", "cancelled"] | None, typer.Option(help="Only those in this state.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST_LISTED, help="The newest so many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Messages to sinks: list them, the newest first; try dead letters once more; send history on purpose."""
    if context.invoked_subcommand is not None:
        return
    from indexer.cli.delivered import deliveries_of

    with told_apart(as_json):
        tell(asyncio.run(deliveries_of(load(context), sink, state, limit)), as_json)


def retry(
    context: typer.Context,
    message: Annotated[str | None, typer.Argument(metavar="[MESSAGE]", help="One dead letter, by its id.")] = None,
    sink: Annotated[str | None, typer.Option(help="Only those to this sink.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dead letter.")] = False,
    as_json: AsJson = False,
) -> None:
    """Try dead letters once more. One that has a newer message is left: that one says what is true."""
    from indexer.cli.delivered import retry

    if message is None and sink is None and not everything:
        raise typer.BadParameter("name a message or a --sink, or say --all")
    with told_apart(as_json):
        tell(asyncio.run(retry(load(context), sink, message)), as_json)


def backfill(
    context: typer.Context,
    sink: Annotated[str, typer.Argument(help="Its name in the configuration.", show_default=False)],
    since: Annotated[str, typer.Option(metavar="SLOT|TIME|origin", help="A slot, or ISO-8601 with a zone.")],
    again: Annotated[bool, typer.Option("--again", help="Also what it was sent before, under the same ids.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send a sink what happened since then, as far as it wants to hear of it and was not told."""
    from indexer.cli.delivered import backfill, parse_since

    try:
        start = parse_since(since)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    with told_apart(as_json):
        tell(asyncio.run(backfill(load(context), sink, start, again=again)), as_json)

"""Commands that ask about distributions: check-status, calculate-distribution, export."""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from indexer.cli.loading import read
from indexer.cli.told import MOST_LISTED, AsJson, Told, tell, told_apart

if TYPE_CHECKING:
    from indexer.config import Config

EVERY_S = 1.0  # how often --watch looks
MOST_DUE = 50  # milestones that are listed, unless more are asked for
CLEAR = "\x1b[H\x1b[2J\x1b[3J"


def configured(context: typer.Context) -> Path:
    """The configuration that a command line names that the shell completes."""
    return context.find_root().params.get("config") or Path("config.toml")


def _completed(context: typer.Context, incomplete: str) -> list[str]:
    """Distributions whose id begins so, for the shell. Whatever is wrong, there is just nothing to offer."""
    from indexer.cli.completing import ids

    return ids(configured(context), incomplete)


Distribution = Annotated[
    str,
    typer.Argument(help="Its id, or at least the first 8 digits.", autocompletion=_completed, show_default=False),
]


def _moment(text: str) -> int:
    """POSIX milliseconds."""
    from pydantic import TypeAdapter, ValidationError

    from indexer.documents import Moment

    try:
        return round(TypeAdapter(Moment).validate_python(text).timestamp() * 1000)
    except ValidationError as error:
        raise typer.BadParameter(str(error.errors()[0]["msg"]).removeprefix("Value error, ")) from error


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command("check-status")(check_status)
    app.command("calculate-distribution")(calculate_distribution)
    app.command()(export)


def check_status(
    context: typer.Context,
    distribution: Annotated[
        str | None,
        typer.Argument(help="A distribution's id, or at least its first 8 digits.", autocompletion=_completed),
    ] = None,
    milestone: Annotated[str | None, typer.Option(help="Only this milestone of it.")] = None,
    at: Annotated[
        int | None, typer.Option(min=0, metavar="SLOT", help="As it was known when this slot's block was applied.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, max=MOST_LISTED, metavar="N", help="Of what is due, so many at most (default: 50)."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is due, however much.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Tell again whenever something changes.")] = False,
    as_json: AsJson = False,
) -> None:
    """Where the follower stands, what it watches and what is due; or how far a distribution is.

    What is due longest comes first. Of more than 50 milestones the first 50 are listed, also with --json, which says in
    `due_total` how many there are. With --watch and --json, one document a line.
    """
    if distribution is None and milestone is not None:
        raise typer.BadParameter("--milestone needs a distribution")
    if limit is not None and everything:
        raise typer.BadParameter("--all has no limit: leave out one of the two")
    if distribution is not None and (limit is not None or everything):
        raise typer.BadParameter("--limit and --all are for the list of what is due: leave out the distribution")
    if watch and at is not None:
        raise typer.BadParameter("what was true at a slot does not change: leave out --watch or --at")
    with told_apart(as_json):
        config = read(context)
        most = None if everything else limit or MOST_DUE

        def ask() -> Coroutine[None, None, Told]:
            if distribution is None:
                return _status(config, at, most)
            return _state(config, distribution, milestone, at)

        if watch:
            _watch(ask, as_json)
        else:
            tell(asyncio.run(ask()), as_json)


def calculate_distribution(
    context: typer.Context,
    distribution: Distribution,
    beneficiary: Annotated[str | None, typer.Option(metavar="ADDRESS", help="Only what is for this address.")] = None,
    at: Annotated[
        object | None,
        typer.Option(parser=_moment, metavar="TIME", help="ISO-8601 with a zone; default: now. What is known then."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What can be claimed of a distribution, and for each allocation why or why not.

    For a time that is past: as it was known then. For one to come: with what is known now.
    """
    with told_apart(as_json):
        assert at is None or isinstance(at, int)
        tell(asyncio.run(_calculate(read(context), distribution, beneficiary, at)), as_json)


def export(
    context: typer.Context,
    view: Annotated[str, typer.Argument(help="One of the views in schema/README.md, such as allocations.")],
    form: Annotated[
        Literal["csv", "json", "parquet"] | None,
        typer.Option("--format", help="Default: csv. parquet needs the extra `parquet`."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Default: stdout. Replaced in one step.")] = None,
    as_json: AsJson = False,
) -> None:
    """A view, all of it, as of one moment, to a file or to stdout."""
    from indexer.cli.exports import export_to

    if out is None and as_json:
        if form not in (None, "json"):
            raise typer.BadParameter(f"--json alone is one JSON document: with --format {form}, name a file with --out")
        form = "json"
    with told_apart(as_json):
        exported = asyncio.run(export_to(read(context).database.path, view, form or "csv", out))
        if out is not None:
            tell(exported, as_json)


async def _status(config: "Config", at: int | None, most: int | None) -> Told:
    from indexer.cli import find
    from indexer.cli.outputs import status_of
    from indexer.cli.tokens import Tokens
    from indexer.cli.words import status_in_words

    async with find.moment(config.database.path) as db:
        status = await status_of(db, find.now_ms(), at, most)
    return Told(status, lambda: status_in_words(status, Tokens.of(config.token)))


async def _state(config: "Config", distribution: str, milestone: str | None, at: int | None) -> Told:
    from indexer.chain.point import slot_of
    from indexer.chain.time import slot_to_ms
    from indexer.cli import find
    from indexer.cli.happened import event_of
    from indexer.cli.states import state_of
    from indexer.cli.tokens import Tokens
    from indexer.cli.words import state_in_words
    from indexer.store import checkpoints
    from indexer.store import status as store

    now_ms = find.now_ms()
    async with find.moment(config.database.path) as db:
        standing = await checkpoints.read(db)
        if at is not None:
            find.refuse_not_held(standing, at)
            now_ms = slot_to_ms(standing.network.eras, at)
        slot = slot_of(standing.cursor.place) if at is None else at
        life = await find.life_of(db, distribution)
        if at is not None:
            life = find.life_at(life, at)
        chosen = None if milestone is None else find.milestone_of(life, milestone)
        events = [event_of(row) for row in await store.history(db, life.id, slot)]
    state = state_of(life, standing.network, slot, now_ms, events, chosen)
    return Told(state, lambda: state_in_words(state, Tokens.of(config.token)))


def _watch(ask: Callable[[], Coroutine[None, None, Told]], as_json: bool) -> None:
    """Tell, and tell again whenever something changed, until interrupted or nobody reads it any longer."""
    told = None
    try:
        while True:
            begun = time.monotonic()
            answer = asyncio.run(ask())
            # Time alone passes without anything to tell; what it makes vested or due is another matter.
            facts = answer.result.model_dump(exclude={"seconds_behind", "as_of_time"})
            if facts != told:
                told = facts
                text = answer.model_dump_json() if as_json else answer.told() + "\n"
                typer.echo(f"{CLEAR}{text}" if sys.stdout.isatty() and not as_json else text)
                sys.stdout.flush()
            time.sleep(max(0.0, begun + EVERY_S - time.monotonic()))
    except KeyboardInterrupt:
        return


async def _calculate(config: "Config", distribution: str, beneficiary: str | None, at: int | None) -> Told:
    from indexer.chain.point import slot_of
    from indexer.chain.time import slot_at
    from indexer.cli import find
    from indexer.cli.claims import calculate
    from indexer.cli.tokens import Tokens
    from indexer.cli.words import calculation_in_words
    from indexer.store import checkpoints

    async with find.moment(config.database.path) as db:
        standing = await checkpoints.read(db)
        life = await find.life_of(db, distribution)
    if at is not None and (slot := slot_at(standing.network.eras, at)) < slot_of(standing.cursor.place):
        find.refuse_not_held(standing, slot)
        life = find.life_at(life, slot)
    found = calculate(life, standing.network, find.now_ms() if at is None else at, beneficiary)
    return Told(found, lambda: calculation_in_words(found, Tokens.of(config.token)))

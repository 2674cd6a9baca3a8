"""Commands about the follower: run, rollback, rebuild."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from indexer.chain.point import Place, Point, parse_place
from indexer.cli.loading import load
from indexer.cli.told import AsJson, confirm, tell, told_apart

if TYPE_CHECKING:
    from indexer.cli.outputs import Ran, Rebuilt, Rewound
    from indexer.config import Config


def _place(text: str) -> Place:
    try:
        return parse_place(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _place_or_tip(text: str) -> Place | Literal["tip"]:
    return "tip" if text == "tip" else _place(text)


def _point_or_tip(text: str) -> Point | Literal["tip"]:
    place = _place_or_tip(text)
    if place == "tip" or isinstance(place, Point):
        return place
    raise typer.BadParameter("give `tip` or SLOT.ID")


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(run)
    app.command()(rollback)
    app.command()(rebuild)


def run(
    context: typer.Context,
    since: Annotated[
        object | None,
        typer.Option(parser=_place_or_tip, metavar="origin|tip|SLOT.ID", help="Where to start on an empty database."),
    ] = None,
    until: Annotated[
        object | None, typer.Option(parser=_point_or_tip, metavar="tip|SLOT.ID", help="Reach this, commit, and stop.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Sign and send nothing: log what the keeper would do.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The daemon: follow the chain into the database, and release what is due, for ever.

    SIGTERM and SIGINT finish the batch and stop within five seconds. Whatever way it ends, the next run goes on
    from what is committed.
    """
    with told_apart(as_json):
        config = load(context)
        tell(asyncio.run(_run(config, since, until, dry_run=dry_run)), as_json)


def rollback(
    context: typer.Context,
    to: Annotated[
        object, typer.Argument(parser=_place, metavar="SLOT.ID|origin", help="A point of the view `blocks`.")
    ],
    as_json: AsJson = False,
) -> None:
    """Rewind the database to a point; the next run reads the chain from there."""
    with told_apart(as_json):
        tell(asyncio.run(_rollback(load(context), to)), as_json)


def rebuild(
    context: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Drop everything read off the chain; the next run reads it anew, with the watches of the configuration."""
    with told_apart(as_json):
        config = load(context)
        question = f"Drop what {config.database.path} holds, and read the chain anew?"
        confirm(question, f"{config.database.path} was left as it is", go_ahead=yes, may_ask=not as_json)
        tell(asyncio.run(_rebuild(config)), as_json)


async def _run(config: "Config", since: object, until: object, *, dry_run: bool) -> "Ran":
    from indexer import app
    from indexer.cli.outputs import Ran

    return Ran.of(await app.run(config, since=since, until=until, dry_run=dry_run))  # type: ignore[arg-type]  # typer knows only object


async def _rollback(config: "Config", to: object) -> "Rewound":
    from indexer.chain.point import Checkpoint, Origin
    from indexer.cli.outputs import Rewound
    from indexer.edge.files import only_writer
    from indexer.errors import NoDatabase
    from indexer.store import checkpoints
    from indexer.store.db import opened
    from indexer.store.goback import rewind

    path = config.database.path
    if not path.exists():
        raise NoDatabase(f"there is no database at {path}")
    assert isinstance(to, Point | Origin)
    with only_writer(path):
        async with opened(path) as db:
            standing = await checkpoints.read(db)
            height = await checkpoints.height_of(db, to, standing)
            await rewind(db, Checkpoint(to, height), standing.network)
    return Rewound(cursor=str(to), was=str(standing.cursor.place), height=height)


async def _rebuild(config: "Config") -> "Rebuilt":
    from indexer.cli.outputs import Rebuilt
    from indexer.edge.files import only_writer
    from indexer.errors import NoDatabase
    from indexer.store import checkpoints
    from indexer.store.db import opened
    from indexer.store.goback import rebuild

    path = config.database.path
    if not path.exists():
        raise NoDatabase(f"there is no database at {path}")
    with only_writer(path):
        async with opened(path) as db:
            standing = await checkpoints.read(db)
            await rebuild(db)
    return Rebuilt(was=str(standing.cursor.place))

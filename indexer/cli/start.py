"""Commands to start with: init, demo, devnet."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from indexer.cli.told import AsJson, tell, told_apart

if TYPE_CHECKING:
    from indexer.devnet.replay import ReplayServer


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command()(init)
    app.command()(demo)
    app.command()(devnet)


def init(
    context: typer.Context,
    network: Annotated[
        str | None, typer.Option(help="For a new configuration: mainnet, preprod, preview, devnet or a magic number.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a configuration if there is none, and check everything that `run` needs."""
    from indexer.cli.checks import check_everything, write_config

    with told_apart(as_json):
        written = write_config(context.obj, network)
        report = asyncio.run(check_everything(context.obj, written))
        tell(report, as_json)
        if report.exit_code:
            raise typer.Exit(report.exit_code)


def demo(
    directory: Annotated[
        Path, typer.Option(help="Where the database goes; one from an earlier demo is replaced.")
    ] = Path("demo"),
    as_json: AsJson = False,
) -> None:
    """Follow a sample of real blocks into a database, and show what was found: no node, no set-up."""
    from indexer.cli.demo import play

    with told_apart(as_json):
        tell(asyncio.run(play(directory, typer.echo if not as_json else _silent)), as_json)


def devnet(
    replay: Annotated[
        list[Path],
        typer.Option("--replay", help="A recording: Ogmios `nextBlock` results, one a line, may be gzipped."),
    ],
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="More recordings, in order.")] = None,
    network: Annotated[
        str | None, typer.Option(help="Whose genesis to tell of; by default what the name of the file begins with.")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Serve the recording so many times over, with fresh ids.")] = 1,
    prepare: Annotated[bool, typer.Option("--prepare", help="Build every message before listening.")] = False,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes a free one, and says which.")] = 1337,
    as_json: AsJson = False,
) -> None:
    """Serve recorded blocks as Ogmios would, until interrupted."""
    from indexer.devnet.chain import Chain
    from indexer.devnet.networks import guess_network
    from indexer.devnet.recording import link, read_recordings
    from indexer.devnet.replay import ReplayServer

    with told_apart(as_json):
        files = [*replay, *(more or ())]
        chain = Chain(link(read_recordings(files), repeat))
        server = ReplayServer(chain, network or guess_network(files), host, port)
        if prepare:
            server.prepare()
        asyncio.run(_serve(server, as_json))


async def _serve(server: "ReplayServer", as_json: bool) -> None:
    import json
    import signal

    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    async with server:
        facts = {
            "url": f"ws://{server.host}:{server.port}",
            "network": server.network_name,
            "blocks": len(server.chain),
        }
        typer.echo(
            json.dumps(facts)
            if as_json
            else f"serving {facts['blocks']:,} blocks of {facts['network']} at {facts['url']}; ctrl-c to stop"
        )
        await done.wait()


def _silent(_text: str) -> None:
    return

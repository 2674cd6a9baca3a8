"""`indexer devnet`: a Cardano in one process, or recorded blocks served as Ogmios would."""

import asyncio
import json
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from indexer.cli.told import AsJson, told_apart

if TYPE_CHECKING:
    from indexer.devnet.replay import ReplayServer
    from indexer.devnet.running import Devnet


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(devnet)


def devnet(
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Ogmios. 0 takes a free one, and says which.")] = 1337,
    kupo_port: Annotated[int, typer.Option(help="Kupo.")] = 1442,
    control_port: Annotated[int, typer.Option(help="Faucet, forks, stalls on command.")] = 1338,
    magic: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The network magic.")] = 42,
    k: Annotated[int, typer.Option(min=1, help="How many blocks deep a fork may be.")] = 40,
    slot_length: Annotated[float, typer.Option(min=0.001, help="Seconds of a slot.")] = 1.0,
    seed: Annotated[str, typer.Option(help="What all keys come from.")] = "devnet",
    state: Annotated[
        Path | None, typer.Option(help="Keep the chain in this directory, and go on with it after a restart.")
    ] = None,
    start_over: Annotated[
        bool, typer.Option("--start-over", help="With --state: come back as another chain, with the same keys.")
    ] = False,
    replay: Annotated[
        list[Path] | None,
        typer.Option(
            "--replay",
            help="Serve a recording instead: Ogmios `nextBlock` results, one a line, may be gzipped.",
        ),
    ] = None,
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="More recordings, in order.")] = None,
    network: Annotated[
        str | None, typer.Option(help="Whose genesis to tell of; by default what the name of the file begins with.")
    ] = None,
    repeat: Annotated[int, typer.Option(min=1, help="Serve the recording so many times over, with fresh ids.")] = 1,
    prepare: Annotated[bool, typer.Option("--prepare", help="Build every message before listening.")] = False,
    as_json: AsJson = False,
) -> None:
    """A Cardano in one process, answering as Ogmios and Kupo would. With --replay, recorded blocks instead."""
    if replay is None and (more or network or repeat != 1 or prepare):
        raise typer.BadParameter("FILE, --network, --repeat and --prepare belong to --replay")
    if start_over and state is None:
        raise typer.BadParameter("--start-over needs --state")
    with told_apart(as_json):
        if replay is not None:
            server = _replay([*replay, *(more or ())], network, host, port, repeat=repeat, prepare=prepare)
            asyncio.run(_serve(server, lambda: _told_replay(server, as_json)))
        else:
            asyncio.run(
                _live(host, (port, kupo_port, control_port), magic, k, slot_length, seed, state, start_over, as_json)
            )


def _replay(
    files: list[Path], network: str | None, host: str, port: int, *, repeat: int, prepare: bool
) -> "ReplayServer":
    from indexer.devnet.chain import Chain
    from indexer.devnet.networks import guess_network
    from indexer.devnet.recording import link, read_recordings
    from indexer.devnet.replay import ReplayServer

    chain = Chain(link(read_recordings(files), repeat))
    server = ReplayServer(chain, network or guess_network(files), host, port)
    if prepare:
        server.prepare()
    return server


async def _live(
    host: str,
    ports: tuple[int, int, int],
    magic: int,
    k: int,
    slot_length: float,
    seed: str,
    state: Path | None,
    start_over: bool,
    as_json: bool,
) -> None:
    from contextlib import ExitStack

    from indexer.devnet.clock import WallClock
    from indexer.devnet.genesis import Genesis
    from indexer.devnet.node import Node
    from indexer.devnet.running import Devnet
    from indexer.devnet.store import Store

    genesis = Genesis(seed, magic, k, datetime.now(UTC).replace(microsecond=0), timedelta(seconds=slot_length))
    with ExitStack() as held:
        store = None
        if state is not None:
            store = Store(state, genesis, start_over=start_over)
            held.callback(store.close)
            genesis = store.genesis
        node = Node(genesis, clock=WallClock(genesis.start, genesis.slot_length), store=store)
        port, kupo_port, control_port = ports
        live = Devnet(node, host, port=port, kupo_port=kupo_port, control_port=control_port, directory=state)
        await _serve(live, lambda: _told_live(live, as_json))


async def _serve(served: AbstractAsyncContextManager[object], tell: Callable[[], str]) -> None:
    """Until interrupted; `tell` says where, once it listens."""
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, done.set)
    async with served:
        typer.echo(tell())
        await done.wait()


def _told_replay(server: "ReplayServer", as_json: bool) -> str:
    facts = {
        "url": f"ws://{server.host}:{server.port}",
        "network": server.network_name,
        "blocks": len(server.chain),
    }
    if as_json:
        return json.dumps(facts)
    return f"serving {facts['blocks']:,} blocks of {facts['network']} at {facts['url']}; ctrl-c to stop"


def _told_live(live: "Devnet", as_json: bool) -> str:
    genesis = live.node.genesis
    facts: dict[str, Any] = {
        "url": live.url,
        "kupo": live.kupo_url,
        "control": live.control_url,
        "magic": genesis.magic,
        "k": genesis.k,
        "start_time": genesis.start.isoformat().replace("+00:00", "Z"),
        "faucet": {"address": live.faucet_address, "signing_key_file": str(live.faucet_key_file)},
    }
    if as_json:
        return json.dumps(facts)
    return f"""A devnet of its own, network magic {genesis.magic}, k {genesis.k}; ctrl-c to stop.

Ogmios   {live.url}
Kupo     {live.kupo_url}
control  {live.control_url}   (POST /faucet /blocks /fork /stall /disconnect …, GET /state: docs/devnet.md)
faucet   {live.faucet_address}
its key  {live.faucet_key_file}

In another terminal: INDEXER__OGMIOS__URL={live.url} indexer run"""

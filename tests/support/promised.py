"""What stories share: plain terms, and the real follower on a world of promises, until it stands at the tip."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from aiosqlite import Connection

from indexer.chain.address import CredentialKind
from indexer.chain.network import Network
from indexer.chain.point import ORIGIN, Point
from indexer.chain.watch import parse_watch
from indexer.devnet.ogmios.server import serve
from indexer.edge import ogmios
from indexer.store.db import opened
from indexer.workers.follow import Follower
from indexer.workers.session import Since, Until
from tests.contract.keys import key_hash, public
from tests.contract.terms import Allocation, Terms, somebody
from tests.support.following import IMPATIENT, until
from tests.support.promises import TOKENS, World

NETWORK = Network("devnet", 42)
ANN, BOB = somebody("ann"), somebody("bob", stake="key")


def terms(threshold: int = 1, *allocations: Allocation, expires_at: int | None = None) -> Terms:
    """Three oracles; unless told otherwise 5 for m1 and 7 for m2, vested long ago."""
    given = allocations or (Allocation(ANN, 5, b"m1", 0), Allocation(BOB, 7, b"m2", 0))
    oracles = tuple(public(f"oracle {n}") for n in range(3))
    return Terms(key_hash("funder"), oracles, threshold, given, TOKENS[0], expires_at=expires_at)


def follower_of(db: Connection, world: World, port: int, *, since: Since = ORIGIN, until: Until = None) -> Follower:
    """One that follows the world's contracts."""
    contracts = [contract.hash for contract in world.contracts]
    return Follower(
        db,
        partial(ogmios.session, f"ws://127.0.0.1:{port}", {}, 5.0),
        NETWORK,
        [parse_watch(contract.hex(), CredentialKind.SCRIPT) for contract in contracts],
        contracts=contracts,
        since=since,
        until=until,
        pace=IMPATIENT,
    )


async def read_off(world: World, path: Path, *, since: Since = ORIGIN) -> None:
    """Follow until the tip, in as few batches as may be, and stop."""
    async with serve(world.node, "127.0.0.1", 0) as server, opened(path) as db:
        await follower_of(db, world, server.port, since=since, until="tip").run()


@asynccontextmanager
async def followed(world: World, path: Path) -> AsyncIterator[Follower]:
    """A follower that keeps up with the world: see `caught_up`."""
    async with serve(world.node, "127.0.0.1", 0) as server, opened(path) as db:
        follower = follower_of(db, world, server.port)
        task = asyncio.create_task(follower.run())
        try:
            yield follower
        finally:
            follower.stop()
            await task


async def caught_up(follower: Follower, world: World) -> None:
    """Wait until it stands at the tip, and has heard so through a live session."""
    await until(lambda: stands_at_tip(follower, world))


def stands_at_tip(follower: Follower, world: World) -> bool:
    """Whether it has read all there is."""
    tip = world.node.tip
    return tip is not None and (follower.status.cursor, follower.status.phase) == (Point(tip.slot, tip.id), "following")

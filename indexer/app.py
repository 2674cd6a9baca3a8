"""The daemon on one screen: lock, database, health, follower, signals."""

import asyncio
import signal
from contextlib import AsyncExitStack
from functools import partial

import structlog
from aiosqlite import Connection
from prometheus_client import CollectorRegistry

from indexer.chain.point import ORIGIN, Place, slot_of
from indexer.chain.watch import CredentialWatch
from indexer.config import Config
from indexer.edge import blueprints, http, memory, ogmios
from indexer.edge.files import only_writer
from indexer.status import FollowerStatus
from indexer.store import checkpoints, contracts
from indexer.store.db import named_errors, opened, transaction
from indexer.workers.follow import Follower
from indexer.workers.local import LocalSignatures
from indexer.workers.pace import Pace
from indexer.workers.session import Since, Until

log = structlog.get_logger(__name__)

GRACE_S = 4.0  # a stop that takes longer is made short; whatever was not committed is read again


async def run(config: Config, *, since: Since | None = None, until: Until = None) -> FollowerStatus:
    """Follow the chain until `until`, SIGTERM or SIGINT. Raises the errors that only a person can mend."""
    memory.settle()
    status = FollowerStatus()
    configured = [one.hash for one in blueprints.read(c.blueprint for c in config.contract)]
    if not config.follow.watch_default:
        configured = []
    headers = ogmios.read_headers(config.ogmios.headers_file)
    async with AsyncExitStack() as stack:
        stack.enter_context(only_writer(config.database.path))
        db = await stack.enter_async_context(opened(config.database.path))
        status.cursor, followed = await claim(db, config, configured)
        # The hash under either kind of credential: what strangers pay to a key of the same bytes is seen too.
        watched = [*config.watches(), *(CredentialWatch(script_hash) for script_hash in configured)]
        local = LocalSignatures(db, config.data.directory, config.chain, lambda: slot_of(status.cursor), http.now_ms)
        follower = Follower(
            db,
            partial(ogmios.session, config.ogmios.url, headers, min(10.0, config.ogmios.timeout_s)),
            config.chain,
            watched,
            contracts=followed,
            since=config.since if since is None else since,
            until=until,
            status=status,
            pace=Pace(request_timeout_s=config.ogmios.timeout_s),
        )
        registry = CollectorRegistry()
        registry.register(http.FollowerMetrics(status, http.now_ms))

        def why_not_ready() -> str | None:
            return http.not_ready(status, http.now_ms(), config.http.ready_within_s)

        port = await stack.enter_async_context(http.serving(*config.http.address, registry, why_not_ready))
        log.info("daemon.started", network=config.chain.name, database=str(config.database.path), http_port=port)
        if not watched:
            log.warning("watch.none", hint="no [[contract]] and no [[watch]]: blocks are followed, nothing is kept")
        await local.look()
        await _until_stopped(follower, local)
    return status


async def claim(db: Connection, config: Config, configured: list[bytes]) -> tuple[Place, list[bytes]]:
    """The database is for this network, and these contracts; where it stands, and which contracts to follow.

    Raises AnotherNetworkInDatabase or ContractDropped.
    """
    with named_errors():
        standing = await checkpoints.claim(db, config.chain)
        cursor = standing.cursor.place
        async with transaction(db):
            followed = await contracts.record(db, configured, cursor, config.finality.confirmed_depth)
    for contract in followed:
        name = contract.script_hash.hex()
        if not contract.configured:
            log.warning("contract.still_followed", contract=name, until="rebuild")
        elif contract.since != ORIGIN:
            log.warning("contract.partial", contract=name, since=str(contract.since), hint="indexer rebuild")
    return cursor, [contract.script_hash for contract in followed]


async def _until_stopped(follower: Follower, local: LocalSignatures) -> None:
    """Run the follower; the first SIGTERM or SIGINT asks it to finish its batch, patience ends after that.

    Files are looked at meanwhile. Should that fail as nobody foresaw, the follower stops too.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(follower.run(), name="follower")
    looking = asyncio.create_task(local.run(), name="local signatures")
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            follower.stop()
            loop.call_later(GRACE_S, task.cancel)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await asyncio.wait((task, looking), return_when=asyncio.FIRST_COMPLETED)
        if looking.done():
            await looking
        await task
    except asyncio.CancelledError:
        if not stopped:
            raise
        log.warning("follower.cut_short", after_s=GRACE_S)
    finally:
        task.cancel()
        looking.cancel()
        await asyncio.wait((task, looking))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

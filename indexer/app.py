"""The daemon on one screen: lock, database, health, follower, signals."""

import asyncio
import signal
from contextlib import AsyncExitStack
from functools import partial

import structlog
from prometheus_client import CollectorRegistry

from indexer.config import Config
from indexer.edge import http, memory, ogmios
from indexer.edge.files import only_writer
from indexer.status import FollowerStatus
from indexer.store.db import opened
from indexer.workers.follow import Follower
from indexer.workers.pace import Pace
from indexer.workers.session import Since, Until

log = structlog.get_logger(__name__)

GRACE_S = 4.0  # a stop that takes longer is made short; whatever was not committed is read again


async def run(config: Config, *, since: Since | None = None, until: Until = None) -> FollowerStatus:
    """Follow the chain until `until`, SIGTERM or SIGINT. Raises the errors that only a person can mend."""
    memory.settle()
    status = FollowerStatus()
    watched = config.watches()
    headers = ogmios.read_headers(config.ogmios.headers_file)
    async with AsyncExitStack() as stack:
        stack.enter_context(only_writer(config.database.path))
        db = await stack.enter_async_context(opened(config.database.path))
        follower = Follower(
            db,
            partial(ogmios.session, config.ogmios.url, headers, min(10.0, config.ogmios.timeout_s)),
            config.chain,
            watched,
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
            log.warning("watch.none", hint="nothing of [[watch]] is set: blocks are followed, no outputs kept")
        await _until_stopped(follower)
    return status


async def _until_stopped(follower: Follower) -> None:
    """Run the follower; the first SIGTERM or SIGINT asks it to finish its batch, patience ends after that."""
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(follower.run(), name="follower")
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
        await task
    except asyncio.CancelledError:
        if not stopped:
            raise
        log.warning("follower.cut_short", after_s=GRACE_S)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

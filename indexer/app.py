"""The daemon on one screen: lock, database, health, follower, signals."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Protocol

import structlog
from aiosqlite import Connection
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.registry import Collector

from indexer import __version__
from indexer.chain.address import CredentialKind
from indexer.chain.block import parse_reference
from indexer.chain.point import ORIGIN, Place, slot_of
from indexer.chain.watch import CredentialWatch
from indexer.config import Config
from indexer.edge import blueprints, http, memory, metrics, ogmios
from indexer.edge.builder.signing import key_hash
from indexer.edge.files import only_writer
from indexer.edge.heartbeat import beating
from indexer.edge.keys import read_key, read_public_key
from indexer.edge.node import node
from indexer.edge.signers import Command, OwnKey
from indexer.edge.systemd import Notifier
from indexer.errors import DatabaseBusy
from indexer.plutus.address import address_bytes
from indexer.plutus.ledger import Address, VerificationKey
from indexer.posts import posts_of
from indexer.status import DeliveryStatus, FollowerStatus, HeartbeatStatus, KeeperStatus, ModelStatus
from indexer.store import checkpoints, coins, contracts
from indexer.store.db import named_errors, opened, transaction
from indexer.workers.adopt import Adopt
from indexer.workers.census import Census
from indexer.workers.deliver import Deliverer
from indexer.workers.follow import Follower
from indexer.workers.heartbeat import Heartbeat, keeper_trouble
from indexer.workers.keeper import Keeper
from indexer.workers.local import LocalSignatures
from indexer.workers.making import Signs
from indexer.workers.pace import Pace
from indexer.workers.premises import Premises, Rules, Script
from indexer.workers.session import Since, Until
from indexer.workers.upkeep import Upkeep
from indexer.workers.vigil import Vigil

log = structlog.get_logger(__name__)

NODE_PATIENCE_S = 20.0
WALLET_PATIENCE_S = 120.0  # asked for an address, the node looks through all outputs there are
GRACE_S = 4.0  # a stop that takes longer is made short; whatever was not committed is read again


class Stoppable(Protocol):
    """Works until it is stopped."""

    async def run(self) -> None:
        """Returns once it was stopped, and has finished what it was at."""

    def stop(self) -> None:
        """Begin nothing more."""


async def run(
    config: Config, *, since: Since | None = None, until: Until = None, dry_run: bool = False
) -> FollowerStatus:
    """Follow the chain, and release what is due, until `until`, SIGTERM or SIGINT. In a `dry_run` nothing is signed.

    Raises the errors that only a person can mend.
    """
    memory.settle()
    pace, failures, notifier = Pace(), 0, Notifier()
    while True:
        try:
            return await _live(config, notifier, since, until, dry_run=dry_run)
        except DatabaseBusy as error:  # at the start: those at work wait for themselves
            failures += 1
            wait_s = pace.retry_after(failures)
            log.warning("database.busy", reason=str(error), retry_in_s=round(wait_s, 1), hint=error.hint)
            notifier.starting(str(error))
            await asyncio.sleep(wait_s)


async def _live(
    config: Config, notifier: Notifier, since: Since | None, until: Until, *, dry_run: bool
) -> FollowerStatus:
    status, keeping = FollowerStatus(), KeeperStatus()
    configured = [one.hash for one in blueprints.read(c.blueprint for c in config.contract)]
    if not config.follow.watch_default:
        configured = []
    signer = signer_of(config)
    headers = ogmios.read_headers(config.ogmios.headers_file)
    posts = posts_of(config, http.now_ms)
    own = config.database.checkpoints
    async with AsyncExitStack() as stack:
        stack.enter_context(only_writer(config.database.path))
        db = await stack.enter_async_context(opened(config.database.path, checkpoints=own))
        status.cursor, followed = await claim(db, config, configured)
        # The hash under either kind of credential: what strangers pay to a key of the same bytes is seen too.
        watched = [*config.watches(), *(CredentialWatch(script_hash) for script_hash in configured)]
        if signer is not None and config.follow.watch_default:
            watched.append(CredentialWatch(key_hash(signer.public), CredentialKind.KEY))
        local = LocalSignatures(db, config.data.directory, config.chain, lambda: slot_of(status.cursor), http.now_ms)
        journal = await stack.enter_async_context(opened(config.database.path, durable=True, checkpoints=own))
        if signer is not None:
            async with transaction(journal):
                await coins.remember(journal, key_hash(signer.public), status.cursor)
        # Submissions may wait for room in the mempool: not for ever, for others wait behind them.
        reach = partial(node, config.ogmios.url, headers, min(NODE_PATIENCE_S, config.ogmios.timeout_s))
        patiently = partial(node, config.ogmios.url, headers, WALLET_PATIENCE_S)
        outbox = await stack.enter_async_context(opened(config.database.path, durable=True, checkpoints=own))
        served = DeliveryStatus()
        deliverer = Deliverer(outbox, config.chain.name, posts, http.now_ms, served)
        await deliverer.open()
        spare = await stack.enter_async_context(opened(config.database.path, checkpoints=own))
        kept = config.retention
        premises = premises_of(config, journal, signer, status, keeping, dry_run=dry_run)
        keeper = Keeper(premises, reach, deliverer, lambda: follower.begin_anew())

        def moved() -> None:
            keeper.wake()
            deliverer.wake()

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
            moved=moved,
            adopt=None if premises.address is None else Adopt(db, patiently, premises.address),
        )

        def why_not_ready() -> str | None:
            return http.not_ready(status, http.now_ms(), config.http.ready_within_s)

        def why_silent() -> str | None:
            return why_not_ready() or keeper_trouble(keeping, http.now_ms())

        counted, beats = ModelStatus(), HeartbeatStatus()
        registry = _registry_of(
            metrics.BuildMetrics(__version__),
            metrics.FollowerMetrics(status, http.now_ms, why_not_ready),
            metrics.ModelMetrics(counted),
            metrics.KeeperMetrics(keeping, http.now_ms),
            metrics.DeliveryMetrics(served, http.now_ms),
            metrics.FileMetrics(config.database.path),
            metrics.HeartbeatMetrics(beats),
        )
        after_s = config.follow.stalled_after_s
        beside = [
            Census(config.database.path, counted, http.now_ms).run,
            Vigil(journal, config.chain, status, why_not_ready, http.now_ms, after_s).run,
            Upkeep(spare, http.now_ms, kept.deliveries_days or None, kept.dead_letters_days or None).run,
        ]
        if config.heartbeat.url is not None:
            beat = await stack.enter_async_context(beating(config.heartbeat.url, config.heartbeat.timeout_s))
            beside.append(Heartbeat(beat, why_silent, beats, config.heartbeat.interval_s).run)
        port = await stack.enter_async_context(http.serving(*config.http.address, registry, why_not_ready))
        log.info("daemon.started", network=config.chain.name, database=str(config.database.path), http_port=port)
        if not watched:
            log.warning("watch.none", hint="no [[contract]] and no [[watch]]: blocks are followed, nothing is kept")
        await local.look()
        notifier.ready()
        living = asyncio.create_task(_signs_of_life(notifier, status), name="signs of life")
        stack.callback(living.cancel)
        await _until_stopped(follower, (keeper, deliverer), local.run, *beside)
        notifier.stopping()
    return status


def _registry_of(*collectors: Collector) -> CollectorRegistry:
    """What is told at /metrics: of the process too."""
    registry = CollectorRegistry()
    for each in collectors:
        registry.register(each)
    ProcessCollector(registry=registry)
    return registry


async def _signs_of_life(notifier: Notifier, status: FollowerStatus) -> None:
    """Tell systemd that the loop turns, as long as it does, and how far the follower is."""
    while notifier.interval_s is not None:
        behind = status.seconds_behind(http.now_ms())
        reason = f": {status.reason}" if status.reason else ""
        notifier.alive(f"{status.phase}{reason}, height {status.height}, {behind} s behind the clock")
        await asyncio.sleep(notifier.interval_s)


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


def signer_of(config: Config) -> Signs | None:
    """Who signs for the keeper; None: it has no key. Raises FileUnusable, KeyUnusable."""
    keeper = config.keeper
    if keeper.signing_key is not None:
        return OwnKey(read_key(keeper.signing_key))
    if keeper.signer and keeper.verification_key is not None:
        return Command(keeper.signer, read_public_key(keeper.verification_key))
    return None


def wallet_address(config: Config, owner: bytes) -> bytes:
    """Of the keeper's coins: the hash of its key, without a stake part."""
    return address_bytes(Address(VerificationKey(owner)), config.chain.id)


def premises_of(
    config: Config,
    db: Connection,
    signer: Signs | None,
    follower: FollowerStatus,
    status: KeeperStatus,
    *,
    address: bytes | None = None,
    dry_run: bool = False,
) -> Premises:
    """What the keeper works with, as it is configured; `address`: of its coins, where nobody is there to sign.

    Nothing is written. Raises what blueprints raise.
    """
    if signer is not None:
        address = wallet_address(config, key_hash(signer.public))
    wants = config.keeper
    rules = Rules(
        enabled=wants.enabled,
        reserve=wants.reserve_lovelace,
        max_loss_per_day=wants.max_loss_lovelace_per_day,
        sponsors=frozenset(wants.sponsor),
        ready_within_s=config.http.ready_within_s,
        confirmed_depth=config.finality.confirmed_depth,
        dry_run=dry_run,
    )
    scripts: dict[bytes, Script] = {}
    for section in config.contract:
        (contract,) = blueprints.read([section.blueprint])
        named = None if section.reference is None else parse_reference(section.reference)
        scripts.setdefault(contract.hash, Script(contract, named))
    data = config.data.directory
    return Premises(db, config.chain, scripts, rules, signer, address, follower, data, http.now_ms, status)


async def _until_stopped(
    follower: Follower, workers: Sequence[Stoppable], *beside: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """Run the follower; the first SIGTERM or SIGINT asks it to finish its batch, patience ends after that.

    The workers work and what is `beside` is done meanwhile; the workers finish what they are at once the follower has.
    Should any of it fail as nobody foresaw, the follower stops too.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(follower.run(), name="follower")
    working = [asyncio.create_task(each.run(), name=type(each).__name__) for each in workers]
    others = [*working, *(asyncio.create_task(each()) for each in beside)]
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            for each in (follower, *workers):
                each.stop()
            loop.call_later(GRACE_S, task.cancel)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await asyncio.wait((task, *others), return_when=asyncio.FIRST_COMPLETED)
        for each in others:
            if each.done():
                await each
        await task
        for worker, at_work in zip(workers, working, strict=True):
            worker.stop()
            await at_work
    except asyncio.CancelledError:
        if not stopped:
            raise
        log.warning("follower.cut_short", after_s=GRACE_S)
    finally:
        for each in (task, *others):
            each.cancel()
        await asyncio.wait((task, *others))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

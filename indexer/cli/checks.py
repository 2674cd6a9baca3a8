"""`indexer init`: a configuration where there is none, and a look at everything that `run` needs."""

import os
import re
import shutil
import time
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from aiosqlite import Connection

from indexer import app, config, errors
from indexer.chain.address import CredentialKind
from indexer.chain.network import network_of
from indexer.chain.point import Point
from indexer.chain.time import slot_to_ms
from indexer.chain.watch import CredentialWatch
from indexer.cli.auditing import check_patterns
from indexer.cli.outputs import Output
from indexer.cli.told import ada, table
from indexer.cli.wallets import for_the_daemon_alone, wallet_of
from indexer.config import Config
from indexer.edge import blueprints, kupo, ogmios
from indexer.edge.files import holder
from indexer.plutus.blueprint import Blueprint
from indexer.status import FollowerStatus, KeeperStatus
from indexer.store import checkpoints, coins, watches
from indexer.store.db import examine, is_outdated, opened_for_reading
from indexer.workers.premises import A_RELEASE
from indexer.workers.sending import text_of

ENOUGH_BYTES = 1_000_000_000  # a contract's whole history is far smaller; the write-ahead log may reach 64 MiB
SYNCED = 1.0
KUPO_LIMITS = kupo.Limits(silence_s=10.0, overall_s=20.0, tries=2)


class Check(Output):
    """One thing looked at: what was found, and what to do where it is not as it should be."""

    name: str
    ok: bool
    found: str
    hint: str | None = None
    exit_code: int = 0


class InitReport(Output):
    """What `init` wrote and found. `running`: a daemon does already, or something else that writes to the database."""

    config: str
    written: bool
    running: bool
    checks: tuple[Check, ...]

    @property
    def exit_code(self) -> int:
        """0 where `run` can start; else that of the first thing in its way."""
        return next((check.exit_code for check in self.checks if not check.ok), 0)

    def told(self) -> str:
        """In words."""
        rows = [("ok" if check.ok else "NO", check.name, check.found) for check in self.checks]
        hints = [f"{check.name}: {check.hint}" for check in self.checks if not check.ok and check.hint]
        return "\n".join(
            (
                f"configuration: {self.config} ({'written' if self.written else 'was there already'})",
                "",
                table(("", "what", "found"), rows),
                "",
                *(
                    ("what to do:", *(f"  {hint}" for hint in hints))
                    if hints
                    else ("ready: it runs" if self.running else "ready: start it with `indexer run`",)
                ),
            )
        )


def write_config(path: Path, network: str | None) -> bool:
    """Write a configuration if there is none, and beside it the blueprint that it names; whether it was written.

    Raises ConfigInvalid, also where there is one for another network than is asked for, or FileUnusable.
    """
    wanted = None
    if network is not None:
        try:
            wanted = network_of(network).name
        except ValueError as error:
            raise errors.ConfigInvalid(str(error)) from error
    if path.exists():
        found = config.load(path).chain.name
        if wanted not in (None, found):
            raise errors.ConfigInvalid(
                f"{path} was there already, and is for {found}, not {wanted}",
                hint=f"set network in it, or keep one elsewhere: `indexer --config FILE init --network {wanted}`",
            )
        return False
    text = shipped("config.toml")
    if wanted is not None:
        value = wanted if wanted.isdigit() else f'"{wanted}"'
        text = re.sub(r"^network = .*$", f"network = {value}", text, count=1, flags=re.MULTILINE)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        blueprint = path.with_name("plutus.json")
        if not blueprint.exists():
            blueprint.write_text(shipped("plutus.json"), encoding="utf-8")
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise errors.FileUnusable(f"cannot write {error.filename or path}: {error.strerror}") from error
    return True


def shipped(name: str) -> str:
    """A file that comes with the package: `config.toml`, with every key explained, or `plutus.json`, the contract."""
    inside = files("indexer") / name  # in the wheel
    return inside.read_text() if inside.is_file() else (Path(__file__).parents[2] / name).read_text()


async def check_everything(path: Path, written: bool) -> InitReport:
    """Look at Ogmios, node, disk, database and wallet, and at Kupo where there is one.

    Raises ConfigInvalid or FileUnusable.
    """
    loaded = config.load(path)
    checks = [*await _node(loaded), _contracts(loaded), _disk(loaded), await _database(loaded)]
    checks += [await _wallet(loaded), *await _kupo(loaded)]
    return InitReport(config=str(path), written=written, running=_runs(loaded), checks=tuple(checks))


def _runs(loaded: Config) -> bool:
    try:
        return holder(loaded.database.path) is not None
    except errors.DatabaseUnusable:  # another line tells
        return False


def _contracts(loaded: Config) -> Check:
    try:
        found = blueprints.read(contract.blueprint for contract in loaded.contract)
    except errors.IndexerError as error:
        return Check(name="contract", ok=False, found=str(error), hint=error.hint, exit_code=error.exit_code)
    if not found:
        return Check(name="contract", ok=True, found="none: no [[contract]] is set, so no distribution is followed")
    return Check(name="contract", ok=True, found=", ".join(one.hash.hex() for one in found))


async def _node(loaded: Config) -> list[Check]:
    url, timeout = loaded.ogmios.url, min(10.0, loaded.ogmios.timeout_s)
    try:
        headers = ogmios.read_headers(loaded.ogmios.headers_file)
        async with ogmios.session(url, headers, timeout) as session:
            network = await session.identify(loaded.chain)
        health = await ogmios.fetch_health(url, headers, timeout)
    except errors.WrongNetwork as error:
        return [_failed("network", error)]
    except errors.IndexerError as error:
        return [_failed("Ogmios", error)]
    sync = health.get("networkSynchronization")
    synced = isinstance(sync, int | float) and sync >= SYNCED
    return [
        Check(name="Ogmios", ok=True, found=f"{health.get('version')} at {ogmios.shown_url(url)}"),
        Check(name="network", ok=True, found=f"{network.name}, k = {network.security_parameter}"),
        Check(
            name="node",
            ok=True,  # following a node that still synchronises is fine: we wait for it
            found="synchronised" if synced else f"synchronised to {sync}: the follower goes on as the node does",
        ),
    ]


def _disk(loaded: Config) -> Check:
    folder = next(p for p in loaded.database.path.parents if p.exists())
    free = shutil.disk_usage(folder).free
    return Check(
        name="disk",
        ok=free >= ENOUGH_BYTES,
        found=f"{free / 1e9:.1f} GB free at {folder}",
        hint="free some room, or move [database] path",
        exit_code=1,
    )


async def _database(loaded: Config) -> Check:
    path = loaded.database.path
    if not path.exists():
        folder = next(p for p in path.parents if p.exists())
        return Check(
            name="database",
            ok=folder.is_dir() and os.access(folder, os.W_OK | os.X_OK),
            found=f"none yet; `run` makes {path}",
            hint=f"{folder} is no directory that we may write to",
            exit_code=1,
        )
    try:
        writer = holder(path)
        if path.stat().st_size:
            async with opened_for_reading(path) as db:
                found = f"{path}, {await _standing(db, loaded)}"
        else:
            found = f"{path} is empty: `run` fills it"
    except errors.IndexerError as error:
        return _failed("database", error)
    if writer is not None:
        return Check(name="database", ok=True, found=f"{found}; process {writer} writes to it")
    return Check(
        name="database",
        ok=os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK),
        found=found,
        hint=f"we may not write to {path}, or not make files beside it",
        exit_code=1,
    )


async def _standing(db: Connection, loaded: Config) -> str:
    """How far it is. Nothing is written, for a daemon may start meanwhile. Raises what is wrong with it."""
    await examine(db)
    if await is_outdated(db):
        return "of an earlier version: `run` brings it up to date"
    try:
        await checkpoints.read(db)
    except errors.NoDatabase:
        return "into which nothing was followed yet"
    return f"at {(await checkpoints.claim(db, loaded.chain)).cursor.place}"  # it is claimed, so this only compares


async def _wallet(loaded: Config) -> Check:
    """The keeper's, as the database has it. An empty one keeps nobody from following, so it is no failure."""
    try:
        try:
            async with opened_for_reading(loaded.database.path) as db:
                address = await wallet_of(loaded, db)
                means = None if address is None else await _means(loaded, db, address)
        except errors.NoDatabase:
            address = await wallet_of(loaded, None)
            means = "what it has is told once `run` has followed the chain"
    except errors.IndexerError as error:
        return _failed("wallet", error)
    if address is None:
        return Check(name="wallet", ok=True, found="none: [keeper] has no key, so nothing is released from here")
    whose = f" (as the database has it: {loaded.keeper.signing_key} is for the daemon to read)"
    known = whose if for_the_daemon_alone(loaded) else ""
    off = "" if loaded.keeper.enabled else "; the keeper is off: [keeper] enabled"
    return Check(name="wallet", ok=True, found=f"{text_of(address)}{known}: {means}{off}")


async def _means(loaded: Config, db: Connection, address: bytes) -> str:
    """Balance, collateral, and how many releases that lasts for."""
    if await is_outdated(db):
        return "what it has is told once `run` has brought the database up to date"
    at = app.premises_of(loaded, db, None, FollowerStatus(), KeeperStatus(), address=address)
    key_hash, reserve = address[1:29], at.rules.reserve
    _, balance = await coins.balance(at.db, key_hash)
    collateral = (await at.pocket(await at.position())).collateral
    told = [f"{ada(balance)} ada"]
    if balance >= max(1, reserve):
        told.append(f"enough for {(balance - reserve) // A_RELEASE:,} releases at {ada(A_RELEASE)} ada each")
    else:
        told.append(f"less than its reserve of {ada(reserve)} ada: send some, in a coin without tokens")
    if collateral is not None:
        told.append(f"a coin of {ada(collateral.output.lovelace)} ada as collateral")
    elif balance >= max(1, reserve):
        told.append("no collateral yet: the keeper splits a coin")
    if await coins.unread(at.db, key_hash):
        told.append("coins from before the history are not read yet: `run` does, once it has caught up")
    if not balance and (earlier := await coins.earlier_wallets(at.db, key_hash)):
        told.append(f"before, the keeper had another key: {', '.join(each.hex() for each in earlier)}")
    return "; ".join(told)


async def _kupo(loaded: Config) -> list[Check]:
    """Whether `audit` could compare. The daemon goes without Kupo; but who names one wants to be told."""
    if loaded.kupo.url is None:
        return []
    watched, cursor, eras = loaded.watches(), None, loaded.chain.eras
    watched += [CredentialWatch(one.hash, CredentialKind.SCRIPT) for one in _followed(loaded)]
    with suppress(errors.IndexerError):  # of the database, another line tells
        async with opened_for_reading(loaded.database.path) as db:
            standing = await checkpoints.read(db)
            watched += [entry.watch for entry in await watches.read(db)]
            cursor, eras = standing.cursor.place, standing.network.eras
    try:
        async with kupo.connected(loaded.kupo.url, ogmios.read_headers(loaded.kupo.headers_file), KUPO_LIMITS) as found:
            health = await found.health()
            await check_patterns(found, watched)
    except errors.IndexerError as error:
        return [_failed("Kupo", error)]
    at = "no block yet" if health.checkpoint is None else f"at slot {health.checkpoint}"
    if health.checkpoint is not None and eras:
        behind = max(0, round(time.time() - slot_to_ms(eras, health.checkpoint) / 1000))
        at += f", {behind:,} s behind the clock"
    if health.checkpoint is not None and isinstance(cursor, Point):
        ahead = health.checkpoint - cursor.slot
        at += f", {abs(ahead):,} slots {'ahead of' if ahead >= 0 else 'behind'} the database"
    return [
        Check(
            name="Kupo",
            ok=health.connected,
            found=f"{health.version} at {ogmios.shown_url(loaded.kupo.url)}, {at}"
            + ("" if health.connected else ", without a node"),
            hint="see Kupo's log: it has lost its node (or Ogmios), and reconnects by itself",
            exit_code=3,
        )
    ]


def _followed(loaded: Config) -> list[Blueprint]:
    """The contracts that are watched; a blueprint that cannot be read has a line of its own."""
    if not loaded.follow.watch_default:
        return []
    try:
        return list(blueprints.read(contract.blueprint for contract in loaded.contract))
    except errors.IndexerError:
        return []


def _failed(name: str, error: errors.IndexerError) -> Check:
    return Check(name=name, ok=False, found=str(error), hint=error.hint, exit_code=error.exit_code)

"""The lines of `init` that tell of the database, and of the keeper's wallet."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from indexer.chain.address import Credential, CredentialKind
from indexer.chain.block import Header, Output, OutputReference
from indexer.chain.network import network_of
from indexer.chain.point import ORIGIN, Checkpoint, Place, Point
from indexer.chain.watch import CredentialWatch
from indexer.cli.checks import Check, InitReport, check_everything
from indexer.domain.created import Created
from indexer.domain.observe import Delta
from indexer.edge.files import only_writer
from indexer.edge.keys import Key, write_key
from indexer.store import checkpoints, coins, projection, watches
from indexer.store.db import migrations, opened
from tests.support.addresses import address
from tests.support.yard import KEEPER

ADDRESS = address(KEEPER.hash, "key")
HERE = Point(50, b"\x32" * 32)


def alter(path: Path, *statements: str) -> None:
    """As somebody else might."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)


async def report_of(folder: Path, keeper: str = "") -> InitReport:
    """What `init` says where there is no node."""
    config = folder / "config.toml"
    config.write_text(f'[database]\npath = "db.sqlite"\n[ogmios]\nurl = "ws://127.0.0.1:9"\n[keeper]\n{keeper}\n')
    return await check_everything(config, written=False)


async def database(folder: Path) -> Check:
    """What it says of the database."""
    return next(check for check in (await report_of(folder)).checks if check.name == "database")


async def wallet(folder: Path, keeper: str = 'enabled = true\nsigning_key = "keeper.skey"') -> Check:
    """What it says of the wallet."""
    key = folder / "keeper.skey"
    if not key.exists():
        write_key(Key(bytes(KEEPER.key)), key, "keeper")
    report = await report_of(folder, keeper)
    (found,) = [check for check in report.checks if check.name == "wallet"]
    assert bytes(KEEPER.key).hex() not in report.told()
    return found


async def holding(folder: Path, *lovelace: int, since: Place = ORIGIN) -> None:
    """A database in which the wallet has these coins."""
    async with opened(folder / "db.sqlite") as db:
        await checkpoints.claim(db, network_of("devnet"))
        await checkpoints.begin(db, Checkpoint(ORIGIN, None))
        await watches.reconcile(db, [CredentialWatch(KEEPER.hash, CredentialKind.KEY)], since)
        made = [
            Created(
                OutputReference(bytes(32), index),
                Output(ADDRESS, each, (), None, None, None),
                Credential(CredentialKind.KEY, KEEPER.hash),
            )
            for index, each in enumerate(lovelace)
        ]
        await projection.apply(db, [Delta(Header(HERE.id, None, 9, HERE.slot), created=made)])


async def test_a_database_is_looked_at_and_neither_made_nor_locked_nor_changed(tmp_path: Path) -> None:
    """A daemon may start at any moment. Where it stands is told, or that there is nothing to tell yet."""
    assert (await database(tmp_path)).found == f"none yet; `run` makes {tmp_path / 'db.sqlite'}"
    (tmp_path / "db.sqlite").touch()
    assert (await database(tmp_path)).found == f"{tmp_path / 'db.sqlite'} is empty: `run` fills it"
    async with opened(tmp_path / "db.sqlite"):
        pass
    found = await database(tmp_path)
    assert (found.ok, found.found) == (True, f"{tmp_path / 'db.sqlite'}, into which nothing was followed yet")
    await holding(tmp_path)
    before = (tmp_path / "db.sqlite").read_bytes()
    found = await database(tmp_path)
    assert (found.ok, found.found) == (True, f"{tmp_path / 'db.sqlite'}, at origin")
    assert (tmp_path / "db.sqlite").read_bytes() == before
    assert {*os.listdir(tmp_path)} <= {"config.toml", "db.sqlite", "db.sqlite-wal", "db.sqlite-shm"}  # noqa: PTH208 -- blocks not


async def test_beside_a_daemon_nobody_is_told_to_start_one(tmp_path: Path) -> None:
    """It is there, and was looked at all the same."""
    await holding(tmp_path)
    assert not (await report_of(tmp_path)).running
    with only_writer(tmp_path / "db.sqlite"):
        report = await report_of(tmp_path)
        assert report.running
        found = next(check for check in report.checks if check.name == "database")
        assert found.ok
        assert found.found == f"{tmp_path / 'db.sqlite'}, at origin; process {os.getpid()} writes to it"
        well = report.model_copy(update={"checks": [each for each in report.checks if each.ok]})
        assert well.told().endswith("ready: it runs")
    assert report.model_copy(update={"checks": (), "running": False}).told().endswith("start it with `indexer run`")


async def test_a_database_that_is_damaged_or_of_something_else_is_in_the_way(tmp_path: Path) -> None:
    """With what to do; an earlier version's is not."""
    path = tmp_path / "db.sqlite"
    await holding(tmp_path, 7_000_000)
    alter(path, "PRAGMA user_version = 3")
    found = await database(tmp_path)
    assert (found.ok, found.found) == (True, f"{path}, of an earlier version: `run` brings it up to date")
    assert "once `run` has brought the database up to date" in (await wallet(tmp_path)).found
    alter(path, f"PRAGMA user_version = {len(migrations())}", "DROP TABLE wallet_reading")
    found = await database(tmp_path)
    assert not found.ok
    assert "set the file aside" in str(found.hint)
    path.write_bytes(b"x" * 8192)
    found = await database(tmp_path)
    assert not found.ok
    assert "set the file aside" in str(found.hint)


async def test_without_a_key_there_is_none(tmp_path: Path) -> None:
    """That is no failure."""
    found = await wallet(tmp_path, "")
    assert (found.ok, found.found) == (True, "none: [keeper] has no key, so nothing is released from here")


async def test_a_key_that_cannot_be_read_is_in_the_way(tmp_path: Path) -> None:
    """With what to do. Whose it is nobody knows before the daemon has run, with or without a database."""
    for has_run in (False, True):
        if has_run:
            await holding(tmp_path, 7_000_000)
        found = await wallet(tmp_path, 'signing_key = "elsewhere.skey"')
        assert not found.ok
        assert "start that: then the database knows" in str(found.hint)
    assert "elsewhere.skey" in found.found
    assert found.exit_code


async def test_a_key_that_the_daemon_alone_can_read_is_that_of_the_wallet_that_the_database_remembers(
    tmp_path: Path,
) -> None:
    """Of several, the one that was configured at the last start, whichever came first."""
    await holding(tmp_path, 7_000_000)
    async with opened(tmp_path / "db.sqlite") as db:
        await coins.remember(db, KEEPER.hash, Point(7, bytes(32)))
        await coins.remember(db, b"\x0b" * 28, HERE)
    found = await wallet(tmp_path, 'signing_key = "elsewhere.skey"')
    assert found.ok
    assert found.found.startswith(f"{ADDRESS} (as the database has it: ")
    assert "elsewhere.skey is for the daemon to read): 7.000000 ada" in found.found


async def test_before_the_chain_was_followed_the_address_is_told(tmp_path: Path) -> None:
    """To send something to."""
    found = await wallet(tmp_path)
    assert found.ok
    assert found.found == f"{ADDRESS}: what it has is told once `run` has followed the chain"


async def test_balance_collateral_and_runway_are_told(tmp_path: Path) -> None:
    """5 ada are its reserve; of 106 the other 101 are enough for 202 releases at half an ada."""
    await holding(tmp_path, 100_000_000, 6_000_000)
    found = await wallet(tmp_path)
    assert found.found == (
        f"{ADDRESS}: 106.000000 ada; enough for 202 releases at 0.500000 ada each; a coin of 6.000000 ada as collateral"
    )
    off = await wallet(tmp_path, 'signing_key = "keeper.skey"')
    assert off.found == f"{found.found}; the keeper is off: [keeper] enabled"


async def test_an_empty_wallet_is_told_apart_from_a_changed_key(tmp_path: Path) -> None:
    """By the keys that the keeper had before."""
    await holding(tmp_path)
    low = "0.000000 ada; less than its reserve of 5.000000 ada: send some, in a coin without tokens"
    assert (await wallet(tmp_path)).found == f"{ADDRESS}: {low}"
    async with opened(tmp_path / "db.sqlite") as db:
        await coins.remember(db, b"\x0b" * 28, HERE)
    assert (await wallet(tmp_path)).found == f"{ADDRESS}: {low}; before, the keeper had another key: {'0b' * 28}"


async def test_coins_that_are_not_known_yet_are_told_of(tmp_path: Path) -> None:
    """For the balance may be more."""
    await holding(tmp_path, 7_000_000, since=HERE)
    found = (await wallet(tmp_path)).found
    assert "7.000000 ada; enough for 4 releases" in found
    assert "coins from before the history are not read yet" in found

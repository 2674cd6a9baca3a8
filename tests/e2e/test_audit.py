"""The audit of a database that the real follower filled, against the devnet's Kupo: honest, and with planted faults."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from random import Random
from typing import cast

import pytest

from indexer import config, errors
from indexer.chain.address import CredentialKind
from indexer.chain.point import Point
from indexer.chain.watch import ByronWatch, CredentialWatch, Watch
from indexer.cli import auditing
from indexer.cli.auditing import Audit, compare_with_kupo
from indexer.cli.checks import Check, check_everything
from indexer.devnet.blocks import NodeBlock
from indexer.devnet.kupo.health import Producer
from indexer.devnet.kupo.patterns import parse
from indexer.devnet.ledger.spelling import unbase58
from indexer.devnet.running import Devnet
from indexer.edge.kupo import Limits
from tests.support.acts import DEEDS, fork, make_blocks
from tests.support.blocks import BYRON_TESTNET
from tests.support.following import daemon, follow, select, until
from tests.support.process import command
from tests.support.promised import NETWORK
from tests.support.promises import OURS, PURSE, World

WATCHES: list[Watch] = [CredentialWatch(OURS.hash, CredentialKind.SCRIPT), CredentialWatch(PURSE.hash)]
BYRON = BYRON_TESTNET[0]
QUICK = Limits(first_retry_s=0.001)


def busy_world(seed: int, acts: int) -> World:
    """A world in which much has happened, all of it in blocks."""
    world, random = World(), Random(seed)
    live(world, random, acts)
    return world


def live(world: World, random: Random, acts: int) -> None:
    for _ in range(acts):
        random.choice(DEEDS)(random, world)
        if random.random() < 0.4:
            world.block()
    world.block()


def configuration(folder: Path, devnet: Devnet, more: str = "") -> Path:
    path = folder / "config.toml"
    path.write_text(
        f'network = "devnet"\n[database]\npath = "db.sqlite"\n[ogmios]\nurl = "{devnet.url}"\n'
        f'[kupo]\nurl = "{devnet.kupo_url}"\n{more}'
    )
    return path


async def audited(path: Path, limits: Limits = QUICK) -> Audit:
    return await compare_with_kupo(config.load(path), lambda _: None, limits)


def database(path: Path) -> Path:
    return path.with_name("db.sqlite")


def plant(path: Path, *statements: str) -> None:
    """Write into the database behind the indexer's back."""
    with closing(sqlite3.connect(database(path))) as db, db:
        for statement in statements:
            assert db.execute(statement).rowcount > 0, statement


def restore(path: Path, sound: bytes) -> None:
    """The database as it was, without what SQLite keeps beside it."""
    for file in path.parent.glob("db.sqlite*"):
        file.unlink()
    database(path).write_bytes(sound)


@asynccontextmanager
async def followed(folder: Path, world: World) -> AsyncIterator[tuple[Devnet, Path]]:
    """The world served, and read into a database up to its tip."""
    async with Devnet(world.node) as devnet:
        path = configuration(folder, devnet)
        await follow(database(path), devnet.ogmios.port, WATCHES, network=NETWORK)
        yield devnet, path


async def test_an_honest_chain_shows_no_difference_and_all_of_it_was_compared(tmp_path: Path) -> None:
    """As many outputs as the view has, at the tip; what is watched as a script, Kupo cannot tell from a key."""
    world = busy_world(1, 80)
    async with followed(tmp_path, world) as (_, path):
        found = await audited(path)
    rows = select(database(path), "SELECT payment_credential, count(*) n, count(spent_slot) s FROM outputs GROUP BY 1")
    assert sorted((w.credential, w.outputs, w.outputs - w.unspent) for w in found.watches) == sorted(
        (row["payment_credential"], row["n"], row["s"]) for row in rows
    )
    assert len(rows) == 2
    assert world.node.tip is not None
    assert (found.slot, found.block_id) == (world.node.tip.slot, world.node.tip.id.hex())
    assert found.differences == ()
    assert found.told().endswith("no difference")


FIRST = "rowid = (SELECT rowid FROM output WHERE {} ORDER BY created_slot, transaction_id, output_index LIMIT 1)"
SPENT, UNSPENT = FIRST.format("spent_slot IS NOT NULL"), FIRST.format("spent_slot IS NULL")
INLINE, RICH = FIRST.format("inline_datum IS NOT NULL"), FIRST.format("assets <> '{}'")
PLANTED = {
    "missing": (UNSPENT, "DELETE FROM output WHERE {}"),
    "extra": (
        UNSPENT,
        """INSERT INTO output SELECT substr(transaction_id, 3) || 'ff', output_index, address, payment_credential,
        credential_kind, lovelace, '{{}}', NULL, NULL, NULL, NULL, created_slot, created_block, NULL, NULL
        FROM output WHERE {}""",
    ),
    "spent": (UNSPENT, "UPDATE output SET spent_slot = created_slot + 1, spent_by = transaction_id WHERE {}"),
    "spent, unmarked": (SPENT, "UPDATE output SET spent_slot = NULL, spent_by = NULL WHERE {}"),
    "spent by another": (SPENT, "UPDATE output SET spent_by = transaction_id WHERE {}"),
    "spent earlier": (SPENT, "UPDATE output SET spent_slot = spent_slot - 1 WHERE {}"),
    "datum": (INLINE, "UPDATE output SET inline_datum = x'd87980' WHERE {}"),
    "datum hash": (INLINE, "UPDATE output SET datum_hash = printf('%064d', 0) WHERE {}"),
    "datum lost": (INLINE, "UPDATE output SET datum_hash = NULL, inline_datum = NULL WHERE {}"),
    "assets": (RICH, "UPDATE output SET assets = '{{}}' WHERE {}"),
    "assets in their own rows": (
        RICH,
        """UPDATE asset SET quantity = quantity || '0' WHERE (transaction_id, output_index) =
        (SELECT transaction_id, output_index FROM output WHERE {})""",
    ),
    "lovelace": (UNSPENT, "UPDATE output SET lovelace = lovelace + 1 WHERE {}"),
    "address": (UNSPENT, "UPDATE output SET address = 'addr_test1xyz' WHERE {}"),
    "address kind": (FIRST.format("credential_kind = 'key'"), "UPDATE output SET credential_kind = 'script' WHERE {}"),
    "script": (UNSPENT, "UPDATE output SET script_language = 'native' WHERE {}"),
    "slot": (UNSPENT, "UPDATE output SET created_slot = created_slot + 1 WHERE {}"),
    "slot block": (UNSPENT, "UPDATE output SET created_block = printf('%064d', 0) WHERE {}"),
}


async def test_a_planted_difference_of_each_kind_is_found_and_nothing_else(tmp_path: Path) -> None:
    """One at a time, in the database; the answer names its kind and its output."""
    async with followed(tmp_path, busy_world(2, 60)) as (_, path):
        sound = database(path).read_bytes()
        for name, (which, statement) in PLANTED.items():
            (row,) = select(database(path), f"SELECT transaction_id t, output_index i FROM output WHERE {which}")
            plant(path, statement.format(which))
            found = await audited(path)
            kind = name.split()[0].rstrip(",")
            expected = (row["t"][2:] + "ff" if kind == "extra" else row["t"], row["i"])
            assert [(d.kind, d.transaction_id, d.output_index) for d in found.differences] == [(kind, *expected)], name
            assert kind in found.told()
            restore(path, sound)
        assert (await audited(path)).differences == ()


async def test_a_wrong_preimage_of_a_datum_hash_is_found(tmp_path: Path) -> None:
    """Kupo may not know it; but it does not have its hash."""
    async with followed(tmp_path, busy_world(3, 60)) as (_, path):
        which = FIRST.format("datum_hash IS NOT NULL AND inline_datum IS NULL")
        plant(
            path,
            f"INSERT OR REPLACE INTO datum SELECT datum_hash, x'00', created_slot FROM output WHERE {which}",
        )
        assert {d.kind for d in (await audited(path)).differences} == {"datum"}


async def test_a_byron_address_and_a_key_with_the_hash_of_a_script_are_told_from_others(tmp_path: Path) -> None:
    """Kupo knows the one by its text; of the other it names both, and only what is watched counts."""
    world = busy_world(8, 5)
    for address in (b"\x70" + PURSE.hash, b"\x60" + PURSE.hash, unbase58(BYRON)):
        world.node.faucet(address, 3_000_000)
        world.block()
    watched: list[Watch] = [CredentialWatch(PURSE.hash, CredentialKind.KEY), ByronWatch(BYRON)]
    async with Devnet(world.node) as devnet:
        path = configuration(tmp_path, devnet)
        await follow(database(path), devnet.ogmios.port, watched, network=NETWORK)
        found = await audited(path)
        there = [row.output.address for row in devnet.index.rows if row.output.address[1:29] == PURSE.hash]
        assert {address[0] for address in there} == {0x60, 0x70}
        assert found.differences == ()
        assert {w.kind: w.outputs for w in found.watches} == {"byron": 1, "key": sum(a[0] == 0x60 for a in there)}
        plant(path, f"UPDATE output SET lovelace = 1 WHERE address = '{BYRON}'")
        assert [(d.kind, d.credential) for d in (await audited(path)).differences] == [("lovelace", BYRON)]


async def test_either_may_be_ahead_of_the_other(tmp_path: Path) -> None:
    """The older of the two is where both are compared: the database stands still, then Kupo does."""
    world = busy_world(4, 40)
    async with followed(tmp_path, world) as (devnet, path):
        stands = world.node.tip
        assert stands is not None
        live(world, Random(5), 30)
        behind = await audited(path)
        await follow(database(path), devnet.ogmios.port, WATCHES, network=NETWORK)
        devnet.index.roll_back(Point(stands.slot, stands.id))
        ahead = await audited(path)
        assert (behind.slot, behind.differences) == (ahead.slot, ahead.differences) == (stands.slot, ())
        assert behind.watches == ahead.watches


async def test_on_another_fork_than_kupo_the_block_before_the_fork_is_compared(tmp_path: Path) -> None:
    """Whatever either holds of its own branch."""
    world = busy_world(6, 40)
    async with followed(tmp_path, world) as (_, path):
        before = cast("NodeBlock", list(world.node.chain)[-6])
        assert world.node.tip is not None
        world.fork(5, 7)
        live(world, Random(7), 10)
        found = await audited(path)
        assert (found.slot <= before.slot, found.differences) == (True, ())
        assert sum(watch.outputs for watch in found.watches) > 20


@pytest.mark.parametrize("seed", range(4))
async def test_while_the_chain_moves_and_forks_an_honest_database_shows_no_difference(
    seed: int, tmp_path: Path
) -> None:
    """The real daemon follows; blocks and forks come between the audit's requests. Then a planted fault is found."""
    world, random = busy_world(10 + seed, 30), Random(seed)
    async with Devnet(world.node) as devnet:
        path = configuration(tmp_path, devnet)
        async with daemon(database(path), devnet.ogmios.port, WATCHES, network=NETWORK) as follower:
            await until(lambda: world.node.tip is not None and follower.status.height == world.node.tip.height)
            done = asyncio.Event()

            async def disturb() -> None:
                while not done.is_set():
                    random.choice(DEEDS)(random, world)
                    random.choice((make_blocks, make_blocks, fork))(random, world)
                    await asyncio.sleep(0.02)  # let the audit go on

            task = asyncio.create_task(disturb())
            try:
                for planted in (False, False, False, True, True, True):
                    if planted:  # in a block that no fork takes away
                        oldest = FIRST.format("credential_kind = 'key'")
                        await asyncio.to_thread(plant, path, f"UPDATE output SET lovelace = 1 WHERE {oldest}")
                    found = await audited(path)
                    assert [d.kind for d in found.differences] == ["lovelace"] * planted
                    assert sum(watch.outputs for watch in found.watches) > 20
            finally:
                done.set()
                await task


async def test_a_rollback_under_its_hands_makes_it_begin_anew_further_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The block at which it compares is undone before it has done; the next attempt is one block deeper."""
    world = busy_world(20, 30)
    async with followed(tmp_path, world) as (_, path):
        real, undone = auditing._lockstep, list[NodeBlock | None]()

        async def lockstep(*given: object) -> None:
            if not undone:
                undone.append(world.node.tip)
                world.fork(1, 1)
            await real(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(auditing, "_lockstep", lockstep)
        found = await audited(path)
        assert undone[0] is not None
        assert (found.slot < undone[0].slot, found.differences) == (True, ())


async def test_a_watch_added_later_is_compared_from_where_its_history_starts(tmp_path: Path) -> None:
    """Kupo holds more, which is no difference; a row of before that would be one."""
    world = busy_world(30, 40)
    async with Devnet(world.node) as devnet:
        path = configuration(tmp_path, devnet)
        await follow(database(path), devnet.ogmios.port, WATCHES[:1], network=NETWORK)
        live(world, Random(31), 20)
        await follow(database(path), devnet.ogmios.port, WATCHES, network=NETWORK)
        live(world, Random(32), 20)
        await follow(database(path), devnet.ogmios.port, WATCHES, network=NETWORK)
        found = await audited(path)
        partial = next(w for w in found.watches if w.since is not None)
        assert (partial.credential, found.differences) == (PURSE.hash.hex(), ())
        assert 0 < partial.outputs < sum(1 for row in devnet.index.rows if row.output.address[1:29] == PURSE.hash)
        plant(path, f"UPDATE output SET created_slot = 0 WHERE {FIRST.format('credential_kind = ' + repr('key'))}")
        assert {d.kind for d in (await audited(path)).differences} == {"slot"}


async def test_what_kupo_does_not_index_or_no_common_block_is_said_by_name(tmp_path: Path) -> None:
    """Neither would be a difference."""
    async with followed(tmp_path, busy_world(40, 10)) as (devnet, path):
        devnet.index.patterns = {parse(f"{OURS.hash.hex()}/*")}
        with pytest.raises(errors.PatternNotIndexed, match=f"{PURSE.hash.hex()}/"):
            await audited(path)
        async with Devnet(World(seed="another").node) as stranger:
            configuration(tmp_path, stranger)
            with pytest.raises(errors.NoCommonPoint):
                await audited(path)


async def test_the_command_ends_with_0_or_1_in_words_and_in_json(tmp_path: Path) -> None:
    """1 with a table; without [kupo] 2; where nobody listens, 3."""
    async with followed(tmp_path, busy_world(50, 20)) as (_, path):
        honest = await asyncio.to_thread(command, path, "audit")
        assert (honest.returncode, honest.stdout.splitlines()[-1]) == (0, "no difference")
        init = await asyncio.to_thread(command, path, "init", "--json")
        (kupo,) = [check for check in json.loads(init.stdout)["checks"] if check["name"] == "Kupo"]
        assert kupo["ok"], kupo
        assert kupo["found"].startswith("v2.12.0 at http://127.0.0.1:")
        plant(path, PLANTED["lovelace"][1].format(UNSPENT))
        wrong = await asyncio.to_thread(command, path, "audit")
        as_json = await asyncio.to_thread(command, path, "audit", "--json")
        assert (wrong.returncode, as_json.returncode) == (1, 1)
        assert wrong.stdout.splitlines()[-1].startswith("lovelace ")
        assert [d["kind"] for d in json.loads(as_json.stdout)["differences"]] == ["lovelace"]
    gone = command(path, "audit", "--json")
    assert (gone.returncode, json.loads(gone.stdout)["error"]["code"]) == (3, "kupo.unreachable")
    path.write_text(path.read_text().replace("[kupo]", "[http]").replace('\nurl = "http', '\n# url = "http'))
    none = command(path, "audit", "--json")
    assert (none.returncode, json.loads(none.stdout)["error"]["code"]) == (2, "kupo.not_configured")


async def test_progress_is_told_where_it_takes_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many outputs, and how far along the chain."""
    told: list[str] = []
    async with followed(tmp_path, busy_world(60, 60)) as (_, path):
        monkeypatch.setattr(auditing, "EVERY_S", 0.0)
        await compare_with_kupo(config.load(path), told.append, QUICK)
    assert told
    assert told[0].startswith("read 100 outputs; ")


async def test_init_looks_at_kupo_where_one_is_named(tmp_path: Path) -> None:
    """How far it is beside the clock and the database; whether it has its node, and indexes what is watched."""
    world = busy_world(70, 10)
    async with followed(tmp_path, world) as (devnet, path):

        async def said() -> Check:
            (found,) = [one for one in (await check_everything(path, False)).checks if one.name == "Kupo"]
            return found

        tip, older = world.node.tip, list(world.node.chain)[-3]
        assert tip is not None
        assert isinstance(older, NodeBlock)
        good = await said()
        assert good.ok
        version, behind, beside = good.found.split(", ", 2)[0], *good.found.rsplit(", ", 2)[1:]
        assert version == f"v2.12.0 at {devnet.kupo_url}"
        assert behind.endswith(" s behind the clock")
        assert beside == "0 slots ahead of the database"
        devnet.index.roll_back(Point(older.slot, older.id))
        assert (await said()).found.endswith(f", {tip.slot - older.slot} slots behind the database")
        devnet.kupo.api.producer = lambda: Producer(False, None, None, None)
        lost = await said()
        assert (lost.ok, lost.exit_code, lost.found.rsplit(", ", 1)[1]) == (False, 3, "without a node")
        devnet.index.patterns = {parse(f"{OURS.hash.hex()}/*")}
        unknown = await said()
        assert (unknown.ok, unknown.exit_code) == (False, 1)
        assert f"{PURSE.hash.hex()}/*" in unknown.found
    gone = await said()
    assert (gone.ok, gone.exit_code) == (False, 3)

"""Databases of every earlier schema, opened by this version: nothing is lost, and the chain is followed on.

One of version V has the tables of its first V migrations. In them is what that version would have read off the chain of
a devnet, and, in its own words, what no chain gives back: the journal, what sinks were told, signatures from files.
"""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from indexer.devnet.running import Devnet
from indexer.domain.quorum import Signature, Source
from indexer.store import milestones
from indexer.store.db import migrations, opened, schema_version, transaction
from tests.contract.keys import public, signing_key
from tests.contract.terms import Allocation, message
from tests.support.deeds import by_oracle, create, pay
from tests.support.following import select
from tests.support.process import ROOT, command
from tests.support.promised import ANN, BOB, NETWORK, read_off, terms
from tests.support.promises import OURS, Plan, World
from tests.support.reading import rows, views

NEWEST: Final = len(migrations())
MILESTONE: Final = b"m1"
SINCE: Final = {"both": 7, "database": 5, "file": 9}  # the slot that each oracle's signature was first stored at
TRANSACTION: Final = "7a" * 32
JOURNAL: Final = f"""
    INSERT INTO release (release_id, distribution_id, milestone_id, state_transaction_id, state_index, allocations,
        state, attempts, failures, last_error, intended_ms, submitted_ms, settled, by_hand)
        VALUES ('{"a1" * 16}', '{"d1" * 32}', 'm9', '{"5a" * 32}', 0, '[0,2]', 'final', 2, 0, NULL, 1000, 2000, 1, 0),
            ('{"a2" * 16}', '{"d1" * 32}', 'm8', '{"5b" * 32}', 1, '[1]', 'submitted', 1, 1, 'no answer', 3000, 4000, 0,
                1);
    INSERT INTO release_transaction (transaction_id, release_id, attempt, cbor, valid_from, valid_until, fee, loss,
        memory, steps, built_ms, sent_ms, sent_height)
        VALUES ('{TRANSACTION}', '{"a2" * 16}', 1, x'84a0', NULL, 900000, 200000, -300000, 11, 13, 3500, 4000, 3);
    INSERT INTO release_input VALUES ('{TRANSACTION}', '{"5b" * 32}', 1, 'state'),
        ('{TRANSACTION}', '{"c0" * 32}', 0, 'coin');
    INSERT INTO release_step (release_id, attempt, from_state, to_state, slot, ms, reason)
        VALUES ('{"a2" * 16}', 0, NULL, 'intended', 4, 3000, 'quorum met'),
            ('{"a2" * 16}', 1, 'intended', 'submitted', 5, 4000, 'sent');
    INSERT INTO wallet VALUES ('{"07" * 28}', 3);
    INSERT INTO wallet_reading VALUES ('{"07" * 28}', 2, '{"b0" * 32}');
    INSERT INTO event (event_id, type, origin, slot, data) VALUES ('ours', 'wallet.low', 'daemon', 2, '{{}}');
"""
TOLD: Final = """
    INSERT INTO sink (name, since_ms, since_event, configured) VALUES ('billing', 0, 0, 1);
    INSERT INTO delivery (sink, event_id, turn, lane, state, ready, finality, attempts, first_ms, next_attempt_ms,
        ended_ms, last_error)
        VALUES ('billing', 'ours', 0, '', 'delivered', 1, 'final', 2, 1000, NULL, 2000, 'answers 500'),
            ('billing', 'another', 0, '', 'dead', 1, 'seen', 10, 1000, NULL, 9000, 'answers 410');
"""
# Which version brought it.
IN_ITS_OWN_WORDS: Final = {3: JOURNAL, 4: TOLD}


@dataclass(frozen=True)
class Past:
    """A chain, and what was read off it before the upgrade."""

    world: World
    plan: Plan
    read: Path


@pytest.fixture
async def past(tmp_path: Path) -> Past:
    """A distribution of two milestones, three signatures each; one on the chain was undone by a fork, one stands."""
    world, path = World(), tmp_path / "read.sqlite"
    plan = world.plan(terms(3, Allocation(ANN, 5, MILESTONE, 0), Allocation(BOB, 7, b"m2", 0)))
    create(world, plan)
    world.block(2)
    undone = pay(world, [by_oracle(plan, 1, b"m2")])
    world.block()
    await read_off(world, path)
    world.fork(1, 1, {undone})
    pay(world, [by_oracle(plan, 0, b"m2")])
    world.block(2)
    await read_off(world, path)
    assert [row[0] for row in rows(path, "events", "type, finality") if row[1] == "retracted"] == [
        "attestation.accepted"
    ]
    held = [one for name, one in signatures(plan).items() if name != "file"]
    async with opened(path) as db, transaction(db):
        await milestones.add_local(
            db,
            [(plan.id, Signature(MILESTONE, oracle, signed, Source.LOCAL, slot)) for oracle, signed, slot in held],
            NETWORK,
        )
    return Past(world, plan, path)


def signatures(plan: Plan) -> dict[str, tuple[bytes, bytes, int]]:
    """Oracle, signature and slot of those from outside the chain, by where they are held."""
    content = message(OURS.hash, plan.id, MILESTONE)
    return {
        name: (public(f"oracle {number}"), signing_key(f"oracle {number}").sign(content).signature, slot)
        for number, (name, slot) in enumerate(SINCE.items())
    }


def columns(db: sqlite3.Connection) -> dict[str, str]:
    """The columns of each table."""
    tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name = 'outbox', name").fetchall()
    return {
        table: ", ".join(row[0] for row in db.execute("SELECT name FROM pragma_table_info(?)", (table,)))
        for (table,) in tables
    }


def rows_of(path: Path, tables: Mapping[str, str]) -> dict[str, list[tuple[Any, ...]]]:
    """What stands in those columns of those tables."""
    with closing(sqlite3.connect(path)) as db:
        return {
            table: sorted(db.execute(f"SELECT {names} FROM {table}").fetchall(), key=repr)
            for table, names in tables.items()
        }


def left_by(version: int, past: Past, path: Path) -> dict[str, str]:
    """Make the database that this version would have left; its tables, with their columns."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        for migration in migrations()[:version]:
            db.executescript(migration)
        db.execute(f"PRAGMA user_version = {version}")
        tables = columns(db)
        db.execute("ATTACH ? AS read", (str(past.read),))
        for table, names in tables.items():
            db.execute(f"DELETE FROM {table}")
            db.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM read.{table}")
        db.execute("DETACH read")
        for since, sql in IN_ITS_OWN_WORDS.items():
            if since <= version:
                db.executescript(sql)
    return tables


@pytest.mark.parametrize("version", range(1, NEWEST + 1))
async def test_every_row_of_an_earlier_schema_survives_the_upgrade(version: int, past: Past, tmp_path: Path) -> None:
    """Opened by this version: the newest schema, and each table as it was, column by column."""
    path = tmp_path / "db.sqlite"
    tables = left_by(version, past, path)
    before = rows_of(path, tables)
    filled = {1: {"block", "output", "chain"}, 2: {"distribution", "signature", "event"}}
    filled |= {3: {"release", "release_transaction", "release_input", "release_step"}, 4: {"sink", "delivery"}}
    assert all(before[table] for since, names in filled.items() if since <= version for table in names)
    async with opened(path) as db:
        assert await schema_version(db) == NEWEST
    assert rows_of(path, tables) == before
    assert select(path, "PRAGMA integrity_check") == [{"integrity_check": "ok"}]
    assert select(path, "SELECT schema_version FROM sync_status") == [{"schema_version": NEWEST}]
    fresh = tmp_path / "fresh.sqlite"
    async with opened(fresh):
        assert shape(path) == shape(fresh)


def shape(path: Path) -> list[dict[str, Any]]:
    """All tables, indexes, views and triggers, and how they are declared."""
    return select(path, "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")


def configured(folder: Path, devnet: Devnet) -> Path:
    folder.mkdir()
    path = folder / "config.toml"
    path.write_text(
        f'network = "devnet"\n[database]\npath = "db.sqlite"\n[data]\ndirectory = "data"\n'
        f'[[contract]]\nblueprint = "{ROOT / "plutus.json"}"\n[ogmios]\nurl = "{devnet.url}"\n'
        f'[http]\nlisten = "127.0.0.1:0"\n'
    )
    return path


def write_file(data: Path, plan: Plan, names: Iterable[str]) -> Path:
    """The milestone's file, with the signatures that are held there."""
    path = data / "milestones" / plan.id.hex() / f"{MILESTONE.hex()}.json"
    path.parent.mkdir(parents=True)
    told = [
        {"oracle": oracle.hex(), "signature": signed.hex(), "slot": slot}
        for name, (oracle, signed, slot) in signatures(plan).items()
        if name in names
    ]
    path.write_text(json.dumps({"distribution_id": plan.id.hex(), "milestone_id": "m1", "oracle_signatures": told}))
    return path


async def said(config: Path, *arguments: str) -> None:
    done = await asyncio.to_thread(command, config, *arguments)
    assert done.returncode == 0, done.stderr


def holding(path: Path) -> list[tuple[Any, ...]]:
    """The events that hold."""
    return [row for row in rows(path, "events", "event_id, type, slot, finality") if row[-1] != "retracted"]


@pytest.mark.parametrize("version", range(1, NEWEST + 1))
async def test_after_the_upgrade_all_local_signatures_count_and_the_chain_is_followed_on(
    version: int, past: Past, tmp_path: Path
) -> None:
    """Three oracles have to sign: one is held by database and file, one by each alone. The first schema had no room for
    signatures, so there all are in the file; and what its distributions were, a rebuild finds out."""
    world, plan = past.world, past.plan
    async with Devnet(world.node) as devnet:
        config = configured(tmp_path / "old", devnet)
        path = config.with_name("db.sqlite")
        left_by(version, past, path)
        file = write_file(config.parent / "data", plan, SINCE if version == 1 else ("both", "file"))
        pay(world, [by_oracle(plan, 2, b"m2")])
        world.block(3)
        await said(config, "run", "--until", "tip")
        assert world.node.tip is not None
        assert rows(path, "sync_status", "slot, schema_version") == [(world.node.tip.slot, NEWEST)]
        if version == 1:
            assert sorted(rows(path, "attestations", "source, verdict")) == [
                ("chain", "unknown_distribution"),
                *[("local", "unknown_distribution")] * 3,
            ]
            await said(config, "rebuild", "--yes")
            await said(config, "run", "--until", "tip")
        assert rows(path, "milestones", "milestone_id, signatures_valid, quorum_status, quorum_met_slot") == [
            ("m1", 3, "met", max(SINCE.values())),
            ("m2", 2, "pending", None),
        ]
        found = json.loads(file.read_text())["oracle_signatures"]
        assert {(one["oracle"], one["signature"], one["slot"]) for one in found} == {
            (oracle.hex(), signed.hex(), slot) for oracle, signed, slot in signatures(plan).values()
        }
        # As if it had been this version from the first block on.
        fresh = configured(tmp_path / "new", devnet)
        shutil.copytree(config.parent / "data", fresh.parent / "data")
        await said(fresh, "run", "--until", "tip")
    assert views(path) == views(fresh.with_name("db.sqlite"))
    ours = [] if version < 3 else [("ours", "wallet.low", 2, "final")]
    assert sorted(holding(path)) == sorted([*holding(fresh.with_name("db.sqlite")), *ours])
    kept = select(path, "SELECT release_id, settled FROM release ORDER BY 1")
    assert [row["release_id"] for row in kept] == (["a1" * 16, "a2" * 16] if version >= 3 else [])

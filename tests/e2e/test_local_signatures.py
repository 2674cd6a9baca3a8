"""Signatures from files: taken in while the daemon looks, kept in step with the database, and never lost."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from indexer.chain.point import Point
from indexer.devnet.ogmios.server import serve
from indexer.store import checkpoints, lives
from indexer.store.db import opened
from indexer.store.goback import rebuild
from indexer.workers.local import LocalSignatures
from tests.contract.keys import key_hash, public, signing_key
from tests.contract.terms import Allocation, Terms, message, somebody
from tests.support.deeds import by_oracle, create, pay
from tests.support.promised import NETWORK, follower_of, read_off, terms
from tests.support.promises import OURS, TOKENS, World
from tests.support.reading import rows, told

ANN = somebody("ann")
MILESTONE = b"m1"
LATER_MS = 2_000_000_000_000  # long after any file here was written


def signed(oracle: str, distribution: bytes, slot: int | None) -> dict[str, object]:
    """What stands in a file for one oracle, good."""
    made = signing_key(oracle).sign(message(OURS.hash, distribution, MILESTONE)).signature
    return {"oracle": public(oracle).hex(), "signature": made.hex(), "slot": slot}


def file_of(data: Path, distribution: bytes) -> Path:
    return data / "milestones" / distribution.hex() / f"{MILESTONE.hex()}.json"


def drop(data: Path, distribution: bytes, *signatures: dict[str, object]) -> None:
    """As another tool would."""
    path = file_of(data, distribution)
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"distribution_id": distribution.hex(), "milestone_id": "m1", "oracle_signatures": signatures}
    path.write_text(json.dumps(document))


def held(data: Path, distribution: bytes) -> dict[str, int]:
    """Oracle -> slot, as the file has it."""
    document = json.loads(file_of(data, distribution).read_text())
    return {one["oracle"]: one["slot"] for one in document["oracle_signatures"]}


def quorum(path: Path) -> list[tuple[object, ...]]:
    return rows(path, "milestones", "signatures_valid, quorum_status, quorum_met_slot")


async def promise(path: Path) -> bytes:
    """A database with one distribution of three oracles, two of which it takes; created in slot 1."""
    world = World()
    oracles = tuple(public(f"oracle {n}") for n in range(3))
    state = create(
        world, world.plan(Terms(key_hash("funder"), oracles, 2, (Allocation(ANN, 5, MILESTONE, 0),), TOKENS[0]))
    )
    world.block()
    await read_off(world, path)
    return state.plan.id


@asynccontextmanager
async def looking(path: Path, data: Path, *, slot: int = 50, now_ms: int = LATER_MS) -> AsyncIterator[LocalSignatures]:
    """The daemon's look at the files, at some slot."""
    async with opened(path) as db:
        yield LocalSignatures(db, data, NETWORK, lambda: slot, lambda: now_ms)


async def test_a_file_that_is_dropped_in_counts_and_gets_the_slot_at_which_it_was_found(tmp_path: Path) -> None:
    """A second look finds nothing new; the file says what came of it."""
    path, data = tmp_path / "db", tmp_path / "data"
    distribution = await promise(path)
    async with looking(path, data) as local:
        assert await local.look() == 0
        drop(data, distribution, signed("oracle 0", distribution, None), signed("oracle 1", distribution, 7))
        assert await local.look() == 2
        assert await local.look() == 0
    assert quorum(path) == [(2, "met", 50)]
    assert held(data, distribution) == {public("oracle 0").hex(): 50, public("oracle 1").hex(): 7}


async def test_what_is_taken_out_of_a_file_by_hand_comes_back(tmp_path: Path) -> None:
    """Nothing is taken back; and a signature that was changed is kept beside the good one, for what it is worth."""
    path, data = tmp_path / "db", tmp_path / "data"
    distribution = await promise(path)
    good, other = signed("oracle 0", distribution, 5), signed("oracle 1", distribution, 6)
    async with looking(path, data) as local:
        drop(data, distribution, good, other)
        assert await local.look() == 2
        drop(data, distribution, other | {"signature": "00" * 64, "slot": 9})
        assert await local.look() == 1
    assert quorum(path) == [(2, "met", 6)]
    assert rows(path, "attestations", "slot, verdict") == [(5, "valid"), (6, "valid"), (9, "bad_signature")]


async def test_a_file_that_names_an_earlier_slot_is_believed(tmp_path: Path) -> None:
    """So that a database that is lost and rebuilt says the same of when the quorum was met."""
    path, data = tmp_path / "db", tmp_path / "data"
    distribution = await promise(path)
    async with looking(path, data) as local:
        drop(data, distribution, signed("oracle 0", distribution, 5), signed("oracle 1", distribution, 10))
        assert await local.look() == 2
        before = rows(path, "events", "event_id", "event_id")
        drop(data, distribution, signed("oracle 1", distribution, 3))
        assert await local.look() == 0
    assert quorum(path) == [(2, "met", 5)]
    assert held(data, distribution) == {public("oracle 0").hex(): 5, public("oracle 1").hex(): 3}
    # The other oracle's signature is now the one that completes it: another event, the rest are the same.
    after = rows(path, "events", "event_id, type, slot, finality", "event_id")
    assert set(before) <= {(row[0],) for row in after}
    assert [row[1:] for row in after if row[1] == "attestation.accepted"] in (
        [("attestation.accepted", 5, "seen"), ("attestation.accepted", 3, "seen")],
        [("attestation.accepted", 3, "seen"), ("attestation.accepted", 5, "seen")],
    )


async def test_a_damaged_file_is_set_aside_and_rebuilt_from_the_database(tmp_path: Path) -> None:
    """Cut short, or about another milestone: the old bytes are kept under a name of their own."""
    path, data = tmp_path / "db", tmp_path / "data"
    distribution = await promise(path)
    file = file_of(data, distribution)
    async with looking(path, data) as local:
        drop(data, distribution, signed("oracle 0", distribution, 5))
        assert await local.look() == 1
        whole = file.read_bytes()
        for damaged in (whole[: len(whole) // 2], whole.replace(b'"m1"', b'"m2"')):
            file.write_bytes(damaged)
            assert await local.look() == 0
            assert held(data, distribution) == {public("oracle 0").hex(): 5}
            aside = [one for one in file.parent.iterdir() if ".damaged-" in one.name]
            assert damaged in [one.read_bytes() for one in aside]
    assert quorum(path) == [(1, "pending", None)]


async def test_a_file_that_is_being_written_is_left_alone_until_it_is_whole(tmp_path: Path) -> None:
    """Half of it, a moment ago: the next look takes it."""
    path, data = tmp_path / "db", tmp_path / "data"
    distribution = await promise(path)
    drop(data, distribution, signed("oracle 0", distribution, 5))
    file = file_of(data, distribution)
    whole = file.read_bytes()
    file.write_bytes(whole[:100])
    async with looking(path, data, now_ms=file.stat().st_mtime_ns // 1_000_000) as local:
        assert await local.look() == 0
        assert file.read_bytes() == whole[:100]
        file.write_bytes(whole)
        assert await local.look() == 1


async def test_a_file_that_is_gone_is_written_anew_also_if_nobody_saw_it_go(tmp_path: Path) -> None:
    """While the daemon looks, and while it does not."""
    path, data = tmp_path / "db", tmp_path / "data"
    distribution = await promise(path)
    async with looking(path, data) as local:
        drop(data, distribution, signed("oracle 0", distribution, 5))
        assert await local.look() == 1
        file_of(data, distribution).unlink()
        assert await local.look() == 0
        assert held(data, distribution) == {public("oracle 0").hex(): 5}
    file_of(data, distribution).unlink()
    async with looking(path, data) as local:
        assert await local.look() == 0
    assert held(data, distribution) == {public("oracle 0").hex(): 5}


async def test_a_trouble_that_passes_is_not_forgotten(tmp_path: Path) -> None:
    """A removed file whose place is taken by something that is no directory: written when that is gone."""
    path, data = tmp_path / "db", tmp_path / "data"
    distribution = await promise(path)
    folder = file_of(data, distribution).parent
    async with looking(path, data) as local:
        drop(data, distribution, signed("oracle 0", distribution, 5))
        assert await local.look() == 1
        for one in folder.iterdir():
            one.unlink()
        folder.rmdir()
        folder.write_text("in the way")
        assert await local.look() == 0
        folder.unlink()
        assert await local.look() == 0
    assert held(data, distribution) == {public("oracle 0").hex(): 5}


async def test_after_a_rebuild_and_after_the_loss_of_the_database_the_quorum_is_what_it_was(tmp_path: Path) -> None:
    """Also before the chain is read again: what did not come off it is still held."""
    path, data = tmp_path / "db", tmp_path / "data"
    world = World()
    oracles = tuple(public(f"oracle {n}") for n in range(3))
    terms = Terms(key_hash("funder"), oracles, 2, (Allocation(ANN, 5, MILESTONE, 0),), TOKENS[0])
    distribution = create(world, world.plan(terms)).plan.id
    world.block()
    await read_off(world, path)
    drop(data, distribution, signed("oracle 2", distribution, None), signed("oracle 0", distribution, 3))
    async with looking(path, data) as local:
        await local.look()
    before = quorum(path), rows(path, "attestations", "*"), rows(path, "events", "event_id, finality", "event_id")
    assert before[0] == [(2, "met", 50)]

    async with opened(path) as db:
        await rebuild(db)
        known = (await lives.load(db, [distribution]))[distribution]
        assert known.origin is None
        assert len(known.signatures) == 2
    assert rows(path, "attestations", "verdict") == [("unknown_distribution",)] * 2
    await read_off(world, path)
    assert before == (
        quorum(path),
        rows(path, "attestations", "*"),
        rows(path, "events", "event_id, finality", "event_id"),
    )

    for file in path.parent.glob("db*"):
        file.unlink()
    await read_off(world, path)
    assert quorum(path) == [(0, "pending", None)]
    async with looking(path, data, slot=99) as local:
        assert await local.look() == 2
    assert before == (
        quorum(path),
        rows(path, "attestations", "*"),
        rows(path, "events", "event_id, finality", "event_id"),
    )


async def test_in_a_new_database_a_file_tells_nothing_that_the_chain_is_about_to_tell(tmp_path: Path) -> None:
    """The database was lost, and the file was not: until it has caught up, the chain may show an earlier signature."""
    path, data, world = tmp_path / "db", tmp_path / "data", World()
    plan = world.plan(terms())
    create(world, plan)
    world.block()
    pay(world, [by_oracle(plan, 0)])
    world.block(3)
    drop(data, plan.id, signed("oracle 0", plan.id, 4), signed("oracle 1", plan.id, 3))
    async with serve(world.node, "127.0.0.1", 0) as server, opened(path) as db:
        await checkpoints.claim(db, NETWORK)
        assert await LocalSignatures(db, data, NETWORK, lambda: 0, lambda: LATER_MS).look() == 2
        created = world.chain[1]
        await follower_of(db, world, server.port, until=Point(created.slot, created.id)).run()
        assert told(path) == [("distribution.created", None, 1, "seen")]
        assert quorum(path) == [(0, "pending", None), (2, "exceeded", 3)]
        await follower_of(db, world, server.port, until="tip").run()
    assert told(path) == [
        ("distribution.created", None, 1, "seen"),
        ("attestation.accepted", "m1", 2, "seen"),
        ("milestone.quorum_met", "m1", 2, "seen"),
        ("attestation.accepted", "m1", 3, "seen"),
    ]

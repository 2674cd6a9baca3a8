"""Many distributions, and many signatures of one: questions find their rows, blocks cost what they did, totals hold.

Times are bounded generously, for the machine may be slow and busy; `python -m benchmarks.milestones` states them.
"""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from indexer.chain.point import Checkpoint, Point
from indexer.domain.quorum import Signature, Source
from indexer.store import goback, milestones, status
from indexer.store.db import opened, transaction
from indexer.store.lives import signature_key
from tests.support.crowd import Crowd, Promise, begin, fill, keys, network_from, signed, size, write
from tests.support.following import select
from tests.test_analysts import QUESTIONS

START_MS: Final = 1_700_000_000_000
NOW_MS: Final = START_MS + 30 * 86_400_000  # half of what is promised has vested
NETWORK: Final = network_from(START_MS)
GROWING: Final = {"d", "m", "allocation", "signature", "event", "rejected_output"}  # tables, as the plans name them
SELECTIVE: Final = {"One distribution, milestone by milestone", "Owed next month", "Releases per week"}
BY_KIND: Final = {"Oracles' participation", "Totals that do not fan out"}
SINGLE_ROWS: Final = {"chain", "o"}  # `o`: the oracles of a distribution


@dataclass
class Filled:
    """A database of so many distributions."""

    path: Path
    crowd: Crowd


async def filled(path: Path, count: int) -> Filled:
    crowd = Crowd(NETWORK)
    async with opened(path) as db:
        await begin(db, NETWORK)
        await fill(db, crowd, count)
    return Filled(path, crowd)


@pytest.fixture(scope="module", params=[300, pytest.param(10_000, marks=pytest.mark.slow)], ids=["300", "10,000"])
def held(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """A few, or as many as there may be."""
    path = tmp_path_factory.mktemp("scale") / "db.sqlite"
    yield asyncio.run(filled(path, request.param))
    path.unlink()


def steps(db: sqlite3.Connection, sql: str, **parameters: object) -> list[str]:
    return [str(row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]


def scanned(found: list[str]) -> set[str]:
    """The tables that are read whole."""
    return {step.split()[1] for step in found if step.startswith("SCAN")} - SINGLE_ROWS


@pytest.mark.parametrize("view", ["distributions", "milestones", "allocations", "attestations", "events"])
def test_one_distribution_is_found_through_an_index_in_every_view(held: Filled, view: str) -> None:
    """And at once."""
    db = sqlite3.connect(held.path)
    sql = f"SELECT * FROM {view} WHERE distribution_id = :id"
    assert scanned(steps(db, sql, id="")) == set()
    begun = time.perf_counter()
    for promise in held.crowd.promises[:: len(held.crowd.promises) // 20]:
        db.execute(sql, {"id": promise.id.hex()}).fetchall()
    assert time.perf_counter() - begun < 20 * 0.1
    db.close()


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_for_analysts_reads_no_more_than_one_table_whole(held: Filled, question: str) -> None:
    """None where it asks for one distribution, a time or a type; two where each kind is summed up by itself."""
    db = sqlite3.connect(held.path)
    sql, names = QUESTIONS[question], dict.fromkeys(("slot", "date", "from", "to", "distribution"), "")
    most = 0 if question in SELECTIVE else 2 if question in BY_KIND else 1
    assert len(scanned(steps(db, sql, **names)) & GROWING) <= most
    db.execute(sql, names).fetchall()
    db.close()


def test_as_of_questions_about_one_distribution_read_nothing_whole(held: Filled) -> None:
    """As the page says to ask them."""
    db = sqlite3.connect(held.path)
    for question, name in (("State as of a slot", "d"), ("Quorums as of a slot", "d"), ("State as of a date", "d")):
        sql = QUESTIONS[question].replace("\nGROUP BY", f"\n    AND {name}.distribution_id = :distribution\nGROUP BY")
        assert scanned(steps(db, sql, slot=1, date="", distribution="")) == set()
    db.close()


def instructions(path: Path, sql: str, *parameters: int) -> int:
    """How many of SQLite's own a statement takes, in tens: the same however busy the machine is."""
    counted = 0

    def ten_more() -> None:
        nonlocal counted
        counted += 10

    db = sqlite3.connect(path)
    db.execute("SELECT 1 FROM chain").fetchall()  # reads the schema
    db.set_progress_handler(ten_more, 10)
    db.execute(sql, parameters).fetchall()
    db.close()
    return counted


def test_a_list_of_what_is_due_looks_up_no_more_than_it_tells(held: Filled) -> None:
    """The others are only counted, through an index; so are the distributions, by their state."""
    everything = instructions(held.path, status.DUE, NOW_MS, -1)
    assert instructions(held.path, status.DUE, NOW_MS, 10) < everything / 4
    assert instructions(held.path, status.COUNT_DUE, NOW_MS) < everything / 20
    counted = instructions(held.path, status.BEGUN, 1 << 62) + instructions(held.path, status.OPEN)
    assert counted < 25 * len(held.crowd.promises)
    db = sqlite3.connect(held.path)
    for sql, names in ((status.COUNT_DUE, (0,)), (status.DUE, (0, 1)), (status.DUE_AT, (0, 0, 1))):
        found = [str(row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", names)]
        assert scanned(found) & (GROWING | {"milestone", "distribution"}) == set()
    db.close()


@pytest.mark.parametrize("slot", [None, 3])
async def test_a_list_that_is_cut_has_those_that_wait_longest_and_the_total(held: Filled, slot: int | None) -> None:
    """In the order of the whole list, now and as of a slot."""
    async with opened(held.path) as db:
        whole = await status.due(db, NOW_MS, slot)
        cut = await status.due(db, NOW_MS, slot, 7)
        none = await status.due(db, START_MS - 1, slot, 7)
    assert len(whole.first) == whole.total > 7
    assert [each.since_ms for each in whole.first] == sorted(each.since_ms for each in whole.first)
    assert cut == status.DueList(whole.total, whole.first[:7])
    assert none == status.DueList(0, [])


async def test_what_is_due_is_listed_at_once(held: Filled) -> None:
    """A tenth of a second is the budget; this is the list itself, all of it, without a process to start."""
    async with opened(held.path) as db:
        took = []
        for _ in range(5):
            begun = time.perf_counter()
            due = (await status.due(db, NOW_MS)).first
            took.append(time.perf_counter() - begun)
    expected = {
        (promise.id.hex(), milestone)
        for promise in held.crowd.promises
        for milestone in promise.milestones
        if promise.met(milestone) is not None
        and any(
            each.milestone_id == milestone.encode() and each.vesting_timestamp <= NOW_MS and i not in promise.paid
            for i, each in enumerate(promise.terms.allocations)
        )
    }
    assert expected == {(each.distribution_id, each.milestone_id) for each in due}
    assert min(took) < 0.1


def test_every_total_of_the_views_is_that_of_the_rows(held: Filled) -> None:
    """Counted in Python, for each distribution and milestone."""
    distributions, milestones = [], []
    for promise in held.crowd.promises:
        terms, paid = promise.terms, promise.paid
        total = sum(each.token_amount for each in terms.allocations)
        done = sum(terms.allocations[i].token_amount for i in paid)
        released = 0
        for milestone in promise.milestones:
            of = [(i, each) for i, each in enumerate(terms.allocations) if each.milestone_id == milestone.encode()]
            amounts = sum(a.token_amount for _, a in of), sum(a.token_amount for i, a in of if i in paid)
            released += all(i in paid for i, _ in of)
            valid = len(promise.valid(milestone))
            milestones.append((promise.id.hex(), milestone, valid, promise.met(milestone), *amounts, amounts[0]))
        counts = len(promise.milestones), released, len(terms.allocations), len(paid)
        distributions.append((promise.id.hex(), total, done, total - done, *counts))
    assert sorted(distributions) == rows(
        held.path,
        "SELECT distribution_id, amount_total, amount_paid, amount_left, milestones_total, milestones_released, "
        "allocations_total, allocations_claimed FROM distributions",
    )
    # All that is promised has vested by now.
    assert sorted(milestones, key=lambda row: row[:2]) == rows(
        held.path,
        "SELECT distribution_id, milestone_id, signatures_valid, quorum_met_slot, amount_total, amount_paid, "
        "amount_vested FROM milestones",
    )


def rows(path: Path, sql: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(row.values()) for row in select(path, sql)), key=lambda row: (row[0], str(row[1])))


def test_a_distribution_takes_less_than_forty_kilobytes(held: Filled) -> None:
    """With 20 allocations, its signatures and events."""
    assert size(held.path) / len(held.crowd.promises) < 40_000


async def test_blocks_and_rollbacks_cost_no_more_where_there_is_more(held: Filled) -> None:
    """Statements find their rows: a tenth of a second is many times what any of these takes."""
    promise = held.crowd.promises[1]
    async with opened(held.path) as db:
        took = []
        for n in range(10):
            before = held.crowd.block()
            await write(db, [before], NETWORK)
            height, slot = held.crowd.height, held.crowd.slot
            held.crowd.attest(promise, "m3", n)
            begun = time.perf_counter()
            await write(db, [held.crowd.block()], NETWORK)
            assert before.header.slot is not None
            there = Checkpoint(Point(before.header.slot, before.header.id), before.header.height)
            await goback.rewind(db, there, NETWORK)
            took.append(time.perf_counter() - begun)
            promise.signed.pop()
            held.crowd.height, held.crowd.slot = height, slot
    assert min(took) < 0.1


async def test_signatures_that_count_for_nothing_slow_nobody_down(tmp_path: Path) -> None:
    """5,000 of them, bad, unauthorised, or published again: the next block reads none, nor does its rollback."""
    held = await filled(tmp_path / "db.sqlite", 1)
    [promise] = held.crowd.promises
    kinds: list[tuple[str, list[int], bool]] = [
        ("m0", [0], True),
        ("m1", [1], False),
        ("m2", [99], True),
        ("m9", [2], True),
    ]
    async with opened(held.path) as db:
        for milestone, oracles, good in kinds:
            held.crowd.attest(promise, milestone, *oracles * 1250, good=good)
        await write(db, [held.crowd.block()], NETWORK)
        took = [await one_more(db, held.crowd, promise, n) for n in range(5)]
        undone = [await one_less(db, held.crowd, promise, n) for n in range(5, 10)]
        known = sum(1 for _ in await db.execute_fetchall("SELECT 1 FROM signature"))
    assert min(took) < 0.05
    assert min(undone) < 0.05
    assert known > 5_000
    verdicts = select(held.path, "SELECT DISTINCT verdict FROM attestations")
    assert {"valid", "duplicate", "bad_signature", "unauthorised", "unknown_milestone"} == {
        row["verdict"] for row in verdicts
    }
    expected = sum(1 for each in promise.signed if each.milestone in ("m1", "m2", "m9"))
    [told] = select(held.path, "SELECT count(*) AS n FROM event WHERE type = 'attestation.rejected' AND gone = 0")
    assert expected == told["n"]


async def test_of_a_file_of_signatures_each_is_looked_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many it has: for each, as many keys are made as for each of a file half as long."""
    held = await filled(tmp_path / "db.sqlite", 2)
    promise = held.crowd.promises[1]  # without signatures
    made = 0

    def counted(signature: Signature) -> tuple[object, ...]:
        nonlocal made
        made += 1
        return signature_key(signature)

    monkeypatch.setattr("indexer.store.milestones.signature_key", counted)
    keys_made = []
    async with opened(held.path) as db:
        for count in (50, 100):
            file = [a_local_one(promise, f"{count} {n}", slot=9) for n in range(count)]
            earlier = [a_local_one(promise, f"{count} {n}", slot=8) for n in range(count)]
            made = 0
            async with transaction(db):
                assert await milestones.add_local(db, [*file, *file, *earlier], NETWORK) == file
            keys_made.append(made)
        assert len(await verdicts_of(db, promise)) == 150
    rows = select(held.path, "SELECT DISTINCT slot FROM signature WHERE source = 'local'")
    assert [row["slot"] for row in rows] == [8]
    assert keys_made[1] <= 2 * keys_made[0] + 3 * 50  # the first 50 are there by then


def a_local_one(promise: Promise, milestone: str, slot: int) -> tuple[bytes, Signature]:
    """A signature from a file, of a milestone of any name."""
    public, proof = keys(0)[0], signed(promise.id, milestone, 0)
    return promise.id, Signature(milestone.encode(), public, proof, Source.LOCAL, slot)


async def one_more(db: Any, crowd: Crowd, promise: Promise, oracle: int) -> float:
    crowd.attest(promise, "m3", oracle)
    made = crowd.block()
    begun = time.perf_counter()
    await write(db, [made], NETWORK)
    return time.perf_counter() - begun


async def one_less(db: Any, crowd: Crowd, promise: Promise, oracle: int) -> float:
    """Two more, of which one is bad, in a block that is undone."""
    before = crowd.block()
    await write(db, [before], NETWORK)
    height, slot = crowd.height, crowd.slot
    crowd.attest(promise, "m4", oracle)
    crowd.attest(promise, "m4", oracle, good=False)
    await write(db, [crowd.block()], NETWORK)
    del promise.signed[-2:]
    assert before.header.slot is not None
    begun = time.perf_counter()
    await goback.rewind(db, Checkpoint(Point(before.header.slot, before.header.id), before.header.height), NETWORK)
    crowd.height, crowd.slot = height, slot
    return time.perf_counter() - begun


async def test_a_valid_signature_that_is_undone_gives_way_to_one_of_many_copies(tmp_path: Path) -> None:
    """Those published after it are undone with it; the next one that comes counts."""
    held = await filled(tmp_path / "db.sqlite", 2)
    promise = held.crowd.promises[1]  # without signatures
    crowd = held.crowd
    async with opened(held.path) as db:
        before = crowd.block()
        crowd.attest(promise, "m0", 1)
        first = crowd.block()
        await write(db, [before, first], NETWORK)
        crowd.attest(promise, "m0", 1)
        crowd.attest(promise, "m0", 99)
        await write(db, [crowd.block()], NETWORK)
        assert await verdicts_of(db, promise) == [("valid",), ("duplicate",), ("unauthorised",)]
        assert before.header.slot is not None
        there = Checkpoint(Point(before.header.slot, before.header.id), before.header.height)
        await goback.rewind(db, there, NETWORK)
        crowd.attest(promise, "m0", 1)
        crowd.attest(promise, "m0", 99)
        again = crowd.block()
        await write(db, [again], NETWORK)
        assert await verdicts_of(db, promise) == [("valid",), ("unauthorised",)]
    told = select(
        held.path,
        "SELECT slot, type, finality FROM events WHERE distribution_id = "
        f"'{promise.id.hex()}' AND type LIKE 'attestation.%' ORDER BY slot, type",
    )
    assert {("attestation.accepted", again.header.slot), ("attestation.rejected", again.header.slot)} == {
        (row["type"], row["slot"]) for row in told if row["finality"] != "retracted"
    }


async def verdicts_of(db: Any, promise: Promise) -> list[tuple[Any, ...]]:
    sql = "SELECT verdict FROM signature WHERE distribution_id = ? ORDER BY slot, position, place"
    return list(await db.execute_fetchall(sql, (promise.id.hex(),)))

"""The journal of releases as rows: what goes in comes out, the chain is asked for what became of it, and no going back
touches it."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from aiosqlite import Connection

from indexer.chain.block import OutputReference
from indexer.chain.network import KNOWN
from indexer.chain.parameters import Units
from indexer.chain.point import ORIGIN, Checkpoint, Point
from indexer.domain.submission import Landed, NotHeld, ReleaseState, Spent, Unspent
from indexer.store import checkpoints, coins, events, goback, milestones, releases
from indexer.store.db import opened
from indexer.store.releases import Journaled, Release
from tests.support.following import select

NETWORK: Final = KNOWN["preview"]
DISTRIBUTION: Final = b"\xd1" * 32
STATE: Final = OutputReference(b"\x5a" * 32, 0)
COIN: Final = OutputReference(b"\xc0" * 32, 3)
COLLATERAL: Final = OutputReference(b"\xc0" * 32, 4)
JOURNAL: Final = ("release", "release_transaction", "release_input", "release_step", "wallet")


def wanted(name: str = "aa", **changes: Any) -> Release:
    """A release of two allocations that was intended a second after the epoch."""
    return replace(
        Release(
            id=name * 16,
            distribution_id=DISTRIBUTION,
            milestone_id=b"m1",
            state_output=STATE,
            allocations=(0, 2),
            state=ReleaseState.INTENDED,
            attempts=0,
            failures=0,
            last_error=None,
            intended_ms=1_000,
            submitted_ms=None,
            retry_ms=None,
            landed=None,
            by_hand=False,
            settled=False,
            transactions=(),
        ),
        **changes,
    )


def signed(digit: int, attempt: int = 1, **changes: Any) -> Journaled:
    """A transaction whose bytes and id are this digit, and whose fee tells the attempt."""
    return replace(
        Journaled(
            id=bytes([digit]) * 32,
            raw=bytes([digit]) * 5,
            inputs=(STATE, COIN),
            state=STATE,
            collateral=COLLATERAL,
            attempt=attempt,
            valid_from=None,
            valid_until=900,
            fee=200_000 + attempt,
            loss=-7,
            units=Units(11, 13),
            sent_ms=None,
            sent_height=None,
        ),
        **changes,
    )


async def turn(db: Connection, name: str, to: ReleaseState, **changes: Any) -> None:
    """A step that says nothing but the state, where nothing else is given."""
    given: dict[str, Any] = {
        "attempts": 1,
        "failures": 0,
        "retry_ms": None,
        "last_error": None,
        "landed": None,
        "settled": False,
        "slot": 70,
        "ms": 5_000,
        "reason": "because",
    }
    await releases.step(db, name * 16, to, **{**given, **changes})


async def hold(db: Connection, reference: OutputReference, spent_slot: int | None = None, by: bytes = b"") -> None:
    """An output, as a block in slot 10 left it."""
    await db.execute(
        """INSERT INTO output (transaction_id, output_index, address, lovelace, assets, created_slot, created_block,
            spent_slot, spent_by) VALUES (?, ?, 'addr', 1, '{}', 10, 'b', ?, ?)""",
        (reference.transaction_id.hex(), reference.index, spent_slot, by.hex() or None),
    )


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Connection]:
    """A database at height 120, slot 100, that began at the origin; it knows the blocks of slots 50 and 100."""
    async with opened(tmp_path / "db.sqlite") as db:
        await checkpoints.claim(db, NETWORK)
        await checkpoints.begin(db, Checkpoint(ORIGIN, None))
        blocks = [(50, b"\x32" * 32, 60), (100, b"\x64" * 32, 120)]
        await checkpoints.advance(db, blocks, 60, Checkpoint(Point(100, b"\x64" * 32), 120), 2260)
        yield db


async def test_what_is_written_down_is_read_again(db: Connection) -> None:
    """Every field, by whichever way it is asked for; the transactions in the order of the attempts."""
    first, second = signed(1), signed(2, 2, valid_from=40, sent_ms=6_000, sent_height=119)
    await releases.begin(db, wanted(by_hand=True), 60, "quorum met")
    await releases.add_transaction(db, "aa" * 16, replace(second, sent_ms=None, sent_height=None), 1_100)
    await releases.add_transaction(db, "aa" * 16, first, 1_050)
    await turn(db, "aa", ReleaseState.SUBMITTED, attempts=2, failures=1, retry_ms=9_000, last_error="no answer")
    await releases.sent(db, second.id, 6_000, 119)
    expected = wanted(
        by_hand=True,
        state=ReleaseState.SUBMITTED,
        attempts=2,
        failures=1,
        last_error="no answer",
        submitted_ms=5_000,
        retry_ms=9_000,
        transactions=(first, second),
    )
    (found,) = await releases.unsettled(db)
    assert [sorted(each.inputs) for each in found.transactions] == [[STATE, COIN]] * 2
    assert in_order(found) == in_order(expected)
    assert found == await releases.one(db, "aa" * 16)
    assert [found] == await releases.by_distribution(db, DISTRIBUTION, b"m1")
    assert found.latest is not None
    assert (found.latest.id, set(found.latest.named)) == (second.id, {STATE, COIN, COLLATERAL})
    assert await releases.one(db, "bb" * 16) is None


def in_order(release: Release) -> Release:
    """The inputs of a transaction come in no order."""
    return replace(
        release, transactions=tuple(replace(each, inputs=tuple(sorted(each.inputs))) for each in release.transactions)
    )


async def test_a_milestone_that_is_no_word_is_found_again(db: Connection) -> None:
    """It is written as people see it."""
    await releases.begin(db, wanted(milestone_id=b"\x00"), 60, "quorum met")
    assert [each.milestone_id for each in await releases.by_distribution(db, DISTRIBUTION, b"\x00")] == [b"\x00"]
    assert await releases.by_distribution(db, DISTRIBUTION, b"0") == []


async def test_unsettled_come_in_the_order_of_intent_and_others_newest_first(db: Connection) -> None:
    """What is settled is left out of the one, and is in the other."""
    for name, intended_ms in (("bb", 3_000), ("cc", 2_000), ("aa", 3_000), ("dd", 1_000)):
        await releases.begin(db, wanted(name, intended_ms=intended_ms), 60, "quorum met")
    await turn(db, "dd", ReleaseState.FINAL, settled=True)
    assert [each.id[:2] for each in await releases.unsettled(db)] == ["cc", "aa", "bb"]
    found = await releases.by_distribution(db, DISTRIBUTION)
    assert [each.id[:2] for each in found] == ["aa", "bb", "cc", "dd"]
    assert [each.settled for each in found] == [False, False, False, True]


async def test_of_many_transactions_only_the_latest_is_read_and_those_that_may_still_be_in_a_block(
    db: Connection,
) -> None:
    """One that is refused for months has thousands. The cursor is in slot 100."""
    await releases.begin(db, wanted(), 60, "quorum met")
    for attempt, valid_until in enumerate((90, 100, 101, 900, 80), start=1):
        await releases.add_transaction(db, "aa" * 16, signed(attempt, attempt, valid_until=valid_until), 1_050)
    (found,) = await releases.unsettled(db)
    assert [each.attempt for each in found.transactions] == [3, 4, 5]


async def test_a_release_that_somebody_asks_for_is_so_from_then_on(db: Connection) -> None:
    await releases.begin(db, wanted(), 60, "quorum met")
    await releases.by_hand(db, "aa" * 16)
    (found,) = await releases.unsettled(db)
    assert found == wanted(by_hand=True)


async def test_of_outputs_those_that_are_spent_are_told_with_who_did(db: Connection) -> None:
    await hold(db, STATE)
    await hold(db, COIN, 90, b"\x09" * 32)
    assert await releases.spenders(db, [STATE, COIN, COLLATERAL, None]) == {COIN: b"\x09" * 32}


async def test_at_stake_is_what_no_block_tells_of_for_a_day_or_as_long_as_it_is_under_way(db: Connection) -> None:
    """Of each release the dearest attempt: 40 of two that were signed before the day, and 30 of one within it."""
    await releases.begin(db, wanted(), 60, "quorum met")
    for attempt, (loss, built_ms) in enumerate(((40, 999), (30, 1_000), (-90, 1_001)), start=1):
        await releases.add_transaction(db, "aa" * 16, signed(attempt, attempt, loss=loss), built_ms)
    found = {}
    for state in ReleaseState:
        await turn(db, "aa", state)
        found[str(state)] = await releases.at_stake(db, COIN, 1_000)
    assert found == {
        "built": 40,
        "submitted": 40,
        "rolled_back": 40,
        "intended": 30,
        "expired": 30,
        "refused": 30,
        "failed": 30,
        "in_block": 0,
        "confirmed": 0,
        "final": 0,
        "superseded": 0,
    }
    await turn(db, "aa", ReleaseState.SUBMITTED)
    assert await releases.at_stake(db, STATE, 1_000) == 0
    await releases.begin(db, wanted("bb", state_output=OutputReference(b"\xbb" * 32, 0)), 60, "quorum met")
    await releases.add_transaction(db, "bb" * 16, signed(9, loss=5), 2_000)
    assert await releases.at_stake(db, COIN, 1_000) == 45
    await turn(db, "bb", ReleaseState.FAILED, settled=True)
    assert await releases.at_stake(db, COIN, 1_000) == 40


async def test_bytes_come_only_with_a_release_that_is_under_way(db: Connection) -> None:
    """And come again when the block that had it is undone."""
    await releases.begin(db, wanted(), 60, "quorum met")
    await releases.add_transaction(db, "aa" * 16, signed(1), 1_050)
    seen = []
    for state in ReleaseState:
        await turn(db, "aa", state)
        (found,) = await releases.unsettled(db)
        assert found.latest is not None
        seen += [str(state)] if found.latest.raw == b"\x01" * 5 else []
    assert seen == ["built", "submitted", "rolled_back"]


async def test_the_same_transaction_built_again_is_one_row(db: Connection) -> None:
    """Its witnesses may differ; what it was given first stays, but for attempt and bytes."""
    await releases.begin(db, wanted(), 60, "quorum met")
    await releases.add_transaction(db, "aa" * 16, signed(1), 1_050)
    await turn(db, "aa", ReleaseState.BUILT)
    await releases.add_transaction(db, "aa" * 16, signed(1, 2, raw=b"other witnesses"), 1_099)
    (found,) = await releases.unsettled(db)
    assert [(each.attempt, each.raw) for each in found.transactions] == [(2, b"other witnesses")]


async def test_it_says_when_it_was_first_handed_over(db: Connection) -> None:
    """Not when it was last."""
    await releases.begin(db, wanted(), 60, "quorum met")
    for to, ms in ((ReleaseState.BUILT, 2_000), (ReleaseState.SUBMITTED, 3_000), (ReleaseState.ROLLED_BACK, 4_000)):
        await turn(db, "aa", to, ms=ms)
    await turn(db, "aa", ReleaseState.SUBMITTED, ms=5_000)
    assert [each.submitted_ms for each in await releases.unsettled(db)] == [3_000]


async def test_the_chain_says_what_became_of_each_state_output(db: Connection) -> None:
    """Unspent; spent by us, by another, in a block that is thinned out; not held."""
    outputs = {name: OutputReference(bytes.fromhex(name * 32), 1) for name in ("a1", "a2", "a3", "a4", "a5", "a6")}
    for name, reference in outputs.items():
        await releases.begin(db, wanted(name, state_output=reference), 60, "quorum met")
    await releases.add_transaction(db, "a2" * 16, signed(2), 1_050)
    await releases.add_transaction(db, "a1" * 16, signed(3), 1_050)
    await hold(db, outputs["a1"])
    await hold(db, outputs["a2"], 50, b"\x02" * 32)
    await hold(db, outputs["a3"], 50, b"\x03" * 32)  # ours, but of another release
    await hold(db, outputs["a4"], 49, b"\x04" * 32)
    await hold(db, outputs["a6"], 50, b"\x06" * 32)
    await turn(db, "a6", ReleaseState.SUPERSEDED, settled=True)
    assert await releases.sights(db) == {
        "a1" * 16: Unspent(),
        "a2" * 16: Spent(b"\x02" * 32, 50, 60, ours=True),
        "a3" * 16: Spent(b"\x03" * 32, 50, 60, ours=False),
        "a4" * 16: Spent(b"\x04" * 32, 49, None, ours=False),
        "a5" * 16: NotHeld(),
    }


async def test_outputs_that_are_asked_for_are_there_or_were(db: Connection) -> None:
    """Those that we never held are left out; the index counts, and so does each digit of it."""
    await hold(db, COIN)
    await hold(db, OutputReference(COIN.transaction_id, 31), 50, b"\x02" * 32)
    asked = [COIN, OutputReference(COIN.transaction_id, 31), COLLATERAL]
    assert await releases.there(db, asked) == {COIN: True, OutputReference(COIN.transaction_id, 31): False}
    assert await releases.there(db, []) == {}


async def test_a_split_is_open_while_it_is_valid_and_in_no_block(db: Connection) -> None:
    """The bound is the first slot in which it is not valid, which the next block may still come before."""
    for digit, until in ((1, 100), (2, 101), (3, 900), (4, 900)):
        split = signed(digit, inputs=(COIN,), state=None, collateral=None, valid_until=until)
        await releases.add_transaction(db, None, split, 1_000 - digit)
    await hold(db, OutputReference(b"\x03" * 32, 0))
    found = await releases.splits(db, 100)
    assert [each.id[0] for each in found] == [4, 2]
    assert [(each.inputs, each.state, each.collateral, each.raw) for each in found] == [
        ((COIN,), None, None, b"\x04" * 5),
        ((COIN,), None, None, b"\x02" * 5),
    ]
    assert await releases.unsettled(db) == []


async def test_analysts_see_a_release_and_every_turn_that_it_took(db: Connection, tmp_path: Path) -> None:
    """The transaction that is in a block, though a later one was built; how deep it lies; a row for each turn."""
    path = tmp_path / "db.sqlite"
    asked = "SELECT * FROM releases"
    await releases.begin(db, wanted(), 60, "quorum met")
    (bare,) = select(path, asked)
    assert {name for name, value in bare.items() if value is None} == {
        "transaction_id",
        "fee",
        "ex_units_memory",
        "ex_units_cpu",
        "last_error",
        "submitted_at",
        "in_block_slot",
        "depth",
        "cost",
    }
    await releases.add_transaction(db, "aa" * 16, signed(1), 1_050)
    await turn(db, "aa", ReleaseState.SUBMITTED, ms=61_000)
    await releases.add_transaction(db, "aa" * 16, signed(2, 2), 1_050)
    await turn(db, "aa", ReleaseState.SUBMITTED, attempts=2, ms=62_000, reason="built anew")
    (on_its_way,) = select(path, asked)
    assert (on_its_way["transaction_id"], on_its_way["fee"], on_its_way["depth"]) == ("02" * 32, 200_002, None)
    landed = Landed(b"\x01" * 32, 90, 111)
    await turn(db, "aa", ReleaseState.IN_BLOCK, attempts=2, landed=landed, slot=95, ms=63_000, reason="in a block")
    assert select(path, asked) == [
        {
            "release_id": "aa" * 16,
            "distribution_id": "d1" * 32,
            "milestone_id": "m1",
            "state": "in_block",
            "transaction_id": "01" * 32,
            "fee": 200_001,
            "ex_units_memory": 11,
            "ex_units_cpu": 13,
            "attempts": 2,
            "last_error": None,
            "intended_at": "1970-01-01T00:00:01Z",
            "submitted_at": "1970-01-01T00:01:01Z",
            "in_block_slot": 90,
            "depth": 9,
            "cost": -7,
            "allocations": "[0,2]",
            "state_output": f"{'5a' * 32}#0",
        }
    ]
    steps = select(path, "SELECT * FROM release_steps ORDER BY number")
    assert [(s["attempt"], s["from_state"], s["to_state"], s["slot"], s["time"][-3:], s["reason"]) for s in steps] == [
        (0, None, "intended", 60, "01Z", "quorum met"),
        (1, "intended", "submitted", 70, "01Z", "because"),
        (2, "submitted", "submitted", 70, "02Z", "built anew"),
        (2, "submitted", "in_block", 95, "03Z", "in a block"),
    ]


async def test_a_block_that_is_not_remembered_has_no_depth(db: Connection, tmp_path: Path) -> None:
    """Rather than a wrong one."""
    await releases.begin(db, wanted(), 60, "quorum met")
    await releases.add_transaction(db, "aa" * 16, signed(1), 1_050)
    await turn(db, "aa", ReleaseState.FINAL, landed=Landed(b"\x01" * 32, 9, None), settled=True)
    rows = select(tmp_path / "db.sqlite", "SELECT in_block_slot, depth FROM releases")
    assert rows == [{"in_block_slot": 9, "depth": None}]


@pytest.mark.parametrize("whole", [False, True], ids=["rollback", "rebuild"])
async def test_going_back_leaves_the_journal_and_what_was_told_of_it(
    db: Connection, tmp_path: Path, *, whole: bool
) -> None:
    """Only what the chain shows of it changes. The coins from before our history go with what they were read at."""
    path = tmp_path / "db.sqlite"
    await releases.begin(db, wanted(), 60, "quorum met")
    await releases.add_transaction(db, "aa" * 16, signed(1), 1_050)
    await turn(db, "aa", ReleaseState.IN_BLOCK, landed=Landed(b"\x01" * 32, 100, 120), slot=100)
    await hold(db, STATE, 100, b"\x01" * 32)
    await coins.remember(db, b"k" * 28, Point(100, b"\x64" * 32))
    await db.execute("INSERT INTO wallet_reading VALUES ('early', 50, 'b'), ('late', 51, 'b')")
    await tell(db, "e1", "release.in_block")
    before = {table: select(path, f"SELECT * FROM {table}") for table in JOURNAL}
    told = select(path, "SELECT * FROM events")
    if whole:
        await goback.rebuild(db)
    else:
        await goback.rewind(db, Checkpoint(Point(50, b"\x32" * 32), 60), NETWORK)
    assert all(before.values())
    assert {table: select(path, f"SELECT * FROM {table}") for table in JOURNAL} == before
    assert select(path, "SELECT * FROM events") == told
    assert await releases.sights(db) == {"aa" * 16: NotHeld() if whole else Unspent()}
    readings = [row["credential"] for row in select(path, "SELECT credential FROM wallet_reading")]
    assert readings == ([] if whole else ["early"])


async def tell(db: Connection, event_id: str, type: str, **changes: Any) -> None:  # noqa: A002 -- as events name it
    given: dict[str, Any] = {
        "distribution_id": DISTRIBUTION,
        "milestone_id": b"\x00",
        "slot": 100,
        "data": {"attempt": 1},
    }
    await events.tell(db, event_id=event_id, type=type, **{**given, **changes})


async def test_what_came_about_here_is_told_once(db: Connection, tmp_path: Path) -> None:
    """The first time counts; it is final at once, for it rests on no block."""
    await tell(db, "e1", "release.submitted")
    await tell(db, "e1", "release.submitted", slot=101, data={"attempt": 2})
    await tell(db, "e2", "wallet.low", distribution_id=None, milestone_id=None, data={})
    found = select(tmp_path / "db.sqlite", "SELECT * FROM events")
    assert [
        (e["event_id"], e["type"], e["origin"], e["distribution_id"], e["milestone_id"], e["slot"], e["finality"])
        for e in found
    ] == [
        ("e1", "release.submitted", "daemon", "d1" * 32, "0x00", 100, "final"),
        ("e2", "wallet.low", "daemon", None, None, 100, "final"),
    ]
    assert [json.loads(e["data"]) for e in found] == [{"attempt": 1}, {}]


@pytest.mark.parametrize("whole", [False, True])
async def test_no_block_takes_back_what_came_about_here(db: Connection, tmp_path: Path, *, whole: bool) -> None:
    """Whenever a block concerns a distribution, what the chain shows of it is told anew: all but this."""
    await tell(db, "e1", "release.submitted")
    await milestones.reassess(db, {DISTRIBUTION}, NETWORK, whole=whole)
    await events.settle(db, 121)
    found = select(tmp_path / "db.sqlite", "SELECT event_id, finality FROM events")
    assert found == [{"event_id": "e1", "finality": "final"}]

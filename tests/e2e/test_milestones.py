"""Stories at the contract, told on a devnet with real transactions; the rows that come of them, worked out by hand.

The devnet begins at 2024-01-01T00:00:00Z. In slot 0 the contracts are published; a story's first block is in slot 1.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from indexer.chain.point import Point
from tests.contract.keys import hash28, public
from tests.contract.terms import ADA, Allocation, Attestation, message, signature
from tests.support.addresses import address
from tests.support.deeds import Beside, attested, by_oracle, create, create_under_both, fail, pay, release, take_back
from tests.support.following import select
from tests.support.oddities import FOREVER, REFUND
from tests.support.promised import ANN, BOB, read_off, terms
from tests.support.promises import OURS, TWIN, World
from tests.support.reading import rows, told

BOBS = address(BOB.payment.hash, "key", ("key", hash28(b"stake of bob")))
YEAR = 366 * 86_400  # slots of 2024


async def test_a_release_by_another_keeper_tells_signatures_that_nobody_published(tmp_path: Path) -> None:
    """They are read out of the redeemer, in its order, and make the quorum in the block that pays."""
    world, path = World(), tmp_path / "db"
    plan = world.plan(terms(2))
    state = create(world, plan)
    world.block()
    after = release(world, state, b"m1", [0], [0, 2])
    world.block()
    await read_off(world, path)
    paid = after.coin.at
    assert rows(
        path, "attestations", "milestone_id, oracle, source, verdict, output_reference, slot, seen_at", "oracle"
    ) == sorted(
        ("m1", public(oracle).hex(), "release", "valid", str(paid), 2, "2024-01-01T00:00:02Z")
        for oracle in ("oracle 0", "oracle 2")
    )
    assert rows(
        path, "milestones", "milestone_id, signatures_valid, quorum_status, quorum_met_slot, quorum_met_at"
    ) == [
        ("m1", 2, "met", 2, "2024-01-01T00:00:02Z"),
        ("m2", 0, "pending", None, None),
    ]
    assert rows(path, "allocations", "allocation_index, beneficiary, amount, claimed, paid_by, paid_slot") == [
        (0, address(ANN.payment.hash, "key"), 5, 1, paid.transaction.hex(), 2),
        (1, BOBS, 7, 0, None, None),
    ]
    assert rows(
        path,
        "distributions",
        "state, amount_total, amount_paid, amount_left, milestones_total, milestones_released, allocations_claimed, "
        "output_reference, created_slot, updated_slot",
    ) == [("open", 12, 5, 7, 2, 1, 1, str(paid), 1, 2)]
    assert told(path) == [
        ("distribution.created", None, 1, "seen"),
        ("attestation.accepted", "m1", 2, "seen"),
        ("attestation.accepted", "m1", 2, "seen"),
        ("milestone.quorum_met", "m1", 2, "seen"),
        ("milestone.released", "m1", 2, "seen"),
    ]


async def test_more_signatures_than_it_takes_exceed_the_quorum_that_was_met_before(tmp_path: Path) -> None:
    """Of an oracle that spoke twice the first counts; the release repeats what was known."""
    world, path = World(), tmp_path / "db"
    plan = world.plan(terms(2))
    state = create(world, plan, beside=[by_oracle(plan, 1)])
    world.block()
    pay(world, [by_oracle(plan, 0), by_oracle(plan, 1)])
    world.block()
    release(world, state, b"m1", [0], [0, 1, 2])
    world.block()
    await read_off(world, path)
    shown = rows(path, "attestations", "slot, source, verdict, oracle", "slot, oracle")
    number = {public(f"oracle {n}").hex(): n for n in range(3)}
    assert sorted((*row[:3], number[row[3]]) for row in shown) == [
        (1, "chain", "valid", 1),
        (2, "chain", "duplicate", 1),
        (2, "chain", "valid", 0),
        (3, "release", "duplicate", 0),
        (3, "release", "duplicate", 1),
        (3, "release", "valid", 2),
    ]
    assert rows(path, "milestones", "signatures_valid, quorum_status, quorum_met_slot", "milestone_id") == [
        (3, "exceeded", 2),
        (0, "pending", None),
    ]


async def test_what_vests_at_the_end_of_time_is_never_vested(tmp_path: Path) -> None:
    """2^63 - 1 milliseconds are past the year 9999: shown as its last second, compared as they are."""
    world, path = World(), tmp_path / "db"
    last = 253_402_300_799_000
    given = [Allocation(ANN, 2**53 + 1, b"m1", FOREVER), Allocation(ANN, 3, b"m1", last), Allocation(ANN, 4, b"m1", 0)]
    create(world, world.plan(terms(1, *given, expires_at=FOREVER)))
    world.block()
    await read_off(world, path)
    end = "9999-12-31T23:59:59Z"
    assert rows(path, "allocations", "allocation_index, amount, vesting_at, claimed") == [
        (0, 2**53 + 1, end, 0),
        (1, 3, end, 0),
        (2, 4, "1970-01-01T00:00:00Z", 0),
    ]
    assert rows(path, "milestones", "amount_total, amount_vested, amount_paid, next_vesting_at") == [
        (2**53 + 8, 4, 0, end)
    ]
    assert rows(path, "distributions", "expires_at, amount_left") == [(end, 2**53 + 8)]


async def test_a_block_far_past_the_forecast_has_a_time_all_the_same(tmp_path: Path) -> None:
    """Reckoned with the slots of the last era that is known; after the year 9999, its last second."""
    world, path = World(), tmp_path / "db"
    plan = world.plan(terms())
    world.wait(YEAR - 1)
    create(world, plan)
    world.block()
    world.wait(300_000_000_000 - YEAR - 1)
    pay(world, [by_oracle(plan, 0)])
    world.block()
    await read_off(world, path)
    assert rows(path, "distributions", "created_slot, created_at") == [(YEAR, "2025-01-01T00:00:00Z")]
    assert rows(path, "attestations", "slot, seen_at") == [(300_000_000_000, "9999-12-31T23:59:59Z")]
    assert rows(path, "milestones", "quorum_met_slot, quorum_met_at", "milestone_id") == [
        (300_000_000_000, "9999-12-31T23:59:59Z"),
        (None, None),
    ]


async def test_of_a_distribution_whose_creation_was_not_seen_only_the_outputs_are_told(tmp_path: Path) -> None:
    """What a release leaves is refused with the reason; a signature speaks of nothing known; the end is silent."""
    world, path = World(), tmp_path / "db"
    plan = world.plan(terms(expires_at=0))
    state = create(world, plan)
    world.block()
    tip = world.node.tip
    assert tip is not None
    since = Point(tip.slot, tip.id)
    pay(world, [by_oracle(plan, 0)])
    state = release(world, state, b"m1", [0], [0], [by_oracle(plan, 1, b"m2")])
    world.block()
    take_back(world, [state])
    world.block()
    await read_off(world, path, since=since)
    for view in ("distributions", "milestones", "allocations", "events"):
        assert select(path, f"SELECT * FROM {view}") == []
    (refused,) = rows(path, "rejected_outputs", "transaction_id, output_index, slot, reason")
    assert (refused[0], refused[1], refused[2]) == (state.coin.at.transaction.hex(), 0, 2)
    assert refused[3].startswith("created before since")
    assert rows(path, "attestations", "milestone_id, source, verdict") == [
        ("m1", "chain", "unknown_distribution"),
        ("m2", "chain", "unknown_distribution"),
    ]


async def test_an_attestation_may_come_before_its_distribution(tmp_path: Path) -> None:
    """A block before, an output before in the same transaction, and one behind it; the last two meet the quorum."""
    world, path = World(), tmp_path / "db"
    plan = world.plan(terms(3))
    pay(world, [by_oracle(plan, 0)])
    world.block()
    await read_off(world, path)
    assert rows(path, "attestations", "slot, verdict") == [(1, "unknown_distribution")]
    assert told(path) == []
    create(world, plan, first=[by_oracle(plan, 1)], beside=[by_oracle(plan, 2)])
    world.block()
    await read_off(world, path)
    assert rows(path, "attestations", "slot, verdict") == [(1, "valid"), (2, "valid"), (2, "valid")]
    assert rows(path, "milestones", "quorum_status, quorum_met_slot", "milestone_id") == [("met", 2), ("pending", None)]
    assert told(path) == [
        *[("attestation.accepted", "m1", 2, "seen")] * 3,
        ("distribution.created", None, 2, "seen"),
        ("milestone.quorum_met", "m1", 2, "seen"),
    ]


async def test_a_release_that_the_script_refused_pays_nothing(tmp_path: Path) -> None:
    """What its collateral leaves at the contract is like any output: here an attestation, then a look-alike."""
    world, path = World(), tmp_path / "db"
    plan = world.plan(terms())
    state = create(world, plan)
    world.block()
    first = fail(world, state, by_oracle(plan, 0))
    second = fail(world, state, Beside(OURS, plan.terms.data(), plan.terms, reason="no state token"))
    fail(world, state)
    world.block()
    await read_off(world, path)
    assert rows(path, "distributions", "state, amount_paid, output_reference") == [("open", 0, str(state.coin.at))]
    assert rows(path, "attestations", "source, verdict, output_reference") == [("chain", "valid", f"{first.hex()}#2")]
    (refused,) = rows(path, "rejected_outputs", "transaction_id, output_index, slot, reason")
    assert (refused[:3], refused[3].partition(":")[0]) == ((second.hex(), 2, 2), "no state token")


async def test_two_contracts_keep_what_is_said_of_each_apart(tmp_path: Path) -> None:
    """A signature under one policy is none under the other, and where it was published does not matter."""
    world, path = World(contracts=(OURS, TWIN)), tmp_path / "db"
    ours, twins = world.plan(terms(), contract=OURS), world.plan(terms(), contract=TWIN)
    state, other = create(world, ours), create(world, twins)
    world.block()
    wrong = signature(public("oracle 1"), message(OURS.hash, twins.id, b"m1"))
    misled = Attestation(twins.id, b"m1", public("oracle 1"), wrong, REFUND)
    pay(
        world,
        [
            attested(ours, b"m1", public("oracle 0"), REFUND, contract=TWIN),
            attested(twins, b"m1", public("oracle 0"), REFUND),
            Beside(TWIN, misled.data(), misled),
        ],
    )
    world.block()
    release(world, other, b"m2", [1], [2])
    world.block()
    await read_off(world, path)
    assert rows(path, "distributions", "distribution_id, amount_paid, policy") == sorted(
        [(ours.id.hex(), 0, OURS.hash.hex()), (twins.id.hex(), 7, TWIN.hash.hex())]
    )
    shown = rows(
        path, "attestations", "distribution_id, milestone_id, verdict", "distribution_id, milestone_id, verdict"
    )
    assert shown == sorted(
        [
            (ours.id.hex(), "m1", "valid"),
            (twins.id.hex(), "m1", "bad_signature"),
            (twins.id.hex(), "m1", "valid"),
            (twins.id.hex(), "m2", "valid"),
        ]
    )
    assert state.coin.at != other.coin.at


async def test_of_two_distributions_with_one_id_the_first_counts(tmp_path: Path) -> None:
    """A transaction may create it under both contracts at once. What happens to the second is refused with a reason."""
    world, path = World(contracts=(OURS, TWIN)), tmp_path / "db"
    first, second = create_under_both(world, world.plan(terms()))
    world.block()
    release(world, second, b"m1", [0], [0])
    release(world, first, b"m2", [1], [0])
    world.block()
    await read_off(world, path)
    assert rows(path, "distributions", "distribution_id, policy, amount_paid") == [
        (first.plan.id.hex(), OURS.hash.hex(), 7)
    ]
    refused = rows(path, "rejected_outputs", "slot, output_index, reason")
    assert [(row[:2], row[2].partition(":")[0]) for row in refused] == [
        ((1, 1), "not this contract's terms"),
        ((2, 0), "not this contract's terms"),
    ]
    assert rows(path, "attestations", "milestone_id, verdict") == [("m2", "valid")]


async def test_a_contract_that_is_not_followed_is_not_read(tmp_path: Path) -> None:
    """Its outputs are a stranger's."""
    world, path = World(contracts=(OURS, TWIN)), tmp_path / "db"
    create(world, world.plan(terms(), contract=TWIN), beside=[Beside(TWIN, None, reason="no datum")])
    create(world, world.plan(terms(), contract=OURS))
    world.block()
    world.contracts = (OURS,)
    await read_off(world, path)
    assert rows(path, "distributions", "policy") == [(OURS.hash.hex(),)]
    assert rows(path, "rejected_outputs", "*") == []


async def test_in_one_batch_one_may_be_paid_before_another_begins(tmp_path: Path) -> None:
    """The blocks are read together; each distribution ends as it would if they came one by one."""
    world, path = World(), tmp_path / "db"
    states = [create(world, world.plan(terms())) for _ in range(3)]
    world.block()
    await read_off(world, path)
    for state in states:
        take_back(world, [release(world, release(world, state, b"m1", [0], [0]), b"m2", [1], [1])])
        world.block()
        fresh = create(world, world.plan(terms()))
        left = release(world, fresh, b"m1", [0], [2])
        world.block()
        release(world, left, b"m2", [1], [0])
        world.block()
    await read_off(world, path)
    assert rows(path, "distributions", "created_slot, state, amount_paid, milestones_released") == [
        *[(1, "closed", 12, 2)] * 3,
        *[(slot, "completed", 12, 2) for slot in (3, 6, 9)],
    ]


@pytest.mark.parametrize(("expires_at", "paid", "state"), [(0, 0, "reclaimed"), (None, 12, "closed")])
async def test_a_distribution_ends_before_it_is_complete_or_after(
    tmp_path: Path, expires_at: int | None, paid: int, state: str
) -> None:
    """After expiry the funder may have the rest; once all is paid, what is beside it. The last output stays told."""
    world, path = World(), tmp_path / "db"
    now = create(world, world.plan(replace(terms(expires_at=expires_at), token=ADA)))
    world.block()
    if paid:
        now = release(world, release(world, now, b"m1", [0], [0]), b"m2", [1], [0])
        world.block()
    ended = take_back(world, [now])
    world.block()
    await read_off(world, path)
    slot = 3 if paid else 2
    assert rows(
        path, "distributions", "state, token_policy, token_name, amount_paid, amount_left, output_reference"
    ) == [(state, "", "", paid, 12 - paid, str(now.coin.at))]
    assert rows(path, "distributions", "updated_slot, ended_slot, ended_by") == [(slot, slot, ended.hex())]
    assert [event for event in told(path) if event[2] == slot] == [(f"distribution.{state}", None, slot, "seen")]


async def test_what_is_had_back_leaves_its_mark(tmp_path: Path) -> None:
    """A withdrawn attestation still counts; a stray that was taken back is still told of."""
    world, path = World(), tmp_path / "db"
    plan = world.plan(terms())
    create(world, plan)
    pay(world, [by_oracle(plan, 0), Beside(OURS, plan.terms.data(), plan.terms, reason="no state token")])
    world.block()
    await read_off(world, path)
    assert len(world.returnable) == 2
    take_back(world, world.returnable)
    world.block()
    await read_off(world, path)
    assert world.returnable == []
    assert rows(path, "attestations", "verdict") == [("valid",)]
    assert rows(path, "milestones", "quorum_status", "milestone_id") == [("met",), ("pending",)]
    assert len(rows(path, "rejected_outputs", "*")) == 1

"""The small world makes real transactions, and the fold of what they did is right: told by hand."""

from collections import Counter
from random import Random

import pytest

from indexer.devnet.ledger.refusal import Refused as RefusedByNode
from tests.contract.cbor import read
from tests.contract.data import data
from tests.contract.keys import key_hash, public
from tests.contract.layout import DATUM, fits
from tests.contract.terms import ADA, Allocation, Terms, message, signature, somebody
from tests.contract.tree import encode
from tests.support.acts import CHANGES, DEEDS
from tests.support.deeds import Beside, by_oracle, create, fail, pay, release, take_back
from tests.support.fold import fold, iso, shown_milestone
from tests.support.happenings import Refused, Told
from tests.support.oddities import MALFORMED, huge
from tests.support.promises import OURS, START_MS, TOKENS, TWIN, Contract, Plan, World

ANN = somebody("ann")


def terms(threshold: int = 1, expires_at: int | None = None, amounts: tuple[int, ...] = (5, 7)) -> Terms:
    """Two oracles; the first allocation is for m1, all others for m2."""
    allocations = (Allocation(ANN, n, b"m2" if i else b"m1", 0) for i, n in enumerate(amounts))
    oracles = public("oracle 0"), public("oracle 1")
    return Terms(key_hash("funder"), oracles, threshold, tuple(allocations), TOKENS[0], expires_at=expires_at)


def told(plan: Plan, number: int, slot: int, milestone: bytes = b"m1") -> Told:
    oracle = public(f"oracle {number}")
    proof = signature(oracle, message(plan.contract.hash, plan.id, milestone))
    return Told(plan.id, milestone, oracle, proof, True, slot)


@pytest.mark.parametrize("contract", [OURS, TWIN], ids=["ours", "its twin"])
def test_a_whole_life_as_the_node_takes_it(contract: Contract) -> None:
    """Created, released in two parts, completed, closed; each in a block of its own, from slot 1 on."""
    world = World(contracts=(OURS, TWIN))
    plan = world.plan(terms(), contract=contract)
    state = create(world, plan)
    world.block()
    state = release(world, state, b"m1", [0], [0])
    world.block()
    state = release(world, state, b"m2", [1], [1])
    world.block()
    take_back(world, [state])
    world.block()
    states = [fold(world.chain, now=world.now, at=slot).distributions for slot in range(5)]
    assert [rows[0]["state"] if rows else None for rows in states] == [None, "open", "open", "completed", "closed"]
    last = fold(world.chain, now=world.now, start=START_MS)
    assert last.distributions == [
        {
            "distribution_id": plan.id.hex(),
            "seed": str(plan.seed.at),
            "state": "closed",
            "token_policy": TOKENS[0].policy.hex(),
            "token_name": "544f4b454e",
            "oracles": [public("oracle 0").hex(), public("oracle 1").hex()],
            "quorum_threshold": 1,
            "amount_total": 12,
            "amount_paid": 12,
            "amount_left": 0,
            "milestones_total": 2,
            "milestones_released": 2,
            "allocations_total": 2,
            "allocations_claimed": 2,
            "funder": key_hash("funder").hex(),
            "expires_at": None,
            "output_reference": str(state.coin.at),
            "created_slot": 1,
            "created_at": "2024-01-01T00:00:01Z",
            "updated_slot": 4,
            "updated_at": "2024-01-01T00:00:04Z",
        }
    ]
    assert [(row["milestone_id"], row["quorum_met_slot"], row["quorum_status"]) for row in last.milestones] == [
        ("m1", 2, "met"),
        ("m2", 3, "met"),
    ]
    assert [(event.type, event.slot) for event in sorted(last.events, key=lambda event: event.slot)] == [
        ("distribution.created", 1),
        ("milestone.released", 2),
        ("attestation.accepted", 2),
        ("milestone.quorum_met", 2),
        ("milestone.released", 3),
        ("distribution.completed", 3),
        ("attestation.accepted", 3),
        ("milestone.quorum_met", 3),
        ("distribution.closed", 4),
    ]


def test_the_twin_is_as_strict_as_the_contract() -> None:
    """Without signatures, nothing is released; before expiry, nothing is had back."""
    world = World(contracts=(OURS, TWIN))
    for contract in world.contracts:
        state = create(world, world.plan(terms(), contract=contract))
        with pytest.raises(RefusedByNode):
            release(world, state, b"m1", [0], [])
        with pytest.raises(RefusedByNode):
            take_back(world, [state])


def test_a_fork_moves_what_it_does_not_drop() -> None:
    """The create waits again, and comes in a later block; the attestation is gone, and comes back when sent again."""
    world = World()
    plan = world.plan(terms())
    create(world, plan)
    published = pay(world, [by_oracle(plan, 0)])
    world.block()
    assert [row["created_slot"] for row in fold(world.chain, now=world.now).distributions] == [1]
    world.fork(1, 2, [published])
    assert not fold(world.chain, now=world.now).distributions
    world.block()
    rows = fold(world.chain, now=world.now)
    assert [(row["created_slot"], row["state"]) for row in rows.distributions] == [(3, "open")]
    assert rows.attestations == []
    assert world.again() == 1
    world.block()
    assert [(row["slot"], row["verdict"]) for row in fold(world.chain, now=world.now).attestations] == [(4, "valid")]


def test_an_attestation_before_its_distribution_counts_from_the_creation_on() -> None:
    """Its event is of the later block."""
    world = World()
    plan = world.plan(terms())
    pay(world, [by_oracle(plan, 0)])
    world.block()
    assert [row["verdict"] for row in fold(world.chain, now=0).attestations] == ["unknown_distribution"]
    assert fold(world.chain, now=0).events == []
    create(world, plan)
    world.block()
    rows = fold(world.chain, now=0)
    assert [(row["slot"], row["verdict"]) for row in rows.attestations] == [(1, "valid")]
    assert {row["milestone_id"]: row["quorum_met_slot"] for row in rows.milestones} == {"m1": 2, "m2": None}
    assert {event.type: (event.slot, event.height) for event in rows.events} == {
        "distribution.created": (2, 2),
        "attestation.accepted": (2, 2),
        "milestone.quorum_met": (2, 2),
    }


def test_the_first_of_several_signatures_of_an_oracle_counts() -> None:
    """By slot, then by transaction and output, then what came in files; the second oracle's completes the quorum."""
    world = World()
    plan = world.plan(terms(threshold=2))
    create(world, plan)
    pay(world, [by_oracle(plan, 0), by_oracle(plan, 0)])
    world.block(2)
    files = [told(plan, 0, 1), told(plan, 1, 2)]
    rows = fold(world.chain, files, now=0)
    assert [(row["source"], row["slot"], row["verdict"]) for row in rows.attestations] == [
        ("chain", 1, "valid"),
        ("chain", 1, "duplicate"),
        ("local", 1, "duplicate"),
        ("local", 2, "valid"),
    ]
    met = next(row for row in rows.milestones if row["milestone_id"] == "m1")
    assert (met["signatures_valid"], met["quorum_status"], met["quorum_met_slot"]) == (2, "met", 2)
    event = next(event for event in rows.events if event.type == "milestone.quorum_met")
    assert (event.height, event.finality(2, k=8, confirmed=3)) == (1, "seen")  # of creation and first signature
    assert [row["verdict"] for row in fold(world.chain, files, now=0, at=1).attestations] == [
        "valid",
        "duplicate",
        "duplicate",
    ]


def test_vesting_goes_by_the_time_asked_for() -> None:
    """What is paid is vested, and has no vesting time ahead."""
    later = START_MS + 5_000
    allocations = (Allocation(ANN, 5, b"m1", START_MS), Allocation(ANN, 7, b"m1", later))
    world = World()
    plan = world.plan(Terms(key_hash("funder"), (public("oracle 0"),), 1, allocations, ADA))
    state = create(world, plan)
    world.block()
    release(world, state, b"m1", [0], [0])
    world.block()
    for now, vested, ahead in ((later - 1, 5, "2024-01-01T00:00:05Z"), (later, 12, None)):
        (row,) = fold(world.chain, now=now).milestones
        assert (row["amount_total"], row["amount_vested"], row["amount_paid"]) == (12, vested, 5)
        assert row["next_vesting_at"] == ahead


def test_what_a_failed_release_leaves_is_its_collateral_return() -> None:
    """At the contract it counts as whatever it looks like; nothing is released."""
    world = World()
    plan = world.plan(terms())
    state = create(world, plan)
    id_ = fail(world, state, Beside(OURS, None, reason="no datum"))
    world.block()
    rows = fold(world.chain, now=0)
    assert [(row["transaction_id"], row["output_index"]) for row in rows.rejected_outputs] == [(id_.hex(), 2)]
    assert [(row["state"], row["output_reference"]) for row in rows.distributions] == [("open", str(state.coin.at))]


def test_times_and_milestones_in_words() -> None:
    """After the year 9999 there is its last second; what is not a plain word is hex."""
    assert [iso(time) for time in (0, 253_402_300_800_000, 2**63 - 1)] == [
        "1970-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59Z",
    ]
    shown = {
        b"phase-1.0_b": "phase-1.0_b",
        b"0xab": "0x30786162",
        b"": "0x",
        b"a b": "0x612062",
        b"m" * 65: "0x" + "6d" * 65,
    }
    assert {id_: shown_milestone(id_) for id_ in shown} == shown


def test_what_is_malformed_does_not_decode_and_what_is_huge_does() -> None:
    """By the layouts that the contract's tests hold; and a node takes all of it as data."""
    world = World()
    plain = terms()
    for number, spoil in enumerate(MALFORMED):
        assert not fits(data(read(encode(spoil(plain.data())))), DATUM), number
        pay(world, [Beside(OURS, spoil(plain.data()), reason="malformed datum")])
    assert fits(data(read(encode(huge(plain).data()))), DATUM)
    pay(world, [Beside(OURS, huge(plain).data(), huge(plain), reason="no state token")])
    world.block(3)
    assert len(fold(world.chain, now=0).rejected_outputs) == len(MALFORMED) + 1


@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_done_at_random_the_node_takes_it(seed: int) -> None:
    """Everything that can happen does, within 200 steps."""
    random, world = Random(seed), World(contracts=(OURS, TWIN))
    for _ in range(200):
        random.choice((*DEEDS, *CHANGES))(random, world)
    happened = [each for block in world.chain for made in block.transactions for each in made]
    assert {type(each).__name__ for each in happened} == {"Founded", "Released", "Ended", "Attested", "Refused"}
    assert {each.reason for each in happened if isinstance(each, Refused)} == {
        "no datum",
        "malformed datum",
        "no state token",
    }
    verdicts = Counter(row["verdict"] for row in fold(world.chain, now=0).attestations)
    assert len(verdicts) == 6

"""Distributions that a stranger makes to live on keepers: nothing leaves the wallet."""

import sqlite3
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexer.chain.block import OutputReference
from indexer.edge.builder.coins import usable
from indexer.edge.builder.funding import lovelace_to_lock, seed_for
from indexer.edge.builder.intents import Create
from indexer.edge.builder.reader import Read, read
from indexer.ogmios.rulings import RULES as RULINGS
from indexer.ogmios.submission import EvaluationFailed
from indexer.plutus.datum import Distribution
from tests.keeper.test_hostile import through
from tests.support.keeping import RULES, House, attested, grounds, house, promised
from tests.support.yard import ADA, FUNDER, KEEPER, allocation, id_of, terms

HONEST = terms(allocation(9, 700))


def free(**changes: Any) -> Distribution:
    return terms(allocation(1, 700), **changes)


DRAINING: dict[str, Distribution] = {
    "pays its keeper nothing": free(keeper_fee_per_payout=0),
    "pays one lovelace": free(keeper_fee_per_payout=1),
    "pays almost what it costs": free(keeper_fee_per_payout=240_000),
    "gives nothing along with a payout": free(lovelace_per_payout=0, keeper_fee_per_payout=700_000),
    "of ada, a payout below what the network asks for": terms(
        allocation(1, 5), token=ADA, lovelace_per_payout=0, keeper_fee_per_payout=500_000
    ),
    "many payouts that bring almost nothing": terms(
        *(allocation(n, 1) for n in range(20)), lovelace_per_payout=900_000, keeper_fee_per_payout=100_000
    ),
}


@pytest.mark.parametrize("kind", DRAINING)
async def test_a_distribution_that_costs_its_keeper_is_left_alone_and_others_are_not(tmp_path: Path, kind: str) -> None:
    async with house(tmp_path) as it:
        strange = await promised(it.yard, DRAINING[kind])
        await attested(it.yard, strange, b"m1", 0, 1)
        honest = await promised(it.yard, HONEST)
        await attested(it.yard, honest, b"m1", 0, 1)
        before = it.wealth
        for _ in range(5):
            await it.block()
        (row,) = it.releases()
        assert (row["distribution_id"], row["state"]) == (honest.hex(), "confirmed")
        assert it.wealth == before - row["cost"] > before


async def test_one_without_a_reserve_does_not_make_the_keeper_fill_it_up(tmp_path: Path) -> None:
    """What the terms promise is locked, and no more: the state output needs most of it to stand."""
    async with house(tmp_path) as it:
        yard = it.yard
        bare = terms(
            *(allocation(n, 1) for n in range(10)), lovelace_per_payout=1_200_000, keeper_fee_per_payout=50_000
        )
        seed = seed_for(bare, usable(yard.purse(FUNDER)))
        created = await yard.do(Create(bare, seed, lovelace_to_lock(bare, yard.around).promise), FUNDER)
        await attested(yard, id_of(created), b"m1", 0, 1)
        before = it.wealth
        for _ in range(3):
            await it.block()
        assert it.releases() == []
        assert it.wealth == before


@pytest.mark.parametrize("by", ["id", "funder", "all"])
async def test_what_is_sponsored_is_paid_for(tmp_path: Path, by: str) -> None:
    async with house(tmp_path) as first:
        made = await promised(first.yard, free(keeper_fee_per_payout=0))
        await attested(first.yard, made, b"m1", 0, 1)
        rules = replace(RULES, sponsors=frozenset({{"id": made.hex(), "funder": FUNDER.hash.hex(), "all": "all"}[by]}))
        (tmp_path / "sponsor").mkdir()
        it = House(first.yard, first.server, tmp_path / "sponsor", rules)
        async with it.opened():
            before = it.wealth
            await it.round()
            await it.block()
            (row,) = it.releases()
            assert row["state"] == "in_block"
            assert before - it.wealth == row["cost"] > 0


async def test_the_limit_of_a_day_counts_what_left_the_wallet_also_in_a_new_database(tmp_path: Path) -> None:
    rules = replace(RULES, sponsors=frozenset({"all"}), max_loss_per_day=700_000)
    async with grounds() as (yard, server):
        it = House(yard, server, tmp_path, rules)
        before = it.wealth
        async with it.opened():
            for number in range(4):
                made = await promised(yard, terms(allocation(number, 5), keeper_fee_per_payout=0))
                await attested(yard, made, b"m1", 0, 1)
            for _ in range(3):
                await it.block()
            paid = len(it.releases())
            assert 1 <= paid < 4
            assert before - it.wealth <= 700_000
        it.path.unlink()
        async with it.opened():
            for _ in range(3):
                await it.block()
            assert it.releases() == []
            yard.skip(86_401)
            for _ in range(3):
                await it.block()
            assert len(it.releases()) == min(paid, 4 - paid)


async def test_what_a_node_swallowed_counts_for_a_day_for_it_may_land_all_the_same(tmp_path: Path) -> None:
    """It takes transactions, shows no block with them until they have expired, and then evaluates none that pays what
    was signed before: otherwise more and more would be signed, and it has them all."""
    rules = replace(RULES, sponsors=frozenset({"all"}), max_loss_per_day=700_000)
    signed, swallowed = list[Read](), set[OutputReference]()

    def greedy(node: Any) -> None:
        evaluate = node.evaluate

        async def evaluated(raw: bytes, *also: Any) -> Any:
            if not swallowed.isdisjoint(read(raw).inputs):
                raise EvaluationFailed(3005, RULINGS[3005], "not now", None, ())
            return await evaluate(raw, *also)

        async def submitted(raw: bytes) -> bytes:
            signed.append(read(raw))
            return signed[-1].id

        node.evaluate, node.submit = evaluated, submitted

    async with grounds() as (yard, server), House(yard, server, tmp_path, rules).opened() as it:
        states = set[OutputReference]()
        for number in range(6):
            yard.pay(KEEPER.address, 20_000_000)
            made, state = await yard.create(terms(allocation(number, 5), keeper_fee_per_payout=0))
            await attested(yard, id_of(made), b"m1", 0, 1)
            states.add(state.reference)
        through(it, greedy)
        for _ in range(3):
            await it.block()
            swallowed |= {at for each in signed for at in each.inputs if at in states}
            yard.skip(1_801)
            await it.block()
        assert len(signed) == len(swallowed) == 2
        assert {row["state"] for row in it.releases()} == {"expired"}
        assert sum(row["cost"] for row in it.releases()) <= 700_000
        yard.skip(86_401)
        await it.block()
        assert len(signed) == 4


async def test_thousands_that_pay_nobody_do_not_delay_an_honest_one(tmp_path: Path) -> None:
    """They stand in the database as the follower writes them; each would be due, and comes first."""
    async with house(tmp_path) as it:
        strange = await promised(it.yard, free(keeper_fee_per_payout=1))
        await attested(it.yard, strange, b"m1", 0, 1)
        honest = await promised(it.yard, HONEST)
        await it.round()
        multiply(it.path, strange, 5_000)
        await attested(it.yard, honest, b"m1", 0, 1)
        await it.caught_up()
        begun = time.monotonic()
        while it.releases() == []:
            await it.round()
        took = time.monotonic() - begun
        print(f"behind 5,000 of them, released within {took:.1f} s")
        (row,) = it.releases()
        assert row["distribution_id"] == honest.hex()
        assert took < 60


def multiply(path: Path, distribution_id: bytes, count: int) -> None:
    """So many more distributions like this one, under other ids."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("BEGIN")
    for table in ("distribution", "state_output", "allocation", "milestone", "signature"):
        columns = [row[1] for row in db.execute(f"PRAGMA table_info({table})") if row[1] != "signature_id"]
        taken = ", ".join("?2" if name == "distribution_id" else name for name in columns)
        if table == "state_output":
            taken = taken.replace("transaction_id", "?2", 1)
        statement = f"INSERT INTO {table} ({', '.join(columns)}) SELECT {taken} FROM {table} WHERE distribution_id = ?1"
        names = [(distribution_id.hex(), number.to_bytes(32, "big").hex()) for number in range(count)]
        db.executemany(statement, names)
    db.execute("COMMIT")
    db.close()

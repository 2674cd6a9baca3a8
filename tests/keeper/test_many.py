"""Many distributions at a time, and more than one keeper."""

import os
import time
from dataclasses import replace
from pathlib import Path

from indexer.plutus.blueprint import Blueprint
from tests.support.keeping import House, attested, grounds, house, promised
from tests.support.spending import Wallet, plutus_hash
from tests.support.twin import twin
from tests.support.yard import BLUEPRINT, Yard, allocation, terms

COUNT = int(os.environ.get("INDEXER_TEST_RELEASES", "45"))


async def due_later(yard: Yard, count: int) -> int:
    """So many distributions, attested, all of which fall due at one time; that time, in POSIX milliseconds."""
    vesting = yard.now_ms + 4 * count * 1000 + 600_000
    for number in range(count):
        made = await promised(yard, terms(allocation(number, 100 + number, vesting=vesting), quorum_threshold=1))
        await attested(yard, made, b"m1", number % 3)
    return vesting


async def test_all_that_falls_due_in_one_block_is_released_from_one_wallet(tmp_path: Path) -> None:
    """With as many as a block holds under way at a time; said with -s: how fast."""
    async with house(tmp_path) as it:
        vesting = await due_later(it.yard, COUNT)
        await it.round()
        assert it.releases() == []
        it.yard.skip((vesting - it.yard.now_ms) // 1000 + 1)
        begun, blocks = time.monotonic(), 0
        await it.round()
        while it.states().count("in_block") + it.states().count("confirmed") + it.states().count("final") < COUNT:
            await it.block()
            blocks += 1
            assert blocks < COUNT
        took = time.monotonic() - begun
        print(f"{COUNT} releases in {blocks} blocks, {took:.1f} s of work: {COUNT / took:.0f} a second")
        rows = it.releases()
        assert len({row["distribution_id"] for row in rows}) == len(rows) == COUNT
        assert all(row["attempts"] == 1 and row["cost"] <= 0 for row in rows)


async def test_two_keepers_pay_each_milestone_once_and_waste_nothing(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    async with house(tmp_path) as it:
        other = House(it.yard, it.server, tmp_path / "other", wallet=Wallet("another keeper"))
        for lovelace in (10_000_000, 500_000_000):
            it.yard.pay(other.wallet.address, lovelace)
        count = COUNT // 3
        async with other.opened():
            vesting = await due_later(it.yard, count)
            it.yard.skip((vesting - it.yard.now_ms) // 1000 + 1)
            before = {house_.wallet: house_.wealth for house_ in (it, other)}
            for turn in range(12):
                first, second = (it, other) if turn % 2 else (other, it)
                await first.round()
                await second.round()
                it.yard.node.make_block()
            await it.round()
            await other.round()
            states = [sorted({row["state"] for row in each.releases()}) for each in (it, other)]
            assert all(set(found) <= {"in_block", "confirmed", "final", "superseded"} for found in states), states
            paid = [row for each in (it, other) for row in each.releases() if row["state"] != "superseded"]
            assert len({row["distribution_id"] for row in paid}) == len(paid) == count
            for each in (it, other):
                gained = sum(-row["cost"] for row in each.releases() if row["state"] != "superseded")
                assert each.wealth == before[each.wallet] + gained  # not a lovelace more was lost


async def test_distributions_of_two_contracts_are_released_by_one_keeper(tmp_path: Path) -> None:
    """The script of one is published; that of the other travels along."""
    script = twin(BLUEPRINT.script)
    other = Blueprint(script, plutus_hash(script))
    async with grounds() as (yard, server):
        old = replace(yard, contract=other, reference=None)
        it = House(yard, server, tmp_path, also=(other,))
        async with it.opened():
            for each in (yard, old):
                made = await promised(each, terms(allocation(1, 700)))
                await attested(each, made, b"m1", 0, 1)
            for _ in range(3):
                await it.block()
            assert len(it.releases()) == 2
            assert set(it.states()) <= {"in_block", "confirmed"}

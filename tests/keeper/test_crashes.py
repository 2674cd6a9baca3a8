"""A keeper killed between any two things that it writes, signs or sends: what it had begun is completed, once.

Each test goes on until a life comes to its end, so no point is left out: the first dies before its first step, each
next one a step later.
"""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from indexer.plutus.address import address_bytes
from tests.support.dying import Killed, Mortal, watch
from tests.support.following import select
from tests.support.keeping import House, attested, grounds, promised
from tests.support.spending import Wallet
from tests.support.yard import TOKEN, Yard, allocation, someone, terms

Act = Callable[[House], Awaitable[None]]
IN_THE_CHAIN = {"in_block", "confirmed", "final"}
AMOUNT = 700


async def look(it: House) -> None:
    await it.round()


async def block(it: House) -> None:
    await it.block()


async def fork(it: House) -> None:
    """The newest block goes, and whatever was sent is in no mempool."""
    sent = [bytes.fromhex(row["transaction_id"]) for row in select(it.path, "SELECT * FROM release_transaction")]
    it.yard.node.fork(1, 2, drop=sent)
    await it.round()


async def live(it: House, acts: Sequence[Act], mortal: Mortal) -> int:
    """How many of the acts were begun."""
    done = 0
    async with it.opened():
        await watch(it, mortal)
        try:
            for act in acts:
                done += 1
                await act(it)
        except Killed:
            pass
        assert len(mortal.told) == mortal.ran_of_its_own
    return done


def written(it: House, distribution: bytes) -> list[str]:
    """What is in the journal for a distribution: the ids of transactions, in order."""
    sql = """SELECT t.transaction_id FROM release_transaction t JOIN release r ON r.release_id = t.release_id
        WHERE r.distribution_id = ? ORDER BY t.attempt"""
    return [row["transaction_id"] for row in select(it.path, sql, distribution.hex())]


def tokens(yard: Yard, number: int) -> int:
    address = address_bytes(someone(number), 0)
    return sum(
        quantity
        for coin in yard.coins_at(address)
        for policy, name, quantity in coin.output.assets
        if (policy, name) == (TOKEN.policy_id, TOKEN.asset_name)
    )


async def killed_at_each_step(acts: Sequence[Act], fresh: Callable[[int], Awaitable[House]]) -> list[str]:
    """Lives that do those acts, each with a due distribution of its own; all steps there are."""
    number = 0
    while True:
        mortal = Mortal(number)
        it = await fresh(number)
        made = await promised(it.yard, terms(allocation(number, AMOUNT), quorum_threshold=1))
        await attested(it.yard, made, b"m1", 0)
        done = await live(it, acts, mortal)
        before = written(it, made)
        async with it.opened():
            await it.round()
            for act in acts[done:]:
                await act(it)
            for _ in range(4):
                (row,) = [row for row in it.releases() if row["distribution_id"] == made.hex()] or [{"state": "none"}]
                if row["state"] in IN_THE_CHAIN:
                    break
                await it.block()
            last = f"killed after {len(mortal.steps)} steps, the last {mortal.steps[-1:]}"
            assert row["state"] in IN_THE_CHAIN, last
            after = written(it, made)
            assert len(after) == 1, last
            assert after == (before or after), last
            assert row["transaction_id"] == after[0], last
            assert tokens(it.yard, number) == AMOUNT, last
        if not mortal.dead:
            return mortal.steps
        number += 1


async def test_a_release_is_completed_once_wherever_its_keeper_is_killed(tmp_path: Path) -> None:
    async with grounds() as (yard, server):
        steps = await killed_at_each_step([look, block], always(House(yard, server, tmp_path)))
        assert steps.count("sign") == steps.count("submit") == 1
        assert steps.count("COMMIT") >= 5  # intended, built, handed over, taken, in a block


async def test_also_where_a_fork_takes_it_back(tmp_path: Path) -> None:
    async with grounds() as (yard, server):
        acts = [look, block, fork, block, block, block, block]
        steps = await killed_at_each_step(acts, always(House(yard, server, tmp_path)))
        assert steps.count("sign") == 1
        assert steps.count("submit") == 2
        assert steps.count("COMMIT") >= 10  # taken back, handed over again, taken again, in a block again, confirmed


async def test_also_where_a_coin_has_to_be_split_first(tmp_path: Path) -> None:
    """By a new keeper each time, with one coin."""
    async with grounds() as (yard, server):

        async def fresh(number: int) -> House:
            wallet, folder = Wallet(f"split {number}"), tmp_path / str(number)
            folder.mkdir()
            yard.pay(wallet.address, 1_000_000_000)
            return House(yard, server, folder, wallet=wallet)

        steps = await killed_at_each_step([look, block, block], fresh)
        assert steps.count("sign") == steps.count("submit") == 2


def always(it: House) -> Callable[[int], Awaitable[House]]:
    async def fresh(_: int) -> House:
        return it

    return fresh

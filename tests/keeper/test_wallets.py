"""What the keeper's wallet may hold, and what strangers put there."""

from pathlib import Path

import pytest

from tests.contract.terms import Asset, Reference
from tests.contract.tree import Array
from tests.support.keeping import House, attested, grounds, promised
from tests.support.spending import NATIVE, Coin, Spending, Wallet, native_hash, paid, written
from tests.support.yard import FREELY, FUNDER, Yard, allocation, terms

NEW = Wallet("a new keeper")
ADA = 1_000_000


async def due(yard: Yard) -> bytes:
    made = await promised(yard, terms(allocation(1, 700)))
    await attested(yard, made, b"m1", 0, 1)
    return made


def shut(it: House) -> list[str]:
    return sorted(gate for gate, is_open in it.status.gates.items() if not is_open)


@pytest.mark.parametrize(
    ("lovelace", "gates"),
    [
        ((), ["collateral", "reserve"]),
        ((ADA,) * 6, ["collateral"]),  # dust: more than the reserve, and no coin that could be staked
        ((2 * ADA, 2 * ADA), ["collateral", "reserve"]),
    ],
)
async def test_a_wallet_that_does_not_suffice_is_said_and_recovers_by_itself_when_it_is_funded(
    tmp_path: Path, lovelace: tuple[int, ...], gates: list[str]
) -> None:
    async with grounds() as (yard, server):
        for each in lovelace:
            yard.pay(NEW.address, each)
        await due(yard)
        it = House(yard, server, tmp_path, wallet=NEW)
        async with it.opened():
            await it.round()
            assert it.releases() == []
            assert shut(it) == gates
            if "reserve" in gates:
                assert it.events("wallet.%") == ["wallet.low"]
            yard.skip(601)
            await it.round()
            assert it.events("keeper.%") != []
            yard.pay(NEW.address, 100 * ADA)
            for _ in range(3):
                await it.block()
            assert it.states() == ["in_block"]
            assert shut(it) == []


async def test_one_large_coin_is_split_before_anything_is_due(tmp_path: Path) -> None:
    async with grounds() as (yard, server):
        yard.pay(NEW.address, 1_000 * ADA)
        it = House(yard, server, tmp_path, wallet=NEW)
        async with it.opened():
            await it.round()
            await it.block()
            sizes = sorted(coin.output.lovelace for coin in yard.coins_at(NEW.address))
            assert len(sizes) == 2
            assert 4 * ADA <= sizes[0] <= 10 * ADA
            assert shut(it) == []


async def test_tokens_dust_scripts_and_the_same_hash_under_a_script_change_nothing(tmp_path: Path) -> None:
    async with grounds() as (yard, server):
        for lovelace in (10 * ADA, 500 * ADA):
            yard.pay(NEW.address, lovelace)
        balance = 510 * ADA
        give_tokens(yard, 300)
        for _ in range(50):
            yard.node.faucet(bytes([0x70]) + NEW.hash, 5 * ADA)  # a script's address with the key's hash
        yard.node.make_block()
        await due(yard)
        it = House(yard, server, tmp_path, wallet=NEW)
        async with it.opened():
            await it.round()
            assert it.status.balance == balance
            await it.block()
            (row,) = it.releases()
            assert row["state"] == "in_block"
            assert it.status.balance == balance - row["cost"]
            tokens = [coin for coin in yard.coins_at(NEW.address) if coin.output.assets]
            assert len(tokens) == 1  # where they were


async def test_all_in_one_coin_with_tokens_is_said_in_plain_words(tmp_path: Path) -> None:
    async with grounds() as (yard, server):
        give_tokens(yard, 40, lovelace=900 * ADA)
        await due(yard)
        it = House(yard, server, tmp_path, wallet=NEW)
        async with it.opened():
            await it.round()
            assert shut(it) == ["collateral", "reserve"]
            assert it.keeper is not None
            told = [each.reason for each in await it.keeper.gates() if str(each.gate) == "reserve"]
            assert "1 other coins (900000000 lovelace) are left alone" in told[0]
            yard.pay(NEW.address, 100 * ADA)
            for _ in range(3):
                await it.block()
            assert it.states() == ["in_block"]


async def test_coins_from_before_the_history_are_read_once_and_spent(tmp_path: Path) -> None:
    """First the daemon has no wallet; then it has one whose coins it has never seen."""
    async with grounds() as (yard, server):
        for lovelace in (10 * ADA, 500 * ADA):
            yard.pay(NEW.address, lovelace)
        async with House(yard, server, tmp_path).opened():
            await due(yard)
        it = House(yard, server, tmp_path, wallet=NEW)
        async with it.opened():
            await it.round()
            for _ in range(2):
                await it.block()
            assert it.states()[-1] == "in_block"
            assert it.status.balance == it.wealth


def give_tokens(yard: Yard, kinds: int, lovelace: int = 60 * ADA) -> None:
    """A coin with so many kinds of tokens, from the funder."""
    policy = native_hash(FREELY)
    coin = max(yard.coins_at(FUNDER.address), key=lambda each: each.output.lovelace)
    at = Reference(coin.reference.transaction_id, coin.reference.index)
    given = Coin(at, paid(FUNDER.address, coin.output.lovelace))
    tokens = {Asset(policy, f"t{n}".encode()): 1 for n in range(kinds)}
    spending = Spending(
        inputs=(given,),
        signers=(FUNDER,),
        change=FUNDER.address,
        outputs=(paid(NEW.address, lovelace, tokens),),
        mint=tokens,
        witnesses={NATIVE: Array((FREELY,))},
    )
    yard.node.submit(written(spending))
    yard.node.make_block()


async def test_without_a_contract_nothing_is_split_and_nothing_breaks(tmp_path: Path) -> None:
    async with grounds() as (yard, server):
        yard.pay(NEW.address, 1_000 * ADA)
        it = House(yard, server, tmp_path, wallet=NEW, follows=False)
        async with it.opened():
            await it.block()
            assert [coin.output.lovelace for coin in yard.coins_at(NEW.address)] == [1_000 * ADA]

"""What the keeper's wallet may hold, and what strangers put there."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from indexer.workers.adopt import Adopt
from tests.contract.terms import Asset, Reference
from tests.contract.tree import Array
from tests.support.following import select
from tests.support.keeping import RULES, House, attested, grounds, promised
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


async def test_where_the_keeper_is_off_nobody_is_told_of_a_wallet_that_is_not_needed(tmp_path: Path) -> None:
    """Something is due, for whoever releases it; this daemon only follows the chain."""
    async with grounds() as (yard, server):
        await due(yard)
        it = House(yard, server, tmp_path, wallet=NEW, rules=replace(RULES, enabled=False))
        async with it.opened():
            await it.round()
            yard.skip(601)
            await it.round()
            assert {"collateral", "enabled", "reserve"} <= set(shut(it))
            assert it.events("milestone.%") == ["milestone.quorum_met"]
            assert it.events("wallet.%") + it.events("keeper.%") == []


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


class Off(House):
    """A house whose clock is off."""

    off_ms = 0

    @property
    def now_ms(self) -> int:
        return super().now_ms + self.off_ms


async def test_a_clock_that_is_set_back_does_not_keep_the_wallet_from_being_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five hours back, between two times that it is asked for; the node has not answered so far."""

    async def unanswered(_adopt: Adopt, _at: object) -> bool:
        return False

    monkeypatch.setattr(Adopt, "__call__", unanswered)
    asked: list[int] = []
    async with grounds() as (yard, server):
        yard.pay(NEW.address, 500 * ADA)
        async with House(yard, server, tmp_path).opened():
            await due(yard)
        it = Off(yard, server, tmp_path, wallet=NEW)
        async with it.opened():
            assert it.keeper is not None
            it.keeper._read_wallet = lambda: asked.append(it.off_ms)
            for off_ms in (0, 1_000, -5 * 3_600_000, -5 * 3_600_000 + 1_000):
                it.off_ms = off_ms
                await it.keeper.round()
    assert asked == [0, -5 * 3_600_000]


async def test_nobody_is_told_of_a_low_wallet_whose_coins_are_not_known_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that is given later, with ada enough; the node has not said yet what lies there."""

    async def unanswered(_adopt: Adopt, _at: object) -> bool:
        return False

    async with grounds() as (yard, server):
        yard.pay(NEW.address, 500 * ADA)
        async with House(yard, server, tmp_path).opened():
            await due(yard)
        it = House(yard, server, tmp_path, wallet=NEW)
        with monkeypatch.context() as silent:
            silent.setattr(Adopt, "__call__", unanswered)
            async with it.opened():
                for _ in range(2):
                    await it.round()
                    assert {"reserve", "wallet_read"} <= set(shut(it))
                    assert it.events("wallet.%") == []
                    yard.skip(601)
                told = select(it.path, "SELECT data ->> 'gate' AS gate FROM events WHERE type = 'keeper.paused'")
                assert [row["gate"] for row in told] == ["wallet_read"]


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


HEAVY: Final = Array((2, Array(tuple(Array((0, bytes([n // 256, n % 256]) * 14)) for n in range(490)))))
LIGHT: Final = Array((2, Array(())))


@pytest.mark.parametrize("known", ["followed", "from before the history"])
async def test_a_coin_with_a_large_script_is_never_spent_or_staked_and_the_keeper_goes_on_beside_it(
    tmp_path: Path, known: str
) -> None:
    """Each release costs something, so that coins are spent; the one with the small script has the size of a stake."""
    async with grounds() as (yard, server):
        for lovelace in (20 * ADA, 30 * ADA):
            yard.pay(NEW.address, lovelace)
        heavy = give_script(yard, HEAVY, 900 * ADA)
        light = give_script(yard, LIGHT, 7 * ADA)
        rules = replace(RULES, sponsors=frozenset({"all"}))
        if known != "followed":
            async with House(yard, server, tmp_path).opened():
                pass  # without this wallet
        it = House(yard, server, tmp_path, rules, NEW)
        async with it.opened():
            await it.round()
            assert it.status.balance == 50 * ADA
            for number in range(3):
                made = await promised(yard, terms(allocation(number, 700), keeper_fee_per_payout=0))
                await attested(yard, made, b"m1", 0, 1)
            for _ in range(3):
                await it.block()
            assert {row["state"] for row in it.releases()} <= {"in_block", "confirmed"}
            assert len(it.releases()) == 3
            cost = sum(row["cost"] for row in it.releases())
            assert cost > 0
            splits = select(it.path, "SELECT fee FROM release_transaction WHERE release_id IS NULL")
            assert it.status.balance == 50 * ADA - cost - sum(row["fee"] for row in splits)
            used = {row["input_transaction_id"] for row in select(it.path, "SELECT * FROM release_input")}
            assert used.isdisjoint({heavy.hex(), light.hex()})
            there = {coin.reference.transaction_id for coin in yard.coins_at(NEW.address)}
            assert {heavy, light} <= there
            assert shut(it) == []


async def test_where_a_coin_with_a_large_script_is_all_there_is_the_gate_says_so(tmp_path: Path) -> None:
    async with grounds() as (yard, server):
        give_script(yard, HEAVY, 900 * ADA)
        await due(yard)
        it = House(yard, server, tmp_path, wallet=NEW)
        async with it.opened():
            await it.round()
            assert it.releases() == []
            assert shut(it) == ["collateral", "reserve"]
            assert it.keeper is not None
            told = {str(each.gate): each.reason for each in await it.keeper.gates()}
            assert "has 0 lovelace in 0 coins of ada alone" in told["reserve"]
            assert "1 other coins (900000000 lovelace) are left alone: tokens, scripts or datums" in told["reserve"]
            assert told["collateral"].startswith("no coin of ada alone with ")
            yard.pay(NEW.address, 100 * ADA)
            for _ in range(3):
                await it.block()
            assert it.states() == ["in_block"]
            assert len([coin for coin in yard.coins_at(NEW.address) if coin.output.lovelace == 900 * ADA]) == 1


def give_script(yard: Yard, script: Array, lovelace: int) -> bytes:
    """A coin that carries a native script, from the funder; the transaction that makes it."""
    coin = max(yard.coins_at(FUNDER.address), key=lambda each: (not each.output.assets, each.output.lovelace))
    given = Coin(
        Reference(coin.reference.transaction_id, coin.reference.index), paid(FUNDER.address, coin.output.lovelace)
    )
    spending = Spending(
        inputs=(given,),
        signers=(FUNDER,),
        change=FUNDER.address,
        outputs=(paid(NEW.address, lovelace, script=(0, script)),),
    )
    made = yard.node.submit(written(spending))
    yard.node.make_block()
    return made

"""Coins at random: what suffices is found, what does not is said, and what is to be left alone is."""

import random

import pytest

from indexer.chain.block import Output, OutputReference, Script
from indexer.chain.coin import Coin
from indexer.chain.parameters import Units
from indexer.edge.builder.build import build
from indexer.edge.builder.check import check
from indexer.edge.builder.errors import FundsMissing
from indexer.edge.builder.intents import Deploy, Purse
from tests.support.spending import Wallet, script_address
from tests.support.yard import KEEPER, Yard, furnished, text

STRANGER = Wallet("stranger")


async def nothing(_: bytes) -> dict[tuple[str, int], Units]:
    """No scripts run where one is only published."""
    raise AssertionError


def at_random(chance: random.Random, number: int) -> tuple[Coin, bool]:
    """A coin, and whether it may pay."""
    reference = OutputReference(chance.randbytes(32), chance.choice([0, 1, 300]))
    lovelace = chance.choice([1_000_000, 1_300_000, 2_000_000, 5_000_000, 30_000_000])
    lovelace += chance.randrange(10_000)
    match number % 7:
        case 0:
            return Coin(reference, Output(text(KEEPER.address), lovelace, ((bytes(28), b"x", 1),))), False
        case 1:
            return Coin(reference, Output(text(KEEPER.address), lovelace, datum_hash=bytes(32))), False
        case 2:
            return Coin(reference, Output(text(KEEPER.address), lovelace, script=Script("native", None)), 5), False
        case 3:
            owner = chance.choice([STRANGER.address, script_address(KEEPER.hash)])
            return Coin(reference, Output(text(owner), lovelace)), False
    return Coin(reference, Output(text(KEEPER.address), lovelace)), True


@pytest.fixture
async def yard() -> Yard:
    return await furnished(deployed=False)


async def test_what_suffices_is_found_and_nothing_else_is_touched(yard: Yard) -> None:
    """300 wallets; what one lacks is told, and only then."""
    found = 0
    for seed in range(300):
        chance = random.Random(seed)
        several = [at_random(chance, number) for number in range(chance.randint(0, 40))]
        chance.shuffle(several)
        may = {coin.reference for coin, usable in several if usable}
        held = sum(coin.output.lovelace for coin, usable in several if usable)
        purse = Purse(KEEPER.address, tuple(coin for coin, _ in several))
        # The script takes 4.3 kB: 18.7 ada with the output, 0.35 for the fee, 0.002 for each input, 0.86 for change.
        try:
            built = await build(Deploy(), yard.around, purse, nothing)
        except FundsMissing:
            assert held < 18_700_000 + 350_000 + 900_000 + 2_000 * len(may)
            continue
        assert held >= 18_600_000
        assert {coin.reference for coin in built.inputs} <= may
        assert sum(coin.output.lovelace for coin in built.inputs) == built.fee + sum(o.lovelace for o in built.outputs)
        check(yard.sign(built), built.intent, built.around, purse, built.resolved)
        found += 1
    assert 100 < found < 290

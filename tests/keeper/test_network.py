"""What the network sets: limits that many payouts run into, and parameters that change before a release is sent."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from indexer.chain.coin import Coin
from indexer.devnet.ledger.parameters import mainnet, read_parameters
from indexer.edge.builder.errors import LimitExceeded
from tests.support.keeping import House, attested, house, promised
from tests.support.yard import Yard, allocation, id_of, terms

Change: TypeAlias = Callable[[dict[str, Any]], None]


@pytest.mark.parametrize("payouts", [50, 90])
async def test_many_beneficiaries_are_paid_in_the_fewest_transactions_that_fit(tmp_path: Path, payouts: int) -> None:
    """How many fit is tried with the builder alone, one more each time."""
    async with house(tmp_path) as it:
        yard = it.yard
        created, state = await yard.create(terms(*(allocation(n, 100 + n) for n in range(payouts))))
        fit = await largest(yard, state, payouts)
        await attested(yard, id_of(created), b"m1", 0, 1)
        for _ in range(2 * -(-payouts // fit)):
            await it.block()
        rows = it.releases()
        assert len(rows) == -(-payouts // fit)
        assert sorted(index for row in rows for index in json.loads(row["allocations"])) == list(range(payouts))
        assert {row["state"] for row in rows} <= {"in_block", "confirmed"}


async def largest(yard: Yard, state: Coin, payouts: int) -> int:
    """How many of the allocations, from the first on, one transaction can pay."""
    fits = 0
    for count in range(payouts, 0, -1):
        try:
            await yard.build(yard.release(state, range(count)))
        except LimitExceeded:
            continue
        fits = count
        break
    return fits


def dearer(shown: dict[str, Any]) -> None:
    shown["minFeeCoefficient"] *= 2


def dearer_units(shown: dict[str, Any]) -> None:
    shown["scriptExecutionPrices"]["memory"] = "1/5"


def other_costs(shown: dict[str, Any]) -> None:
    shown["plutusCostModels"]["plutus:v3"][0] += 1


@pytest.mark.parametrize("change", [dearer, dearer_units, other_costs])
async def test_parameters_that_change_before_it_is_sent_have_it_built_anew_and_paid(
    tmp_path: Path, change: Change
) -> None:
    async with house(tmp_path) as it:
        made = await promised(it.yard, terms(allocation(1, 700), keeper_fee_per_payout=3_000_000))
        await attested(it.yard, made, b"m1", 0, 1)
        late(it, change)
        await it.round()
        assert it.states() == ["refused"]
        await it.round()
        await it.block()
        (row,) = it.releases()
        assert (row["state"], row["attempts"]) == ("in_block", 2)


def late(it: House, change: Change) -> None:
    """The network's parameters change right after the next signature."""
    assert it.signer is not None

    def vote() -> None:
        shown = deepcopy(dict(mainnet().shown))
        change(shown)
        parameters = read_parameters(json.dumps({"parameters": shown}))
        node = it.yard.node
        node.parameters = node.ledger.parameters = parameters
        node.mempool.renew(node.ledger, node.clock.slot + 1, list(node.mempool))

    it.signer.after.append(vote)

"""What is accepted can be created and paid in full, in as many transactions as was said; what is refused cannot.

`SCHEDULES` says how many schedules are tried at random; each is told by its number.
"""

import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from indexer.chain.block import OutputReference
from indexer.chain.parameters import Units
from indexer.devnet.ledger.refusal import Refused
from indexer.devnet.ogmios.given import read_utxo
from indexer.edge.builder.errors import NotBuilt
from indexer.edge.builder.intents import Reclaim
from indexer.ogmios import submission
from indexer.ogmios.submission import EvaluationFailed, Pointer, Stage
from indexer.plutus.datum import Distribution
from indexer.workers.payable import Payable, Unpayable, payable
from tests.support.yard import ADA, FUNDER, Yard, allocation, furnished, terms, terms_of
from tests.unit.edge.builder.test_schedules import schedule

COUNT = int(os.environ.get("SCHEDULES", "40"))
BATCH = 20


async def judged(yard: Yard, promised: Distribution) -> Payable:
    async def evaluate(raw: bytes, additional: Sequence[Mapping[str, Any]]) -> Mapping[Pointer, Units]:
        try:
            return submission.evaluated(yard.node.evaluate(raw, read_utxo([dict(each) for each in additional])))
        except Refused as refused:
            told = refused.refusal
            error = {"code": told.code, "message": told.message, "data": told.data}
            raise submission.refusal(Stage.EVALUATE, error) from refused

    return await payable(promised, yard.around, evaluate)


async def paid_as_said(yard: Yard, promised: Distribution, found: Payable) -> None:
    """Created, and released in the very portions that were found."""
    created, state = await yard.create(promised)
    assert created.outputs[0].lovelace == found.locked.total
    yard.skip(20)
    for milestone in found.milestones:
        left = list(milestone.allocations)
        for rehearsed in milestone.releases:
            count = len(rehearsed.outputs) - len(rehearsed.change) - 1
            portion, left = left[:count], left[count:]
            quorum = range(len(promised.oracles))[-promised.quorum_threshold :]
            built = await yard.do(yard.release(state, portion, quorum))
            assert (built.size, built.units) == (rehearsed.size, rehearsed.units) or _close(built.size, rehearsed.size)
            state = yard.coin(OutputReference(built.id, 0))
        assert left == []
    assert all(each.claimed for each in terms_of(state).allocations)
    await yard.do(Reclaim(state), FUNDER)


def _close(real: int, rehearsed: int) -> bool:
    """A change output more or less, as coins happen to be."""
    return abs(real - rehearsed) < 250


@pytest.mark.parametrize("first", range(0, COUNT, BATCH))
async def test_what_is_accepted_at_random_is_paid_as_was_said(first: int) -> None:
    """And what is refused names payouts below the network's minimum, which these are the only fault of."""
    yard = await furnished()
    accepted = 0
    for number in range(first, min(COUNT, first + BATCH)):
        promised = schedule(random.Random(number), number, yard.now_ms)
        try:
            found = await judged(yard, promised)
        except Unpayable as unpayable:
            for reason in unpayable.reasons:
                assert reason.startswith(("lovelace_per_payout is ", "allocations["))
                assert "at least" in reason
            assert promised.lovelace_per_payout < 1_600_000
            continue
        accepted += 1
        await paid_as_said(yard, promised, found)
    assert accepted >= (min(COUNT, first + BATCH) - first) // 4


async def test_a_creation_is_judged_without_a_published_script() -> None:
    """As if it were published; nothing of it is on the chain."""
    yard = await furnished(deployed=False)
    found = await judged(yard, terms(allocation(0), allocation(1)))
    assert found.creation.reference is not None
    assert [len(one.releases) for one in found.milestones] == [1]


async def test_times_to_come_do_not_stand_in_the_way() -> None:
    """A release is judged as of the day on which it is due."""
    yard = await furnished()
    later = yard.now_ms + 10**11
    found = await judged(yard, terms(allocation(0, vesting=later), expires_at=later + 1))
    assert found.milestones[0].allocations == (0,)


async def test_ada_in_a_payout_counts_towards_its_minimum() -> None:
    """An output to a key takes 39 bytes (address 29, amount 5, the rest 5), so (160 + 39) x 4,310 lovelace."""
    yard, least = await furnished(), 857_690
    plain = replace(terms(allocation(0, least), token=ADA), lovelace_per_payout=0)
    await judged(yard, plain)
    with pytest.raises(Unpayable, match=rf"allocations\[0\]\.amount is {least - 1}.* {least} lovelace"):
        await judged(yard, replace(plain, allocations=(allocation(0, least - 1),)))


async def test_more_than_fits_a_transaction_cannot_be_created() -> None:
    """400 allocations take 16,384 bytes and more; the real creation does not fit either."""
    yard = await furnished()
    many = terms(*(allocation(number) for number in range(400)))
    with pytest.raises(Unpayable, match="allocations are 400"):
        await judged(yard, many)
    with pytest.raises((NotBuilt, EvaluationFailed)):
        await yard.create(many)

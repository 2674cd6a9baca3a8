"""The keeper on the devnet: a met quorum becomes a payment in a block, once."""

from pathlib import Path

from indexer.chain.network import network_of
from indexer.domain.quorum import Signature, Source
from indexer.plutus.identity import message_to_sign
from indexer.store import milestones
from indexer.store.db import opened, transaction
from tests.support.keeping import attested, house, promised
from tests.support.yard import ORACLES, allocation, terms


async def test_a_quorum_met_in_a_block_is_released_and_becomes_final(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        yard = it.yard
        made = await promised(yard, terms(allocation(1, 700), allocation(2, 300)))
        await it.round()
        assert it.releases() == []
        await attested(yard, made, b"m1", 0)
        await it.round()
        assert it.releases() == []
        await attested(yard, made, b"m1", 2)
        await it.round()
        assert it.states() == ["submitted"]
        await it.block()
        assert it.states() == ["in_block"]
        await it.block(3)
        assert it.states() == ["confirmed"]
        await it.block(40)
        assert it.states() == ["final"]
        (released,) = it.releases()
        assert (released["attempts"], released["last_error"], released["allocations"]) == (1, None, "[0,1]")
        assert it.events() == ["release.submitted", "release.in_block", "release.confirmed"]


async def test_what_cannot_be_made_now_costs_the_node_no_question_until_a_block_comes(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        made = await promised(it.yard, terms(allocation(1, 700), keeper_fee_per_payout=250_000))  # costs more
        await attested(it.yard, made, b"m1", 0, 1)
        await it.round()
        asked = it.server.totals["sessions"]
        for _ in range(5):
            await it.round()
        assert it.server.totals["sessions"] == asked
        await it.block()
        assert it.releases() == []


async def test_a_quorum_that_a_file_completes_is_released_without_waiting_for_a_block(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        yard = it.yard
        made = await promised(yard, terms(allocation(1, 700)))
        await attested(yard, made, b"m1", 0)
        await it.round()
        assert it.releases() == []
        message = message_to_sign(yard.contract.policy_id, made, b"m1")
        local = Signature(b"m1", ORACLES[2].public, ORACLES[2].sign(message), Source.LOCAL, yard.around.tip)
        async with opened(it.path) as db, transaction(db):
            await milestones.add_local(db, [(made, local)], network_of("devnet"))
        await it.round()
        assert it.states() == ["submitted"]

"""The keeper on the devnet: a met quorum becomes a payment in a block, once."""

from pathlib import Path

from tests.support.keeping import attested, house, promised
from tests.support.yard import allocation, terms


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

"""What the keeper says of itself to health and metrics."""

from pathlib import Path

from tests.support.keeping import attested, house, promised
from tests.support.yard import allocation, terms


async def test_turns_of_releases_are_counted_and_the_wallet_tells_how_long_it_lasts(tmp_path: Path) -> None:
    """Half an ada a release, above the reserve of five ada; a state is counted when a release comes to it."""
    async with house(tmp_path) as it:
        made = await promised(it.yard, terms(allocation(1, 700)))
        await attested(it.yard, made, b"m1", 0, 1)
        await it.round()
        await it.block(5)
        assert it.states() == ["confirmed"]
        assert {"built", "submitted", "in_block", "confirmed"} <= it.status.turns.keys()
        assert set(it.status.turns.values()) == {1}
        assert it.status.balance is not None
        assert it.status.runway == (it.status.balance - 5_000_000) // 500_000 > 0

"""A hundred seeds of chaos, and that a seed is always the same; ten thousand: `make chaos SEED=1 COUNT=10000`."""

import pytest

from tests.chaos.house import House
from tests.chaos.seed import Chaos, live

SEEDS = range(1, 101)


@pytest.mark.parametrize("seed", SEEDS)
async def test_in_every_world_what_is_due_is_paid_once_and_nothing_else(seed: int) -> None:
    await live(seed)


@pytest.mark.parametrize("seed", SEEDS[:3])
async def test_a_seed_replays_exactly(seed: int) -> None:
    assert await live(seed) == await live(seed)


async def test_nobody_asks_a_keeper_that_has_not_read_the_latest_block() -> None:
    """It would answer that it is a block behind: whether it does must not depend on how busy the machine is."""
    stood: list[tuple[int | None, int]] = []

    class Watched(Chaos):
        async def _by_hand(self, house: House) -> None:
            tip = self.world.node.tip
            assert tip is not None
            stood.append((house.status.height, tip.height))
            await super()._by_hand(house)

        def _done(self) -> bool:
            return len(stood) > 2 and super()._done()

    await Watched(SEEDS[0]).run()
    assert stood
    assert all(read == there for read, there in stood)

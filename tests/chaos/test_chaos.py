"""A hundred seeds of chaos, and that a seed is always the same; ten thousand: `make chaos SEED=1 COUNT=10000`."""

import pytest

from tests.chaos.seed import live

SEEDS = range(1, 101)


@pytest.mark.parametrize("seed", SEEDS)
async def test_in_every_world_what_is_due_is_paid_once_and_nothing_else(seed: int) -> None:
    await live(seed)


@pytest.mark.parametrize("seed", SEEDS[:3])
async def test_a_seed_replays_exactly(seed: int) -> None:
    assert await live(seed) == await live(seed)

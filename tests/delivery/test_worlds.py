"""Whatever sinks do, forks undo and crashes interrupt: receivers end with exactly the events of the surviving chain."""

from pathlib import Path

import pytest

from tests.delivery.world import live

SEEDS = 500


@pytest.mark.parametrize("first", range(1, SEEDS + 1, 10))
async def test_receivers_end_with_the_events_that_hold(first: int, tmp_path: Path) -> None:
    """Also one whose sink was away for hours, or left out of the configuration for a while; a database that is made
    anew tells nobody anything twice. `python -m tests.delivery` lives through more seeds."""
    for seed in range(first, first + 10):
        folder = tmp_path / str(seed)
        folder.mkdir()
        await live(seed, folder)

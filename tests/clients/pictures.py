"""The pictures of the dashboard in docs/images: `python -m tests.clients.pictures`, where there is a Chromium."""

import asyncio
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Final

from indexer.store.db import opened
from tests.clients import chromium
from tests.support import process
from tests.support.crowd import ADA, Crowd, begin, network_from, terms_of, write

IMAGES: Final = Path(__file__).parents[2] / "docs" / "images"
PICTURES: Final = (("dashboard-charts", "charts?token=.", 1180, 940), ("dashboard-questions", "", 1180, 640))
DAY: Final = 86_400


async def tell(path: Path) -> None:
    """Half a year of promises in ada, of which most are kept; what is left falls due over the year to come."""
    random, now = Random(9), datetime.now(UTC)
    start = now - timedelta(days=180)
    crowd = Crowd(network_from(int(start.timestamp()) * 1000))
    async with opened(path) as db:
        await begin(db, crowd.network)
        for day in range(0, 180, 3):
            if day % 6 == 0 and day < 150:
                at = int(start.timestamp()) + (day + 20) * DAY
                allocations = [
                    (f"m{i}", random.randrange(9), random.randint(2, 40) * 500_000_000, (at + i * 45 * DAY) * 1000)
                    for i in range(6)
                ]
                crowd.found(terms_of(allocations, token=ADA, funder=day % 4, threshold=2))
            for promise in crowd.promises:
                milestone = f"m{(crowd.slot - promise.created) // (45 * DAY)}"
                if promise.ended is None and milestone in promise.milestones:
                    crowd.attest(promise, milestone, random.randrange(3))
            for promise in crowd.promises:
                for i, each in enumerate(promise.terms.allocations):
                    milestone = each.milestone_id.decode()
                    vested = each.vesting_timestamp // 1000 <= start.timestamp() + crowd.slot
                    if (
                        vested
                        and promise.met(milestone) is not None
                        and i not in promise.paid
                        and promise.ended is None
                    ):
                        crowd.release(promise, milestone, (i,), (0, 1))
            if day == 120:
                crowd.reclaim(crowd.promises[3])
            await write(db, [crowd.block(3 * DAY)], crowd.network)


async def main() -> None:
    """Each picture, from a dashboard of its own."""
    browser = chromium.found()
    assert browser is not None, "no Chromium on the PATH, and none that CHROMIUM names"
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await tell(folder / "db.sqlite")
        running = process.start(folder / "none.toml", "dashboard", "--database", f"{name}/db.sqlite", "--port", "0")
        assert running.stdout is not None
        url = running.stdout.readline().split(" is at ")[1].split(";")[0]
        for picture, path, width, height in PICTURES:
            async with chromium.tab(browser, folder / picture, width, height) as tab:
                await tab.open(url + path)
                (IMAGES / f"{picture}.png").write_bytes(await tab.picture())
        running.terminate()
        running.communicate()


if __name__ == "__main__":
    asyncio.run(main())

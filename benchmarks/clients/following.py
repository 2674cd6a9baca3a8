"""The product: our follower and a database on disk, from the first request to the last commit."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from indexer import log
from indexer.chain.point import Point, parse_place
from indexer.config import Config, load
from indexer.edge import memory, ogmios
from indexer.store.db import opened
from indexer.workers.follow import Follower


async def read(config: Config, until: Point) -> dict[str, object]:
    """Follow until a point; how long it took, and what was committed."""
    memory.settle()  # as `run` does
    begun = ended = 0.0

    @asynccontextmanager
    async def session() -> AsyncIterator[ogmios.Session]:
        nonlocal begun, ended
        async with ogmios.session(config.ogmios.url, {}, config.ogmios.timeout_s) as connected:
            begun = time.perf_counter()
            yield connected
            ended = time.perf_counter()  # the follower leaves when the last batch is committed

    async with opened(config.database.path) as db:
        follower = Follower(db, session, config.chain, config.watches(), until=until)
        await follower.run()
        rows = await db.execute_fetchall(
            """SELECT count(*) AS outputs, count(spent_slot) AS spent,
                (SELECT count(*) FROM (SELECT created_slot FROM outputs UNION SELECT spent_slot FROM outputs
                    WHERE spent_slot IS NOT NULL)) AS blocks_with_rows,
                (SELECT height FROM sync_status) AS height
            FROM outputs"""
        )
    status = follower.status
    return {
        "blocks": status.blocks,
        "bytes": status.bytes,
        "seconds": ended - begun,
        "blocks_read": status.blocks_decoded,
        "commits": status.commits,
        **dict(zip(("outputs", "spent", "blocks_with_rows", "height"), next(iter(rows)), strict=True)),
    }


if __name__ == "__main__":
    log.set_up("warning", "json")
    place = parse_place(sys.argv[2])
    assert isinstance(place, Point)
    print(json.dumps(asyncio.run(read(load(Path(sys.argv[1])), place))))

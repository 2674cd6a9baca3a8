"""Running the real follower in a test, and reading what it left behind through the views."""

import json
import sqlite3
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from indexer.chain.network import KNOWN, Network
from indexer.chain.point import ORIGIN
from indexer.chain.watch import Watch
from indexer.edge import ogmios
from indexer.store.db import opened
from indexer.workers.follow import Follower, Since, Until
from indexer.workers.pace import Pace

IMPATIENT = Pace(
    batch_s=0.05, request_timeout_s=5, first_retry_s=0.01, longest_retry_s=0.05, node_behind_s=0.02, progress_s=1
)


async def follow(
    path: Path,
    port: int,
    watched: Iterable[Watch],
    *,
    network: Network = KNOWN["preview"],
    since: Since = ORIGIN,
    until: Until = "tip",
    pace: Pace = IMPATIENT,
) -> Follower:
    """Follow the Ogmios at a port into a database until `until`; the follower, for its status."""
    async with opened(path) as db:
        follower = Follower(
            db,
            partial(ogmios.session, f"ws://127.0.0.1:{port}", {}, 5.0),
            network,
            list(watched),
            since=since,
            until=until,
            pace=pace,
        )
        await follower.run()
    return follower


def outputs(path: Path) -> dict[tuple[str, int], dict[str, Any]]:
    """The view `outputs`, assets as a dict, without the column that tells the script's language."""
    rows = select(path, "SELECT * FROM outputs")
    for row in rows:
        row["assets"] = json.loads(row["assets"])
        del row["script_language"]
    return {(row["transaction_id"], row["output_index"]): row for row in rows}


def assets(path: Path) -> dict[tuple[str, int, str, str], int]:
    """The view `output_assets`."""
    rows = select(path, "SELECT * FROM output_assets")
    return {(r["transaction_id"], r["output_index"], r["policy"], r["asset_name"]): int(r["quantity"]) for r in rows}


def select(path: Path, sql: str, *parameters: object) -> list[dict[str, Any]]:
    """Rows of a question that an analyst might ask, through a connection that can only read."""
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in db.execute(sql, parameters)]
    finally:
        db.close()

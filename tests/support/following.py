"""Running the real follower in a test, and reading what it left behind through the views."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from indexer.chain.network import KNOWN, Network
from indexer.chain.point import ORIGIN, Place, Point
from indexer.chain.watch import Watch
from indexer.edge import ogmios
from indexer.store.db import opened
from indexer.workers.follow import Follower
from indexer.workers.pace import Pace
from indexer.workers.session import Since, Until
from tests.support.addresses import CredentialKind
from tests.support.blocks import Block, Row, fold

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


@asynccontextmanager
async def daemon(
    path: Path,
    port: int,
    watched: Iterable[Watch],
    *,
    network: Network = KNOWN["preview"],
    pace: Pace = IMPATIENT,
    since: Since = ORIGIN,
) -> AsyncIterator[Follower]:
    """A follower that runs until the context ends. An error that stops it is raised there."""
    async with opened(path) as db:
        connect = partial(ogmios.session, f"ws://127.0.0.1:{port}", {}, 5.0)
        follower = Follower(db, connect, network, list(watched), since=since, pace=pace)
        task = asyncio.create_task(follower.run())
        try:
            yield follower
        finally:
            follower.stop()
            await task


async def until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait for something that another task will bring about."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 -- any condition, of any object
            await asyncio.sleep(0.001)


def row_of(row: Row) -> dict[str, Any]:
    """A row of the dumb replay as the view shows it."""
    return {
        "transaction_id": row.transaction_id,
        "output_index": row.index,
        "address": row.address,
        "payment_credential": row.credential,
        "credential_kind": row.kind,
        "lovelace": row.lovelace,
        "assets": {f"{policy}.{name}" if name else policy: quantity for policy, name, quantity in row.assets},
        "datum_hash": row.datum_hash,
        "datum": row.datum,
        "script_hash": row.script_hash,
        "created_slot": row.created_slot,
        "created_block": row.created_block,
        "spent_slot": row.spent_slot,
        "spent_by": row.spent_by,
    }


def replayed(chain: Iterable[Block], watches: Iterable[tuple[str, CredentialKind | None]]) -> dict[Any, Any]:
    """The rows that a chain must leave behind, by the dumb replay."""
    return {ref: row_of(row) for ref, row in fold(chain, watches).rows.items()}


def place_of(chain: Sequence[Block]) -> Place:
    """Where a chain ends: its last block that has a slot."""
    last = next((block for block in reversed(chain) if block["type"] != "ebb"), None)
    return ORIGIN if last is None else Point(last["slot"], bytes.fromhex(last["id"]))

"""The database's upkeep as a worker. What it deletes, and what not: tests/delivery/test_retention.py."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from indexer.store.db import opened
from indexer.workers import upkeep
from indexer.workers.upkeep import Upkeep
from tests.support.following import select

ENDED_MS = 1_000
DELIVERED = """
    INSERT INTO delivery (sink, event_id, turn, lane, state, ready, attempts, finality, ended_ms)
    VALUES ('one', 'aa', 0, '-', 'delivered', 1, 1, 'final', 1000)"""
EVENT = (
    "INSERT INTO event (event_id, type, origin, slot, gone, turns, data) VALUES ('aa', 't', 'daemon', 1, 0, 0, '{}')"
)


async def seen(told: list[EventDict], event: str) -> None:
    while all(each["event"] != event for each in told):  # noqa: ASYNC110 -- a log wakes nobody
        await asyncio.sleep(0)


async def test_rounds_go_on_where_somebody_else_holds_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is told; what was not deleted is deleted in a later round."""
    path = tmp_path / "db.sqlite"
    monkeypatch.setattr(upkeep, "ROUND_EVERY_S", 0.001)
    async with opened(path) as db:
        await db.execute(EVENT)
        await db.execute("DELETE FROM outbox")
        await db.execute(DELIVERED)
        await db.execute("PRAGMA busy_timeout = 0")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with capture_logs() as told:
            running = asyncio.create_task(Upkeep(db, lambda: 86_400_000 + ENDED_MS + 1, 1, None).run())
            async with asyncio.timeout(30):
                await seen(told, "upkeep.postponed")
                other.execute("ROLLBACK")
                await seen(told, "deliveries.pruned")
            running.cancel()
            await asyncio.wait([running])
        other.close()
    assert select(path, "SELECT * FROM delivery") == []
    assert select(path, "SELECT sink, turn, state FROM told") == [{"sink": "one", "turn": 0, "state": "delivered"}]

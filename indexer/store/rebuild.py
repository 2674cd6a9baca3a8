"""Dropping the projection, so that the chain is read anew."""

from typing import Final

from aiosqlite import Connection

from indexer.store.db import transaction

DROP: Final = (
    "DELETE FROM output",
    "DELETE FROM asset",
    "DELETE FROM datum",
    "DELETE FROM block",
    "DELETE FROM watch",
    """UPDATE chain SET started = 0, since_slot = NULL, since_id = NULL, cursor_slot = NULL, cursor_id = NULL,
        cursor_height = NULL""",
)


async def rebuild(db: Connection) -> None:
    """Forget every row that came off the chain, the cursor and the watches with them."""
    async with transaction(db):
        for statement in DROP:
            await db.execute(statement)

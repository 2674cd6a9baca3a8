"""Which contracts are followed, since when, and how deep counts as confirmed: for readers to know."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aiosqlite import Connection

from indexer import errors
from indexer.chain.block import OutputReference
from indexer.chain.point import ORIGIN, Place, Point

DROP_ALL: Final = "UPDATE contract SET configured = 0"
ADD: Final = """
    INSERT INTO contract (script_hash, ordinal, since_slot, since_id, configured) VALUES (?, ?, ?, ?, 1)
    ON CONFLICT (script_hash) DO UPDATE SET configured = 1, ordinal = excluded.ordinal"""
LIST: Final = """
    SELECT script_hash, since_slot, since_id, configured FROM contract ORDER BY configured DESC, ordinal"""
DROPPED: Final = """
    SELECT c.script_hash, count(*) FROM contract c JOIN distribution d ON d.policy = c.script_hash
    WHERE c.configured = 0 AND d.ended_slot IS NULL GROUP BY c.script_hash"""
SET_DEPTH: Final = "UPDATE chain SET confirmed_depth = ?"
EARLIER: Final = "UPDATE contract SET since_slot = ?1, since_id = ?2 WHERE since_slot > coalesce(?1, -1)"

PUBLISHED: Final = """
    SELECT transaction_id, output_index FROM output WHERE script_hash = ? AND spent_slot IS NULL
    ORDER BY created_slot, transaction_id, output_index LIMIT 10"""


@dataclass(frozen=True, slots=True)
class Followed:
    """A contract, and the place from which on what it holds was read; `configured` False: dropped since."""

    script_hash: bytes
    since: Place
    configured: bool


async def record(
    db: Connection, contracts: Iterable[bytes], cursor: Place, confirmed_depth: int
) -> tuple[Followed, ...]:
    """The configuration names these contracts, the one that creates first. What is to be followed from now on.

    A new one is read from the cursor on. One that is dropped is followed until a rebuild. The caller owns the
    transaction. Raises ContractDropped where one with open distributions is.
    """
    since = (cursor.slot, cursor.id.hex()) if isinstance(cursor, Point) else (None, None)
    await db.execute(DROP_ALL)
    await db.executemany(ADD, [(one.hex(), ordinal, *since) for ordinal, one in enumerate(contracts)])
    await db.execute(SET_DEPTH, (confirmed_depth,))
    for script_hash, count in await db.execute_fetchall(DROPPED):
        raise errors.ContractDropped(
            f"the configuration no longer names the contract {script_hash}, which holds {count} open distributions"
        )
    return await read(db)


async def read(db: Connection) -> tuple[Followed, ...]:
    """All that are followed, the one that creates distributions first."""
    return tuple(
        Followed(
            bytes.fromhex(script_hash),
            ORIGIN if slot is None else Point(slot, bytes.fromhex(block_id)),
            bool(configured),
        )
        for script_hash, slot, block_id, configured in await db.execute_fetchall(LIST)
    )


async def start_earlier(db: Connection, to: Place) -> None:
    """The cursor goes back: what was read from a later place on is now read from here on."""
    await db.execute(EARLIER, (to.slot, to.id.hex()) if isinstance(to, Point) else (None, None))


async def published(db: Connection, script_hash: bytes) -> tuple[OutputReference, ...]:
    """Unspent outputs among those we hold that carry this script, the oldest first; a few of them."""
    rows = await db.execute_fetchall(PUBLISHED, (script_hash.hex(),))
    return tuple(OutputReference(bytes.fromhex(transaction_id), index) for transaction_id, index in rows)

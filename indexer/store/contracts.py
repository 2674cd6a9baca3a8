"""Which contracts are followed, and how deep counts as confirmed: what the configuration says, for readers to know."""

from collections.abc import Iterable
from typing import Final

from aiosqlite import Connection

FORGET: Final = "DELETE FROM contract"
ADD: Final = "INSERT INTO contract (script_hash, ordinal) VALUES (?, ?)"
LIST: Final = "SELECT script_hash FROM contract ORDER BY ordinal"
SET_DEPTH: Final = "UPDATE chain SET confirmed_depth = ?"


async def record(db: Connection, contracts: Iterable[bytes], confirmed_depth: int) -> None:
    """From now on these are followed, in this order. The caller owns the transaction."""
    await db.execute(FORGET)
    await db.executemany(ADD, [(script_hash.hex(), ordinal) for ordinal, script_hash in enumerate(contracts)])
    await db.execute(SET_DEPTH, (confirmed_depth,))


async def read(db: Connection) -> tuple[bytes, ...]:
    """Their script hashes, the one that creates distributions first."""
    return tuple(bytes.fromhex(script_hash) for (script_hash,) in await db.execute_fetchall(LIST))

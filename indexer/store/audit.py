"""Outputs as the read model holds them, row by row in the order of the chain, for a comparison with another index.

The caller holds a read transaction, so that all is of one moment. However many rows, a few are held at a time.
"""

import json
from collections.abc import AsyncGenerator
from typing import Any, Final

from aiosqlite import Connection

from indexer import errors
from indexer.chain.address import CredentialKind
from indexer.chain.block import OutputReference
from indexer.chain.point import Point, Slot
from indexer.chain.seen import Seen, Spending
from indexer.chain.watch import ByronWatch, Watch
from indexer.domain.audit import Held

AT_ONCE: Final = 500  # rows; and a thread's turn each

BLOCK_BELOW: Final = "SELECT slot, block_id FROM block WHERE slot <= ? ORDER BY slot DESC LIMIT 1 OFFSET ?"
_OUTPUTS: Final = """
    SELECT o.transaction_id, o.output_index, o.address, o.lovelace, o.assets, o.datum_hash,
        o.inline_datum IS NOT NULL, coalesce(o.inline_datum, d.datum), o.script_language, o.script_hash,
        o.created_slot, o.created_block, o.spent_slot, o.spent_by,
        o.credential_kind, (SELECT json_group_array(json_array(a.policy, a.asset_name, a.quantity)) FROM asset AS a
         WHERE a.transaction_id = o.transaction_id AND a.output_index = o.output_index)
    FROM output AS o LEFT JOIN datum AS d ON d.hash = o.datum_hash
    WHERE {} AND o.created_slot <= ? ORDER BY o.created_slot"""
BY_CREDENTIAL: Final = _OUTPUTS.format("o.payment_credential = ?")
BY_ADDRESS: Final = _OUTPUTS.format("o.address = ? AND o.payment_credential IS NULL")


async def block_below(db: Connection, slot: Slot, skip: int = 0) -> Point | None:
    """The newest block kept that is not after a slot, or one so many blocks older."""
    for at, block_id in await db.execute_fetchall(BLOCK_BELOW, (slot, skip)):
        return Point(at, bytes.fromhex(block_id))
    return None


async def outputs(db: Connection, watch: Watch, up_to: Slot) -> AsyncGenerator[Held, None]:
    """The outputs created at a credential (of either kind) or a Byron address, oldest first.

    Raises DatabaseUnusable for a row that the indexer would not write.
    """
    sql = BY_ADDRESS if isinstance(watch, ByronWatch) else BY_CREDENTIAL
    async with db.execute(sql, (str(watch), up_to)) as cursor:
        while rows := await cursor.fetchmany(AT_ONCE):
            for row in rows:
                try:
                    held = _held(row)
                except (ValueError, TypeError, AttributeError) as error:
                    raise errors.DatabaseUnusable(
                        f"output {row[0]}#{row[1]} holds what the indexer would not write: {error}",
                        hint="`indexer rebuild` reads it anew",
                    ) from error
                yield held


def _held(row: Any) -> Held:
    """Raises ValueError, TypeError or AttributeError."""
    (id_, index, address, lovelace, assets, datum_hash, is_inline, datum, language, script, *when, kind, listed) = row
    created_slot, created_block, spent_slot, spent_by = when
    seen = Seen(
        OutputReference(bytes.fromhex(id_), index),
        address,
        lovelace,
        tuple(sorted(_asset(key, quantity) for key, quantity in json.loads(assets).items())),
        None if datum_hash is None else bytes.fromhex(datum_hash),
        bool(is_inline),
        datum,
        None if script is None else bytes.fromhex(script),
        language,
        Point(created_slot, bytes.fromhex(created_block)),
        None if spent_slot is None else Spending(spent_slot, None if spent_by is None else bytes.fromhex(spent_by)),
    )
    rows = (_asset(f"{policy}.{name}", int(quantity)) for policy, name, quantity in json.loads(listed))
    return Held(seen, None if kind is None else CredentialKind(kind), tuple(sorted(rows)))


def _asset(key: str, quantity: int) -> tuple[bytes, bytes, int]:
    """Of `policy.name`, or `policy` alone where the name is empty."""
    policy, _, name = key.partition(".")
    return bytes.fromhex(policy), bytes.fromhex(name), quantity

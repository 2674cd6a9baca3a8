"""Outputs, spends and datums as rows. Apply and rollback are a pair; the caller owns the transaction."""

import json
from collections.abc import Iterable
from typing import Final

from aiosqlite import Connection

from indexer.chain.block import Header, OutputReference
from indexer.chain.point import Point, Slot
from indexer.domain.created import Created
from indexer.domain.observe import Delta
from indexer.store.lists import listed

ADD_OUTPUT: Final = """
    INSERT INTO output (transaction_id, output_index, address, payment_credential, credential_kind, lovelace,
        assets, datum_hash, inline_datum, script_language, script_hash, created_slot, created_block)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
ADD_ASSET: Final = "INSERT INTO asset VALUES (?, ?, ?, ?, ?, ?)"
MARK_SPENT: Final = """
    UPDATE output SET spent_slot = ?, spent_by = ?
    WHERE transaction_id = ? AND output_index = ? AND spent_slot IS NULL"""
# The first slot that showed a datum is the one whose rollback takes it away, so later ones are ignored.
ADD_DATUM: Final = """
    INSERT OR IGNORE INTO datum (hash, datum, slot)
    SELECT datum_hash, ?, ? FROM output WHERE transaction_id = ? AND output_index = ? AND datum_hash = ?"""

FORGET_OUTPUTS: Final = "DELETE FROM output WHERE created_slot > ?"
FORGET_ASSETS: Final = "DELETE FROM asset WHERE created_slot > ?"
FORGET_SPENDS: Final = "UPDATE output SET spent_slot = NULL, spent_by = NULL WHERE spent_slot > ?"
FORGET_DATUMS: Final = "DELETE FROM datum WHERE slot > ?"
ROLLBACK: Final = (FORGET_OUTPUTS, FORGET_ASSETS, FORGET_SPENDS, FORGET_DATUMS)

CREATED_SINCE: Final = "SELECT transaction_id, output_index FROM output WHERE created_slot > ?"
SPENT_SINCE: Final = "SELECT transaction_id, output_index FROM output WHERE spent_slot > ?1 AND created_slot <= ?1"
KNOWN: Final = """
    SELECT o.transaction_id, o.output_index FROM json_each(?) AS j JOIN output o
        ON o.transaction_id = substr(j.value, 1, 64) AND o.output_index = CAST(substr(j.value, 66) AS INTEGER)"""
HELD: Final = "SELECT transaction_id, output_index FROM output WHERE spent_slot IS NULL"


async def apply(db: Connection, deltas: Iterable[Delta]) -> None:
    """Record what the blocks did, in their order. Only blocks with a slot can hold anything of ours."""
    outputs, assets, spends, datums = [], [], [], []
    for delta in deltas:
        slot, block_id = delta.header.slot, delta.header.id.hex()
        for new in delta.created:
            outputs.append((*_output_row(new), slot, block_id))
            assets += [
                (*_key(new.reference), policy.hex(), name.hex(), str(quantity), slot)
                for policy, name, quantity in new.output.assets
            ]
        spends += [(slot, by.hex(), *_key(reference)) for reference, by in delta.spent]
        datums += [(r.datum, slot, *_key(r.reference), r.hash.hex()) for r in delta.revealed]
    # An output is always created before it is spent or its datum shown, so kind by kind is as good as in turn.
    for statement, rows in ((ADD_OUTPUT, outputs), (ADD_ASSET, assets), (MARK_SPENT, spends), (ADD_DATUM, datums)):
        if rows:
            await db.executemany(statement, rows)


async def adopt(db: Connection, found: Iterable[Created], at: Point) -> int:
    """Outputs that were there at a point, though no block that we read showed them; how many of them were new to us.

    They count as created in that point's block. The caller owns the transaction.
    """
    outputs = {each.reference: each for each in found}
    for known in await _references(db, KNOWN, listed(str(reference) for reference in outputs)):
        del outputs[known]
    header = Header(at.id, None, 0, at.slot)
    await apply(db, [Delta(header, created=list(outputs.values()))])
    return len(outputs)


async def rollback(db: Connection, to: Slot) -> None:
    """Forget what every block after the slot did. Where nothing lies behind it, nothing changes."""
    for statement in ROLLBACK:
        await db.execute(statement, (to,))


async def held(db: Connection) -> list[OutputReference]:
    """The unspent outputs."""
    return await _references(db, HELD)


async def undone(db: Connection, to: Slot) -> tuple[list[OutputReference], list[OutputReference]]:
    """What a rollback to the slot will take away, and what it will make unspent again."""
    return await _references(db, CREATED_SINCE, to), await _references(db, SPENT_SINCE, to)


def assets_json(assets: Iterable[tuple[bytes, bytes, int]]) -> str:
    """Quantities as Kupo writes them: `policy.name`, or `policy` alone where the name is empty."""
    return json.dumps(
        {f"{policy.hex()}.{name.hex()}" if name else policy.hex(): quantity for policy, name, quantity in assets},
        separators=(",", ":"),
    )


async def _references(db: Connection, sql: str, *parameters: object) -> list[OutputReference]:
    rows = await db.execute_fetchall(sql, parameters)
    return [OutputReference(bytes.fromhex(transaction_id), index) for transaction_id, index in rows]


def _key(reference: OutputReference) -> tuple[str, int]:
    return reference.transaction_id.hex(), reference.index


def _output_row(new: Created) -> tuple[object, ...]:
    output, credential, script = new.output, new.credential, new.output.script
    return (
        *_key(new.reference),
        output.address,
        None if credential is None else credential.hash.hex(),
        None if credential is None else str(credential.kind),
        output.lovelace,
        assets_json(output.assets),
        None if output.datum_hash is None else output.datum_hash.hex(),
        output.datum,
        None if script is None else script.language,
        None if script is None or script.hash is None else script.hash.hex(),
    )

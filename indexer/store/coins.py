"""Outputs that we hold as coins: those of a wallet, those that are named, and what has left a wallet."""

import json
from collections.abc import Iterable
from typing import Any, Final

from aiosqlite import Connection

from indexer.chain.block import Output, OutputReference, Script
from indexer.chain.coin import Coin
from indexer.chain.point import Place, Point, Slot
from indexer.store.lists import listed

_UNKNOWN_SIZE: Final = 1  # of a reference script: whoever pays with such a coin would pay for it, so nobody does

_OUTPUTS: Final = """
    SELECT o.transaction_id, o.output_index, o.address, o.lovelace, o.assets, o.datum_hash, o.inline_datum,
        o.script_language, o.script_hash
    FROM output o"""
# Coins of ada alone by size, so that dust of strangers costs nothing; `output_plain` is made for this.
PLAIN: Final = f"""{_OUTPUTS} INDEXED BY output_plain
    WHERE o.payment_credential = ? AND o.spent_slot IS NULL AND o.credential_kind = 'key' AND o.assets = '{{}}'
        AND o.datum_hash IS NULL AND o.script_language IS NULL
    ORDER BY o.lovelace DESC LIMIT ?"""
BALANCE: Final = """
    SELECT count(*), coalesce(sum(o.lovelace), 0) FROM output o INDEXED BY output_plain
    WHERE o.payment_credential = ? AND o.spent_slot IS NULL AND o.credential_kind = 'key' AND o.assets = '{}'
        AND o.datum_hash IS NULL AND o.script_language IS NULL"""
ALL: Final = """
    SELECT count(*), coalesce(sum(o.lovelace), 0) FROM output o
    WHERE o.payment_credential = ? AND o.spent_slot IS NULL AND o.credential_kind = 'key'"""
NAMED: Final = f"""{_OUTPUTS} JOIN json_each(?) AS j
        ON o.transaction_id = substr(j.value, 1, 64) AND o.output_index = CAST(substr(j.value, 66) AS INTEGER)
    WHERE o.spent_slot IS NULL"""
# The plus keeps SQLite from going through the whole wallet for each transaction.
LOST: Final = """
    SELECT coalesce(sum(max(0, spent.lovelace - coalesce((
        SELECT sum(back.lovelace) FROM output back
        WHERE back.transaction_id = spent.spent_by AND +back.payment_credential = ?1 AND back.credential_kind = 'key'
    ), 0))), 0)
    FROM (
        SELECT o.spent_by, sum(o.lovelace) AS lovelace FROM output o
        WHERE o.payment_credential = ?1 AND o.spent_slot >= ?2 AND o.credential_kind = 'key'
        GROUP BY o.spent_by
    ) AS spent"""
WATCHED: Final = "SELECT since_slot IS NOT NULL FROM watch WHERE credential = ? AND kind IN ('key', 'any')"
READ: Final = "SELECT 1 FROM wallet_reading WHERE credential = ?"
HAS_READ: Final = "INSERT OR REPLACE INTO wallet_reading VALUES (?, ?, ?)"
FORGET_READ: Final = "DELETE FROM wallet_reading WHERE slot > ?"
REMEMBER: Final = "INSERT OR IGNORE INTO wallet VALUES (?, ?)"
# Of several, the one that the configuration had when the daemon was last started, else the one that came last.
REMEMBERED: Final = """
    SELECT key_hash FROM wallet LEFT JOIN watch ON credential = key_hash AND kind = 'key' AND configured = 1
    ORDER BY credential IS NULL, first_slot DESC, key_hash LIMIT 1"""
EARLIER: Final = "SELECT key_hash FROM wallet WHERE key_hash <> ? ORDER BY first_slot DESC, key_hash LIMIT 3"


async def at(db: Connection, key_hash: bytes, most: int) -> list[Coin]:
    """The unspent coins of ada alone at a key's credential (28 bytes), whatever the stake part, the largest first."""
    return [_coin(row) for row in await db.execute_fetchall(PLAIN, (key_hash.hex(), most))]


async def balance(db: Connection, key_hash: bytes) -> tuple[int, int]:
    """How many coins of ada alone there are, and the lovelace in them."""
    count, lovelace = next(iter(await db.execute_fetchall(BALANCE, (key_hash.hex(),))))
    return count, lovelace


async def others(db: Connection, key_hash: bytes) -> tuple[int, int]:
    """How many coins there are that hold tokens, scripts or datums, and the lovelace in them."""
    count, lovelace = next(iter(await db.execute_fetchall(ALL, (key_hash.hex(),))))
    plain, in_plain = await balance(db, key_hash)
    return count - plain, lovelace - in_plain


async def named(db: Connection, references: Iterable[OutputReference]) -> dict[OutputReference, Coin]:
    """Of these outputs those that we hold unspent."""
    rows = await db.execute_fetchall(NAMED, (listed(str(reference) for reference in references),))
    return {coin.reference: coin for coin in map(_coin, rows)}


async def lost_since(db: Connection, key_hash: bytes, slot: Slot) -> int:
    """Lovelace that have left a wallet by its own transactions in blocks from this slot on.

    All that a transaction spends of it counts, less what comes back; one that brings something does not make up for
    another.
    """
    return int(next(iter(await db.execute_fetchall(LOST, (key_hash.hex(), slot))))[0])


async def watched(db: Connection, key_hash: bytes) -> bool:
    """Whether a wallet is followed at all."""
    return bool(list(await db.execute_fetchall(WATCHED, (key_hash.hex(),))))


async def unread(db: Connection, key_hash: bytes) -> bool:
    """Whether there may be coins that we do not know: from before our history begins, or because nobody watches."""
    since = [row[0] for row in await db.execute_fetchall(WATCHED, (key_hash.hex(),))]
    if not since:
        return True
    return all(since) and not list(await db.execute_fetchall(READ, (key_hash.hex(),)))


async def has_read(db: Connection, key_hash: bytes, at: Point) -> None:
    """The coins of a wallet from before our history were read, as they were at a point. The caller owns the
    transaction."""
    await db.execute(HAS_READ, (key_hash.hex(), at.slot, at.id.hex()))


async def rollback(db: Connection, to: Slot) -> None:
    """What was read as of a later block counts no more. The caller owns the transaction."""
    await db.execute(FORGET_READ, (to,))


async def remember(db: Connection, key_hash: bytes, cursor: Place) -> None:
    """The keeper has this wallet from now on. The caller owns the transaction."""
    slot = cursor.slot if isinstance(cursor, Point) else 0
    await db.execute(REMEMBER, (key_hash.hex(), slot))


async def remembered(db: Connection) -> bytes | None:
    """The hash of the key that the keeper has, as far as the database knows; None: it had none yet."""
    rows = list(await db.execute_fetchall(REMEMBERED))
    return bytes.fromhex(rows[0][0]) if rows else None


async def earlier_wallets(db: Connection, key_hash: bytes) -> list[bytes]:
    """Hashes of other keys that the keeper had before, a few, the latest first."""
    return [bytes.fromhex(name) for (name,) in await db.execute_fetchall(EARLIER, (key_hash.hex(),))]


def _coin(row: Any) -> Coin:
    transaction_id, index, address, lovelace, assets, datum_hash, datum, language, script_hash = row
    script = None
    if language is not None:
        script = Script(language, None if script_hash is None else bytes.fromhex(script_hash))
    output = Output(
        address,
        lovelace,
        tuple(_asset(name, quantity) for name, quantity in json.loads(assets).items()),
        None if datum_hash is None else bytes.fromhex(datum_hash),
        datum,
        script,
    )
    return Coin(OutputReference(bytes.fromhex(transaction_id), index), output, _UNKNOWN_SIZE if script else 0)


def _asset(name: str, quantity: int) -> tuple[bytes, bytes, int]:
    policy, _, asset_name = name.partition(".")
    return bytes.fromhex(policy), bytes.fromhex(asset_name), quantity

"""What Kupo would answer of a chain, found by reading all of it for every question."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from tests.unit.devnet.kupo.making import LANGUAGES, Block, Coin, Ref, Tx, hash_of, makes, spends

Json: TypeAlias = dict[str, Any]


class Found(NamedTuple):
    """An output: as Kupo shows it, as it was made, and the transaction that made it."""

    row: Json
    coin: Coin
    tx: Tx


Wanted: TypeAlias = Callable[[Found], bool]


def anything(_: Found) -> bool:
    return True


def outputs(chain: Sequence[Block], *, resolve: bool = False, as_text: bool = False) -> list[Found]:
    """All that were made, oldest first."""
    number: Callable[[int], object] = str if as_text else int
    return [
        Found(_row(chain, block, position, transaction, index, coin, number, resolve=resolve), coin, transaction)
        for block, position, transaction, index, coin in _outputs(chain)
    ]


def datum(chain: Sequence[Block], hash_: bytes) -> bytes | None:
    """What some transaction showed as a witness, or some output holds."""
    shown = [datum for block in chain for transaction in block.transactions for datum in transaction.datums]
    shown += [coin.datum for *_, coin in _outputs(chain) if coin.datum is not None]
    return next((datum for datum in shown if hash_of(datum) == hash_), None)


def script(chain: Sequence[Block], hash_: bytes) -> Json | None:
    shown = [each for block in chain for tx in block.transactions for each in (*tx.scripts, *tx.more_scripts)]
    shown += [coin.script for *_, coin in _outputs(chain) if coin.script is not None]
    return next((_script(each) for each in shown if _script_hash(each) == hash_), None)


def _outputs(chain: Sequence[Block]) -> Iterator[tuple[Block, int, Tx, int, Coin]]:
    for block in chain:
        for position, transaction in enumerate(block.transactions):
            for index, coin in makes(transaction):
                yield block, position, transaction, index, coin


def _row(
    chain: Sequence[Block],
    block: Block,
    position: int,
    transaction: Tx,
    index: int,
    coin: Coin,
    number: Callable[[int], object],
    *,
    resolve: bool,
) -> Json:
    datum_hash = coin.datum_hash if coin.datum is None else hash_of(coin.datum)
    known = None if datum_hash is None else datum(chain, datum_hash)
    return {
        "transaction_index": position,
        "transaction_id": transaction.id.hex(),
        "output_index": index,
        "address": coin.home.text,
        "value": {
            "coins": number(coin.lovelace),
            "assets": {
                policy.hex() + (f".{name.hex()}" if name else ""): number(quantity)
                for policy, name, quantity in coin.assets
            },
        },
        "datum_hash": None if datum_hash is None else datum_hash.hex(),
        **({} if datum_hash is None else {"datum_type": "hash" if coin.datum is None else "inline"}),
        **({"datum": None if known is None else known.hex()} if resolve else {}),
        "script_hash": None if coin.script is None else _script_hash(coin.script).hex(),
        **({"script": None if coin.script is None else _script(coin.script)} if resolve else {}),
        "created_at": block.point,
        "spent_at": _spent_at(chain, (transaction.id, index)),
    }


def _spent_at(chain: Sequence[Block], ref: Ref) -> Json | None:
    for block in chain:
        for transaction in block.transactions:
            order = spends(transaction)
            if ref in order:
                position = order.index(ref)
                redeemer = transaction.redeemers.get(position) if transaction.is_valid else None
                return {
                    **block.point,
                    "transaction_id": transaction.id.hex(),
                    "input_index": position,
                    "redeemer": None if redeemer is None else redeemer.hex(),
                }
    return None


def _script(script: tuple[int, bytes]) -> Json:
    language, raw = script
    return {"language": LANGUAGES[language], "script": raw.hex()}


def _script_hash(script: tuple[int, bytes]) -> bytes:
    language, raw = script
    return hash_of(bytes([language]) + raw, 28)

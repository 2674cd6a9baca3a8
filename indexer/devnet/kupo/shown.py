"""Rows, points and scripts as Kupo's JSON holds them."""

from typing import Any

from indexer.chain.point import Point
from indexer.devnet.kupo.index import Index
from indexer.devnet.kupo.rows import Row
from indexer.devnet.ledger.addresses import address_text
from indexer.devnet.ledger.shown import LANGUAGES
from indexer.devnet.ledger.transaction import Output, Script


def shown_row(row: Row, *, resolved_by: Index | None, as_text: bool) -> dict[str, Any]:
    """A match: with datum and script where there is an index to look them up in, with quantities as text if wanted."""
    output, spent = row.output, row.spent
    shown_spent = None
    if spent is not None:
        shown_spent = {
            **shown_point(spent.at),
            "transaction_id": spent.transaction_id.hex(),
            "input_index": spent.input_index,
            "redeemer": _hex(spent.redeemer),
        }
    row_: dict[str, Any] = {
        "transaction_index": row.transaction_index,
        "transaction_id": row.reference.transaction_id.hex(),
        "output_index": row.reference.index,
        "address": address_text(output.address),
        "value": _value(output, as_text=as_text),
        "datum_hash": _hex(row.datum_hash),
    }
    if row.datum_hash is not None:
        row_["datum_type"] = "hash" if output.datum is None else "inline"
    if resolved_by is not None:
        row_["datum"] = None if row.datum_hash is None else _hex(resolved_by.datum(row.datum_hash))
    row_["script_hash"] = _hex(row.script_hash)
    if resolved_by is not None:
        row_["script"] = None if output.script is None else shown_script(output.script)
    return {**row_, "created_at": shown_point(row.created_at), "spent_at": shown_spent}


def shown_point(point: Point) -> dict[str, Any]:
    """A block."""
    return {"slot_no": point.slot, "header_hash": point.id.hex()}


def shown_script(script: Script) -> dict[str, Any]:
    """A script, by the bytes that are hashed behind its language's byte."""
    return {"language": LANGUAGES[script.language], "script": script.raw.hex()}


def _value(output: Output, *, as_text: bool) -> dict[str, Any]:
    written: type[str | int] = str if as_text else int
    assets = {
        f"{policy.hex()}.{name.hex()}" if name else policy.hex(): written(quantity)
        for policy, names in sorted(output.assets.items())
        for name, quantity in sorted(names.items())
    }
    return {"coins": written(output.lovelace), "assets": assets}


def _hex(data: bytes | None) -> str | None:
    return None if data is None else data.hex()

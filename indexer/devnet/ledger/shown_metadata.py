"""Metadata as Ogmios shows it without `--metadata-detailed-schema`: as plain JSON where it can be, else as CBOR."""

from typing import Any

from indexer.devnet.cbor import array, byte_string, head, integer
from indexer.devnet.ledger.metadata import Metadatum, Pairs


class _NoJson(Exception):
    """Bytes, or a map by something else than integers and texts that every client reads."""


def shown_metadatum(value: Metadatum) -> dict[str, Any]:
    """`{"json": …}`, or `{"cbor": …}` where anything in it cannot be said in plain JSON.

    The bytes are those that the ledger would write, not those that stood there. A key that comes twice is shown once,
    with its last value, where Ogmios writes it twice. A key that the official TypeScript client refuses to read, whole
    block and all, is shown as bytes too: one with `__proto__` in it, or with `constructor` among other characters.
    """
    try:
        return {"json": _json(value)}
    except _NoJson:
        return {"cbor": encoded(value).hex()}


def encoded(value: Metadatum) -> bytes:
    """Metadata as the ledger writes it: everything of definite length and as short as can be."""
    match value:
        case int():
            return integer(value)
        case bytes():
            return byte_string(value)
        case str():
            return head(3, len(value.encode())) + value.encode()
        case Pairs(pairs):
            return head(5, len(pairs)) + b"".join(encoded(item) for pair in pairs for item in pair)
        case _:
            return array(map(encoded, value))


def _json(value: Metadatum) -> Any:
    match value:
        case int() | str():
            return value
        case bytes():
            raise _NoJson
        case Pairs(pairs):
            return {_key(key): _json(inner) for key, inner in pairs}
        case _:
            return [_json(item) for item in value]


def _key(key: Metadatum) -> str:
    if isinstance(key, int | str) and not _trips(str(key)):
        return str(key)
    raise _NoJson


def _trips(key: str) -> bool:
    return "__proto__" in key or ("constructor" in key and key != "constructor")

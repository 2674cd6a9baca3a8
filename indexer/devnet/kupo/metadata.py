"""Transaction metadata: its labels, and its JSON as Kupo writes it."""

from typing import Any

from indexer.devnet.ledger.metadata import Metadatum, Pairs, auxiliary_data


def labels(auxiliary: bytes | None) -> frozenset[int]:
    """The labels in auxiliary data (CBOR), if a transaction has any."""
    return frozenset() if auxiliary is None else frozenset(auxiliary_data(auxiliary).metadata)


def schema(auxiliary: bytes) -> dict[str, Any]:
    """Under each label its content, where every value is in an object that tells its kind."""
    return {str(label): _shown(value) for label, value in auxiliary_data(auxiliary).metadata.items()}


def _shown(value: Metadatum) -> dict[str, Any]:
    match value:
        case int():
            return {"int": value}
        case str():
            return {"string": value}
        case bytes():
            return {"bytes": value.hex()}
        case Pairs(pairs):
            return {"map": [{"k": _shown(key), "v": _shown(held)} for key, held in pairs]}
        case _:
            return {"list": [_shown(item) for item in value]}

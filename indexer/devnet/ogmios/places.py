"""Points and output references, as Ogmios writes and reads them."""

import re
from typing import Any

from indexer.chain.block import OutputReference
from indexer.chain.point import ORIGIN, Origin, Place, Point

_ID = re.compile("[0-9a-f]{64}")
MAX_INDEX = 2**16 - 1  # of an output in its transaction


def shown_place(place: Place) -> Any:
    """A point without its height, or `origin`."""
    return "origin" if isinstance(place, Origin) else {"slot": place.slot, "id": place.id.hex()}


def read_place(value: Any) -> Place:
    """A point as a client writes it. Raises ValueError."""
    match value:
        case "origin":
            return ORIGIN
        case {"slot": int(slot), "id": str(id_)} if slot >= 0 and not isinstance(slot, bool) and _ID.fullmatch(id_):
            return Point(slot, bytes.fromhex(id_))
    raise ValueError(value)


def read_id(value: Any) -> bytes:
    """The id of a transaction. Raises ValueError."""
    if isinstance(value, str) and _ID.fullmatch(value):
        return bytes.fromhex(value)
    raise ValueError(value)


def read_reference(value: Any) -> OutputReference:
    """An output reference; what else stands there is let be. Raises ValueError."""
    match value:
        case {"transaction": {"id": id_}, "index": int(index)} if 0 <= index <= MAX_INDEX and index is not True:
            return OutputReference(read_id(id_), index)
    raise ValueError(value)

"""Plutus data: whether bytes are that, as the ledger reads them (`Data` in plutus-core)."""

from typing import Final

from indexer.devnet.ledger.cbor import Inside, Major, Malformed, Reader

LONGEST_BYTES: Final = 64  # of a byte string, or of each of its pieces
_BIGNUMS: Final = (0xC2, 0xC3)  # tags 2 and 3, in one byte
_ANY_CONSTRUCTOR: Final = 102  # tag: the constructor's number stands within, before its fields


def read_data(reader: Reader) -> bytes:
    """The bytes of the Plutus data that comes next, however deep it nests. Raises Malformed."""
    return reader.walk(_enter)


def check_data(raw: bytes) -> None:
    """Raises Malformed where `raw` is not one piece of Plutus data and nothing else."""
    reader = Reader(raw)
    read_data(reader)
    reader.end()


def _enter(reader: Reader) -> Inside | None:
    match reader.peek():
        case Major.BYTES:
            _bounded_bytes(reader)
        case Major.TAG:
            return _tagged(reader)
        case Major.UNSIGNED | Major.NEGATIVE:
            reader.integer()
        case Major.ARRAY:
            return reader.elements()
        case Major.MAP:
            return reader.pairs()
        case kind:
            raise Malformed(f"Plutus data has no {kind.name.lower()}")
    return None


def _tagged(reader: Reader) -> Inside | None:
    if reader.data[reader.position] in _BIGNUMS:
        reader.tag()
        _bounded_bytes(reader)
        return None
    tag = reader.tag()
    if 121 <= tag < 128 or 1280 <= tag < 1401:
        return reader.elements()
    if tag != _ANY_CONSTRUCTOR:
        raise Malformed(f"tag {tag} is no constructor's")
    length = reader.open()
    if length not in (2, None):
        raise Malformed(f"a constructor of {length} parts, where it has to have two")
    reader.unsigned()
    if length is not None:
        return reader.elements()
    if reader.peek() is not Major.ARRAY:
        raise Malformed("a constructor whose fields are no array")
    return Inside(1, then_break=True)


def _bounded_bytes(reader: Reader) -> None:
    for piece in reader.pieces():
        if len(piece) > LONGEST_BYTES:
            raise Malformed(f"{len(piece)} bytes in one piece, where Plutus data allows {LONGEST_BYTES}")

"""Plutus data: from CBOR, and back as the ledger's `serialiseData` writes it.

Source: `PlutusCore.Data` (`decodeData`, `encodeData`) and the `plutus_data` rule of conway.cddl.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias, Union

from tests.contract.cbor import ARRAY, BYTES, INTEGER, MAP, NEGATIVE, TAG, Item, NotATransaction

Data: TypeAlias = Union[int, bytes, tuple["Data", ...], "Pairs", "Constr"]
"""Equal in Python where the ledger holds them equal. A tuple is a list."""


@dataclass(frozen=True)
class Constr:
    """Constructor `index`, with its fields in order."""

    index: int
    fields: tuple[Data, ...]


@dataclass(frozen=True)
class Pairs:
    """A map: pairs in order, keys may repeat."""

    pairs: tuple[tuple[Data, Data], ...]


_CHUNK: Final = 64  # bytes: longer strings are written, and accepted, only in chunks of at most so many
_POSITIVE_BIGNUM, _NEGATIVE_BIGNUM, _ANY_CONSTRUCTOR = 2, 3, 102


def data(item: Item) -> Data:
    """What an item means as Plutus data. Raises `NotATransaction` where the ledger does not read it as any."""
    if item.major in (INTEGER, NEGATIVE):
        return item.number
    if item.major == BYTES:
        return _bounded(item)
    if item.major == ARRAY:
        return tuple(data(each) for each in item.items)
    if item.major == MAP:
        return Pairs(tuple((data(key), data(value)) for key, value in item.pairs()))
    if item.major == TAG:
        return _tagged(item.number, item.items[0])
    raise NotATransaction(f"neither text, floats nor simple values are Plutus data: {item.raw.hex()}")


def _tagged(tag: int, item: Item) -> Data:
    if tag == _POSITIVE_BIGNUM:
        return int.from_bytes(_bounded(item), "big")
    if tag == _NEGATIVE_BIGNUM:
        return -1 - int.from_bytes(_bounded(item), "big")
    if 121 <= tag <= 127:
        return Constr(tag - 121, _fields(item))
    if 1280 <= tag <= 1400:
        return Constr(tag - 1280 + 7, _fields(item))
    if tag == _ANY_CONSTRUCTOR:
        index, fields = item.elements(2)
        return Constr(index.integer(range(2**64)), _fields(fields))
    raise NotATransaction(f"tag {tag} is not Plutus data")


def _fields(item: Item) -> tuple[Data, ...]:
    return tuple(data(each) for each in item.elements())


def _bounded(item: Item) -> bytes:
    if any(len(chunk) > _CHUNK for chunk in item.chunks):
        raise NotATransaction("more than 64 bytes in one piece are not Plutus data")
    return item.octets()


def serialise(value: Data) -> bytes:
    """The bytes that the builtin `serialiseData` gives: lists indefinite where not empty, maps definite."""
    match value:
        case int():
            return _integer(value)
        case bytes():
            return _bytes(value)
        case tuple():
            return _list(value)
        case Pairs(pairs):
            return _head(MAP, len(pairs)) + b"".join(serialise(key) + serialise(of) for key, of in pairs)
        case Constr(index, fields) if index < 7:
            return _head(TAG, 121 + index) + _list(fields)
        case Constr(index, fields) if index < 128:
            return _head(TAG, 1280 + index - 7) + _list(fields)
        case Constr(index, fields):
            return _head(TAG, _ANY_CONSTRUCTOR) + _head(ARRAY, 2) + _head(INTEGER, index) + _list(fields)


def _list(values: tuple[Data, ...]) -> bytes:
    return b"\x9f" + b"".join(map(serialise, values)) + b"\xff" if values else b"\x80"


def _integer(value: int) -> bytes:
    major, magnitude, tag = (INTEGER, value, 2) if value >= 0 else (NEGATIVE, -1 - value, 3)
    if magnitude < 2**64:
        return _head(major, magnitude)
    return _head(TAG, tag) + _bytes(magnitude.to_bytes((magnitude.bit_length() + 7) // 8, "big"))


def _bytes(value: bytes) -> bytes:
    if len(value) <= _CHUNK:
        return _head(BYTES, len(value)) + value
    chunks = [value[at : at + _CHUNK] for at in range(0, len(value), _CHUNK)]
    return b"\x5f" + b"".join(map(_bytes, chunks)) + b"\xff"


def _head(major: int, argument: int) -> bytes:
    """An item's first bytes, as short as can be."""
    if argument < 24:
        return bytes([major << 5 | argument])
    size = next(size for size in (1, 2, 4, 8) if argument < 256**size)
    return bytes([major << 5 | 23 + size.bit_length()]) + argument.to_bytes(size, "big")

"""Plutus Data and its CBOR, as the ledger reads and writes it (plutus-core, `PlutusCore.Data`).

Data is a constructor with fields, a map, a list, an integer of any size, or bytes. The ledger writes a value in one
way and reads it in several: lists, maps and fields counted or open-ended, heads longer than they need be. It never
reads more than 64 bytes of a string in one piece. What the ledger does not read cannot be on the chain: refused here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, Union

from indexer.errors import MalformedDatum

Data: TypeAlias = Union["Constr", "Map", tuple["Data", ...], int, bytes]

MAX_DEPTH: Final = 64  # the ledger knows no limit; our datums are 8 deep, and Python's stack ends near 1,000
MAX_BYTES: Final = 1 << 20  # more than ten full blocks
PIECE: Final = 64  # plutus-core, note "The 64-byte limit"
WORD_64: Final = 1 << 64

# RFC 8949: a head is a major type in three bits and, in five bits and up to eight bytes more, an argument.
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _LIST, _MAP, _TAG = range(7)
_OPEN: Final = 31  # in place of an argument: up to the break
_BREAK: Final = 0xFF
_POSITIVE_BIGNUM, _NEGATIVE_BIGNUM = 0xC2, 0xC3  # tags 2 and 3: with a longer head, cborg does not see a number
_ALTERNATIVE: Final = 102  # the tag of constructors that have none of their own


@dataclass(frozen=True, slots=True)
class Constr:
    """A constructor by its index (0 to 2^64 - 1), and its fields."""

    index: int
    fields: tuple[Data, ...] = ()


@dataclass(frozen=True, slots=True)
class Map:
    """Pairs in the order written: order matters to the ledger, and a key may stand twice."""

    pairs: tuple[tuple[Data, Data], ...] = ()


# --- writing


def encode(data: Data) -> bytes:
    """The bytes that the ledger's `serialiseData` makes of it.

    Raises ValueError for a constructor index that the ledger does not read, TypeError for what is no Data.
    """
    out = bytearray()
    _write(out, data)
    return bytes(out)


def _write(out: bytearray, data: Data) -> None:
    match data:
        case Constr(index, fields):
            _write_constructor(out, index)
            _write_list(out, fields)
        case Map(pairs):
            _write_head(out, _MAP, len(pairs))
            for key, value in pairs:
                _write(out, key)
                _write(out, value)
        case tuple():
            _write_list(out, data)
        case bool():
            raise TypeError("a truth value is no Plutus Data: False is constructor 0, True constructor 1")
        case int():
            _write_integer(out, data)
        case bytes():
            _write_bytes(out, data)
        case _:
            raise TypeError(f"{type(data).__name__} is no Plutus Data")


def _write_constructor(out: bytearray, index: int) -> None:
    if 0 <= index < 7:
        _write_head(out, _TAG, 121 + index)
    elif 7 <= index < 128:
        _write_head(out, _TAG, 1280 + index - 7)
    elif 128 <= index < WORD_64:
        _write_head(out, _TAG, _ALTERNATIVE)
        _write_head(out, _LIST, 2)
        _write_head(out, _UNSIGNED, index)
    else:
        raise ValueError("a constructor index lies between 0 and 2^64 - 1")


def _write_list(out: bytearray, items: Sequence[Data]) -> None:
    if not items:
        _write_head(out, _LIST, 0)
        return
    out.append(_LIST << 5 | _OPEN)
    for item in items:
        _write(out, item)
    out.append(_BREAK)


def _write_integer(out: bytearray, number: int) -> None:
    positive = number >= 0
    size = number if positive else -1 - number
    if size < WORD_64:
        _write_head(out, _UNSIGNED if positive else _NEGATIVE, size)
    else:
        out.append(_POSITIVE_BIGNUM if positive else _NEGATIVE_BIGNUM)
        _write_bytes(out, size.to_bytes((size.bit_length() + 7) // 8, "big"))


def _write_bytes(out: bytearray, string: bytes) -> None:
    if len(string) <= PIECE:
        _write_head(out, _BYTES, len(string))
        out += string
        return
    out.append(_BYTES << 5 | _OPEN)
    for start in range(0, len(string), PIECE):
        piece = string[start : start + PIECE]
        _write_head(out, _BYTES, len(piece))
        out += piece
    out.append(_BREAK)


def _write_head(out: bytearray, major: int, argument: int) -> None:
    if argument < 24:
        out.append(major << 5 | argument)
        return
    power = next(power for power in range(4) if argument < 1 << (8 << power))
    out.append(major << 5 | 24 + power)
    out += argument.to_bytes(1 << power, "big")


# --- reading: every function takes the bytes and a position, and answers a value and the position after it


def decode(raw: bytes) -> Data:
    """The value of CBOR bytes, in any form that the ledger reads.

    Raises `MalformedDatum` for everything else, and past `MAX_DEPTH` and `MAX_BYTES`.
    """
    if len(raw) > MAX_BYTES:
        raise MalformedDatum(f"{len(raw)} bytes: nothing so long fits into a block")
    try:
        data, end = _read(raw, 0, 0)
    except IndexError:
        raise MalformedDatum("the bytes end in the middle of a value") from None
    if end != len(raw):
        raise MalformedDatum(f"{len(raw) - end} bytes follow the value")
    return data


def _read(raw: bytes, at: int, depth: int) -> tuple[Data, int]:
    if raw[at] in (_POSITIVE_BIGNUM, _NEGATIVE_BIGNUM):
        return _read_bignum(raw, at)
    major, argument, after = _read_head(raw, at)
    if major == _BYTES:
        return _read_bytes(raw, at)
    if major == _LIST:
        return _read_items(raw, at, _LIST, depth)
    if major == _MAP:
        return _read_map(raw, at, depth)
    if major == _UNSIGNED and argument is not None:
        return argument, after
    if major == _NEGATIVE and argument is not None:
        return -1 - argument, after
    if major == _TAG and argument is not None:
        return _read_constructor(raw, argument, after, depth)
    raise MalformedDatum(f"byte {at} ({raw[at]:#04x}) begins nothing that Plutus Data has")


def _read_head(raw: bytes, at: int) -> tuple[int, int | None, int]:
    """Major type and argument; None for open-ended."""
    major, low = divmod(raw[at], 32)
    if low < 24:
        return major, low, at + 1
    if low < 28:
        end = at + 1 + (1 << low - 24)
        raw[end - 1]  # raises IndexError where a slice would just be short
        return major, int.from_bytes(raw[at + 1 : end], "big"), end
    if low == _OPEN:
        return major, None, at + 1
    raise MalformedDatum(f"byte {at} ({raw[at]:#04x}) is no head of CBOR")


def _read_bytes(raw: bytes, at: int) -> tuple[bytes, int]:
    if raw[at] != _BYTES << 5 | _OPEN:
        return _read_piece(raw, at)
    pieces, at = [], at + 1
    while raw[at] != _BREAK:
        piece, at = _read_piece(raw, at)
        pieces.append(piece)
    return b"".join(pieces), at + 1


def _read_piece(raw: bytes, at: int) -> tuple[bytes, int]:
    major, length, start = _read_head(raw, at)
    if major != _BYTES or length is None:
        raise MalformedDatum(f"byte {at} ({raw[at]:#04x}) begins no piece of a byte string")
    if length > PIECE:
        raise MalformedDatum(f"a string has {length} bytes in one piece, {PIECE} are allowed")
    end = start + length
    if end > len(raw):
        raise IndexError
    return raw[start:end], end


def _read_bignum(raw: bytes, at: int) -> tuple[int, int]:
    string, after = _read_bytes(raw, at + 1)
    number = int.from_bytes(string, "big")
    return (number if raw[at] == _POSITIVE_BIGNUM else -1 - number), after


def _read_map(raw: bytes, at: int, depth: int) -> tuple[Map, int]:
    items, end = _read_items(raw, at, _MAP, depth)
    return Map(tuple(zip(items[::2], items[1::2], strict=True))), end


def _read_constructor(raw: bytes, tag: int, at: int, depth: int) -> tuple[Constr, int]:
    if 121 <= tag < 128:
        fields, end = _read_items(raw, at, _LIST, depth)
        return Constr(tag - 121, fields), end
    if 1280 <= tag < 1401:
        fields, end = _read_items(raw, at, _LIST, depth)
        return Constr(tag - 1280 + 7, fields), end
    if tag != _ALTERNATIVE:
        raise MalformedDatum(f"tag {tag} is no constructor's")
    major, count, at = _read_head(raw, at)
    if major != _LIST or count not in (2, None):
        raise MalformedDatum(f"tag {tag} is not followed by a list of two")
    major, index, at = _read_head(raw, at)
    if major != _UNSIGNED or index is None:
        raise MalformedDatum(f"tag {tag} is not followed by a constructor's index")
    fields, end = _read_items(raw, at, _LIST, depth)
    if count is None and raw[end] != _BREAK:
        raise MalformedDatum(f"tag {tag} is followed by a list of more than two")
    return Constr(index, fields), end if count else end + 1


def _read_items(raw: bytes, start: int, kind: int, depth: int) -> tuple[tuple[Data, ...], int]:
    """What a list holds; of a map, its keys and values one after the other."""
    if depth == MAX_DEPTH:
        raise MalformedDatum(f"more than {MAX_DEPTH} values inside one another")
    major, count, at = _read_head(raw, start)
    if major != kind:
        raise MalformedDatum(f"byte {start} ({raw[start]:#04x}) begins no list of fields")
    at_once = 2 if kind == _MAP else 1
    items: list[Data] = []
    # A count may lie: it is believed only item by item.
    left = -1 if count is None else count
    while raw[at] != _BREAK if count is None else left:
        for _ in range(at_once):
            item, at = _read(raw, at, depth + 1)
            items.append(item)
        left -= 1
    return tuple(items), at + 1 if count is None else at

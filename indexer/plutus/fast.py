"""From bytes to values in one step, for data in the two usual hands: open-ended as the ledger writes it, or counted.

A shape is turned into functions once; they take the bytes and a position, and answer a value and the position after
it. No Data is made in between, they go no deeper than the shape, and believe no length: what they read is there.
Rarer hands, and whatever is malformed, they leave to `data.decode` and `Shape.read`, which can say what is wrong.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from indexer.plutus.data import MAX_BYTES, PIECE
from indexer.plutus.shape import Bytes, Integer, ListOf, Shape, Sum, TupleOf

_Read: TypeAlias = Callable[[bytes, int], tuple[Any, int]]

OTHER: Final = object()  # answer to bytes that are none of the fast reader's business

_COUNTED, _COUNT_FOLLOWS, _OPEN, _BREAK = 0x80, 0x98, 0x9F, 0xFF  # heads of lists
_FIRST_TAG: Final = 121  # of constructor 0, behind 0xd8


class _Unexpected(Exception):
    """Another hand, another shape, or malformed."""


def reader(shape: Shape) -> Callable[[bytes], Any]:
    """A function from bytes to the value that they are in this shape, or to `OTHER`."""
    read = _read_for(shape)

    def whole(raw: bytes) -> Any:
        if len(raw) > MAX_BYTES:
            return OTHER
        try:
            value, end = read(raw, 0)
        except (_Unexpected, IndexError):
            return OTHER
        return value if end == len(raw) else OTHER

    return whole


def _read_for(shape: Shape) -> _Read:
    match shape:
        case Integer():
            return _read_integer
        case Bytes():
            return _read_bytes
        case ListOf(item):
            return _list_reader(_read_for(item))
        case TupleOf(items):
            return _tuple_reader([_read_for(item) for item in items])
        case Sum():
            return _sum_reader(shape)


def _read_integer(raw: bytes, at: int) -> tuple[int, int]:
    head = raw[at]
    if head < 24:
        return head, at + 1
    if head > 27:
        raise _Unexpected  # negative, or more than 64 bits
    end = at + 1 + (1 << head - 24)
    return int.from_bytes(raw[at + 1 : end], "big"), end


def _read_bytes(raw: bytes, at: int) -> tuple[bytes, int]:
    head = raw[at]
    if head == 0x58 and raw[at + 1] <= PIECE:
        end = at + 2 + raw[at + 1]
        return raw[at + 2 : end], end
    if 0x40 <= head < 0x58:
        end = at + 1 + head - 0x40
        return raw[at + 1 : end], end
    raise _Unexpected


def _list_reader(read_item: _Read) -> _Read:
    def read(raw: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        head = raw[at]
        items = []
        if head == _OPEN:
            at += 1
            while raw[at] != _BREAK:
                item, at = read_item(raw, at)
                items.append(item)
            return tuple(items), at + 1
        if _COUNTED <= head < _COUNT_FOLLOWS:
            count, at = head - _COUNTED, at + 1
        elif head == _COUNT_FOLLOWS:
            count, at = raw[at + 1], at + 2
        else:
            raise _Unexpected
        for _ in range(count):
            item, at = read_item(raw, at)
            items.append(item)
        return tuple(items), at

    return read


def _tuple_reader(readers: list[_Read]) -> _Read:
    counted = _COUNTED + len(readers)

    def read(raw: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        head = raw[at]
        if head not in (_OPEN, counted):
            raise _Unexpected
        at += 1
        items = []
        for read_item in readers:
            item, at = read_item(raw, at)
            items.append(item)
        if head == _OPEN:
            if raw[at] != _BREAK:
                raise _Unexpected
            at += 1
        return tuple(items), at

    return read


def _sum_reader(shape: Sum) -> _Read:
    choices = {}
    for choice in shape.constructors[:7]:  # later ones have other tags
        readers = [_read_for(field.shape) for field in choice.fields]
        # Without fields there is but one value: it stands there made.
        make = choice.make if readers else choice.make(())
        tag = _FIRST_TAG + choice.index
        choices[bytes((0xD8, tag, _COUNTED + len(readers)))] = readers, make, False
        if readers:
            choices[bytes((0xD8, tag, _OPEN))] = readers, make, True

    def read(raw: bytes, at: int) -> tuple[Any, int]:
        found = choices.get(raw[at : at + 3])
        if found is None:
            raise _Unexpected
        readers, make, is_open = found
        at += 3
        if not readers:
            return make, at
        values = []
        for read_field in readers:
            value, at = read_field(raw, at)
            values.append(value)
        if is_open:
            if raw[at] != _BREAK:
                raise _Unexpected
            at += 1
        return make(values), at

    return read

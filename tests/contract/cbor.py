"""A CBOR reader that forgets nothing (RFC 8949): repeated keys, the order of pairs, chunks, the bytes themselves."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

INTEGER, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, OTHER = range(8)  # RFC 8949's major types

_INDEFINITE: Final = 31
_BREAK: Final = b"\xff"
_SET: Final = 258  # the ledger's optional tag on an array without repeats

K = TypeVar("K")
V = TypeVar("V")


class NotATransaction(Exception):
    """The ledger would not get as far as running a script."""


@dataclass(frozen=True)
class Item:
    """One data item. Each method says what is expected of it, and raises `NotATransaction` where it is another."""

    major: int
    raw: bytes
    number: int = 0  # an integer's value, a tag's number
    chunks: tuple[bytes, ...] = ()  # of a string; one, where its length is definite
    items: tuple["Item", ...] = ()  # of an array; key, value, key, value of a map; the one under a tag

    def integer(self, allowed: range) -> int:
        """An integer of major type 0 or 1, in `allowed`."""
        if self.major not in (INTEGER, NEGATIVE) or self.number not in allowed:
            raise NotATransaction(f"expected an integer in {allowed}: {self.raw.hex()}")
        return self.number

    def octets(self, *lengths: int) -> bytes:
        """A byte string, of one of these lengths if any are given."""
        content = b"".join(self.chunks)
        if self.major != BYTES or (lengths and len(content) not in lengths):
            raise NotATransaction(f"expected bytes, {lengths or 'any number'} of them: {self.raw.hex()}")
        return content

    def elements(self, *counts: int) -> tuple["Item", ...]:
        """The members of an array, as many as one of `counts` if any are given."""
        if self.major != ARRAY or (counts and len(self.items) not in counts):
            raise NotATransaction(f"expected an array, {counts or 'any number'} of items: {self.raw.hex()}")
        return self.items

    def members(self) -> tuple["Item", ...]:
        """The members of a set: an array, with or without the tag that says so."""
        return self.under(_SET).elements() if self.major == TAG else self.elements()

    def pairs(self) -> tuple[tuple["Item", "Item"], ...]:
        """The pairs of a map in the order written, repeated keys and all."""
        if self.major != MAP:
            raise NotATransaction(f"expected a map: {self.raw.hex()}")
        return tuple(zip(self.items[::2], self.items[1::2], strict=True))

    def table(self) -> dict[int, "Item"]:
        """A map with small numbers as keys, each once."""
        return distinct((key.integer(range(2**16)), value) for key, value in self.pairs())

    def under(self, tag: int) -> "Item":
        """What stands under this tag."""
        if self.major != TAG or self.number != tag:
            raise NotATransaction(f"expected tag {tag}: {self.raw.hex()}")
        return self.items[0]


def distinct(pairs: Iterable[tuple[K, V]]) -> dict[K, V]:
    """A dict of pairs that repeat no key; raises `NotATransaction` where they do, as the Conway ledger does."""
    table: dict[K, V] = {}
    for key, value in pairs:
        if key in table:
            raise NotATransaction(f"twice the same key: {key!r}")
        table[key] = value
    return table


def read(raw: bytes) -> Item:
    """The one data item that these bytes are. Raises `NotATransaction` where they are not one, or go on after it."""
    item, end = _item(raw, 0)
    if end != len(raw):
        raise NotATransaction(f"{len(raw) - end} bytes too many")
    return item


def _item(raw: bytes, start: int) -> tuple[Item, int]:
    """The item that begins at `start`, and where it ends."""
    initial, at = _take(raw, start, 1)
    major, info = initial[0] >> 5, initial[0] & 31
    argument = info
    if info in (24, 25, 26, 27):
        following, at = _take(raw, at, 2 ** (info - 24))
        argument = int.from_bytes(following, "big")
    elif info > 27 and not (info == _INDEFINITE and major in (BYTES, TEXT, ARRAY, MAP)):
        raise NotATransaction(f"no item begins with {initial.hex()}")

    chunks: tuple[bytes, ...] = ()
    items: tuple[Item, ...] = ()
    if info == _INDEFINITE:
        items, at = _until_break(raw, at)
        if major in (BYTES, TEXT):
            if any(item.major != major or item.raw[0] & 31 == _INDEFINITE for item in items):
                raise NotATransaction("a string is made of something else than strings")
            chunks, items = tuple(item.chunks[0] for item in items), ()
        elif major == MAP and len(items) % 2:
            raise NotATransaction("a map ends after a key")
    elif major in (BYTES, TEXT):
        content, at = _take(raw, at, argument)
        chunks = (content,)
    else:
        items, at = _count(raw, at, {ARRAY: argument, MAP: 2 * argument, TAG: 1}.get(major, 0))
    number = {INTEGER: argument, NEGATIVE: -1 - argument, TAG: argument}.get(major, 0)
    return Item(major, raw[start:at], number, chunks, items), at


def _take(raw: bytes, at: int, length: int) -> tuple[bytes, int]:
    if at + length > len(raw):
        raise NotATransaction("the bytes end too early")
    return raw[at : at + length], at + length


def _count(raw: bytes, at: int, count: int) -> tuple[tuple[Item, ...], int]:
    items = []
    for _ in range(count):
        item, at = _item(raw, at)
        items.append(item)
    return tuple(items), at


def _until_break(raw: bytes, at: int) -> tuple[tuple[Item, ...], int]:
    items = []
    while raw[at : at + 1] != _BREAK:
        item, at = _item(raw, at)
        items.append(item)
    return tuple(items), at + 1

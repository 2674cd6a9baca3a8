"""CBOR as a tree that encodes back to the very bytes it came from, so that one thing can be changed and nothing else.

Lists, maps and strings of indefinite length stay so; `Embedded` is CBOR inside a byte string (tag 24: inline datums,
reference scripts) opened up as a part of the tree. Nodes are immutable: a change shares what it leaves alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

Path: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Chunks:
    """A byte string of indefinite length."""

    parts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Array:
    items: tuple["Node", ...]
    indefinite: bool = False

    def __getitem__(self, index: int) -> "Node":
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def with_item(self, index: int, item: "Node") -> "Array":
        return Array((*self.items[:index], item, *self.items[index + 1 :]), self.indefinite)

    def without(self, index: int) -> "Array":
        return Array(self.items[:index] + self.items[index + 1 :], self.indefinite)


@dataclass(frozen=True, slots=True)
class Map:
    pairs: tuple[tuple["Node", "Node"], ...]
    indefinite: bool = False

    def __contains__(self, key: "Node") -> bool:
        return any(key == other for other, _ in self.pairs)

    def __getitem__(self, key: "Node") -> "Node":
        """The first value under a key. KeyError: there is none."""
        for other, value in self.pairs:
            if key == other:
                return value
        raise KeyError(key)

    def get(self, key: "Node", default: "Node" = None) -> "Node":
        return next((value for other, value in self.pairs if key == other), default)

    def with_value(self, key: "Node", value: "Node") -> "Map":
        """In the key's place, or as the last pair."""
        if key not in self:
            return Map((*self.pairs, (key, value)), self.indefinite)
        return Map(tuple((k, value if k == key else v) for k, v in self.pairs), self.indefinite)

    def without(self, key: "Node") -> "Map":
        return Map(tuple(pair for pair in self.pairs if pair[0] != key), self.indefinite)


@dataclass(frozen=True, slots=True)
class Tag:
    number: int
    value: "Node"


@dataclass(frozen=True, slots=True)
class Embedded:
    value: "Node"


Node: TypeAlias = int | bytes | str | bool | Chunks | Array | Map | Tag | Embedded | None


def encode(node: Node) -> bytes:
    """The bytes of a tree; integers and lengths in their shortest form. OverflowError: an integer beyond 64 bits."""
    match node:
        case bool():
            return b"\xf5" if node else b"\xf4"
        case None:
            return b"\xf6"
        case int():
            return _head(0, node) if node >= 0 else _head(1, -1 - node)
        case bytes():
            return _head(2, len(node)) + node
        case str():
            text = node.encode()
            return _head(3, len(text)) + text
        case Chunks(parts):
            return b"\x5f" + b"".join(map(encode, parts)) + b"\xff"
        case Array(items, indefinite):
            content = b"".join(map(encode, items))
            return b"\x9f" + content + b"\xff" if indefinite else _head(4, len(items)) + content
        case Map(pairs, indefinite):
            content = b"".join(encode(key) + encode(value) for key, value in pairs)
            return b"\xbf" + content + b"\xff" if indefinite else _head(5, len(pairs)) + content
        case Tag(number, value):
            return _head(6, number) + encode(value)
        case Embedded(value):
            return _head(6, 24) + encode(encode(value))


def decode(raw: bytes) -> Node:
    """The tree of the bytes. ValueError: they are not one item, or would not be encoded back to the same bytes."""
    node, end = _decode(raw, 0)
    if end != len(raw) or encode(node) != raw:
        raise ValueError("not one CBOR item in a form that this tree can keep")
    return node


def nodes(node: Node, at: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Every node below and including this one, each with its path: positions among `children`."""
    yield at, node
    for position, child in enumerate(children(node)):
        yield from nodes(child, (*at, position))


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Array(items):
            return items
        case Map(pairs):
            return tuple(part for pair in pairs for part in pair)
        case Tag(_, value) | Embedded(value):
            return (value,)
        case _:
            return ()


def replaced(node: Node, path: Path, new: Node) -> Node:
    """The tree with another node at a path."""
    if not path:
        return new
    position, rest = path[0], path[1:]
    parts = list(children(node))
    parts[position] = replaced(parts[position], rest, new)
    match node:
        case Array(_, indefinite):
            return Array(tuple(parts), indefinite)
        case Map(_, indefinite):
            return Map(tuple(zip(parts[::2], parts[1::2], strict=True)), indefinite)
        case Tag(number):
            return Tag(number, parts[0])
        case _:
            return Embedded(parts[0])


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    size = next((size for size in (1, 2, 4, 8) if argument < 1 << 8 * size), 16)
    return bytes([major << 5 | 23 + size.bit_length()]) + argument.to_bytes(min(size, 8), "big")


def _decode(raw: bytes, at: int) -> tuple[Node, int]:
    first = raw[at]
    major, low, at = first >> 5, first & 31, at + 1
    if first in (0xF4, 0xF5, 0xF6):
        return {0xF4: False, 0xF5: True, 0xF6: None}[first], at
    if low == 31:
        return _decode_indefinite(raw, major, at)
    size = 0 if low < 24 else 1 << low - 24
    argument = low if low < 24 else int.from_bytes(raw[at : at + size], "big")
    at += size
    match major:
        case 0:
            return argument, at
        case 1:
            return -1 - argument, at
        case 2:
            return raw[at : at + argument], at + argument
        case 3:
            return raw[at : at + argument].decode(), at + argument
        case 4:
            items = []
            for _ in range(argument):
                item, at = _decode(raw, at)
                items.append(item)
            return Array(tuple(items)), at
        case 5:
            pairs = []
            for _ in range(argument):
                key, at = _decode(raw, at)
                value, at = _decode(raw, at)
                pairs.append((key, value))
            return Map(tuple(pairs)), at
        case 6:
            value, at = _decode(raw, at)
            return _opened(value) if argument == 24 else Tag(argument, value), at
    raise ValueError(f"initial byte {first:#x}")


def _decode_indefinite(raw: bytes, major: int, at: int) -> tuple[Node, int]:
    items: list[Node] = []
    while raw[at] != 0xFF:
        item, at = _decode(raw, at)
        items.append(item)
    match major:
        case 2:
            return Chunks(tuple(item for item in items if isinstance(item, bytes))), at + 1
        case 4:
            return Array(tuple(items), indefinite=True), at + 1
        case 5:
            return Map(tuple(zip(items[::2], items[1::2], strict=True)), indefinite=True), at + 1
    raise ValueError(f"major type {major} of indefinite length")


def _opened(content: Node) -> Tag | Embedded:
    try:
        return Embedded(decode(content)) if isinstance(content, bytes) else Tag(24, content)
    except (ValueError, IndexError):
        return Tag(24, content)  # a string that holds something else stays a string

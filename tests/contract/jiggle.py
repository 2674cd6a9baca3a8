"""Plutus data with one thing in it changed at random."""

from collections.abc import Callable
from random import Random
from typing import TypeAlias

from tests.contract.plutus import constr, integer, octets, sequence
from tests.contract.tree import Array, Chunks, Map, Node, Tag, nodes, replaced

KINDS = (0, b"", sequence(), constr(0), Map(()))
CONSTRUCTORS = range(121, 128)

# What stands there, all that stands elsewhere, chance; what is done, and what stands there then.
Change: TypeAlias = Callable[[Node, list[Node], Random], tuple[str, Node]]


def jiggled(data: Node, rng: Random) -> tuple[str, Node]:
    """What was done, and the data after it. Seldom, the same data comes out."""
    return _somewhere(data, rng, _changed)


def reshaped(data: Node, rng: Random) -> tuple[str, Node]:
    """The same, but what changes is a constructor, how many fields it has, the length of a list, or a kind."""
    return _somewhere(data, rng, _reshaped)


def re_encoded(data: Node) -> Node:
    """The same data with every list of definite length: another encoding that the ledger takes as well."""
    match data:
        case Array(items):
            return Array(tuple(map(re_encoded, items)))
        case Tag(number, value):
            return Tag(number, re_encoded(value))
    return data


def _somewhere(data: Node, rng: Random, change: Change) -> tuple[str, Node]:
    places = list(nodes(data))
    fields = {(*path, 0) for path, node in places if isinstance(node, Tag)}
    path, node = rng.choice(places)
    if path in fields and isinstance(node, Array):
        what, new = _other_items(node.items, rng)  # they have to stay a list, or it is no Plutus data any more
    else:
        what, new = change(node, [other for _, other in places], rng)
    return f"{what} at {'/'.join(map(str, path))}", replaced(data, path, new)


def _reshaped(node: Node, others: list[Node], rng: Random) -> tuple[str, Node]:
    if isinstance(node, Array | Tag) and rng.random() < 0.7:
        return _changed(node, others, rng)
    return _other_kind(node, rng)


def _changed(node: Node, others: list[Node], rng: Random) -> tuple[str, Node]:
    match node:
        case _ if rng.random() < 0.1:
            return _other_kind(node, rng)
        case int():
            return _other_integer(node, others, rng)
        case bytes():
            return _other_octets(node, others, rng)
        case Chunks(parts):
            return "a chunk less", octets(b"".join(parts[:-1]))
        case Array(items):
            return _other_items(items, rng)
        case Tag(number, value) if number in CONSTRUCTORS:
            other = rng.choice([n for n in CONSTRUCTORS[:4] if n != number])
            return f"constructor {other - 121}", Tag(other, value)
    return _other_kind(node, rng)


def _other_kind(node: Node, rng: Random) -> tuple[str, Node]:
    new = rng.choice([kind for kind in KINDS if type(kind) is not type(node)])
    return f"{type(new).__name__} for {type(node).__name__}", new


def _other_integer(value: int, others: list[Node], rng: Random) -> tuple[str, Node]:
    elsewhere = rng.choice([n for n in others if isinstance(n, int)])
    new = rng.choice([value + 1, value - 1, value + 1, value - 1, 0, -1, -value, 2 * value, elsewhere])
    new = rng.choice([new, new, new, 2**63 - 1, 2**63, 2**64, -(2**64) - 1])
    return f"{new} for {value}", integer(new)


def _other_octets(content: bytes, others: list[Node], rng: Random) -> tuple[str, Node]:
    elsewhere = rng.choice([b for b in others if isinstance(b, bytes)])
    flipped = content and bytes([content[0] ^ 1 << rng.randrange(8)]) + content[1:]
    what, new = rng.choice(
        [
            ("a bit flipped", flipped),
            ("a byte less", content[:-1]),
            ("a byte more", content + b"\0"),
            ("nothing", b""),
            ("65 bytes", bytes(65)),
            ("what stands elsewhere", elsewhere),
            ("what stands elsewhere", elsewhere),
        ]
    )
    return what, octets(new)


def _other_items(items: tuple[Node, ...], rng: Random) -> tuple[str, Node]:
    if not items:
        return "one more", sequence(rng.choice(KINDS))
    at, other = rng.randrange(len(items)), rng.randrange(len(items))
    swapped = list(items)
    swapped[at], swapped[other] = swapped[other], swapped[at]
    what, new = rng.choice(
        [
            (f"{at} dropped", items[:at] + items[at + 1 :]),
            (f"{at} twice", (*items[:at], items[at], *items[at:])),
            (f"{at} and {other} swapped", tuple(swapped)),
            ("one more", (*items, rng.choice([*KINDS, items[at]]))),
            ("none", ()),
        ]
    )
    return what, sequence(*new)

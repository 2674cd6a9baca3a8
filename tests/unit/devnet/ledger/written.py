"""Small transactions written by hand, one thing at a time (conway.cddl)."""

from collections.abc import Iterable
from typing import Final, TypeAlias

from tests.contract.tree import Array, Map, Node, encode

Pair: TypeAlias = tuple[Node, Node]

KEY: Final = bytes([0x22] * 28)
SCRIPT: Final = bytes([0x44] * 28)
POLICY: Final = bytes([0x33] * 28)
ADDRESS: Final = b"\x60" + KEY
ACCOUNT: Final = b"\xe0" + KEY
ID: Final = bytes([0xAA] * 32)

IN: Final = Array((ID, 0))
OUT: Final = Map(((0, ADDRESS), (1, 2_000_000)))
KEYED: Final = Array((0, KEY))
SIGNED: Final = Array((bytes(32), bytes(64)))
UNITS: Final = Array((1, 2))
NATIVE: Final = Array((0, KEY))


def written(
    *body: Pair,
    witnesses: Iterable[Pair] = (),
    auxiliary: Node = None,
    valid: Node = True,
    inputs: Node = Array((IN,)),  # noqa: B008
    outputs: Node = Array((OUT,)),  # noqa: B008
    fee: Node = 200_000,
) -> bytes:
    """A transaction: what every body has, and whatever else it is given."""
    whole = Map(((0, inputs), (1, outputs), (2, fee), *body))
    return encode(Array((whole, Map(tuple(witnesses)), valid, auxiliary)))


def outputs(*more: Pair, address: Node = ADDRESS, value: Node = 2_000_000) -> Array:
    """One output, as a map."""
    return Array((Map(((0, address), (1, value), *more)),))


def tokens(policy: Node = POLICY, name: Node = b"TOKEN", quantity: Node = 5) -> Map:
    """Of one policy, one asset."""
    return Map(((policy, Map(((name, quantity),))),))


def listed(*items: Node) -> Array:
    return Array(items)


def mapped(*pairs: Pair) -> Map:
    return Map(pairs)

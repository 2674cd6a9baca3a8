"""Plutus data as the ledger's `serialiseData` writes it, as CBOR trees."""

from tests.contract.tree import Array, Chunks, Node, Tag


def constr(index: int, *fields: Node) -> Tag:
    """A constructor, 0 to 127, with its fields."""
    return Tag(121 + index if index < 7 else 1280 + index - 7, sequence(*fields))


def sequence(*items: Node) -> Array:
    """A list, or a pair: of indefinite length unless empty."""
    return Array(items, indefinite=bool(items))


def octets(content: bytes) -> bytes | Chunks:
    """A byte string, in chunks of 64 bytes where it is longer."""
    if len(content) <= 64:
        return content
    return Chunks(tuple(content[at : at + 64] for at in range(0, len(content), 64)))


def integer(value: int) -> Node:
    """An integer of any size: beyond 64 bits a tagged byte string."""
    if -(1 << 64) <= value < 1 << 64:
        return value
    magnitude = value if value > 0 else -1 - value
    return Tag(2 if value > 0 else 3, octets(magnitude.to_bytes((magnitude.bit_length() + 7) // 8, "big")))


def boolean(value: bool) -> Tag:
    """False [0], True [1]."""
    return constr(int(value))


def option(value: Node) -> Tag:
    """Some [0], None [1]."""
    return constr(1) if value is None else constr(0, value)


def fields(data: Node) -> Array:
    """The fields of a constructor, or the items of a list. TypeError: it is neither."""
    content = data.value if isinstance(data, Tag) else data
    if not isinstance(content, Array):
        raise TypeError(f"no fields in {data!r}")
    return content


def field(data: Node, *positions: int) -> Node:
    """What stands at a position, within it at the next, and so on."""
    for position in positions:
        data = fields(data)[position]
    return data


def with_field(data: Node, positions: tuple[int, ...], new: Node) -> Node:
    """The same data with something else at `field(data, *positions)`."""
    if not positions:
        return new
    first, rest = positions[0], positions[1:]
    return with_fields(data, fields(data).with_item(first, with_field(field(data, first), rest, new)).items)


def with_fields(data: Node, items: tuple[Node, ...]) -> Node:
    """The same constructor, or a list, of other fields."""
    return Tag(data.number, sequence(*items)) if isinstance(data, Tag) else sequence(*items)

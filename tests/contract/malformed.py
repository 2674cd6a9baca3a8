"""Plutus data that is of a layout but for one place: another constructor, a field too few or too many, another kind.

Lengths and ranges are no matter of layout. A place is told by the positions of fields that lead to it, as in
`plutus.field`.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias

from tests.contract.plutus import constr, field, fields, sequence, with_field, with_fields
from tests.contract.tree import Array, Map, Node, Tag

Place: TypeAlias = tuple[int, ...]

KINDS: Final[dict[str, Node]] = {
    "an integer": 0,
    "a byte string": b"",
    "a list": sequence(),
    "a constructor": constr(0),
    "a map": Map(()),
}
CONSTRUCTORS: Final = (0, 1, 2, 3, 7, 127)  # from 7 on they are written otherwise
FIRST_CONSTRUCTOR: Final = 121  # the CBOR tag of constructor 0

FIELDS: Final = (
    "funder",
    "token",
    "oracles",
    "quorum_threshold",
    "allocations",
    "lovelace_per_payout",
    "keeper_fee_per_payout",
    "expires_at",
)
ALLOCATION: Final = ("beneficiary", "token_amount", "milestone_id", "vesting_timestamp", "claimed")


def places(data: Node) -> list[Place]:
    """Every place in data without big integers: the whole, and whatever is within."""
    found: list[Place] = [()]
    if isinstance(data, Tag | Array):
        for position, content in enumerate(fields(data).items):
            found += [(position, *place) for place in places(content)]
    return found


def malformed(data: Node, place: Place, constructors: int = 1) -> Iterator[tuple[str, Node]]:
    """What is done at a place, and the data after it. `constructors`: how many of them, from 0 on, go with the fields
    that stand there; of 1 it is the one that stands there."""
    for what, new in _wrong(field(data, *place), constructors):
        yield what, with_field(data, place, new)


def either(place: Place) -> int:
    """How many constructors go with what stands at a place of a Distribution: of a Bool and a Credential both do."""
    match place:
        case (4, _, 4) | (4, _, 0, 0) | (4, _, 0, 1, 0, 0):
            return 2
    return 1


def name(place: Place) -> str:
    """Of a place in a Distribution."""
    match place:
        case ():
            return "the datum"
        case (4, index, position, *rest):
            return "/".join(map(str, ("allocations", index, ALLOCATION[position], *rest)))
    return "/".join(map(str, (FIELDS[place[0]], *place[1:])))


def _wrong(node: Node, constructors: int) -> Iterator[tuple[str, Node]]:
    for kind, other in KINDS.items():
        if type(node) is not type(other):
            yield kind, other
    match node:
        case Tag(number, Array(items)):
            right = range(constructors) if constructors > 1 else (number - FIRST_CONSTRUCTOR,)
            for index in CONSTRUCTORS:
                if index not in right:
                    yield f"constructor {index}", constr(index, *items)
            for n in range(len(items)):
                yield f"without field {n}", with_fields(node, items[:n] + items[n + 1 :])
            yield "one more field", with_fields(node, (*items, items[-1] if items else 0))
            yield "one more field in front", with_fields(node, (items[0] if items else 0, *items))
            yield "a list of the fields", sequence(*items)
        case Array(items):
            yield "a constructor of the items", constr(0, *items)
            for kind, other in KINDS.items():
                if items and type(items[0]) is not type(other):
                    yield f"{kind} in front", sequence(other, *items)
                    yield f"{kind} at the end", sequence(*items, other)

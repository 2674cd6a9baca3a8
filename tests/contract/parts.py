"""A transaction opened up: its body, its witnesses, and what its inputs stand for, as CBOR trees."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tests.contract.builder import Value
from tests.contract.case import Case
from tests.contract.evaluate import PURPOSES
from tests.contract.terms import ADA, Asset, Reference
from tests.contract.tree import Array, Embedded, Map, Node, Tag, decode, encode

# Keys of the body, of the witness set, of an output (Conway's CDDL).
INPUTS, OUTPUTS, FEE, UPPER, CERTIFICATES, WITHDRAWALS, LOWER, MINT = 0, 1, 2, 3, 4, 5, 8, 9
SCRIPT_DATA_HASH, COLLATERAL, SIGNERS, COLLATERAL_RETURN, TOTAL_COLLATERAL = 11, 13, 14, 16, 17
REFERENCE_INPUTS, VOTES, PROPOSALS, DONATION = 18, 19, 20, 22
KEYS, DATUMS, REDEEMERS, SCRIPTS = 0, 4, 5, 7
ADDRESS, VALUE, DATUM, REFERENCE_SCRIPT = 0, 1, 2, 3

HASH, INLINE = 0, 1  # kinds of datum
SET: Final = 258  # the tag of a set
V3: Final = 3  # the language of a reference script
SPEND, MINTING, REWARD = 0, 1, 3  # purposes of redeemers


@dataclass(frozen=True)
class Parts:
    """A case, opened up."""

    body: Map
    witnesses: Map
    tail: tuple[Node, ...]
    resolved: Mapping[Reference, Map]


@lru_cache(maxsize=256)
def opened(case: Case) -> Parts:
    """ValueError: these bytes are no transaction."""
    match decode(case.transaction):
        case Array((Map() as body, Map() as witnesses, *tail)):
            known = {reference_of(decode(at)): as_map(decode(output)) for at, output in case.resolved}
            return Parts(body, witnesses, tuple(tail), known)
    raise ValueError("not a transaction")


def closed(parts: Parts) -> Case:
    transaction = Array((parts.body, parts.witnesses, *parts.tail))
    known = ((encode(at.node()), encode(output)) for at, output in parts.resolved.items())
    return Case(encode(transaction), tuple(known))


def inputs(case: Case) -> tuple[Reference, ...]:
    """In the order in which redeemers count them."""
    return tuple(sorted(map(reference_of, items(opened(case).body, INPUTS))))


def outputs(case: Case) -> tuple[Map, ...]:
    return tuple(map(as_map, items(opened(case).body, OUTPUTS)))


def resolved(case: Case, reference: Reference) -> Map:
    """The output that an input stands for. KeyError: there is no such input."""
    return opened(case).resolved[reference]


def signers(case: Case) -> tuple[bytes, ...]:
    return tuple(signer for signer in items(opened(case).body, SIGNERS) if isinstance(signer, bytes))


def mint(case: Case) -> dict[Asset, int]:
    return assets_of(opened(case).body.get(MINT))


def redeemer(case: Case, purpose: str, index: int) -> Node:
    """The data for a script. KeyError: there is none."""
    return redeemers_of(case)[PURPOSES.index(purpose), index].items[0]


def value_of(output: Map) -> dict[Asset, int]:
    """Quantities by asset; lovelace under ADA."""
    match output[VALUE]:
        case int(lovelace):
            return {ADA: lovelace}
        case Array((int(lovelace), tokens)):
            return {ADA: lovelace, **assets_of(tokens)}
    raise ValueError("not a value")


def datum_of(output: Map) -> Node:
    """The inline datum; None if there is none."""
    match output.get(DATUM):
        case Array((1, Embedded(data))):
            return data
    return None


def redeemers_of(case: Case) -> dict[tuple[int, int], Array]:
    """Data and declared units, by purpose and index."""
    found = {}
    match opened(case).witnesses.get(REDEEMERS, Map(())):
        case Map(pairs):
            for key, entry in pairs:
                match key, entry:
                    case Array((int(purpose), int(index))), Array():
                        found[purpose, index] = entry
    return found


def items(body: Map, key: int) -> tuple[Node, ...]:
    """Of a list or a set; none if there is nothing under the key."""
    match body.get(key, Array(())):
        case Array(listed) | Tag(258, Array(listed)):
            return listed
    raise ValueError(f"no list under {key}")


def ledger_set(members: Iterable[Node]) -> Tag:
    return Tag(SET, Array(tuple(members)))


def reference_of(node: Node) -> Reference:
    match node:
        case Array((bytes(transaction), int(index))):
            return Reference(transaction, index)
    raise ValueError(f"no reference to an output: {node!r}")


def as_map(node: Node) -> Map:
    if not isinstance(node, Map):
        raise ValueError(f"not a map: {node!r}")  # noqa: TRY004  # the caller's bytes are wrong, not its types
    return node


# --- CBOR of the ledger's types, one way and the other


def value_node(value: Value) -> Node:
    tokens = assets_node({asset: quantity for asset, quantity in value.items() if asset != ADA})
    return Array((value[ADA], tokens)) if tokens.pairs else value[ADA]


def assets_node(tokens: Value) -> Map:
    """Quantities by policy, then by name; those of zero left out, as the ledger wants it."""
    listed = sorted((asset, quantity) for asset, quantity in tokens.items() if quantity)
    policies = sorted({asset.policy for asset, _ in listed})
    return Map(tuple((policy, Map(tuple((a.name, n) for a, n in listed if a.policy == policy))) for policy in policies))


def assets_of(node: Node) -> dict[Asset, int]:
    found = {}
    if isinstance(node, Map):
        for policy, names in node.pairs:
            for name, quantity in as_map(names).pairs:
                match policy, name, quantity:
                    case bytes(), bytes(), int():
                        found[Asset(policy, name)] = quantity
    return found

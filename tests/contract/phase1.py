"""What the ledger asks of a transaction before any script runs, as far as ours could break it; and what one costs.

Reckoned from the bytes alone: it checks the builder, and the library behind it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from tests.contract.builder import sum_values
from tests.contract.case import Case
from tests.contract.evaluate import PURPOSES, Passed, evaluate
from tests.contract.keys import hash28
from tests.contract.parameters import PARAMETERS, Units, total
from tests.contract.parts import (
    ADDRESS,
    COLLATERAL_RETURN,
    DATUMS,
    DONATION,
    FEE,
    INPUTS,
    KEYS,
    REDEEMERS,
    REFERENCE_INPUTS,
    REFERENCE_SCRIPT,
    SCRIPT_DATA_HASH,
    TOTAL_COLLATERAL,
    VALUE,
    WITHDRAWALS,
    as_map,
    closed,
    inputs,
    items,
    mint,
    opened,
    outputs,
    redeemers_of,
    reference_of,
    resolved,
    signers,
    value_of,
)
from tests.contract.terms import ADA, Asset
from tests.contract.tree import Array, Embedded, Map, Node, encode

KEY_PAYMENTS: Final = (0, 2, 4, 6)  # kinds of address whose payment part is a key
LANGUAGE_VIEW: Final = encode(Map(((2, Array(PARAMETERS.plutus_v3)),)))  # of Plutus V3 alone


@dataclass(frozen=True)
class Price:
    size: int  # bytes
    units: Units
    fee: int  # lovelace


def priced(case: Case) -> Price:
    """What a transaction costs at least, its redeemers declaring what the scripts use. ValueError: one fails."""
    match evaluate(case):
        case Passed(units):
            known = redeemers_of(case)
            declared = {(PURPOSES.index(purpose), n): used for (purpose, n), used in units.items()}
        case outcome:
            raise ValueError(f"not to be had at any price: {outcome}")
    pairs = ((Array(key), Array((known[key].items[0], Array((n.memory, n.steps))))) for key, n in declared.items())
    parts = opened(case)
    witnesses = parts.witnesses.with_value(REDEEMERS, Map(tuple(pairs)))
    body = parts.body.with_value(FEE, 1 << 16)  # any fee from here to 2^32 takes as many bytes
    size = len(closed(replace(parts, body=body, witnesses=witnesses)).transaction)
    used = total(units.values())
    return Price(size, used, PARAMETERS.minimum_fee(size, used, _reference_scripts(case)))


def objections(case: Case) -> Iterator[str]:
    """What the ledger would say against a transaction; nothing, if it is healthy."""
    body = opened(case).body
    if len(case.transaction) > PARAMETERS.max_size:
        yield f"{len(case.transaction)} bytes"
    if consumed(case) != produced(case):
        yield f"consumes {consumed(case)}, produces {produced(case)}"
    declared = total(Units(*_integers(entry.items[1])) for entry in redeemers_of(case).values())
    fee = PARAMETERS.minimum_fee(len(case.transaction), declared, _reference_scripts(case))
    if _integer(body[FEE]) < fee:
        yield f"a fee of {body[FEE]!r} where {fee} is due"
    if declared.memory > PARAMETERS.max_units.memory or declared.steps > PARAMETERS.max_units.steps:
        yield f"{declared} declared"
    if _integer(body[TOTAL_COLLATERAL]) < PARAMETERS.minimum_collateral(_integer(body[FEE])):
        yield "too little collateral"
    for output in (*outputs(case), as_map(body[COLLATERAL_RETURN])):
        due = PARAMETERS.minimum_lovelace(encode(output))
        if value_of(output)[ADA] < due:
            yield f"{value_of(output)[ADA]} lovelace in an output that needs {due}"
        if len(encode(output[VALUE])) > PARAMETERS.max_value_size:
            yield "a value too large"
    if script_data_hash(case) != body[SCRIPT_DATA_HASH]:
        yield "another script_data_hash"
    yield from _unsigned(case)


def consumed(case: Case) -> dict[Asset, int]:
    """What comes in: inputs, what is minted, withdrawals."""
    coins = [value_of(resolved(case, reference)) for reference in inputs(case)]
    minted = {asset: quantity for asset, quantity in mint(case).items() if quantity > 0}
    withdrawn = sum(_integer(lovelace) for _, lovelace in as_map(opened(case).body.get(WITHDRAWALS, Map(()))).pairs)
    return sum_values([*coins, minted, {ADA: withdrawn}])


def produced(case: Case) -> dict[Asset, int]:
    """What goes out: outputs, what is burnt, fee, donation."""
    body = opened(case).body
    burnt = {asset: -quantity for asset, quantity in mint(case).items() if quantity < 0}
    spent = _integer(body[FEE]) + _integer(body.get(DONATION, 0))
    return sum_values([*map(value_of, outputs(case)), burnt, {ADA: spent}])


def script_data_hash(case: Case) -> bytes:
    """Of redeemers and datums as they stand in the witness set, and the prices of Plutus V3."""
    witnesses = opened(case).witnesses
    datums = encode(witnesses[DATUMS]) if DATUMS in witnesses else b""
    return blake2b(encode(witnesses[REDEEMERS]) + datums + LANGUAGE_VIEW, digest_size=32).digest()


def _unsigned(case: Case) -> Iterator[str]:
    parts = opened(case)
    body_hash = blake2b(encode(parts.body), digest_size=32).digest()
    signed = set()
    for witness in items(parts.witnesses, KEYS):
        match witness:
            case Array((bytes(key), bytes(proof))):
                signed.add(hash28(key))
                try:
                    VerifyKey(key).verify(body_hash, proof)
                except BadSignatureError:
                    yield f"a signature of {key.hex()} that does not verify"
    addresses = [_octets(resolved(case, reference)[ADDRESS]) for reference in inputs(case)]
    needed = {*signers(case), *(address[1:29] for address in addresses if address[0] >> 4 in KEY_PAYMENTS)}
    yield from (f"no signature of {missing.hex()}" for missing in needed - signed)


def _reference_scripts(case: Case) -> int:
    """Bytes of the scripts that inputs and reference inputs hold."""
    body = opened(case).body
    references = {reference_of(node) for key in (INPUTS, REFERENCE_INPUTS) for node in items(body, key)}
    length = 0
    for reference in references:
        match resolved(case, reference).get(REFERENCE_SCRIPT):
            case Embedded(Array((_, bytes(script)))):
                length += len(script)
    return length


def _integer(node: Node) -> int:
    assert isinstance(node, int)
    return node


def _integers(node: Node) -> tuple[int, ...]:
    assert isinstance(node, Array)
    return tuple(map(_integer, node.items))


def _octets(node: Node) -> bytes:
    assert isinstance(node, bytes)
    return node

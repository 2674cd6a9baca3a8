"""Puts a transaction together that the ledger would take: balanced, paid for, collateralised, signed.

pycardano writes it; fee and change are reckoned here. Datums and redeemers come in as CBOR trees, and go out unchanged.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

import pycardano  # type: ignore[import-untyped]

from tests.contract.case import Case
from tests.contract.keys import signer
from tests.contract.parameters import PARAMETERS, Units
from tests.contract.terms import ADA, Address, Asset, Reference
from tests.contract.tree import Node, encode

Value: TypeAlias = Mapping[Asset, int]  # lovelace under ADA

COST_MODELS: Final = {2: list(PARAMETERS.plutus_v3)}


@dataclass(frozen=True)
class Output:
    address: Address
    value: Value
    datum: Node | None = None  # inline
    datum_hash: bytes | None = None
    script: bytes | None = None  # Plutus V3


@dataclass(frozen=True)
class Coin:
    """An output of an earlier transaction; with a redeemer, if a script has to agree to its spending."""

    reference: Reference
    output: Output
    redeemer: Node | None = None


@dataclass(frozen=True)
class Draft:
    """What somebody wants to do. Whatever is left of the inputs goes to `change`, as the last output."""

    inputs: tuple[Coin, ...]
    outputs: tuple[Output, ...]
    change: Address
    collateral: Coin
    mint: Value = field(default_factory=dict)
    mint_redeemers: Mapping[bytes, Node] = field(default_factory=dict)  # by policy
    signers: tuple[bytes, ...] = ()  # key hashes
    references: tuple[Coin, ...] = ()
    scripts: tuple[bytes, ...] = ()  # those that no reference holds
    datums: tuple[Node, ...] = ()  # of inputs that hold only a hash
    lower: int | None = None  # first slot in which it is valid
    upper: int | None = None  # first slot in which it is not any more
    donation: int | None = None
    units: Units = PARAMETERS.max_units  # declared, for all redeemers together


def build(draft: Draft) -> Case:
    """The signed transaction and what its inputs stand for. ValueError: the inputs do not cover it."""
    fee = 200_000
    while True:
        transaction = _assembled(draft, fee)
        needed = PARAMETERS.minimum_fee(len(transaction), draft.units, _script_bytes(draft))
        if fee >= needed:
            break
        fee = needed
    resolved = ((encode(coin.reference.node()), output_bytes(coin.output)) for coin in _coins(draft))
    return Case(transaction, tuple(resolved))


def sum_values(values: Iterable[Value]) -> dict[Asset, int]:
    """Quantities added up, lovelace first; those that come to nothing left out."""
    total: dict[Asset, int] = {ADA: 0}
    for value in values:
        for asset, quantity in value.items():
            total[asset] = total.get(asset, 0) + quantity
    return {asset: quantity for asset, quantity in total.items() if quantity or asset == ADA}


def less(value: Value, taken: Value) -> dict[Asset, int]:
    return sum_values([value, {asset: -quantity for asset, quantity in taken.items()}])


def output_bytes(output: Output) -> bytes:
    raw: bytes = _output(output).to_cbor()
    return raw


def least_lovelace(output: Output) -> int:
    """Enough lovelace for an output to be allowed, however much it holds in the end."""
    return PARAMETERS.minimum_lovelace(output_bytes(replace(output, value={**output.value, ADA: 1 << 32})))


def _coins(draft: Draft) -> tuple[Coin, ...]:
    return draft.inputs + draft.references


def _script_bytes(draft: Draft) -> int:
    return sum(len(coin.output.script or b"") for coin in _coins(draft))


def _assembled(draft: Draft, fee: int) -> bytes:
    spent = sorted(draft.inputs, key=lambda coin: coin.reference)
    redeemers = _redeemers(draft, spent)
    datums = [pycardano.RawCBOR(encode(datum)) for datum in draft.datums]
    collateral, taken = draft.collateral, PARAMETERS.minimum_collateral(fee)
    body = pycardano.TransactionBody(
        inputs=pycardano.OrderedSet([_input(coin) for coin in spent]),
        outputs=[*map(_output, draft.outputs), _output(_change(draft, fee))],
        fee=fee,
        ttl=draft.upper,
        validity_start=draft.lower,
        mint=_assets(draft.mint) if draft.mint else None,
        script_data_hash=pycardano.script_data_hash(redeemers, _ordered(datums), COST_MODELS),
        collateral=_ordered([_input(collateral)]),
        required_signers=_ordered([pycardano.VerificationKeyHash(hash_) for hash_ in draft.signers]),
        collateral_return=_output(replace(collateral.output, value=less(collateral.output.value, {ADA: taken}))),
        total_collateral=taken,
        reference_inputs=_ordered([_input(coin) for coin in draft.references]),
        donation=draft.donation,
    )
    witnesses = pycardano.TransactionWitnessSet(
        vkey_witnesses=_ordered(_signed(draft, body.hash())),
        plutus_data=_ordered(datums),
        redeemer=redeemers,
        plutus_v3_script=_ordered([pycardano.PlutusV3Script(script) for script in draft.scripts]),
    )
    raw: bytes = pycardano.Transaction(body, witnesses).to_cbor()
    return raw


def _change(draft: Draft, fee: int) -> Output:
    comes_in = sum_values([*(coin.output.value for coin in draft.inputs), draft.mint])
    goes_out = sum_values([*(output.value for output in draft.outputs), {ADA: fee + (draft.donation or 0)}])
    rest = less(comes_in, goes_out)
    if min(rest.values()) < 0:
        raise ValueError(f"the inputs do not cover the outputs: {rest}")
    return Output(draft.change, rest)


def _redeemers(draft: Draft, spent: list[Coin]) -> Any:
    tag = pycardano.RedeemerTag
    policies = sorted({asset.policy for asset in draft.mint})
    wanted: list[tuple[Any, int, Node]]
    wanted = [(tag.SPEND, n, coin.redeemer) for n, coin in enumerate(spent) if coin.redeemer is not None]
    wanted += [(tag.MINT, n, draft.mint_redeemers[policy]) for n, policy in enumerate(policies)]
    share = pycardano.ExecutionUnits(draft.units.memory // len(wanted), draft.units.steps // len(wanted))
    redeemers = pycardano.RedeemerMap()
    for purpose, index, data in wanted:
        value = pycardano.RedeemerValue(pycardano.RawCBOR(encode(data)), share)
        redeemers[pycardano.RedeemerKey(purpose, index)] = value
    return redeemers


def _signed(draft: Draft, body_hash: bytes) -> list[Any]:
    spent = (coin.output.address.payment for coin in (*draft.inputs, draft.collateral))
    hashes = {credential.hash for credential in spent if not credential.is_script} | set(draft.signers)
    witnesses = []
    for key in map(signer, sorted(hashes)):
        public = pycardano.PaymentVerificationKey(bytes(key.verify_key))
        witnesses.append(pycardano.VerificationKeyWitness(public, key.sign(body_hash).signature))
    return witnesses


def _input(coin: Coin) -> Any:
    return pycardano.TransactionInput(pycardano.TransactionId(coin.reference.transaction), coin.reference.output_index)


def _output(output: Output) -> Any:
    tokens = {asset: quantity for asset, quantity in output.value.items() if asset != ADA}
    return pycardano.TransactionOutput(
        pycardano.Address.from_primitive(output.address.raw()),
        pycardano.Value(output.value.get(ADA, 0), _assets(tokens)),
        datum_hash=None if output.datum_hash is None else pycardano.DatumHash(output.datum_hash),
        datum=None if output.datum is None else pycardano.RawCBOR(encode(output.datum)),
        script=None if output.script is None else pycardano.PlutusV3Script(output.script),
        post_alonzo=True,
    )


def _assets(tokens: Mapping[Asset, int]) -> Any:
    nested: dict[bytes, dict[bytes, int]] = {}
    for (policy, name), quantity in sorted(tokens.items()):
        nested.setdefault(policy, {})[name] = quantity
    return pycardano.MultiAsset.from_primitive(nested)


def _ordered(items: list[Any]) -> Any:
    return pycardano.NonEmptyOrderedSet(items) if items else None

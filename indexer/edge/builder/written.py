"""From a plan, coins, a fee and units to bytes. pycardano writes them; datums and redeemers go out as they came in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, TypeAlias

from indexer.chain.block import OutputReference
from indexer.chain.coin import Coin
from indexer.chain.parameters import Parameters, Units
from indexer.chain.point import Slot
from indexer.edge.builder.intents import Asset, Assets, Plan, Planned
from indexer.edge.cardano import pycardano

LANGUAGE: Final = "plutus:v3"
MINT: Final = "mint"
Subject: TypeAlias = OutputReference | str  # what a redeemer is for: an output to be spent, or MINT
_LANGUAGE_KEY: Final = 2  # of Plutus V3 in a script integrity hash
_TAIL: Final = b"\xf5\xf6"  # all scripts agree, no auxiliary data
_EMPTY_WITNESSES: Final = b"\xa0"


@dataclass(frozen=True, slots=True)
class Choice:
    """All that is chosen for a plan. `collateral` returns what is not needed to `change_address`."""

    inputs: tuple[Coin, ...]  # the plan's among them
    change: tuple[Planned, ...]
    fee: int
    units: Mapping[Subject, Units]
    lower: Slot | None
    upper: Slot
    reference: Coin | None = None
    collateral: Coin | None = None
    collateral_return: Planned | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """An unsigned transaction. `pointers` says which redeemer is which, as evaluations name them."""

    raw: bytes
    id: bytes
    pointers: Mapping[tuple[str, int], Subject]


def output_bytes(output: Planned) -> bytes:
    """An output as CBOR, in Babbage's form."""
    raw: bytes = _output(output).to_cbor()
    return raw


def least_lovelace(output: Planned, parameters: Parameters) -> int:
    """The least that an output may hold: the network asks for its bytes, the length of that very number among them."""
    length = _length(output.address, tuple(sorted(output.assets.items())), output.datum, output.script)
    least = parameters.minimum_lovelace(length)
    return least if least < 1 << 32 else parameters.minimum_lovelace(length + 4)


def value_size(assets: Assets) -> int:
    """Bytes that a value with these assets takes at most, which the network limits."""
    return _value_length(tuple(sorted(assets.items())))


# What pycardano writes in milliseconds is asked for several times of every output.
_Sorted: TypeAlias = tuple[tuple[Asset, int], ...]


@lru_cache(maxsize=512)
def _length(address: bytes, assets: _Sorted, datum: bytes | None, script: bytes | None) -> int:
    """Of an output whose lovelace takes 5 bytes: from 2^16 on, and min-ada is never less, and below 2^32."""
    return len(output_bytes(Planned(address, 1 << 20, dict(assets), datum, script)))


@lru_cache(maxsize=512)
def _value_length(assets: _Sorted) -> int:
    return len(_value(1 << 40, dict(assets)).to_cbor())


def draft(plan: Plan, choice: Choice, policy: bytes, script: bytes, cost_model: Sequence[int]) -> Draft:
    """The transaction, unsigned. `policy` and `script` are the contract's, the cost model that of Plutus V3."""
    library = pycardano()
    spent = sorted(choice.inputs, key=lambda coin: coin.reference)
    redeemers, pointers = _redeemers(plan, spent, choice.units)
    outputs = [*plan.outputs, *choice.change]
    collateral, returned = choice.collateral, choice.collateral_return
    total = None
    if collateral is not None:
        total = collateral.output.lovelace - (returned.lovelace if returned is not None else 0)
    mint = {(policy, name): quantity for name, quantity in plan.mint}
    integrity = library.script_data_hash(redeemers, None, {_LANGUAGE_KEY: list(cost_model)}) if pointers else None
    body = library.TransactionBody(
        inputs=library.OrderedSet([_input(coin) for coin in spent]),
        outputs=[_output(output) for output in outputs],
        fee=choice.fee,
        ttl=choice.upper,
        validity_start=choice.lower,
        mint=_assets(mint) if mint else None,
        script_data_hash=integrity,
        collateral=_set([] if collateral is None else [_input(collateral)]),
        required_signers=_set([library.VerificationKeyHash(signer) for signer in plan.signers]),
        collateral_return=None if returned is None else _output(returned),
        total_collateral=total,
        reference_inputs=_set([] if choice.reference is None else [_input(choice.reference)]),
    )
    body_bytes: bytes = body.to_cbor()
    witnesses = _EMPTY_WITNESSES
    if pointers:
        shown = [] if choice.reference is not None else [library.PlutusV3Script(script)]
        witnesses = library.TransactionWitnessSet(redeemer=redeemers, plutus_v3_script=_set(shown)).to_cbor()
    return Draft(b"\x84" + body_bytes + witnesses + _TAIL, blake2b(body_bytes, digest_size=32).digest(), pointers)


def _redeemers(
    plan: Plan, spent: Sequence[Coin], units: Mapping[Subject, Units]
) -> tuple[Any, dict[tuple[str, int], Subject]]:
    library = pycardano()
    redeemer_of = {coin.reference: redeemer for coin, redeemer in plan.spends if redeemer is not None}
    tag = library.RedeemerTag
    wanted: list[tuple[str, Any, int, Subject, bytes]] = [
        ("spend", tag.SPEND, index, coin.reference, redeemer_of[coin.reference])
        for index, coin in enumerate(spent)
        if coin.reference in redeemer_of
    ]
    if plan.mint_redeemer is not None:
        wanted.append(("mint", tag.MINT, 0, MINT, plan.mint_redeemer))  # the contract's is the only policy
    redeemers, pointers = library.RedeemerMap(), dict[tuple[str, int], Subject]()
    for purpose, kind, index, subject, data in wanted:
        share = library.ExecutionUnits(units[subject].memory, units[subject].steps)
        redeemers[library.RedeemerKey(kind, index)] = library.RedeemerValue(library.RawCBOR(data), share)
        pointers[purpose, index] = subject
    return redeemers, pointers


def _input(coin: Coin) -> Any:
    library = pycardano()
    return library.TransactionInput(library.TransactionId(coin.reference.transaction_id), coin.reference.index)


def _output(output: Planned) -> Any:
    library = pycardano()
    return library.TransactionOutput(
        library.Address.from_primitive(output.address),
        _value(output.lovelace, output.assets),
        datum=None if output.datum is None else library.RawCBOR(output.datum),
        script=None if output.script is None else library.PlutusV3Script(output.script),
        post_alonzo=True,
    )


def _value(lovelace: int, assets: Assets) -> Any:
    return pycardano().Value(lovelace, _assets(assets))


def _assets(assets: Assets) -> Any:
    nested: dict[bytes, dict[bytes, int]] = {}
    for asset, quantity in sorted(assets.items()):
        policy, name = asset
        nested.setdefault(policy, {})[name] = quantity
    return pycardano().MultiAsset.from_primitive(nested)


def _set(members: list[Any]) -> Any:
    return pycardano().NonEmptyOrderedSet(members) if members else None


def held(coin: Coin) -> dict[Asset, int]:
    """The tokens of a coin."""
    return {(policy, name): quantity for policy, name, quantity in coin.output.assets}

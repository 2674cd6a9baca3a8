"""What the replies about the ledger's state say: parameters, unspent outputs, tip, timeline (Ogmios v7.0 and v6.14)."""

import re
from collections.abc import Iterable
from fractions import Fraction
from typing import Any, Final

import msgspec

from indexer.chain.block import OutputReference
from indexer.chain.coin import Coin
from indexer.chain.parameters import Parameters, Units
from indexer.chain.point import MAX_INTEGER, ORIGIN, Place, Point
from indexer.chain.time import Timeline
from indexer.errors import ReplyGarbled
from indexer.ogmios import decode, queries
from indexer.ogmios.text import Malformed, items, members

# A fraction, or a number with a point. Fraction would also take 1e999999999, and reckon for as long as that takes.
_RATIO: Final = re.compile(r"\d{1,30}(/[1-9]\d{0,29}|(\.\d{1,30})?([eE][+-]?\d{1,2})?)", re.ASCII)
_EXACT: Final = msgspec.json.Decoder(float_hook=lambda text: _ratio(text))  # 1.2 is 6/5, not a float
_LEAST_TIER: Final = 256  # bytes; it is 25,600. A fee is reckoned tier by tier
_TEXT: Final = msgspec.json.Decoder(str)
_UNREADABLE: Final = (Malformed, msgspec.MsgspecError, KeyError, TypeError, ValueError, ArithmeticError, RecursionError)


def parameters(text: bytes) -> Parameters:
    """The result of `queryLedgerState/protocolParameters`, of Conway or later. Raises ReplyGarbled.

    Cost models of languages that we do not know come along; their lengths are those of the protocol version.
    """
    try:
        found = _EXACT.decode(text)
        tiers, prices = found["minFeeReferenceScripts"], found["scriptExecutionPrices"]
        units = found["maxExecutionUnitsPerTransaction"]
        # v6.14 has one limit for all reference scripts, v7.0 one a transaction and one a block.
        scripts = found.get("maxReferenceScriptsSizePerTransaction") or found["maxReferenceScriptsSize"]
        return Parameters(
            major=_whole(found["version"]["major"]),
            fee_per_byte=_whole(found["minFeeCoefficient"]),
            fee_constant=_whole(found["minFeeConstant"]["ada"]["lovelace"]),
            memory_price=_ratio(prices["memory"]),
            step_price=_ratio(prices["cpu"]),
            script_price=_ratio(tiers["base"]),
            script_tier=_tier(tiers["range"]),
            script_multiplier=_ratio(tiers["multiplier"]),
            lovelace_per_byte=_whole(found["minUtxoDepositCoefficient"]),
            max_size=_whole(found["maxTransactionSize"]["bytes"]),
            max_value_size=_whole(found["maxValueSize"]["bytes"]),
            max_script_size=_whole(scripts["bytes"]),
            max_units=Units(_whole(units["memory"]), _whole(units["cpu"])),
            collateral_percentage=_whole(found["collateralPercentage"]),
            max_collaterals=_whole(found["maxCollateralInputs"]),
            cost_models={name: tuple(map(_integer, model)) for name, model in found["plutusCostModels"].items()},
        )
    except _UNREADABLE as error:
        raise ReplyGarbled(f"protocol parameters that cannot be read: {error!r:.200}") from error


def utxo_of(references: Iterable[OutputReference]) -> dict[str, Any]:
    """Parameters of `queryLedgerState/utxo` for these outputs: cheap for the node."""
    wanted = [{"transaction": {"id": at.transaction_id.hex()}, "index": at.index} for at in references]
    return {"outputReferences": wanted}


def utxo_at(addresses: Iterable[str]) -> dict[str, Any]:
    """Parameters of `queryLedgerState/utxo` for whole addresses: the node looks through all outputs there are."""
    return {"addresses": list(addresses)}


def coins(text: bytes) -> list[Coin]:
    """The result of `queryLedgerState/utxo`. A script in it may nest however deep. Raises ReplyGarbled."""
    try:
        return [_coin(item) for item in items(text)]
    except _UNREADABLE as error:
        raise ReplyGarbled(f"unspent outputs that cannot be read: {error!r:.200}") from error


def shown_coin(coin: Coin, script: bytes | None = None) -> dict[str, Any]:
    """An output as Ogmios shows one, for an evaluation that is to know of it; `script`: in Plutus V3, if it has one."""
    at, output = coin.reference, coin.output
    value: dict[str, dict[str, int]] = {"ada": {"lovelace": output.lovelace}}
    for policy, name, quantity in output.assets:
        value.setdefault(policy.hex(), {})[name.hex()] = quantity
    shown: dict[str, Any] = {
        "transaction": {"id": at.transaction_id.hex()},
        "index": at.index,
        "address": output.address,
        "value": value,
    }
    if output.datum is not None:
        shown["datum"] = output.datum.hex()
    if script is not None:
        shown["script"] = {"language": "plutus:v3", "cbor": script.hex()}
    return shown


def place(result: Any) -> Place:
    """The result of `queryNetwork/tip` or `queryLedgerState/tip`. Raises ReplyGarbled."""
    try:
        if result == "origin":
            return ORIGIN
        slot, block_id = result["slot"], bytes.fromhex(result["id"])
        if type(slot) is not int or not 0 <= slot <= MAX_INTEGER or len(block_id) != 32:
            raise ValueError("a point out of range")
        return Point(slot, block_id)
    except (TypeError, KeyError, ValueError) as error:
        raise ReplyGarbled(f"a tip that cannot be read: {error!r:.200}") from error


def timeline(start_time: Any, summaries: Any) -> Timeline:
    """Eras and the forecast's end, from `queryNetwork/startTime` and `queryLedgerState/eraSummaries`.

    Raises ReplyGarbled.
    """
    eras = queries.eras(start_time, summaries)
    try:
        end = summaries[-1].get("end")
        return Timeline(eras, None if end is None else _whole(end["slot"]))
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ReplyGarbled(f"era summaries whose end cannot be read: {error!r:.200}") from error


def _coin(text: bytes) -> Coin:
    fields = members(text)
    reference = decode.reference(b'{"transaction":%s,"index":%s}' % (fields["transaction"], fields["index"]))
    size = 0
    if "script" in fields:
        # Here Ogmios gives the bytes of native scripts too, whatever its flags.
        size = len(bytes.fromhex(_TEXT.decode(members(fields["script"])["cbor"])))
    return Coin(reference, decode.output(text), size)


def _ratio(value: Any) -> Fraction:
    """A number that is no less than 0, exactly."""
    if type(value) in (int, Fraction):
        if not 0 <= value <= MAX_INTEGER:
            raise ValueError("a number out of range")
        return Fraction(value)
    if not _RATIO.fullmatch(value):
        raise ValueError(f"{value!r:.80} is no ratio")
    return Fraction(value)


def _integer(value: Any) -> int:
    if type(value) is not int or abs(value) > MAX_INTEGER:
        raise TypeError(f"{value!r:.80} is no integer of use")
    return value


def _whole(value: Any) -> int:
    if _integer(value) < 0:
        raise ValueError(f"{value} is negative")
    return int(value)


def _tier(value: Any) -> int:
    if _whole(value) < _LEAST_TIER:
        raise ValueError(f"tiers of {value} bytes")
    return int(value)

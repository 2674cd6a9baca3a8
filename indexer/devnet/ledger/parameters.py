"""Protocol parameters, and what the ledger reckons from them: fees, min-ada, collateral, the script integrity hash.

All of it in whole numbers or exact fractions; where the ledger rounds, so does this, at the same place.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from hashlib import blake2b
from importlib import resources
from math import ceil, floor
from typing import Any, Final

from indexer.devnet.cbor import NULL, array, byte_string, integer, mapping
from indexer.devnet.ledger.transaction import Language, Output, Witnesses

OUTPUT_OVERHEAD: Final = 160  # bytes that an entry of the UTxO set counts beyond the output itself
NO_REDEEMERS: Final = mapping({})
_LANGUAGES: Final = {
    "plutus:v1": Language.PLUTUS_V1,
    "plutus:v2": Language.PLUTUS_V2,
    "plutus:v3": Language.PLUTUS_V3,
}


@dataclass(frozen=True, slots=True)
class Units:
    """What scripts use, or may use."""

    memory: int
    steps: int

    def __add__(self, other: "Units") -> "Units":
        return Units(self.memory + other.memory, self.steps + other.steps)

    def within(self, limit: "Units") -> bool:
        """Whether both are at most those of `limit`."""
        return self.memory <= limit.memory and self.steps <= limit.steps

    def shown(self) -> dict[str, int]:
        """As Ogmios shows them."""
        return {"memory": self.memory, "cpu": self.steps}


@dataclass(frozen=True, slots=True)
class Parameters:
    """The protocol parameters that a transaction can offend. Amounts in lovelace, sizes in bytes."""

    major: int  # protocol version
    fee_per_byte: int
    fee_constant: int
    memory_price: Fraction
    step_price: Fraction
    script_price: Fraction  # for a byte of the first tier of reference scripts
    script_tier: int
    script_multiplier: Fraction  # from one tier to the next
    lovelace_per_byte: int
    max_size: int
    max_value_size: int
    max_script_size: int  # of all reference scripts together
    max_units: Units
    collateral_percentage: int
    max_collaterals: int
    key_deposit: int
    cost_models: Mapping[Language, tuple[int, ...]]
    shown: Mapping[str, Any]  # all of them, as Ogmios' queryLedgerState/protocolParameters answers

    def minimum_fee(self, size: int, units: Units, reference_scripts: int) -> int:
        """For a transaction of `size` bytes that declares `units`, and whose inputs and reference inputs hold scripts
        of so many bytes (Conway: `getConwayMinFeeTx`)."""
        scripts = ceil(self.memory_price * units.memory + self.step_price * units.steps)
        return self.fee_per_byte * size + self.fee_constant + scripts + self._reference_fee(reference_scripts)

    def minimum_lovelace(self, output: Output) -> int:
        """What an output has to hold (Babbage: `getMinCoinSizedTxOut`): its bytes as they stood are what counts."""
        return (OUTPUT_OVERHEAD + len(output.raw)) * self.lovelace_per_byte

    def minimum_collateral(self, fee: int) -> int:
        """What the collateral of a transaction that pays `fee` comes to at least."""
        return ceil(Fraction(fee * self.collateral_percentage, 100))

    def integrity_hash(self, witnesses: Witnesses, languages: Iterable[Language]) -> bytes | None:
        """The hash that binds a body to redeemers, datums and the cost models of the languages it runs: blake2b-256
        of all three, the first two as they stood. None where there is none of them (Conway: `mkScriptIntegrity`)."""
        used = set(languages)
        if not (witnesses.redeemers or witnesses.datums or used):
            return None
        redeemers = NO_REDEEMERS if witnesses.raw_redeemers is None else witnesses.raw_redeemers
        datums = witnesses.raw_datums if witnesses.datums and witnesses.raw_datums else b""
        return blake2b(redeemers + datums + self.language_views(used), digest_size=32).digest()

    def language_views(self, languages: Iterable[Language]) -> bytes:
        """The cost models of some languages as CBOR. That of Plutus V1 stands in byte strings, key and value, and its
        list is of indefinite length: a mistake once made, and kept. Keys go by length, so V1 comes last."""
        views = dict(self._view(language) for language in languages)
        return mapping({key: views[key] for key in sorted(views, key=lambda key: (len(key), key))})

    def _view(self, language: Language) -> tuple[bytes, bytes]:
        model = self.cost_models.get(language)
        key = integer(language - 1)
        if language is not Language.PLUTUS_V1:
            return key, NULL if model is None else array(map(integer, model))
        value = NULL if model is None else b"\x9f" + b"".join(map(integer, model)) + b"\xff"
        return byte_string(key), byte_string(value)

    def _reference_fee(self, size: int) -> int:
        """Each tier of so many bytes costs more a byte than the one before (Conway: `tierRefScriptFee`)."""
        fee, price = Fraction(0), self.script_price
        while size >= self.script_tier:
            fee += price * self.script_tier
            price *= self.script_multiplier
            size -= self.script_tier
        return floor(fee + price * size)


def read_parameters(text: str) -> Parameters:
    """Parameters from JSON: an object whose `parameters` are as Ogmios shows them. KeyError: one is missing."""
    shown: dict[str, Any] = json.loads(text)["parameters"]
    exact: dict[str, Any] = json.loads(text, parse_float=Fraction)["parameters"]  # 1.2 is 6/5, not a float
    tiers, prices = exact["minFeeReferenceScripts"], exact["scriptExecutionPrices"]
    units = exact["maxExecutionUnitsPerTransaction"]
    models = exact["plutusCostModels"]
    return Parameters(
        major=exact["version"]["major"],
        fee_per_byte=exact["minFeeCoefficient"],
        fee_constant=exact["minFeeConstant"]["ada"]["lovelace"],
        memory_price=Fraction(prices["memory"]),
        step_price=Fraction(prices["cpu"]),
        script_price=Fraction(tiers["base"]),
        script_tier=tiers["range"],
        script_multiplier=Fraction(tiers["multiplier"]),
        lovelace_per_byte=exact["minUtxoDepositCoefficient"],
        max_size=exact["maxTransactionSize"]["bytes"],
        max_value_size=exact["maxValueSize"]["bytes"],
        max_script_size=exact["maxReferenceScriptsSizePerTransaction"]["bytes"],
        max_units=Units(units["memory"], units["cpu"]),
        collateral_percentage=exact["collateralPercentage"],
        max_collaterals=exact["maxCollateralInputs"],
        key_deposit=exact["stakeCredentialDeposit"]["ada"]["lovelace"],
        cost_models={_LANGUAGES[name]: tuple(model) for name, model in models.items() if name in _LANGUAGES},
        shown=shown,
    )


@cache
def mainnet() -> Parameters:
    """Mainnet's, as of mid 2026 (protocol 11). The file says where each comes from; it holds no cost models of Plutus
    V1 and V2, so scripts in those languages are refused (3115)."""
    source = resources.files(__package__).joinpath("mainnet-parameters.json")
    return read_parameters(source.read_text(encoding="utf-8"))

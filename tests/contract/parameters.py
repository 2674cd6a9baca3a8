"""Mainnet's protocol parameters, and what the ledger computes from them.

`tests/data/mainnet-parameters-pv11.json`: mainnet's parameters as of mid 2026 (protocol 11), in the form of Ogmios'
`queryLedgerState/protocolParameters`, gathered from public sources. The PlutusV3 list equals the one in
IntersectMBO/plutus (builtinCostModelE.json).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any, Final

SOURCE: Final = Path(__file__).parents[1] / "data" / "mainnet-parameters-pv11.json"
OUTPUT_OVERHEAD: Final = 160  # bytes that an entry of the ledger's UTxO map counts beyond the output itself


@dataclass(frozen=True)
class Units:
    """What a script uses, or may use."""

    memory: int
    steps: int

    def __add__(self, other: "Units") -> "Units":
        return Units(self.memory + other.memory, self.steps + other.steps)


@dataclass(frozen=True)
class Parameters:
    fee_per_byte: int
    fee_constant: int
    memory_price: Fraction
    step_price: Fraction
    script_price: Fraction  # lovelace for a byte of the first tier of reference scripts
    script_tier: int  # bytes
    script_multiplier: Fraction  # from one tier to the next
    lovelace_per_byte: int
    max_size: int
    max_value_size: int
    max_units: Units
    collateral_percentage: int
    plutus_v3: tuple[int, ...]  # its cost model

    def minimum_fee(self, size: int, units: Units, reference_scripts: int = 0) -> int:
        """Lovelace for a transaction of a size in bytes whose redeemers declare units, and whose inputs and reference
        inputs hold scripts of so many bytes. The ledger's rule of Conway: `getConwayMinFeeTx`."""
        scripts = ceil(self.memory_price * units.memory + self.step_price * units.steps)
        return self.fee_per_byte * size + self.fee_constant + scripts + self.reference_fee(reference_scripts)

    def reference_fee(self, size: int) -> int:
        """Lovelace for reference scripts of so many bytes: each tier costs more a byte. Conway: `tierRefScriptFee`."""
        fee, price = Fraction(0), self.script_price
        while size >= self.script_tier:
            fee += price * self.script_tier
            price *= self.script_multiplier
            size -= self.script_tier
        return floor(fee + price * size)

    def minimum_lovelace(self, output: bytes) -> int:
        """What an output, as CBOR, has to hold. Babbage: `getMinCoinTxOut`."""
        return (OUTPUT_OVERHEAD + len(output)) * self.lovelace_per_byte

    def minimum_collateral(self, fee: int) -> int:
        return ceil(Fraction(fee * self.collateral_percentage, 100))


def read(text: str) -> Parameters:
    raw: dict[str, Any] = json.loads(text, parse_float=Fraction)["parameters"]
    prices, units = raw["scriptExecutionPrices"], raw["maxExecutionUnitsPerTransaction"]
    tiers = raw["minFeeReferenceScripts"]
    return Parameters(
        fee_per_byte=raw["minFeeCoefficient"],
        fee_constant=raw["minFeeConstant"]["ada"]["lovelace"],
        memory_price=Fraction(prices["memory"]),
        step_price=Fraction(prices["cpu"]),
        script_price=Fraction(tiers["base"]),
        script_tier=tiers["range"],
        script_multiplier=Fraction(tiers["multiplier"]),
        lovelace_per_byte=raw["minUtxoDepositCoefficient"],
        max_size=raw["maxTransactionSize"]["bytes"],
        max_value_size=raw["maxValueSize"]["bytes"],
        max_units=Units(units["memory"], units["cpu"]),
        collateral_percentage=raw["collateralPercentage"],
        plutus_v3=tuple(raw["plutusCostModels"]["plutus:v3"]),
    )


def total(units: Iterable[Units]) -> Units:
    return sum(units, Units(0, 0))


PARAMETERS: Final = read(SOURCE.read_text(encoding="utf-8"))

"""Protocol parameters, and what the ledger reckons from them, exactly: fees, min-ada, collateral.

All in whole numbers and fractions; where the ledger rounds, so does this, at the same place (cardano-ledger, Conway).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Final

OUTPUT_OVERHEAD: Final = 160  # bytes that an entry of the UTxO set counts beyond the output itself
MOST_FEE: Final = 5_000_000
"""Lovelace that a transaction of ours ever pays as its fee, whatever prices a node tells: the dearest that mainnet's
parameters make possible is 2.9 ada."""
MOST_STAKED: Final = 10_000_000
"""Lovelace that a transaction of ours ever stakes: what a node that lies about scripts can take at a time."""
VALIDITY_BYTE: Final = 1  # says whether scripts succeed; the ledger does not count it in a transaction's size


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


def total(units: Iterable[Units]) -> Units:
    """All of them together."""
    return sum(units, Units(0, 0))


@dataclass(frozen=True, slots=True)
class Parameters:
    """The protocol parameters that a transaction of ours can offend. Amounts in lovelace, sizes in bytes."""

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
    cost_models: Mapping[str, tuple[int, ...]]  # by language, as Ogmios names it: plutus:v3

    def minimum_fee(self, length: int, units: Units, reference_scripts: int) -> int:
        """For a transaction of `length` bytes that declares `units` in all, and whose inputs and reference inputs hold
        scripts of so many bytes (`getConwayMinFeeTx`)."""
        scripts = ceil(self.memory_price * units.memory + self.step_price * units.steps)
        size = length - VALIDITY_BYTE
        return self.fee_per_byte * size + self.fee_constant + scripts + self.reference_fee(reference_scripts)

    def reference_fee(self, size: int) -> int:
        """Each tier of so many bytes costs more a byte than the one before (`tierRefScriptFee`)."""
        fee, price = Fraction(0), self.script_price
        while size >= self.script_tier:
            fee += price * self.script_tier
            price *= self.script_multiplier
            size -= self.script_tier
        return floor(fee + price * size)

    def minimum_lovelace(self, length: int) -> int:
        """What an output of `length` bytes of CBOR has to hold (`getMinCoinSizedTxOut`)."""
        return (OUTPUT_OVERHEAD + length) * self.lovelace_per_byte

    def minimum_collateral(self, fee: int) -> int:
        """What the collateral of a transaction that pays `fee` comes to at least."""
        return ceil(Fraction(fee * self.collateral_percentage, 100))

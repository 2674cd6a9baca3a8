"""Phase 2 of a transaction by a native evaluator: Aiken's (uplc 1.1.21), as packaged in cometa (PyPI biglup-cometa).

Cometa's own `AikenTxEvaluator` decodes and encodes the transaction anew, and multiplies units by a safety margin. The C
function below it takes the bytes as they are and answers exact units, so that is what we call.

What it does otherwise than the ledger, and what follows for a test:

- A Plutus V3 script passes whatever it returns; in the ledger only unit passes. A validator compiled by Aiken returns
  unit or fails, so this concerns scripts written by hand only.
- It checks neither signatures of witnesses, nor `script_data_hash`, nor declared units, nor that values balance: bytes
  may be changed without redoing those.
- Units count against one budget for all redeemers together, and the first to fail ends it: a `ScriptFailed` says
  nothing about the redeemers after it.
- Its `verifyEd25519Signature` takes keys of small order, which libsodium refuses; its `serialiseData` keeps whether a
  list was of definite length, which the ledger's forgets.
- It refuses a script that nothing asks for, be it only the reference script of a reference input. That, and whatever
  else it cannot read, is `NotEvaluated`: never a verdict on the script.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from cometa._aiken_ffi import aiken_ffi, aiken_lib  # type: ignore[import-untyped]

from tests.contract.case import SLOT_LENGTH, ZERO_SLOT, ZERO_TIME, Case
from tests.contract.parameters import PARAMETERS, Units, total
from tests.contract.tree import Array, Map, decode, encode

PURPOSES: Final = ("spend", "mint", "publish", "withdraw", "vote", "propose")

# The evaluator knows the 297 prices of before protocol 11; the 53 that came then are for builtins that it lacks.
PRICES: Final = 297
COST_MODELS: Final = encode(Map(((2, Array(PARAMETERS.plutus_v3[:PRICES])),)))

RAN: Final = re.compile(r'AIKEN: RedeemerError \{ tag: "(\w+)", index: (\d+), err: Machine\((.*)\) \}', re.DOTALL)

# What a redeemer is for, and which of its kind: inputs and policies in ascending order.
Purpose: TypeAlias = tuple[str, int]


@dataclass(frozen=True)
class Passed:
    """Every script agreed, and used these units."""

    units: Mapping[Purpose, Units]

    @property
    def total(self) -> Units:
        return total(self.units.values())


@dataclass(frozen=True)
class ScriptFailed:
    """A script ran and said no."""

    purpose: Purpose
    reason: str


@dataclass(frozen=True)
class OutOfBudget:
    """A script ran and did not come to an end within the budget."""

    purpose: Purpose


@dataclass(frozen=True)
class NotEvaluated:
    """No script had a say: the transaction cannot be read, or lacks what a script needs."""

    reason: str


Outcome: TypeAlias = Passed | ScriptFailed | OutOfBudget | NotEvaluated


def evaluate(case: Case, budget: Units = PARAMETERS.max_units) -> Outcome:
    """Run all scripts of a transaction under mainnet's prices, within a budget for all of them together."""
    references, outputs = zip(*case.resolved, strict=True) if case.resolved else ((), ())
    answer = aiken_lib.eval_phase_two(
        _hex(case.transaction),
        _hex(_listed(references)),
        _hex(_listed(outputs)),
        _hex(COST_MODELS),
        aiken_ffi.new("InitialBudget*", {"mem": budget.memory, "cpu": budget.steps}),
        aiken_ffi.new("SlotConfig*", {"slot_length": SLOT_LENGTH, "zero_slot": ZERO_SLOT, "zero_time": ZERO_TIME}),
    )
    try:
        report = json.loads(aiken_ffi.string(answer))
    finally:
        aiken_lib.drop_char_pointer(answer)
    if report["status"] == "SUCCESS":
        return Passed(dict(_units(bytes.fromhex(report["redeemer_cbor"]))))
    return _classified(report["error"])


def _classified(error: str) -> Outcome:
    ran = RAN.fullmatch(error)
    if ran is None:
        return NotEvaluated(error)
    purpose = (ran[1].lower(), int(ran[2]))
    return OutOfBudget(purpose) if ran[3].startswith("OutOfExError") else ScriptFailed(purpose, ran[3])


def _units(redeemers: bytes) -> Iterator[tuple[Purpose, Units]]:
    listed = decode(redeemers)
    assert isinstance(listed, Array)
    for redeemer in listed.items:
        match redeemer:
            case Array((int(tag), int(index), _, Array((int(memory), int(steps))))):
                yield (PURPOSES[tag], index), Units(memory, steps)
            case _:
                raise ValueError(f"not a redeemer: {redeemer!r}")


def _listed(items: tuple[bytes, ...]) -> bytes:
    return b"\x9f" + b"".join(items) + b"\xff"


def _hex(content: bytes) -> bytes:
    return content.hex().encode() + b"\0"

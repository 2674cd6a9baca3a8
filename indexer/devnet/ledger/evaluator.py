"""Aiken's evaluator (uplc 1.1.21) as packaged in cometa (PyPI biglup-cometa): two C functions, called with raw bytes.

Cometa's own `AikenTxEvaluator` writes the transaction anew and multiplies units by a safety margin; the function below
it takes the bytes as they are and answers exact units. What it does otherwise than the ledger:

- A Plutus V3 script passes whatever it returns; in the ledger only unit passes. What Aiken compiles returns unit.
- Its `verifyEd25519Signature` takes keys of small order, and its `serialiseData` writes data as they were written.
- It lacks the builtins that came with protocol 11, and is given the 297 prices of before.
- Units count against one budget for all redeemers together, in the order in which they stand, and the first script to
  fail ends it. The order is all that matters to the budget: scripts see redeemers sorted.
- It refuses to run where a redeemer or a script is missing or not asked for, be it only the script that an input or a
  reference input carries along.
- It knows of native scripts only that they are not Plutus: beside one that has to agree it does not run.
- It checks neither signatures, nor the script integrity hash, nor the units that redeemers declare.

It recurs into whatever nests, and where its stack ends so does the process: it gets one that the largest transaction
cannot exhaust.
"""

import json
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from cometa._aiken_ffi import aiken_ffi, aiken_lib  # type: ignore[import-untyped]

from indexer.devnet.ledger.cbor import Malformed, Reader
from indexer.devnet.ledger.parameters import Units
from indexer.devnet.ledger.timeline import Timeline
from indexer.devnet.ledger.transaction import Language, Purpose, Script

PRICES: Final = 297
_STACK: Final = 256 << 20  # bytes, of which only what is used is taken
_LOCK: Final = threading.Lock()  # the size of stacks is set for all threads that start meanwhile
_ENDED: Final = re.compile(
    r'AIKEN: RedeemerError \{ tag: "(\w+)", index: (\d+), err: Machine\('
    r"(.*), ExBudget \{ mem: -?\d+, cpu: -?\d+ \}, (\[.*\])\) \}",
    re.DOTALL,
)
_OVERSPENT: Final = re.compile(r"OutOfExError\(ExBudget \{ mem: (-?\d+), cpu: (-?\d+) \}\)")
_TRACE: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(?:u\{([0-9a-f]+)\}|(.))", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "r": "\r", "t": "\t", "0": "\0"}
_TAGS: Final = dict(zip(("Spend", "Mint", "Cert", "Reward", "Vote", "Propose"), Purpose, strict=True))

Pointer: TypeAlias = tuple[Purpose, int]


@dataclass(frozen=True, slots=True)
class Passed:
    """Every script agreed, and used these units."""

    units: dict[Pointer, Units]


@dataclass(frozen=True, slots=True)
class Failed:
    """A script said no, or did not come to an end within the budget."""

    pointer: Pointer
    reason: str  # in the evaluator's words
    traces: tuple[str, ...] = ()
    left: Units | None = None  # where the budget was what ended it: what was left of it, less than 0 of one or both


@dataclass(frozen=True, slots=True)
class NotRun:
    """No script was run: there is something that the evaluator cannot read, or does not take."""

    reason: str


Outcome: TypeAlias = Passed | Failed | NotRun


def run(
    transaction: bytes,
    resolved: Sequence[tuple[bytes, bytes]],
    cost_models: bytes,
    budget: Units,
    timeline: Timeline,
) -> Outcome:
    """Run all scripts of a transaction (CBOR) within a budget for them together.

    `resolved` has the CBOR of each input and reference input, [id, index], and of the output that it stands for;
    `cost_models` is CBOR by language, as in a script integrity hash.
    """
    inputs, outputs = zip(*resolved, strict=True) if resolved else ((), ())
    report = _called(
        aiken_lib.eval_phase_two,
        _hex(transaction),
        _hex(_listed(inputs)),
        _hex(_listed(outputs)),
        _hex(cost_models),
        aiken_ffi.new("InitialBudget*", {"mem": budget.memory, "cpu": budget.steps}),
        aiken_ffi.new(
            "SlotConfig*",
            {"slot_length": timeline.slot_length, "zero_slot": timeline.first_slot, "zero_time": timeline.start},
        ),
    )
    if report["status"] == "SUCCESS":
        return Passed(_units(bytes.fromhex(report["redeemer_cbor"])))
    error: str = report["error"]
    ended = _ENDED.fullmatch(error)
    if ended is None:
        return NotRun(error)
    tag, index, reason, traces = ended.groups()
    overspent = _OVERSPENT.fullmatch(reason)
    left = None if overspent is None else Units(int(overspent[1]), int(overspent[2]))
    return Failed((_TAGS[tag], int(index)), reason, tuple(map(_unescaped, _TRACE.findall(traces))), left)


def is_program(script: Script) -> bool:
    """Whether a script is what its language says: a Plutus one a program in a CBOR byte string, nothing after either.

    Which builtins and which version of Plutus Core a language allows is not looked at.
    """
    return script.language is Language.NATIVE or _is_flat(script.raw)


@lru_cache(maxsize=256)
def _is_flat(raw: bytes) -> bool:
    try:
        reader = Reader(raw)
        reader.octets()
        reader.end()
    except Malformed:
        return False
    # To apply a program to no arguments is to read it and write it again: what was too much is then gone.
    report = _called(aiken_lib.apply_params_to_plutus_script, _hex(b"\x80"), _hex(raw))
    return report["status"] == "SUCCESS" and len(report["compiled_code"]) >= 2 * len(raw)


def _unescaped(text: str) -> str:
    """A text out of the way in which Rust writes it for debugging."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _ESCAPED.get(found[2], found[2]), text)


def _units(redeemers: bytes) -> dict[Pointer, Units]:
    reader, units = Reader(redeemers), {}
    for _ in reader.array():
        reader.open()
        pointer = Purpose(reader.unsigned()), reader.unsigned()
        reader.skip()
        reader.open()
        units[pointer] = Units(reader.unsigned(), reader.unsigned())
    return units


def _called(function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """What one of the two functions reports, called in a thread with a deep stack."""
    answers: list[Any] = []
    with _LOCK:
        usual = threading.stack_size(_STACK)
        try:
            thread = threading.Thread(target=lambda: answers.append(function(*arguments)))
            thread.start()
        finally:
            threading.stack_size(usual)
    thread.join()
    (answer,) = answers
    try:
        report: dict[str, Any] = json.loads(aiken_ffi.string(answer))
    finally:
        aiken_lib.drop_char_pointer(answer)
    return report


def _listed(items: Sequence[bytes]) -> bytes:
    return b"\x9f" + b"".join(items) + b"\xff"


def _hex(content: bytes) -> bytes:
    return content.hex().encode() + b"\0"

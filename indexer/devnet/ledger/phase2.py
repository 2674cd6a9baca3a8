"""Phase 2: the scripts themselves, run by the native evaluator.

The evaluator ends at the first script that fails. Each redeemer's own verdict is had by putting it first in the list
and running again; what a script is shown does not depend on that order.
"""

from collections.abc import Iterable
from typing import Any

from indexer.chain.block import OutputReference
from indexer.devnet.cbor import array, byte_string, integer, mapping
from indexer.devnet.ledger import evaluator
from indexer.devnet.ledger.cbor import Reader
from indexer.devnet.ledger.evaluator import Failed, NotRun, Outcome, Passed, Pointer
from indexer.devnet.ledger.parameters import Units
from indexer.devnet.ledger.refusal import Refusal, Refused
from indexer.devnet.ledger.rules_context import obstacle
from indexer.devnet.ledger.sentences import refusal
from indexer.devnet.ledger.setting import Setting
from indexer.devnet.ledger.shown import shown_pointer
from indexer.devnet.ledger.transaction import Language, Redeemer

_REDEEMERS = 5  # their field in a witness set
_ERROR = (
    "The machine terminated because of an error, either from a built-in function or from an explicit use of 'error'."
)
_OVERSPENT = (
    "The machine terminated part way through evaluation due to overspending the budget.\n"
    "The budget when the machine terminated was:\n({{cpu: {cpu}\n| mem: {memory}}})\n"
    "Negative numbers indicate the overspent budget; note that this only indicates the budget that was needed for the "
    "next step, not to run the program to completion."
)


def judge(setting: Setting) -> None:
    """Raises Refused where scripts do otherwise than the transaction says: within the units that it declares, they
    all agree if it is declared valid, and one of them does not if it is not."""
    declared = {pointer: Units(r.memory, r.steps) for pointer, r in setting.redeemers.items()}
    outcome = _run(setting, setting.redeemers.values(), setting.units) if declared else Passed({})
    match outcome:
        case NotRun(reason):
            raise Refused(refusal(3997, {"error": f"The devnet's evaluator did not run the scripts: {reason}"}))
        case Passed(units):
            passes = all(used.within(declared[pointer]) for pointer, used in units.items())
        case Failed():
            passes = False
    if passes and not setting.tx.is_valid:
        raise Refused(_mismatch("collaterals", "The transaction passed unexpectedly."))
    if not passes and setting.tx.is_valid:
        raise Refused(_mismatch("inputs", "The transaction failed unexpectedly."))


def evaluate(setting: Setting) -> list[dict[str, Any]]:
    """The units that each redeemer's script uses, as Ogmios' `evaluateTransaction` answers; declared units, fee and
    signatures do not matter. Raises Refused: 3010 with an error for each validator, or 3004.

    Where a redeemer has no script to run, those of others are not run at all.
    """
    unfit = [(pointer, error) for pointer in setting.redeemers if (error := _unfit(setting, pointer)) is not None]
    if unfit:
        raise Refused(_failures(unfit))
    if not setting.redeemers:
        return []
    limit = setting.parameters.max_units
    count = len(setting.redeemers)
    outcome = _run(setting, setting.redeemers.values(), Units(limit.memory * count, limit.steps * count))
    match outcome:
        case Passed(units) if all(used.within(limit) for used in units.values()):
            return [{"validator": shown_pointer(*pointer), "budget": units[pointer].shown()} for pointer in units]
        case NotRun(reason):
            raise Refused(refusal(3004, {"reason": f"The devnet's evaluator did not run the scripts: {reason}"}))
    raise Refused(_failures([(failed.pointer, _told(failed)) for failed in _each(setting, limit)]))


def _each(setting: Setting, limit: Units) -> list[Failed]:
    """Every redeemer whose script fails within a limit of its own."""
    failed = []
    for pointer in setting.redeemers:
        others = [redeemer for other, redeemer in setting.redeemers.items() if other != pointer]
        outcome = _run(setting, [setting.redeemers[pointer], *others], limit)
        if isinstance(outcome, Failed) and outcome.pointer == pointer:
            failed.append(outcome)
    return failed


def _unfit(setting: Setting, pointer: Pointer) -> Refusal | None:
    """Why a redeemer has nothing to run."""
    hashes = {need.pointer: need.hash for need in setting.needs}
    if pointer not in hashes:
        return refusal(3110, {"extraneousRedeemers": [shown_pointer(*pointer)]})
    script = setting.provided.get(hashes[pointer])
    if script is None or script.language is Language.NATIVE:
        return refusal(3011, {"missingScripts": [shown_pointer(*pointer)]})
    return obstacle(setting, script.language)


def _told(failed: Failed) -> Refusal:
    error = _ERROR if failed.left is None else _OVERSPENT.format(cpu=failed.left.steps, memory=failed.left.memory)
    return refusal(3012, {"validationError": f"An error has occurred:\n{error}", "traces": list(failed.traces)})


def _failures(found: Iterable[tuple[Pointer, Refusal]]) -> Refusal:
    shown = []
    for pointer, error in found:
        told = {"code": error.code, "message": error.message, "data": error.data}
        shown.append({"validator": shown_pointer(*pointer), "error": told})
    return refusal(3010, shown)


def _mismatch(spending: str, reason: str) -> Refusal:
    return refusal(3136, {"declaredSpending": spending, "mismatchReason": reason})


def _run(setting: Setting, redeemers: Iterable[Redeemer], budget: Units) -> Outcome:
    """Run the scripts in the order of these redeemers."""
    prices = {
        integer(language - 1): array(map(integer, model[: evaluator.PRICES]))
        for language, model in setting.parameters.cost_models.items()
    }
    return evaluator.run(
        _with_redeemers(setting.tx.raw, redeemers),
        [(_named(reference), output.raw) for reference, output in setting.seen.items()],
        mapping(prices),
        budget,
        setting.timeline,
    )


def _with_redeemers(raw: bytes, redeemers: Iterable[Redeemer]) -> bytes:
    """A transaction whose redeemers are these, as a list. The evaluator does not ask whether the body names others."""
    reader = Reader(raw)
    reader.open()
    reader.skip()
    for _ in reader.map():
        key, start = reader.unsigned(), reader.position
        reader.skip()
        if key == _REDEEMERS:
            return raw[:start] + array(map(_redeemer, redeemers)) + raw[reader.position :]
    raise ValueError("a transaction without redeemers")


def _redeemer(redeemer: Redeemer) -> bytes:
    units = array((integer(redeemer.memory), integer(redeemer.steps)))
    return array((integer(redeemer.purpose), integer(redeemer.index), redeemer.data, units))


def _named(reference: OutputReference) -> bytes:
    """An output reference as CBOR."""
    return array((byte_string(reference.transaction_id), integer(reference.index)))

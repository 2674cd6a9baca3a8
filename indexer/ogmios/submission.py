"""Submitting and evaluating: requests, replies, and what each refusal means for whoever made the transaction.

Ogmios tells one error of several, by priority: mending one may reveal the next. Texts and data come from a node, so
they are shown escaped and cut.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

from indexer.chain.parameters import Units
from indexer.errors import IndexerError, ReplyGarbled
from indexer.ogmios.rulings import RULES, Rule, Verdict

Pointer: TypeAlias = tuple[str, int]  # purpose as Ogmios names it (spend, mint, ...), index into what it goes by

_UNKNOWN_INPUTS, _OUTSIDE_VALIDITY, _MEMPOOL, _SCRIPTS_FAILED = 3117, 3118, 3997, 3010
_SPENT_BEFORE: Final = re.compile("all inputs are spent", re.IGNORECASE)
_SHOWN: Final = 300  # characters of a node's text in a sentence of ours


class Stage(StrEnum):
    """What was asked of Ogmios."""

    SUBMIT = "submitTransaction"
    EVALUATE = "evaluateTransaction"


@dataclass(frozen=True, slots=True)
class Failure:
    """One validator that an evaluation failed for: Ogmios' code, its reason, and what the script traced."""

    pointer: Pointer
    ogmios_code: int
    reason: str
    traces: tuple[str, ...] = ()


class Refused(IndexerError):
    """The node refused a transaction. `verdict` says what follows; `data` is JSON, as Ogmios gave it."""

    code = "ledger.refused"
    exit_code = 4

    def __init__(self, ogmios_code: int, rule: Rule, message: str, data: Any) -> None:
        super().__init__(f"{rule.sentence} ({_facts(ogmios_code, message, data)})", hint=rule.hint)
        self.ogmios_code, self.rule, self.ogmios_message, self.data = ogmios_code, rule, message, data

    @property
    def verdict(self) -> Verdict:
        """What to do about it."""
        return self.rule.verdict


class SubmissionRefused(Refused):
    """The node did not take a transaction into its mempool. That is an answer: nothing of it is on its way."""

    code = "ledger.submission_refused"


class EvaluationFailed(Refused):
    """The node did not evaluate a transaction, or scripts said no. `failures`: each validator that failed."""

    code = "ledger.evaluation_failed"

    def __init__(self, ogmios_code: int, rule: Rule, message: str, data: Any, failures: tuple[Failure, ...]) -> None:
        super().__init__(ogmios_code, rule, message, data)
        self.failures = failures


# --- requests


def submit(transaction: bytes) -> dict[str, Any]:
    """Parameters of `submitTransaction` for a signed transaction in CBOR."""
    return {"transaction": {"cbor": transaction.hex()}}


def evaluate(transaction: bytes, additional: Sequence[Mapping[str, Any]] = ()) -> dict[str, Any]:
    """Parameters of `evaluateTransaction`. Signatures, fee and balance are not looked at.

    `additional`: outputs that the node does not know yet, as `queryLedgerState/utxo` shows outputs.
    """
    return submit(transaction) | ({"additionalUtxo": list(additional)} if additional else {})


# --- replies


def submitted(result: Any) -> bytes:
    """The id of the transaction that the mempool took (32 bytes). Raises ReplyGarbled."""
    match result:
        case {"transaction": {"id": str(text)}} if re.fullmatch("[0-9a-f]{64}", text):
            return bytes.fromhex(text)
    raise ReplyGarbled("an answer to a submission that names no transaction")


def evaluated(result: Any) -> dict[Pointer, Units]:
    """What each validator used. Raises ReplyGarbled."""
    try:
        return dict(map(_measured, result))
    except (TypeError, KeyError, ValueError) as error:
        raise ReplyGarbled(f"an answer to an evaluation that cannot be read: {error!r:.200}") from error


def refusal(stage: Stage, error: Any) -> Refused:
    """The named error of a JSON-RPC error. Raises ReplyGarbled where it is none."""
    match error:
        case {"code": int(code), "message": str(message), **more}:
            data = more.get("data")
        case _:
            raise ReplyGarbled("an error of Ogmios' that has no code or no message")
    if stage is Stage.SUBMIT:
        return SubmissionRefused(code, rule_of(code, data), message, data)
    failures = tuple(_failures(data)) if code == _SCRIPTS_FAILED else ()
    return EvaluationFailed(code, rule_of(code, data), message, data, failures)


def rule_of(code: int, data: Any = None) -> Rule:
    """What a code means. Of some codes the data decides; an unknown code has the verdict UNKNOWN."""
    match code, data:
        case 3118, {"validityInterval": {"invalidBefore": int(first)}, "currentSlot": int(slot)} if slot < first:
            return RULES[_OUTSIDE_VALIDITY].but(Verdict.WAIT, "its validity begins later: send the same again then")
        case 3997, {"error": str(text)} if _SPENT_BEFORE.search(text):
            return RULES[_MEMPOOL].but(
                Verdict.DONE, "look for it on the chain and in the mempool: it is probably there; else build it anew"
            )
        case 3010, list(items) if items:
            # Nested codes speak for it. The gravest counts: one validator that cannot be helped is enough.
            rules = [rule_of(found.ogmios_code) for found in _failures(items)]
            return max(rules, key=lambda rule: _GRAVITY.index(rule.verdict), default=RULES[_SCRIPTS_FAILED])
    return RULES.get(code) or Rule(
        "unknown",
        Verdict.UNKNOWN,
        f"the node refused the transaction with code {code}, which this version does not know",
        "see Ogmios' manual for the code; nothing is tried again by itself",
    )


_GRAVITY: Final = (Verdict.DONE, Verdict.WAIT, Verdict.REBUILD, Verdict.UNKNOWN, Verdict.FATAL)


def _failures(data: Any) -> list[Failure]:
    try:
        return [_failure(item) for item in data]
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise ReplyGarbled(f"failed validators that cannot be read: {error!r:.200}") from error


def _failure(item: Any) -> Failure:
    error = item["error"]
    data = error.get("data")
    match data:
        case {"validationError": str(reason), "traces": [*traces]}:
            told = tuple(shown(trace) for trace in traces)
        case {"reason": str(reason)}:
            told = ()
        case _:
            reason, told = str(error["message"]), ()
    return Failure(_pointer(item["validator"]), _integer(error["code"]), shown(reason), told)


def _measured(item: Any) -> tuple[Pointer, Units]:
    budget = item["budget"]
    return _pointer(item["validator"]), Units(_integer(budget["memory"]), _integer(budget["cpu"]))


def _pointer(validator: Any) -> Pointer:
    purpose = validator["purpose"]
    if not isinstance(purpose, str):
        raise TypeError("a purpose that is no text")
    return purpose, _integer(validator["index"])


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r:.80} is no integer")
    return value


def shown(value: object) -> str:
    """A node's text, escaped and cut: scripts of strangers may trace anything."""
    text = ascii(value)
    text = text[1:-1] if isinstance(value, str) else text
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _facts(code: int, message: str, data: Any) -> str:
    told = message.partition(". ")[0] if data is None else data
    return f"Ogmios' code {code}: {shown(told)}"

"""Script and model agree on transactions changed at random.

500 of them; INDEXER_TEST_MUTATIONS says how many else.
"""

import os
from collections import Counter
from functools import cache
from random import Random
from typing import Final

import pytest

from tests.contract.case import Case
from tests.contract.context import transaction
from tests.contract.evaluate import NotEvaluated, OutOfBudget, Passed, ScriptFailed, evaluate
from tests.contract.gallery import GALLERY
from tests.contract.model import NotATransaction, judge
from tests.contract.mutants import random_mutation
from tests.contract.script import OWN

MUTATIONS: Final = int(os.environ.get("INDEXER_TEST_MUTATIONS", "500"))
SHAPES: Final = tuple(GALLERY)

healthy: Final = cache(lambda shape: GALLERY[shape]())


def script_says(case: Case) -> str:
    """The evaluator stops at the first script that says no."""
    match evaluate(case):
        case Passed():
            return "yes"
        case ScriptFailed((purpose, index)):
            return f"no: {purpose} {index}"
        case OutOfBudget():
            return "out of budget"
        case NotEvaluated():
            return "no transaction"


def model_says(case: Case) -> set[str]:
    """Every answer of the script that the prose allows."""
    try:
        verdicts = judge(case, OWN)
    except NotATransaction:
        return {"no transaction"}
    refused = {f"no: {verdict.purpose} {verdict.index}" for verdict in verdicts if not verdict.accepted}
    undefined = {f"no: {verdict.purpose} {verdict.index}" for verdict in verdicts if verdict.undefined}
    return refused | undefined | (set() if refused - undefined else {"yes"})


def read_otherwise(what: str, case: Case) -> bool:
    """Where the evaluator departs from the ledger.

    It leaves ada out of the value of an output without any, which no chain has; and its `serialiseData` keeps the
    handwriting of the data it got, where the ledger's has but one: so a Create misses the id.
    """
    read = transaction(case)
    without_ada = any(not output.lovelace for output in (*read.outputs, *(each.output for each in read.inputs)))
    return without_ada or ("encoded" in what and any(each.purpose == "mint" for each in read.redeemers))


@pytest.mark.parametrize("shape", SHAPES)
def test_script_and_model_agree_to_what_is_healthy(shape: str) -> None:
    """In every shape that the rules leave free."""
    answer = "yes"
    assert script_says(healthy(shape)) == answer
    assert model_says(healthy(shape)) == {answer}


def test_script_and_model_agree_on_random_changes() -> None:
    """Whatever is changed, they say the same; and they are asked for both answers often enough to mean it."""
    rng = Random(2026)
    answers: Counter[str] = Counter()
    for number in range(MUTATIONS):
        shape = rng.choice(SHAPES)
        what, mutant = random_mutation(healthy(shape), rng)
        said = script_says(mutant)
        if said == "no transaction" or read_otherwise(what, mutant):
            answers["not compared"] += 1
            continue
        allowed = model_says(mutant)
        assert said in allowed, f"change {number}, {shape}: {what}"
        answers[said[:3] if allowed == {said} or "yes" not in allowed else "undefined"] += 1
    assert answers["yes"] > MUTATIONS / 4
    assert answers["no:"] > MUTATIONS / 3
    assert answers["not compared"] + answers["undefined"] < MUTATIONS / 5

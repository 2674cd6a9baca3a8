"""Scripts are run: what they use, which of them fail, and what becomes of a transaction whose scripts do otherwise."""

from dataclasses import replace
from typing import Any

import pytest

from indexer.chain.block import OutputReference
from indexer.devnet.ledger.outputs import output_from
from indexer.devnet.ledger.read import read_transaction
from indexer.devnet.ledger.refusal import Refusal, Refused
from indexer.devnet.ledger.state import Ledger
from indexer.devnet.ledger.timeline import Timeline
from tests.contract import healthy
from tests.contract.case import SLOT_LENGTH, ZERO_SLOT, ZERO_TIME
from tests.contract.evaluate import Passed, evaluate
from tests.contract.parameters import Units
from tests.contract.parts import ledger_set, reference_of
from tests.contract.terms import Asset
from tests.contract.tree import Array, Node, decode, encode
from tests.support.spending import (
    AGREES,
    AGREES_TOO,
    APPLY,
    ERROR,
    LAM,
    LOOPS,
    NATIVE,
    NOW,
    PLUTUS_V3,
    REFUSES,
    REFUSES_TOO,
    RETURN,
    UNIT,
    UPPER,
    VOID,
    Spending,
    ledger,
    paid,
    plutus_hash,
    program,
    written,
)
from tests.unit.devnet.ledger.spendings import (
    ANN,
    BOB,
    GOLD,
    SIGNED_BY_BOB,
    accepted,
    minting_script,
    plain,
    published,
    reference,
    refused,
    spending_script,
)

USED = {"memory": 500, "cpu": 64_100}  # what AGREES uses
USED_TOO = {"memory": 800, "cpu": 112_100}


def several(*scripts: bytes) -> Spending:
    """Each of these scripts has to agree to a minting, in the order of their hashes."""
    policies = sorted(Asset(plutus_hash(script), b"") for script in scripts)
    return replace(
        minting_script(),
        references=(),
        mint=dict.fromkeys(policies, 1),
        redeemers={(1, n): VOID for n in range(len(policies))},
        units=Units(100_000, 50_000_000),
    ).with_witnesses({PLUTUS_V3: ledger_set(scripts)})


def units_of(spending: Spending, on: Ledger | None = None) -> list[dict[str, Any]]:
    return (on or ledger(spending)).evaluate(read_transaction(written(spending)), {})


def failure_of(spending: Spending, on: Ledger | None = None) -> Refusal:
    try:
        units_of(spending, on)
    except Refused as error:
        return error.refusal
    raise AssertionError("every script agrees")


# --- Evaluation


def test_units_are_told_by_redeemer() -> None:
    """Exactly, whatever was declared."""
    first, second = sorted([(plutus_hash(AGREES), USED), (plutus_hash(AGREES_TOO), USED_TOO)])
    assert units_of(replace(several(AGREES, AGREES_TOO), units=Units(0, 0))) == [
        {"validator": {"index": 0, "purpose": "mint"}, "budget": first[1]},
        {"validator": {"index": 1, "purpose": "mint"}, "budget": second[1]},
    ]


def test_without_redeemers_there_is_nothing_to_tell() -> None:
    """An empty list."""
    assert units_of(plain()) == []


def test_neither_fee_nor_signatures_matter() -> None:
    """A draft is enough."""
    draft = replace(spending_script(), fee=0, unsigned=(ANN,), more=5)
    assert [each["budget"] for each in units_of(draft)] == [USED]


def test_every_script_that_fails_is_told() -> None:
    """3010, an error for each, and none for one that agrees."""
    spending = several(REFUSES, AGREES, REFUSES_TOO)
    hashes = sorted(map(plutus_hash, (REFUSES, AGREES, REFUSES_TOO)))
    failing = [n for n, each in enumerate(hashes) if each != plutus_hash(AGREES)]
    refusal = failure_of(spending)
    assert refusal.code == 3010
    assert [{"index": n, "purpose": "mint"} for n in failing] == [each["validator"] for each in refusal.data]
    for each in refusal.data:
        assert each["error"]["code"] == 3012
        assert "explicit use of 'error'" in each["error"]["data"]["validationError"]
        assert each["error"]["data"]["traces"] == []


def test_a_script_that_runs_too_long_is_told_with_what_it_lacked() -> None:
    """3012; others are judged with a budget of their own."""
    (each,) = failure_of(several(LOOPS, AGREES)).data
    assert "due to overspending the budget" in each["error"]["data"]["validationError"]


def test_traces_are_told() -> None:
    """What a script said before it failed."""
    said = "0100" + "1" + "0010" + "0"
    head = LAM + APPLY + LAM + ERROR + APPLY + APPLY + "0101" + "0111" + f"{28:07b}" + said
    filler = "0" * (7 - len(head) % 8) + "1"
    chunk = "".join(f"{byte:08b}" for byte in (5, *b'a "b"'[:5], 0))
    (each,) = failure_of(several(program(head + filler + chunk + UNIT))).data
    assert each["error"]["data"]["traces"] == ['a "b"']


@pytest.mark.parametrize(
    ("spending", "code", "data"),
    [
        (
            replace(spending_script(), redeemers={(0, 9): VOID}),
            3110,
            {"extraneousRedeemers": [{"index": 9, "purpose": "spend"}]},
        ),
        (
            replace(minting_script(), references=()),
            3011,
            {"missingScripts": [{"index": 0, "purpose": "mint"}]},
        ),
    ],
    ids=["for nothing", "without its script"],
)
def test_a_redeemer_without_a_script_is_told(spending: Spending, code: int, data: object) -> None:
    """3010, with 3110 or 3011 inside."""
    refusal = failure_of(spending)
    (each,) = refusal.data
    assert (3010, code) == (refusal.code, each["error"]["code"])
    assert data == each["error"]["data"]


def test_a_bound_past_the_horizon_is_told() -> None:
    """3010, with 3004 inside."""
    spending = spending_script().with_body({UPPER: 10_000})
    (each,) = failure_of(spending, ledger(spending, timeline=Timeline(epoch_length=100, safe_zone=50))).data
    assert each["error"]["code"] == 3004


def test_a_script_that_nobody_asks_for_is_not_run_with() -> None:
    """3004 of the whole: the evaluator does not take a script that is carried along. The ledger would."""
    spending = replace(spending_script(), references=(published(AGREES_TOO),))
    refusal = failure_of(spending)
    assert refusal.code == 3004
    assert refusal.data["reason"].startswith("The devnet's evaluator did not run the scripts: ")
    assert "The devnet's evaluator" in refused(spending).data["error"]


def test_additional_outputs_are_seen() -> None:
    """Those that the ledger does not hold."""
    spending = spending_script()
    bare = Ledger(ledger(spending).parameters, 0, {})
    additional = dict(ledger(spending).utxo)
    tx = read_transaction(written(spending))
    assert [each["budget"] for each in bare.evaluate(tx, additional)] == [USED]
    assert [each["budget"] for each in ledger(spending).evaluate(tx, additional)] == [USED]


def test_an_additional_output_may_not_contradict_the_ledger() -> None:
    """3002, with all that are given twice."""
    spending = spending_script()
    on = ledger(spending)
    other = output_from(encode(paid(ANN.address, 1_234_567)))
    with pytest.raises(Refused) as raised:
        on.evaluate(read_transaction(written(spending)), {spending.inputs[1].reference: other})
    assert raised.value.refusal.code == 3002
    assert {"overlappingOutputReferences": [reference(spending.inputs[1])]} == raised.value.refusal.data


# --- Submission


def test_scripts_that_agree_are_accepted() -> None:
    """From the witness set, or carried by a reference input."""
    assert accepted(spending_script())
    assert accepted(minting_script())


def test_beside_a_native_script_none_is_run() -> None:
    """A limit of the evaluator, which takes it for a script that is missing: 3997, by name. The ledger would run it."""
    both = replace(spending_script(), signers=(ANN, BOB), mint={GOLD: 1})
    refusal = refused(both.with_witnesses({NATIVE: ledger_set([SIGNED_BY_BOB])}))
    assert refusal.code == 3997
    assert refusal.data["error"].startswith("The devnet's evaluator did not run the scripts: ")


def test_data_may_nest_as_deep_as_a_transaction_is_long() -> None:
    """The evaluator recurs, and gets a stack for it: a process would not survive without."""
    deep: Node = 0
    for _ in range(200):
        deep = Array((deep,))
    spending = replace(spending_script(), redeemers=dict.fromkeys(spending_script().redeemers, deep))
    raw = written(spending)
    tx = read_transaction(raw.replace(b"\x81" * 200, b"\x81" * 15_000))
    assert [each["budget"] for each in ledger(spending).evaluate(tx, {})] == [USED]


@pytest.mark.parametrize("script", [REFUSES, LOOPS], ids=["fails", "runs too long"])
def test_a_script_that_fails_makes_a_valid_transaction_invalid(script: bytes) -> None:
    """3136: it said that it would spend its inputs."""
    refusal = refused(spending_script(script))
    assert refusal.code == 3136
    assert refusal.data == {"declaredSpending": "inputs", "mismatchReason": "The transaction failed unexpectedly."}


@pytest.mark.parametrize("units", [Units(499, 64_100), Units(500, 64_099)])
def test_units_that_are_declared_are_a_limit(units: Units) -> None:
    """3136, one unit below what is used; exactly that is enough."""
    assert accepted(replace(spending_script(), units=Units(500, 64_100)))
    assert refused(replace(spending_script(), units=units)).code == 3136


def test_units_of_one_redeemer_are_not_lent_to_another() -> None:
    """What is declared for each is its own, though the sum would do."""
    assert accepted(replace(several(AGREES, AGREES_TOO), units=Units(800, 112_100)))
    assert refused(replace(several(AGREES, AGREES_TOO), units=Units(700, 112_100))).code == 3136


@pytest.mark.parametrize("spending", [spending_script(), plain()], ids=["scripts agree", "no scripts"])
def test_a_transaction_declared_invalid_has_to_fail(spending: Spending) -> None:
    """3136: it said that it would forfeit its collateral."""
    refusal = refused(replace(spending, is_valid=False))
    assert refusal.code == 3136
    assert refusal.data == {"declaredSpending": "collaterals", "mismatchReason": "The transaction passed unexpectedly."}


def test_a_failing_transaction_declared_invalid_forfeits_its_collateral() -> None:
    """It is accepted, and takes its collaterals alone; what is returned comes after the outputs that do not exist."""
    back = paid(ANN.address, 15_000_000)
    spending = replace(spending_script(REFUSES), is_valid=False, outputs=(paid(BOB.address, 3_000_000),))
    spending = spending.with_body({RETURN: back})
    on, tx = ledger(spending), read_transaction(written(spending))
    on.check(tx, NOW)
    on.apply(tx, NOW)
    assert {held.reference for held in spending.inputs} < set(on.utxo)
    (made,) = set(on.utxo) - {held.reference for held in spending.inputs}
    assert (tx.id, 2) == (made.transaction_id, made.index)
    assert on.utxo[made].lovelace == 15_000_000
    assert on.pots.fees == 5_000_000


def test_the_contract_runs_as_on_its_own_bench() -> None:
    """A real validator, compiled by Aiken: units here and there are the same, times come from the timeline."""
    case = healthy.release(healthy.sample())
    bench = evaluate(case)
    assert isinstance(bench, Passed)
    tx = read_transaction(case.transaction)
    timeline = Timeline(ZERO_TIME, SLOT_LENGTH, ZERO_SLOT)
    utxo = {OutputReference(*reference_of(decode(at))): output_from(output) for at, output in case.resolved}
    on = Ledger(ledger().parameters, 1, utxo, timeline=timeline)
    (told,) = on.evaluate(tx, {})
    (used,) = bench.units.values()
    assert {"memory": used.memory, "cpu": used.steps} == told["budget"]
    wrong = Ledger(ledger().parameters, 1, utxo, timeline=Timeline(0, SLOT_LENGTH, ZERO_SLOT))
    with pytest.raises(Refused):
        wrong.evaluate(tx, {})

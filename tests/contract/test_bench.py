"""The bench itself: healthy transactions are healthy, prices add up, and a verdict is the script's own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from tests.contract.case import Case
from tests.contract.evaluate import NotEvaluated, OutOfBudget, Passed, ScriptFailed, evaluate
from tests.contract.gallery import BEFORE_ALL, GALLERY, purse
from tests.contract.healthy import SCRIPT_AT, STATE, reclaim, release, sample
from tests.contract.mutate import (
    with_donation,
    with_mint,
    with_output,
    with_redeemer,
    with_reference_input,
    with_resolved,
    with_signer,
    with_validity,
    with_withdrawal,
    without_input,
    without_redeemer,
    without_reference_input,
)
from tests.contract.parameters import PARAMETERS, Units
from tests.contract.parts import FEE, KEYS, REDEEMERS, SCRIPT_DATA_HASH, closed, opened
from tests.contract.phase1 import objections, priced
from tests.contract.plutus import constr, integer, octets
from tests.contract.script import ALWAYS, BLUEPRINT, NEVER, NO_UNIT, OWN
from tests.contract.terms import (
    ADA,
    TOKEN,
    Address,
    Allocation,
    Asset,
    Credential,
    Reference,
    Terms,
    identity,
    message,
    somebody,
)
from tests.contract.tree import Array, Chunks, Embedded, Map, Node, Tag, decode, encode

SAMPLE: Final = release(sample())
KEY, STAKE_KEY = Credential(bytes([0x55] * 28)), Credential(bytes([0x66] * 28))
SCRIPT, STAKE_SCRIPT = Credential(bytes([0x77] * 28), is_script=True), Credential(bytes([0x88] * 28), is_script=True)

# --- Terms and data


@pytest.mark.parametrize(
    ("pinned_id", "pinned_message", "seed", "terms"),
    [
        (
            "5a295cd9bfb4815834445b002f8ce5942221a1cd90d9e05653cf038efe260e2c",
            "81dd6ac328aef3c5151bd38cb8cfeb25bef73df9a70819a438d33fe34cb71262",
            Reference(bytes(range(32)), 1),
            Terms(bytes([0x22] * 28), (bytes([0x44] * 32),), 1, (Allocation(Address(KEY), 5),), TOKEN),
        ),
        (
            "32c9ad973c9a76889800e620ec09f96fb227094ba25a4e94962472356a156fe4",
            "b099edc0c2522784b40597c6bed7fe0c1339b3378fa901b4cc140af58c330e7b",
            Reference(bytes([0xAB] * 32), 0),
            Terms(
                bytes([0x22] * 28),
                (bytes([0x44] * 32), bytes([0x45] * 32)),
                2,
                (
                    Allocation(Address(KEY, STAKE_KEY), 7, b"m" * 64, 0),
                    Allocation(Address(SCRIPT, STAKE_SCRIPT), 2**63 - 8, b"\0", 2**63 - 1),
                ),
                ADA,
                lovelace_per_payout=0,
                keeper_fee_per_payout=0,
                expires_at=1_800_000_000_000,
            ),
        ),
    ],
    ids=["a token", "ada"],
)
def test_ids_and_messages_are_the_pinned_ones(
    pinned_id: str, pinned_message: str, seed: Reference, terms: Terms
) -> None:
    """Those that the design pins."""
    name = identity(seed, terms)
    assert pinned_id == name.hex()
    assert pinned_message == message(bytes([0x11] * 28), name, terms.allocations[0].milestone).hex()


@pytest.mark.parametrize(
    ("expected", "data"),
    [
        ("d87980", constr(0)),
        ("d87a9f01ff", constr(1, 1)),
        ("d9050080", constr(7)),
        ("1bffffffffffffffff", integer(2**64 - 1)),
        ("3bffffffffffffffff", integer(-(2**64))),
        ("c249010000000000000000", integer(2**64)),
        ("c349010000000000000000", integer(-(2**64) - 1)),
        ("5840" + "00" * 64, octets(bytes(64))),
        ("5f5840" + "00" * 64 + "4100ff", octets(bytes(65))),
    ],
)
def test_data_is_written_as_the_ledger_writes_it(expected: str, data: Node) -> None:
    """Lists of indefinite length unless empty, chunks of 64 bytes, big integers as bytes."""
    assert expected == encode(data).hex()


@pytest.mark.parametrize(
    ("raw", "tree"),
    [
        ("9f0102ff", Array((1, 2), indefinite=True)),
        ("bf0102ff", Map(((1, 2),), indefinite=True)),
        ("a201020103", Map(((1, 2), (1, 3)))),
        ("5f41004101ff", Chunks((b"\0", b"\1"))),
        ("d81842182a", Embedded(42)),
        ("d81842ffff", Tag(24, b"\xff\xff")),
        ("f5", True),
        ("f6", None),
        ("6161", "a"),
    ],
)
def test_a_tree_tells_forms_of_the_same_value_apart(raw: str, tree: Node) -> None:
    """So that bytes nobody changed stay as they are."""
    assert tree == decode(bytes.fromhex(raw))
    assert raw == encode(tree).hex()


@pytest.mark.parametrize("raw", ["1801", "0000", "9f01", "fb3ff0000000000000"])
def test_a_tree_refuses_what_it_could_not_keep(raw: str) -> None:
    """A longer form than needed, two items, half an item, a float."""
    with pytest.raises((ValueError, IndexError)):
        decode(bytes.fromhex(raw))


# --- Healthy transactions


@pytest.fixture(scope="module")
def gallery() -> dict[str, Case]:
    return {shape: build() for shape, build in GALLERY.items()}


@pytest.mark.parametrize("shape", GALLERY)
def test_a_healthy_transaction_is_healthy(gallery: dict[str, Case], shape: str) -> None:
    """The ledger has nothing against it before the scripts run, and then the contract agrees."""
    assert not list(objections(gallery[shape]))
    assert isinstance(evaluate(gallery[shape]), Passed)


@pytest.mark.parametrize("shape", GALLERY)
def test_a_transaction_opened_and_closed_is_what_it_was(gallery: dict[str, Case], shape: str) -> None:
    """To the byte."""
    assert gallery[shape] == closed(opened(gallery[shape]))


def test_healthy_transactions_are_the_same_in_every_run() -> None:
    """In whatever order sets happen to be walked."""
    code = (
        "from hashlib import sha256; from tests.contract.gallery import GALLERY;"
        "print(sha256(b''.join(build().transaction for build in GALLERY.values())).hexdigest())"
    )
    first, second = (
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=BLUEPRINT.parent,
            check=True,
            capture_output=True,
        ).stdout
        for seed in "12"
    )
    assert len(first) == 65  # a digest and a line feed
    assert first == second


def a_lovelace_less_of_fee(case: Case) -> Case:
    parts = opened(case)
    fee = parts.body[FEE]
    assert isinstance(fee, int)
    return closed(replace(parts, body=parts.body.with_value(FEE, fee - 1)))


MANY_TOKENS: Final = {Asset(bytes([n] * 28), bytes(32)): 1 for n in range(80)}


@pytest.mark.parametrize(
    ("objection", "change"),
    [
        ("consumes", lambda case: with_output(case, 1, plus={ADA: 1})),
        ("consumes", lambda case: with_output(case, 1, plus={TOKEN: 1})),
        ("consumes", lambda case: with_donation(case, 1)),
        ("consumes", lambda case: with_mint(case, {TOKEN: -1})),
        ("consumes", lambda case: with_withdrawal(case, KEY, 5)),
        ("a fee of", a_lovelace_less_of_fee),
        ("900000 lovelace in an output that needs", lambda case: with_output(case, 1, value={ADA: 900_000})),
        ("a value too large", lambda case: with_output(case, 1, plus=MANY_TOKENS)),
        ("another script_data_hash", lambda case: with_redeemer(case, "spend", 0, constr(2))),
        ("does not verify", lambda case: with_validity(case, upper=None)),
        ("no signature of", lambda case: with_signer(case, bytes(28))),
        ("no signature of", lambda case: with_resolved(case, STATE, address=somebody("a key").raw())),
        (" bytes", lambda case: with_output(case, 0, datum=Array((bytes(64),) * 240))),
    ],
)
def test_the_ledger_would_object_to(objection: str, change: Callable[[Case], Case]) -> None:
    """A healthy transaction has been looked at: each of these would have been found."""
    assert any(objection in found for found in objections(change(SAMPLE)))


# --- Prices


@pytest.mark.parametrize(
    ("lovelace", "size"), [(70_500, 4_700), (384_000, 25_600), (1_034_880, 60_000), (6_335_648, 204_800)]
)
def test_reference_scripts_cost_more_by_the_tier(lovelace: int, size: int) -> None:
    """15 lovelace for each of the first 25600 bytes, 18 for the next, and so on."""
    assert lovelace == PARAMETERS.reference_fee(size)


def test_a_fee_adds_up() -> None:
    """155381, 44 a byte, 0.0577 for memory and 0.0000721 for a step, rounded up together, 15 for a byte of script."""
    expected = 155_381 + 44 * 1_000 + 57_700 + 722 + 15 * 100
    assert expected == PARAMETERS.minimum_fee(1_000, Units(10**6, 10**7 + 1), 100)


def test_a_price_is_for_the_units_used() -> None:
    """A healthy transaction declares all the units there are. Declaring less is shorter, and that much cheaper."""
    price = priced(SAMPLE)
    outcome = evaluate(SAMPLE)
    assert isinstance(outcome, Passed)
    assert outcome.total == price.units
    assert len(SAMPLE.transaction) - 4 == price.size  # the steps take 5 bytes then, not 9
    paid = opened(SAMPLE).body[FEE]
    assert isinstance(paid, int)
    all_units = 952_050 + 721_000
    used = -(-(577_000 * price.units.memory + 721 * price.units.steps) // 10**7)
    assert paid - 44 * 4 - all_units + used == price.fee


# --- Evaluation


def test_the_contract_is_the_one_in_the_blueprint() -> None:
    """A script's hash covers its language and its bytes."""
    hashes = {validator["hash"] for validator in json.loads(BLUEPRINT.read_text(encoding="utf-8"))["validators"]}
    assert hashes == {OWN.hex()}


def test_units_are_exact() -> None:
    """A script that ignores its argument takes a start (100 and 100) and four steps (100 and 16000 each)."""
    expected = Passed({("spend", 0): Units(500, 64_100)})
    assert expected == evaluate(release(sample(), contract=ALWAYS))


def test_every_redeemer_has_its_units() -> None:
    """Each script starts anew."""
    expected = Passed({("spend", 0): Units(500, 64_100), ("mint", 0): Units(500, 64_100)})
    assert expected == evaluate(reclaim(sample(), contract=ALWAYS))


def test_a_script_that_says_no_is_told_by_what_it_was_for() -> None:
    """The evaluator stops there: nothing is said of the other redeemer."""
    outcome = evaluate(reclaim(sample(), contract=NEVER))
    assert isinstance(outcome, ScriptFailed)
    assert outcome.purpose == ("spend", 0)


def test_a_budget_is_for_all_scripts_together() -> None:
    """What two scripts use is enough, one unit less is not."""
    case = reclaim(sample(), contract=ALWAYS)
    assert isinstance(evaluate(case, Units(1_000, 128_200)), Passed)
    assert OutOfBudget(("mint", 0)) == evaluate(case, Units(999, 128_200))
    assert OutOfBudget(("mint", 0)) == evaluate(case, Units(1_000, 128_199))


def test_a_script_that_returns_something_else_than_unit_passes() -> None:
    """The ledger would refuse it. Should the evaluator learn to, this fails, and its docstring needs a line less."""
    assert isinstance(evaluate(release(sample(), contract=NO_UNIT)), Passed)


@pytest.mark.parametrize(
    "change",
    [
        lambda case: Case(b"\x84\x01", case.resolved),
        lambda case: Case(case.transaction[:-1], case.resolved),
        lambda case: Case(case.transaction, case.resolved[1:]),
        lambda case: without_input(case, STATE),
        lambda case: without_redeemer(case, "spend", 0),
        lambda case: without_reference_input(case, SCRIPT_AT),
        lambda case: with_redeemer(case, "mint", 0, constr(0)),
        lambda case: with_resolved(case, STATE, datum_hash=bytes(32)),
        lambda case: with_output(case, 1, address=b"\xff\x01"),
        lambda case: with_validity(case, lower=1_500_000_000_000),
        lambda case: with_reference_input(
            case, replace(purse(BEFORE_ALL), output=replace(purse(BEFORE_ALL).output, script=NEVER))
        ),
    ],
    ids=[
        "no transaction",
        "half a transaction",
        "an unknown input",
        "no script input",
        "no redeemer",
        "no script",
        "a redeemer for nothing",
        "no datum",
        "no address",
        "a time before Shelley",
        "a script for nothing",
    ],
)
def test_what_lets_no_script_run_is_no_verdict(change: Callable[[Case], Case]) -> None:
    """Not even where the evaluator itself gives up."""
    assert isinstance(evaluate(change(SAMPLE)), NotEvaluated)


def test_the_evaluator_looks_at_no_signature_nor_hash_nor_declared_unit() -> None:
    """Mutations need not redo them."""
    parts = opened(SAMPLE)
    bare = parts.witnesses.without(KEYS)
    redeemers = decode(encode(bare[REDEEMERS]))
    assert isinstance(redeemers, Map)
    ((key, entry),) = redeemers.pairs
    assert isinstance(entry, Array)
    undeclared = bare.with_value(REDEEMERS, Map(((key, entry.with_item(1, Array((0, 0)))),)))
    body = parts.body.with_value(SCRIPT_DATA_HASH, bytes(32)).with_value(FEE, 0)
    assert evaluate(SAMPLE) == evaluate(closed(replace(parts, body=body, witnesses=undeclared)))

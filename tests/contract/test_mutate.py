"""A mutation changes what its name says and nothing else; those made at random are varied, and can be repeated."""

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Final

import pytest

from tests.contract.builder import Coin, Output
from tests.contract.case import Case
from tests.contract.evaluate import NotEvaluated, Passed, ScriptFailed, evaluate
from tests.contract.gallery import AFTER_ALL, BEFORE_ALL, GALLERY, GOLD, purse, several_given_back
from tests.contract.healthy import HALF_AN_HOUR, NOW, STATE, release, sample
from tests.contract.mutants import random_mutation
from tests.contract.mutate import (
    position,
    with_certificate,
    with_donation,
    with_extra_output,
    with_input,
    with_input_at,
    with_mint,
    with_output,
    with_proposal,
    with_reference_input,
    with_resolved,
    with_script,
    with_signer,
    with_validity,
    with_vote,
    with_withdrawal,
    without_input,
    without_output,
    without_reference_input,
    without_signer,
)
from tests.contract.parts import datum_of, inputs, mint, opened, outputs, redeemer, redeemers_of
from tests.contract.plutus import constr, field, with_field
from tests.contract.script import ALWAYS, CONTRACT, OWN
from tests.contract.terms import ADA, Address, Asset, Credential, Reference, somebody
from tests.contract.tree import Array, Node

SAMPLE: Final = release(sample())
FIRST, LAST = purse(BEFORE_ALL), purse(AFTER_ALL)
FRIEND: Final = Output(somebody("a friend"), {ADA: 2_000_000})
STRANGER: Final = bytes([0x99] * 28)
OTHER: Final = Credential(GOLD.policy, is_script=True)


@pytest.mark.parametrize(
    ("there", "back"),
    [
        (lambda case: with_input(case, FIRST), lambda case: without_input(case, FIRST.reference)),
        (lambda case: with_input(case, LAST), lambda case: without_input(case, LAST.reference)),
        (lambda case: with_input_at(case, STATE, BEFORE_ALL), lambda case: with_input_at(case, BEFORE_ALL, STATE)),
        (lambda case: with_reference_input(case, LAST), lambda case: without_reference_input(case, AFTER_ALL)),
        (lambda case: with_extra_output(case, FRIEND), lambda case: without_output(case, -1)),
        (lambda case: with_extra_output(case, FRIEND, 1), lambda case: without_output(case, 1)),
        (lambda case: with_output(case, 0, plus={GOLD: 1}), lambda case: with_output(case, 0, plus={GOLD: -1})),
        (lambda case: with_output(case, 1, datum=constr(0)), lambda case: with_output(case, 1, datum=None)),
        (
            lambda case: with_output(case, 1, reference_script=CONTRACT),
            lambda case: with_output(case, 1, reference_script=None),
        ),
        (
            lambda case: with_resolved(case, STATE, plus={ADA: 5}),
            lambda case: with_resolved(case, STATE, plus={ADA: -5}),
        ),
        (
            lambda case: with_signer(with_signer(case, STRANGER), bytes(28)),
            lambda case: without_signer(without_signer(case, STRANGER), bytes(28)),
        ),
        (lambda case: with_mint(case, {GOLD: 1}, {GOLD.policy: constr(0)}), lambda case: with_mint(case, {})),
        (lambda case: with_validity(case, lower=None), lambda case: with_validity(case, lower=NOW)),
        (lambda case: with_validity(case, upper=NOW), lambda case: with_validity(case, upper=NOW + HALF_AN_HOUR)),
    ],
)
def test_a_mutation_undone_leaves_no_trace(there: Callable[[Case], Case], back: Callable[[Case], Case]) -> None:
    """It has changed something, and nothing beside."""
    changed = there(SAMPLE)
    assert changed != SAMPLE
    assert contents(SAMPLE) == contents(back(changed))


def contents(case: Case) -> tuple[object, ...]:
    """What is in a case, whatever the order of a map's keys."""
    parts = opened(case)
    return frozenset(parts.body.pairs), frozenset(parts.witnesses.pairs), parts.tail, parts.resolved


@pytest.mark.parametrize("coin", [FIRST, LAST], ids=["before", "behind"])
def test_redeemers_follow_their_inputs(coin: Coin) -> None:
    """Inputs stand before and behind, with redeemers of their own: one more takes none of theirs."""
    case = without_input(several_given_back(), coin.reference)
    more = with_input(case, coin)
    assert len(inputs(case)) + 1 == len(inputs(more))
    assert len(spending(case)) == 3
    assert spending(case) == {at: data for at, data in spending(more).items() if at != coin.reference}


def spending(case: Case) -> dict[Reference, Node]:
    """Redeemers by what they spend."""
    found = ((reference, (0, position(case, reference))) for reference in inputs(case))
    return {reference: redeemers_of(case)[key].items[0] for reference, key in found if key in redeemers_of(case)}


def test_redeemers_follow_their_policies() -> None:
    """A policy that sorts before ours takes place 0, and ours keeps its redeemer; also when the other goes again."""
    case = several_given_back()
    burn = redeemer(case, "mint", 0)
    for other in (Asset(bytes(28), b""), Asset(bytes([0xFF] * 28), b"")):
        more = with_mint(case, {**mint(case), other: 1}, {other.policy: constr(7)})
        ours, theirs = (1, 0) if other.policy < OWN else (0, 1)
        assert burn == redeemer(more, "mint", ours)
        assert constr(7) == redeemer(more, "mint", theirs)
        assert burn == redeemer(with_mint(more, mint(case)), "mint", 0)


def test_a_script_can_be_spent_beside_ours() -> None:
    """Given its redeemer and the script itself. It is our script that says no then: it wants to be alone."""
    coin = Coin(AFTER_ALL, Output(Address(OTHER), {ADA: 2_000_000}, constr(0)), constr(0))
    outcome = evaluate(with_script(with_input(SAMPLE, coin), ALWAYS))
    assert isinstance(outcome, ScriptFailed)
    assert outcome.purpose == ("spend", 0)


def test_a_withdrawal_by_a_script_runs_it() -> None:
    """In a reclaim, which has nothing against it."""
    case = with_script(with_withdrawal(several_given_back(), OTHER, 0, constr(0)), ALWAYS)
    outcome = evaluate(case)
    assert isinstance(outcome, Passed)
    assert ("withdraw", 0) in outcome.units


@pytest.mark.parametrize(
    "change",
    [
        lambda case: with_certificate(case, 7, Array((0, STRANGER)), 2_000_000),
        lambda case: with_vote(case, (2, STRANGER), BEFORE_ALL),
        lambda case: with_proposal(case),
        lambda case: with_withdrawal(case, Credential(STRANGER), 5),
        lambda case: with_donation(case, 5),
    ],
    ids=["a certificate", "a vote", "a proposal", "a withdrawal", "a donation"],
)
def test_the_evaluator_reads_what_else_a_body_may_hold(change: Callable[[Case], Case]) -> None:
    """A reclaim leaves all of it free, so it still passes."""
    changed = change(several_given_back())
    assert opened(changed) != opened(several_given_back())
    assert isinstance(evaluate(changed), Passed)


def test_fields_of_a_datum_can_be_told_and_changed() -> None:
    """By their positions: in a Distribution 4 are the allocations, in one of those 2 is the milestone."""
    datum = datum_of(outputs(SAMPLE)[0])
    changed = with_field(datum, (4, 1, 2), b"m2")
    assert field(datum, 4, 1, 2) == b"m1"
    assert field(changed, 4, 1, 2) == b"m2"
    assert datum == with_field(changed, (4, 1, 2), b"m1")


# --- At random


STARTS: Final = (
    "a creation of a token",
    "a release of one of two",
    "a reclaim at expiry",
    "a withdrawal of an attestation",
)


@pytest.mark.parametrize("shape", GALLERY)
def test_a_seed_always_makes_the_same_mutant(shape: str) -> None:
    """And never leaves the case as it was."""
    case = GALLERY[shape]()
    for seed in range(5):
        what, mutant = random_mutation(case, Random(seed))
        assert (what, mutant) == random_mutation(case, Random(seed))
        assert mutant != case


@pytest.mark.parametrize("shape", STARTS)
def test_mutants_made_at_random_are_worth_running(shape: str) -> None:
    """A good share passes, few cannot be run, and the rest fails in many places of the script."""
    case, rng = GALLERY[shape](), Random(0)
    outcomes = [evaluate(random_mutation(case, rng)[1]) for _ in range(100)]
    count = Counter(type(outcome) for outcome in outcomes)
    assert 25 <= count[Passed] <= 65
    assert count[NotEvaluated] <= 10
    assert len({outcome for outcome in outcomes if isinstance(outcome, ScriptFailed)}) >= 15

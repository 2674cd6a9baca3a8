"""Withdraw: an oracle takes the deposit of a published attestation back.

Its rules: the datum is an Attestation that decodes in full, and `refund_to` signs. All else is free.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from tests.contract.builder import Coin, Output
from tests.contract.case import Case
from tests.contract.evaluate import Passed, ScriptFailed, evaluate
from tests.contract.gallery import BEFORE_ALL, GOLD, WITHDRAWALS
from tests.contract.healthy import FUNDER, REFUND, STATE, attested, distribution, sample, withdraw
from tests.contract.jiggle import re_encoded
from tests.contract.mutate import (
    with_certificate,
    with_donation,
    with_input,
    with_output,
    with_redeemer,
    with_resolved,
    with_signers,
    with_validity,
    with_withdrawal,
)
from tests.contract.parts import datum_of, resolved
from tests.contract.plutus import constr, fields, octets, sequence, with_field, with_fields
from tests.contract.script import OWN
from tests.contract.terms import ADA, WITHDRAW, Address, Credential
from tests.contract.tree import Array, Map, Node

HEALTHY: Final = withdraw()
DATUM: Final = datum_of(resolved(HEALTHY, STATE))
FIELDS: Final = ("distribution_id", "milestone_id", "oracle", "signature", "refund_to")


def passes(case: Case) -> bool:
    """What our script says. Where no script has a say, the test is wrong."""
    outcome = evaluate(case)
    assert isinstance(outcome, Passed | ScriptFailed), outcome
    return isinstance(outcome, Passed)


def holding(datum: Node) -> Case:
    """The healthy withdrawal, of a UTxO that holds another datum."""
    return with_resolved(HEALTHY, STATE, datum=datum)


@pytest.mark.parametrize("shape", WITHDRAWALS)
def test_a_deposit_goes_back(shape: str) -> None:
    """So what the tests below change is what the script refuses."""
    assert passes(WITHDRAWALS[shape]())


# --- Signed by `refund_to`


@pytest.mark.parametrize(
    "signers",
    [(), (bytes(28),), (REFUND[:-1] + bytes([REFUND[-1] ^ 1]),)],
    ids=["nobody", "somebody else", "almost the same"],
)
def test_nobody_else_takes_it(signers: tuple[bytes, ...]) -> None:
    """Only the key hash that the datum names."""
    assert not passes(with_signers(HEALTHY, signers))


def test_others_may_sign_too() -> None:
    """Before and behind."""
    assert passes(with_signers(HEALTHY, (bytes(28), REFUND, bytes([0xFF] * 28))))


def test_each_deposit_wants_its_own_signature() -> None:
    """Two in one transaction: whose one is signed for does not take the other."""
    other = replace(attested(sample(), b"m1", 0), refund_to=bytes(28))
    home = Address(Credential(OWN, is_script=True))
    both = with_input(HEALTHY, Coin(BEFORE_ALL, Output(home, {ADA: 2_000_000}, other.data()), WITHDRAW))
    assert not passes(both)
    assert passes(with_signers(both, (bytes(28), REFUND)))


# --- An Attestation that decodes in full


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("other", [0, sequence(), constr(0), Map(())], ids=["integer", "list", "constructor", "map"])
def test_every_field_is_a_byte_string(name: str, other: Node) -> None:
    """Also those that the script has no other use for."""
    assert not passes(holding(with_field(DATUM, (FIELDS.index(name),), other)))


@pytest.mark.parametrize("name", FIELDS)
def test_no_field_is_missing(name: str) -> None:
    """Whichever it is, so that none takes its place."""
    kept = tuple(content for other, content in zip(FIELDS, fields(DATUM).items, strict=True) if other != name)
    assert not passes(holding(with_fields(DATUM, kept)))


@pytest.mark.parametrize(
    "datum",
    [
        with_fields(DATUM, (*fields(DATUM).items, b"")),
        with_fields(DATUM, (b"", *fields(DATUM).items)),
        with_fields(DATUM, fields(DATUM).items[::-1]),
        constr(0, *fields(DATUM).items),
        constr(2, *fields(DATUM).items),
        fields(DATUM),
        constr(1),
        sample().data(),
        0,
        b"",
        Map(()),
    ],
    ids=[
        "a field more",
        "a field more in front",
        "fields in reverse",
        "constructor 0",
        "constructor 2",
        "a list of the fields",
        "no fields",
        "a Distribution",
        "an integer",
        "a byte string",
        "a map",
    ],
)
def test_nothing_else_is_an_attestation(datum: Node) -> None:
    """It has five fields, in their order, under constructor 1."""
    assert not passes(holding(datum))


@pytest.mark.parametrize("name", FIELDS[:-1])
@pytest.mark.parametrize("content", [b"", bytes(65)], ids=["empty", "long"])
def test_lengths_do_not_matter(name: str, content: bytes) -> None:
    """An attestation that never meant a thing is a deposit nevertheless."""
    assert passes(holding(with_field(DATUM, (FIELDS.index(name),), octets(content))))


def test_another_encoding_is_the_same_datum() -> None:
    """Fields in a list of definite length."""
    assert passes(holding(re_encoded(DATUM)))


def test_without_a_datum_nothing_is_spent() -> None:
    """The ledger lets Plutus V3 scripts run without."""
    assert not passes(holding(None))


def test_a_distribution_cannot_be_withdrawn() -> None:
    """Not by its funder either, whatever the state token says."""
    locked = distribution(sample())
    case = with_resolved(HEALTHY, STATE, datum=locked.datum, value=locked.value)
    assert not passes(with_signers(case, (FUNDER, REFUND)))


# --- All else is free


@pytest.mark.parametrize(
    "change",
    [
        lambda case: with_output(case, 0, address=bytes([0x71]) + OWN),
        lambda case: with_resolved(case, STATE, plus={ADA: 10**9, GOLD: 5}),
        lambda case: with_resolved(case, STATE, address=bytes([0x31]) + OWN + bytes(28)),
        lambda case: with_withdrawal(case, Credential(bytes(28)), 5),
        lambda case: with_certificate(case, 7, Array((0, bytes(28))), 2_000_000),
        lambda case: with_donation(case, 5),
        lambda case: with_validity(case, lower=None, upper=None),
    ],
    ids=["whom it goes to", "the value", "the stake part", "a withdrawal", "a certificate", "a donation", "no bounds"],
)
def test_nothing_else_matters(change: Callable[[Case], Case]) -> None:
    """Whoever signs says where it goes, and with what."""
    assert passes(change(HEALTHY))


def test_it_takes_the_redeemer_withdraw() -> None:
    """None of the others, and none with a field too many."""
    for redeemer in (constr(1), constr(3), constr(0, b"m1", sequence(), sequence()), constr(2, b""), sequence(), 2):
        assert not passes(with_redeemer(HEALTHY, "spend", 0, redeemer))

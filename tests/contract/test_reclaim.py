"""Reclaim: the funder takes back what is left, wherever to.

The rules of `contracts/lib/logic/reclaim.ak`; more of UTxOs without state token is in `test_reclaim_stray`, decoding in
full in `test_malformed`. Each test changes a healthy reclaim so that only the rule it names is broken.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from itertools import combinations
from typing import Final

import pytest

from tests.contract.builder import Coin, Output
from tests.contract.case import SLOT_LENGTH, Case
from tests.contract.gallery import AFTER_ALL, BEFORE_ALL, FOREIGN, GOLD, KEY, RECLAIMS, SCRIPT, purse
from tests.contract.healthy import (
    FUEL,
    FUNDER,
    NOW,
    REFUND,
    STATE,
    attested,
    distribution,
    reclaim,
    sample,
    state_token,
    withdraw,
)
from tests.contract.keys import key_hash
from tests.contract.malformed import malformed
from tests.contract.mutate import (
    position,
    with_certificate,
    with_donation,
    with_input,
    with_mint,
    with_output,
    with_proposal,
    with_redeemer,
    with_resolved,
    with_script,
    with_signers,
    with_validity,
    with_vote,
    with_withdrawal,
)
from tests.contract.neighbours import TOKENS
from tests.contract.parts import datum_of, resolved
from tests.contract.plutus import constr, with_field
from tests.contract.script import ALWAYS, CONTRACT, OWN
from tests.contract.terms import ADA, RECLAIM, WITHDRAW, Address, Asset, Credential, Reference, release_redeemer
from tests.contract.tree import Array
from tests.contract.verdict import passes, refused

TERMS: Final = sample(3)
DONE: Final = reclaim(TERMS.claim(range(3)))
EXPIRING: Final = replace(TERMS, expires_at=NOW)
EXPIRED: Final = reclaim(EXPIRING)
STRAY: Final = reclaim(TERMS, stray=True)
HOME: Final = Address(Credential(OWN, is_script=True))
STRANGER: Final = key_hash("stranger")

# One more distribution, of another funder.
THEIRS: Final = replace(sample(2, expires_at=NOW), funder=STRANGER)

healthy = pytest.mark.parametrize("case", [DONE, EXPIRED, STRAY], ids=["a completed one", "an expired one", "a stray"])
genuine = pytest.mark.parametrize("case", [DONE, EXPIRED], ids=["a completed one", "an expired one"])
token_too = pytest.mark.parametrize(
    ("case", "token"),
    [(DONE, state_token(TERMS)), (EXPIRED, state_token(EXPIRING))],
    ids=["a completed one", "an expired one"],
)
in_either_order = pytest.mark.parametrize("at", [BEFORE_ALL, AFTER_ALL], ids=["before", "behind"])

# --- What is free


SHAPES: Final[Mapping[str, Callable[[], Case]]] = {
    **RECLAIMS,
    **{
        f"after completion, of {what}": partial(reclaim, sample(token=token).claim((0, 1)))
        for what, token in TOKENS.items()
    },
    **{
        f"at expiry, of {what}": partial(reclaim, sample(token=token, expires_at=NOW)) for what, token in TOKENS.items()
    },
    "long after completion and expiry": lambda: reclaim(sample(expires_at=0).claim((0, 1))),
    "at expiry, without an upper bound": lambda: reclaim(EXPIRING, upper=None),
    "at an address with a stake key": lambda: reclaim(EXPIRING, stake=KEY),
    "of a stray, before expiry": lambda: reclaim(sample(expires_at=NOW + 10**9), stray=True),
    "of a stray, without bounds": lambda: reclaim(TERMS, stray=True, lower=None, upper=None),
    "of a stray with a stake part": lambda: reclaim(TERMS, stray=True, stake=SCRIPT),
    "of a stray, partly claimed": lambda: reclaim(TERMS.claim((1,)), stray=True),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_it_goes_back(shape: str) -> None:
    """So what the tests below change is what the script refuses."""
    assert passes(SHAPES[shape]())


@healthy
@pytest.mark.parametrize(
    "change",
    [
        lambda case: with_output(case, 0, address=b"\x71" + OWN),
        lambda case: with_output(case, 0, address=b"\x61" + STRANGER),
        lambda case: with_resolved(case, STATE, plus={ADA: 10**9, GOLD: 5}),
        lambda case: with_resolved(case, STATE, address=b"\x31" + OWN + bytes(28)),
        lambda case: with_resolved(case, STATE, address=b"\x51" + OWN + b"\1\2\3"),
        lambda case: with_resolved(case, STATE, reference_script=CONTRACT),
        lambda case: with_withdrawal(case, KEY, 5),
        lambda case: with_certificate(case, 7, Array((0, bytes(28))), 2_000_000),
        lambda case: with_vote(case, (2, bytes(28)), BEFORE_ALL),
        with_proposal,
        lambda case: with_donation(case, 5),
        lambda case: with_validity(case, upper=None),
    ],
    ids=[
        "back to our address",
        "to somebody else",
        "more value",
        "the stake part",
        "a pointer",
        "a script in it",
        "a withdrawal",
        "a certificate",
        "a vote",
        "a proposal",
        "a donation",
        "no upper bound",
    ],
)
def test_nothing_else_matters(case: Case, change: Callable[[Case], Case]) -> None:
    """Whoever signs says where it goes, and with what."""
    assert change(case) != case
    assert passes(change(case))


# --- 2. Its funder signs


@healthy
@pytest.mark.parametrize(
    "signers",
    [(), (bytes(28),), (FUNDER[:-1] + bytes([FUNDER[-1] ^ 1]),), (key_hash("keeper"), REFUND)],
    ids=["nobody", "somebody else", "almost the same", "others in the story"],
)
def test_nobody_else_takes_it(case: Case, signers: tuple[bytes, ...]) -> None:
    """Anybody could have what is left, and what a funder sent us by mistake."""
    assert refused(with_signers(case, signers), by="spend")


@healthy
def test_others_may_sign_too(case: Case) -> None:
    """Before and behind the funder."""
    assert passes(with_signers(case, (bytes(28), FUNDER, b"\xff" * 28)))


@healthy
def test_who_signs_is_the_one_whom_the_datum_names(case: Case) -> None:
    """Not who created it, pays for the transaction, or once was the funder of another."""
    datum = with_field(datum_of(resolved(case, STATE)), (0,), STRANGER)
    assert refused(with_resolved(case, STATE, datum=datum), by="spend")
    assert passes(with_signers(with_resolved(case, STATE, datum=datum), (STRANGER,)))


@healthy
@in_either_order
def test_each_wants_the_signature_of_its_own_funder(case: Case, at: Reference) -> None:
    """Two in one transaction: whose one is signed for does not take the other."""
    theirs = Coin(at, Output(HOME, {ADA: 5_000_000}, THEIRS.data()), RECLAIM)
    both = with_input(case, theirs)
    assert refused(both, by="spend")
    assert passes(with_signers(both, (FUNDER, STRANGER)))
    assert refused(with_signers(both, (STRANGER,)), by="spend")


# --- 3a. All is claimed, or it has expired


@pytest.mark.parametrize("claimed", [c for count in range(3) for c in combinations(range(3), count)], ids=str)
@pytest.mark.parametrize("expires_at", [None, NOW + 1, 2**63 - 1], ids=["never expires", "a millisecond early", "late"])
def test_before_expiry_all_has_to_be_claimed(claimed: tuple[int, ...], expires_at: int | None) -> None:
    """Whichever is not: else a funder would take back what is promised, the milestone reached or not."""
    assert refused(reclaim(replace(TERMS, expires_at=expires_at).claim(claimed)), by="spend")


@pytest.mark.parametrize("claimed", [(), (0,), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("expires_at", [0, NOW - 10**9, NOW - 1, NOW])
def test_from_expiry_on_nothing_has_to_be(claimed: tuple[int, ...], expires_at: int) -> None:
    """From the very millisecond on at which it expires."""
    assert passes(reclaim(replace(TERMS, expires_at=expires_at).claim(claimed)))


@pytest.mark.parametrize(
    ("accepted", "lower"),
    [(True, NOW + SLOT_LENGTH), (True, NOW), (False, NOW - SLOT_LENGTH), (False, 1_700_000_000_000), (False, None)],
    ids=["a slot after", "the slot", "a slot before", "long before", "no bound"],
)
@pytest.mark.parametrize("upper", [None, NOW - SLOT_LENGTH, NOW + 10**9], ids=["no end", "ends before", "ends after"])
def test_it_is_the_lower_bound_that_says_when(accepted: bool, lower: int | None, upper: int | None) -> None:
    """Only it says that the time has come: with any other, a funder would say that it is later than it is."""
    case = with_validity(EXPIRED, lower=lower, upper=upper)
    assert accepted == passes(case)


@pytest.mark.parametrize("lower", [None, NOW, 1_700_000_000_000])
def test_what_is_completed_has_no_need_of_a_time(lower: int | None) -> None:
    """Nobody is owed anything any more."""
    assert passes(with_validity(DONE, lower=lower, upper=None))


# --- 3b. The state token is burnt


OTHER: Final = Asset(OWN, bytes(32))
LAST: Final = Asset(OWN, b"\xff" * 32)
UNNAMED: Final = Asset(OWN, b"")
TOKENS_OF_OURS: Final = (OTHER, LAST, UNNAMED, state_token(sample(2)))


@genuine
def test_without_a_burn_it_stays(case: Case) -> None:
    """A state token that is not burnt makes anything genuine: terms that nobody checked, say."""
    assert refused(with_mint(case, {}), by="spend")


@genuine
@pytest.mark.parametrize("other", TOKENS_OF_OURS, ids=["all zeros", "the last", "no name", "of other terms"])
@pytest.mark.parametrize("quantity", [-1, -2])
def test_another_token_burnt_is_not_this_one(case: Case, other: Asset, quantity: int) -> None:
    """Else one would buy the other's freedom."""
    assert refused(with_mint(case, {other: quantity}), by="spend")


@token_too
@pytest.mark.parametrize("quantity", [-2, -3, -(2**63)])
def test_no_more_than_one_of_it_is_burnt(case: Case, token: Asset, quantity: int) -> None:
    """The mint holds -1 of it: there is but one."""
    assert refused(with_mint(case, {token: quantity}), by="spend")


@token_too
@pytest.mark.parametrize("quantity", [1, 2])
def test_it_is_burnt_and_not_minted(case: Case, token: Asset, quantity: int) -> None:
    """One more would be free to mark what the funder likes. Burn refuses it as well; here it is Reclaim that does."""
    assert refused(with_mint(case, {token: quantity}), by="spend")


@token_too
def test_the_same_name_of_another_policy_is_not_it(case: Case, token: Asset) -> None:
    """Anybody can mint and burn tokens of any name, under a policy of his own."""
    foreign = with_mint(case, {Asset(FOREIGN, token.name): -1}, {FOREIGN: constr(0)})
    assert refused(with_script(foreign, ALWAYS), by="spend")


@token_too
@pytest.mark.parametrize("other", TOKENS_OF_OURS, ids=["all zeros", "the last", "no name", "of other terms"])
def test_others_may_be_burnt_beside(case: Case, token: Asset, other: Asset) -> None:
    """Whether they sort before or behind."""
    assert passes(with_mint(case, {token: -1, other: -1}))


@token_too
@in_either_order
def test_two_reclaimed_are_two_burnt(case: Case, token: Asset, at: Reference) -> None:
    """Both in one transaction; and one burn missing, or twice the same, takes neither."""
    second = sample(2, expires_at=NOW)
    both = with_mint(with_input(case, Coin(at, distribution(second), RECLAIM)), {token: -1, state_token(second): -1})
    assert passes(both)
    for burnt in ({token: -1}, {state_token(second): -1}, {token: -2}, {token: -1, OTHER: -1}):
        assert refused(with_mint(both, burnt), by="spend")


@in_either_order
def test_one_that_has_expired_takes_none_along_that_has_not(at: Reference) -> None:
    """Each is judged by its own datum."""
    second = sample(2, expires_at=NOW + 1)
    both = with_input(EXPIRED, Coin(at, distribution(second), RECLAIM))
    assert refused(with_mint(both, {state_token(EXPIRING): -1, state_token(second): -1}), by="spend")


# --- Nothing else is reclaimed, and by nothing else


@pytest.mark.parametrize("refund_to", [REFUND, FUNDER], ids=["an oracle's owner", "the funder"])
def test_an_attestation_is_not_reclaimed(refund_to: bytes) -> None:
    """Its datum has no funder: by whatever stands in a funder's place, somebody could take an oracle's deposit."""
    published = replace(attested(TERMS, b"m1", 0), refund_to=refund_to)
    assert passes(withdraw(published))
    case = with_redeemer(withdraw(published), "spend", 0, RECLAIM)
    for signers in ((refund_to,), (FUNDER, REFUND, STRANGER)):
        assert refused(with_signers(case, signers), by="spend")


@healthy
def test_it_takes_the_redeemer_reclaim(case: Case) -> None:
    """Not Withdraw, which asks for no burn; and none with a field too many."""
    at = position(case, STATE)
    arguments = dict(malformed(RECLAIM, ()))
    for argument in (*arguments.values(), WITHDRAW, release_redeemer(b"m1", (), ()), release_redeemer(b"m1", (0,), ())):
        assert refused(with_redeemer(case, "spend", at, argument), by="spend"), argument


def test_fuel_from_keys_changes_nothing() -> None:
    """Nor the place of the distribution among the inputs."""
    assert BEFORE_ALL < STATE < FUEL < AFTER_ALL
    for case in (DONE, EXPIRED, STRAY):
        assert passes(with_input(with_input(case, purse(BEFORE_ALL)), purse(AFTER_ALL)))

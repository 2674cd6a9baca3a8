"""Attempts to steal or to lock money, one test each: what outputs hold, lovelace, time, stake, beneficiaries.

Each is refused, or it goes through and the docstring says why nobody is harmed: see `test_hostile`.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import permutations
from typing import Final

import pytest

from tests.contract.builder import Value, less, sum_values
from tests.contract.gallery import GOLD, KEY, SCRIPT
from tests.contract.healthy import (
    DISTRIBUTION,
    NOW,
    STATE,
    create,
    reclaim,
    release,
    sample,
    state_token,
)
from tests.contract.keys import key_hash
from tests.contract.mutate import (
    with_output,
    with_resolved,
    with_signers,
    with_validity,
)
from tests.contract.parameters import PARAMETERS
from tests.contract.parts import outputs, value_of
from tests.contract.phase1 import objections
from tests.contract.plutus import constr
from tests.contract.recreate import with_terms
from tests.contract.releasing import listing
from tests.contract.script import ALWAYS, OWN
from tests.contract.terms import (
    ADA,
    TOKEN,
    Address,
    Allocation,
    Asset,
    Credential,
    Terms,
    somebody,
)
from tests.contract.verdict import passes, refused

TERMS: Final = sample()
CREATION, RELEASE = create(TERMS), release(TERMS)
STATE_TOKEN: Final = state_token(TERMS)
HOME: Final = Address(Credential(OWN, is_script=True))

# --- What else gets into the output, so that the money is never had again


@pytest.mark.parametrize("token", [TOKEN, ADA], ids=["a token", "ada"])
@pytest.mark.parametrize(
    "ballast",
    [
        {GOLD: 1},
        {Asset(TOKEN.policy, b"DUST"): 1},
        {Asset(TOKEN.policy, b"TOKENS"): 1},
        {Asset(TOKEN.policy, b""): 1},
        {Asset(KEY.hash, bytes(32)): 2**63},
    ],
    ids=["another policy", "a name before", "a name behind", "no name", "a quantity beyond 63 bits"],
)
def test_nothing_is_sent_along(token: Asset, ballast: Value) -> None:
    """A value too large for an output, or too dear, would hold the rest for ever. Nobody adds to an output later: what
    is sent to the address is an output of its own."""
    terms = sample(token=token)
    assert refused(with_output(create(terms), DISTRIBUTION, plus=ballast), by="mint")
    assert refused(with_output(release(terms), DISTRIBUTION, plus=ballast), by="spend")


def test_no_script_is_put_into_the_output() -> None:
    """Whoever spends it would pay for every byte; nor into a payout."""
    assert refused(with_output(CREATION, DISTRIBUTION, reference_script=ALWAYS), by="mint")
    for at in (DISTRIBUTION, 1, 2):
        assert refused(with_output(RELEASE, at, reference_script=ALWAYS), by="spend")


def test_lovelace_may_be_sent_along() -> None:
    """However much: an integer, and it comes back with Reclaim."""
    for case in (CREATION, RELEASE):
        assert passes(with_output(case, DISTRIBUTION, plus={ADA: 45 * 10**15}))


@pytest.mark.parametrize(
    ("fits", "token"),
    [
        (False, Asset(OWN, b"x")),
        (False, STATE_TOKEN),
        (False, Asset(b"", b"x")),
        (False, Asset(b"short", b"x")),
        (True, Asset(TOKEN.policy, b"")),
        (True, Asset(bytes(28), b"x" * 32)),
        (True, Asset(bytes([0xFF] * 28), b"x")),
    ],
    ids=["our policy", "a state token", "ada with a name", "no policy", "no name", "a low policy", "a high policy"],
)
def test_the_token_is_one_that_can_be_there(fits: bool, token: Asset) -> None:
    """The id commits to `token`, so that it can be no state token; an output holds no other policy of ours."""
    terms = replace(TERMS, token=token)
    if not fits:
        assert refused(with_terms(CREATION, terms), by="mint")
        return
    assert passes(create(terms))
    assert passes(release(terms, indices=(1,)))


def test_ada_has_no_name() -> None:
    """Under a name it is a token that does not exist, and no release could pay it."""
    terms = sample(token=ADA)
    assert refused(with_terms(create(terms), replace(terms, token=Asset(b"", b"x"))), by="mint")


def test_a_promise_may_be_too_long_to_be_kept() -> None:
    """A creation fits into a transaction, and none of its releases does. The money is the funder's own, and comes back
    at expiry; `register-milestone` refuses to make it, and beneficiaries can see it before they rely on it."""
    few = sample(1, oracles=15, threshold=10, token=ADA, lovelace_per_payout=0, expires_at=NOW)
    terms = replace(few, keeper_fee_per_payout=0, allocations=(Allocation(somebody("a friend"), 1, b"m", 0),) * 285)
    made = create(terms)
    assert not list(objections(made))
    assert passes(made)
    assert len(release(terms, b"m", (0,)).transaction) > PARAMETERS.max_size
    assert passes(reclaim(terms))


# --- A promise that is none

FIRST, SECOND = TERMS.allocations
POISON: Final[Mapping[str, Terms]] = {
    "in another's name": replace(TERMS, funder=key_hash("stranger")),
    "released by anybody": replace(TERMS, threshold=0),
    "released by nobody": replace(TERMS, threshold=4),
    "attested by what is no key": replace(TERMS, oracles=(*TERMS.oracles, bytes(31))),
    "of nothing": replace(TERMS, allocations=()),
    "of zero": replace(TERMS, allocations=(FIRST, replace(SECOND, amount=0))),
    "less than nothing, to fund the other": replace(TERMS, allocations=(FIRST, replace(SECOND, amount=-1_000))),
    "paid from the start": TERMS.claim((1,)),
    "paid altogether": TERMS.claim((0, 1)),
    "whose payouts bring lovelace in": replace(TERMS, lovelace_per_payout=-1_500_000),
    "whose keepers pay": replace(TERMS, keeper_fee_per_payout=-500_000),
    "for no milestone": replace(TERMS, allocations=(FIRST, replace(SECOND, milestone=b""))),
    "for a milestone too long": replace(TERMS, allocations=(FIRST, replace(SECOND, milestone=bytes(65)))),
    "before time": replace(TERMS, allocations=(FIRST, replace(SECOND, vesting=-1))),
    "after all time": replace(TERMS, allocations=(FIRST, replace(SECOND, vesting=2**63))),
    "expired before time": replace(TERMS, expires_at=-1),
    "expiring after all time": replace(TERMS, expires_at=2**63),
    "to half an address": replace(TERMS, allocations=(FIRST, Allocation(Address(Credential(bytes(27)))))),
    "to half a stake part": replace(TERMS, allocations=(FIRST, Allocation(Address(KEY, Credential(bytes(27)))))),
}


@pytest.mark.parametrize("terms", POISON.values(), ids=POISON)
def test_no_state_token_vouches_for_a_promise_that_cannot_be_kept(terms: Terms) -> None:
    """Release checks the terms no more: what is wrong in them would lock what is promised, or let go of it."""
    assert refused(with_terms(CREATION, terms), by="mint")


def test_totals_fit_a_signed_integer() -> None:
    """Of 64 bits, so that whoever adds them up may."""
    allocations = (FIRST, replace(SECOND, amount=2**63 - FIRST.amount))
    case = with_output(CREATION, DISTRIBUTION, plus={TOKEN: 2**63})
    assert refused(with_terms(case, replace(TERMS, allocations=allocations)), by="mint")
    fits = (FIRST, replace(SECOND, amount=2**63 - FIRST.amount - 1))
    assert passes(with_terms(case, replace(TERMS, allocations=fits)))


@pytest.mark.parametrize("token", [TOKEN, ADA], ids=["a token", "ada"])
def test_a_promise_is_funded_from_the_start(token: Asset) -> None:
    """What all payouts and all keepers may take, to the last unit: so no release takes what a later one needs."""
    terms = sample(token=token)
    exact = sum_values([terms.promised(), {state_token(terms): 1}])
    assert passes(with_output(create(terms), DISTRIBUTION, value=exact))
    for asset in {ADA, token}:
        assert refused(with_output(create(terms), DISTRIBUTION, value=less(exact, {asset: 1})), by="mint")


@pytest.mark.parametrize("instead", [GOLD, Asset(TOKEN.policy, b"TOKENS"), Asset(GOLD.policy, TOKEN.name)])
def test_a_promise_is_not_funded_with_another_token(instead: Asset) -> None:
    """Nor paid, nor kept: a token that anybody can make would buy the one that is promised."""
    case = with_output(CREATION, DISTRIBUTION, plus={TOKEN: -2_001, instead: 2_001})
    assert refused(case, by="mint")
    assert refused(with_output(RELEASE, 1, plus={TOKEN: -1_000, instead: 1_000}), by="spend")
    partly = release(TERMS, indices=(0,))
    assert refused(with_output(partly, DISTRIBUTION, plus={TOKEN: -1_001, instead: 1_001}), by="spend")


def test_nothing_is_reclaimed_early_or_by_others() -> None:
    """While anything is unclaimed and not expired, the funder himself cannot; and nobody else ever can."""
    for terms in (TERMS, TERMS.claim((0,)), sample(expires_at=NOW + 1), sample(expires_at=NOW + 1).claim((1,))):
        assert refused(reclaim(terms), by="spend")
    for terms in (TERMS.claim((0, 1)), sample(expires_at=NOW)):
        assert passes(reclaim(terms))
        assert refused(with_signers(reclaim(terms), (key_hash("stranger"),)), by="spend")


def test_a_promise_may_be_worth_nothing() -> None:
    """What Create lets through, and whoever relies on a promise has to look at: a funder who can take it back at once,
    vesting after expiry, or never; a token of his own making; oracles of his own."""
    vesting_late = replace(TERMS, expires_at=NOW, allocations=(replace(FIRST, vesting=2**63 - 1), SECOND))
    for terms in (replace(TERMS, expires_at=0), vesting_late, replace(TERMS, oracles=(bytes(32), bytes([1] * 32)))):
        assert passes(with_terms(CREATION, terms))


# --- Lovelace


@pytest.mark.parametrize("token", [TOKEN, ADA], ids=["a token", "ada"])
@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_no_order_of_releases_takes_more_than_another(token: Asset, order: tuple[int, ...]) -> None:
    """One by one, each keeper taking all that he may: the last payout is still paid for, the reserve untouched. A fee
    taken twice, or a lovelace more, is refused."""
    terms, reserve = sample(3, token=token), 2_000_000
    held = sum_values([terms.promised(), {state_token(terms): 1, ADA: reserve}])
    for index in order:
        allowed = terms.lovelace_per_payout + terms.keeper_fee_per_payout
        left = less(held, sum_values([{ADA: allowed}, {token: terms.allocations[index].amount}]))
        case = with_resolved(release(terms, indices=(index,)), STATE, value=held)
        assert passes(with_output(case, DISTRIBUTION, value=left))
        for more in (1, terms.keeper_fee_per_payout):
            assert refused(with_output(case, DISTRIBUTION, value=less(left, {ADA: more})), by="spend")
        terms, held = terms.claim((index,)), left
    assert {ADA: reserve, state_token(terms): 1} == held


def test_a_release_is_not_sent_twice() -> None:
    """Its redeemer is public, and anybody may send it: once, even where there is more to take."""
    again = with_resolved(RELEASE, STATE, datum=TERMS.claim((0, 1)).data())
    assert refused(again, by="spend")
    assert refused(listing(again, ()), by="spend")


def test_a_release_pays_somebody() -> None:
    """One of nothing would hold up those of something, and cost nobody but its sender."""
    assert refused(release(TERMS, indices=()), by="spend")


@pytest.mark.parametrize("token", [TOKEN, ADA], ids=["a token", "ada"])
def test_a_keeper_does_not_keep_what_goes_with_a_payout(token: Asset) -> None:
    """Lovelace that the distribution gives for a payout, or ada that is the payout, kept as change."""
    terms = sample(token=token)
    due = terms.lovelace_per_payout + (terms.allocations[0].amount if token == ADA else 0)
    exact = {**value_of(outputs(release(terms))[1]), ADA: due}
    assert passes(with_output(release(terms), 1, value=exact))
    assert refused(with_output(release(terms), 1, value=less(exact, {ADA: 1})), by="spend")


# --- Time


@pytest.mark.parametrize("upper", [NOW, 2 * NOW, None], ids=["now", "far", "never"])
def test_time_is_not_made_up(upper: int | None) -> None:
    """Only a lower bound proves that a moment has passed: without one there is neither vesting nor expiry."""
    for case in (RELEASE, reclaim(sample(expires_at=NOW))):
        assert passes(with_validity(case, upper=None))
        assert refused(with_validity(case, lower=None, upper=upper), by="spend")


# --- Stake


def test_rewards_are_whose_funder_says() -> None:
    """Any stake part at creation: what lies here earns for whom the funder likes. A keeper turns that to himself
    neither here nor at the payouts."""
    staked = create(TERMS, stake=KEY)
    assert passes(staked)
    released = release(TERMS, stake=KEY)
    assert passes(released)
    mine = Credential(key_hash("keeper"))
    assert refused(with_output(released, DISTRIBUTION, address=Address(HOME.payment, mine).raw()), by="spend")
    paid = TERMS.allocations[0].beneficiary
    assert refused(with_output(released, 1, address=Address(paid.payment, mine).raw()), by="spend")


def test_a_beneficiary_may_be_a_script() -> None:
    """It gets an output without a datum, which most scripts never let go: `register-milestone` warns. A datum would let
    the keeper choose what such a script reads."""
    terms = replace(TERMS, allocations=(Allocation(Address(SCRIPT), 1_000),))
    assert passes(create(terms))
    assert passes(release(terms))
    assert refused(with_output(release(terms), 1, datum=constr(0)), by="spend")

"""Release, rule 6, output 0 but for its datum: the distribution stays where it is, with what is left.

The same address; no reference script; the state token kept, the token less by what is paid, no other token; lovelace
less by at most what the payouts may cost.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import pytest

from tests.contract.builder import Value
from tests.contract.case import Case
from tests.contract.gallery import FOREIGN, GOLD, KEY, SCRIPT, paid_out
from tests.contract.healthy import DISTRIBUTION, FIRST_PAYOUT, NOW, STATE, release, sample, state_token
from tests.contract.keys import key_hash
from tests.contract.mutate import with_extra_output, with_output, with_outputs, with_resolved, without_output
from tests.contract.parts import outputs, resolved, value_of
from tests.contract.releasing import passes
from tests.contract.script import ALWAYS, CONTRACT, OWN
from tests.contract.terms import ADA, TOKEN, Address, Asset, Credential

STRANGER: Final = key_hash("stranger")
CHANGE: Final = -1

# Claimed before: 0. Paid now: 2. Open: 4, of the same milestone; 1 and 3, of another.
BEFORE: Final = replace(sample(5, milestones=(b"m1", b"m2")), expires_at=NOW).claim((0,))
PARTLY: Final = release(BEFORE, indices=(2,))

ALL: Final = release(sample(3))
CASES: Final[Mapping[str, Case]] = {
    "a token": PARTLY,
    "the last of a token": ALL,
    "ada": release(replace(BEFORE, token=ADA), indices=(2,)),
    "the last of ada": release(sample(3, token=ADA)),
}

each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def kept(case: Case) -> Asset:
    """The state token of a case."""
    return next(asset for asset in value_of(outputs(case)[DISTRIBUTION]) if asset.policy == OWN)


@each_case
def test_the_healthy_ones_are_healthy(case: Case) -> None:
    """So what the tests below change is what the script refuses."""
    assert passes(case)


# --- The same address


@pytest.mark.parametrize("stake", [None, KEY, SCRIPT], ids=["no stake part", "a stake key", "a stake script"])
def test_it_stays_at_its_address(stake: Credential | None) -> None:
    """At another payment part the promise is gone; at another stake part somebody else has its rewards and votes."""
    home = Credential(OWN, is_script=True)
    case = release(sample(3), stake=stake, indices=(1,))
    for other in (None, KEY, SCRIPT, Credential(STRANGER), KEY._replace(is_script=True)):
        expected = other == stake
        assert expected == passes(with_output(case, DISTRIBUTION, address=Address(home, other).raw())), other
    for payment in (Credential(OWN), Credential(FOREIGN, is_script=True), Credential(STRANGER)):
        assert not passes(with_output(case, DISTRIBUTION, address=Address(payment, stake).raw())), payment
    assert not passes(with_output(case, DISTRIBUTION, address=bytes([0x51]) + OWN + b"\x01\x02\x03"))


# --- No reference script


@each_case
@pytest.mark.parametrize("script", [ALWAYS, CONTRACT], ids=["somebody's", "our own"])
def test_no_script_lies_in_it(case: Case, script: bytes) -> None:
    """Every later release would pay for its bytes; with a large one, none would be possible any more."""
    assert not passes(with_output(case, DISTRIBUTION, reference_script=script))


# --- The state token kept


@each_case
def test_the_state_token_stays(case: Case) -> None:
    """Who had it in his wallet could lock it again under terms of his own, or nobody could release the rest."""
    token = kept(case)
    without = with_output(case, DISTRIBUTION, plus={token: -1})
    assert not passes(without)
    for place in (CHANGE, FIRST_PAYOUT):
        assert not passes(with_output(without, place, plus={token: 1}))
    for other in (Asset(FOREIGN, token.name), Asset(OWN, bytes(32)), Asset(OWN, b"")):
        assert not passes(with_output(without, DISTRIBUTION, plus={other: 1})), other
    assert not passes(with_output(case, DISTRIBUTION, plus={token: 1}))


@each_case
def test_it_is_output_0_that_continues(case: Case) -> None:
    """Not a later one, even if nothing is wrong with it; the rest would be judged one place off."""
    continuing, first, *rest = outputs(case)
    assert not passes(with_outputs(case, [first, continuing, *rest]))
    assert not passes(with_outputs(case, [first, *rest, continuing]))
    assert not passes(with_extra_output(case, paid_out(), DISTRIBUTION))
    assert not passes(without_output(case, DISTRIBUTION))
    assert not passes(with_outputs(case, []))


# --- The token less by what is paid


@pytest.mark.parametrize("case", [PARTLY, ALL, release(sample(3), surplus={TOKEN: 5})], ids=["partly", "all", "more"])
@pytest.mark.parametrize("more", [-1, 1, 1_000, -1_000, 2**62])
def test_the_token_goes_down_by_what_is_paid(case: Case, more: int) -> None:
    """One less, and the last beneficiary cannot be paid; one more has to come from elsewhere, and is not asked for."""
    left = value_of(outputs(case)[DISTRIBUTION]).get(TOKEN, 0)
    if left + more >= 0:
        assert not passes(with_output(case, DISTRIBUTION, plus={TOKEN: more}))


def test_the_rest_of_the_token_is_not_for_the_keeper() -> None:
    """What later allocations wait for, or what was there beyond all promises, taken as a whole."""
    surplus = release(sample(3), surplus={TOKEN: 5, ADA: 10_000_000})
    for case, left in ((PARTLY, 1_001 + 1_003 + 1_004), (surplus, 5)):
        assert left == value_of(outputs(case)[DISTRIBUTION])[TOKEN]
        assert passes(case)
        assert not passes(with_output(with_output(case, DISTRIBUTION, plus={TOKEN: -left}), CHANGE, plus={TOKEN: left}))


def test_with_the_last_payment_the_token_is_gone() -> None:
    """An output has no entry for none of a token."""
    assert {ADA, state_token(sample(3))} == value_of(outputs(ALL)[DISTRIBUTION]).keys()
    assert passes(ALL)


def test_a_distribution_cannot_pay_what_it_does_not_hold() -> None:
    """From elsewhere neither: the token must come out of it."""
    case = with_resolved(ALL, STATE, plus={TOKEN: -1})
    assert not passes(case)
    assert not passes(with_resolved(ALL, STATE, plus={TOKEN: -3_003}))


# --- No other token


@each_case
@pytest.mark.parametrize(
    "asset",
    [
        GOLD,
        Asset(bytes(28), b""),
        Asset(bytes([0xFF] * 28), bytes(32)),
        Asset(TOKEN.policy, b""),
        Asset(TOKEN.policy, b"TOKEM"),
        Asset(TOKEN.policy, b"TOKEN2"),
        Asset(OWN, b""),
        Asset(OWN, bytes([0xFF] * 32)),
    ],
    ids=[
        "a foreign one",
        "of the first policy",
        "of the last policy",
        "of the promised policy without a name",
        "of the promised policy, before",
        "of the promised policy, behind",
        "of our policy without a name",
        "of our policy, behind",
    ],
)
def test_no_other_token_comes_to_it(case: Case, asset: Asset) -> None:
    """With many of them its value would grow until no transaction can carry it, and all is locked for ever."""
    assert not passes(with_output(case, DISTRIBUTION, plus={asset: 1}))
    assert not passes(with_output(case, DISTRIBUTION, plus={asset: 2**62}))


def test_no_other_token_takes_the_place_of_the_promised_one() -> None:
    """As many of it, worth nothing."""
    left = 1_001 + 1_003 + 1_004
    for other in (GOLD, Asset(TOKEN.policy, b"TOKEM"), Asset(OWN, b"TOKEN")):
        swapped: Value = {TOKEN: -left, other: left}
        assert not passes(with_output(PARTLY, DISTRIBUTION, plus=swapped)), other


# --- Lovelace less by at most what the payouts may cost


@pytest.mark.parametrize(
    ("goes", "case"),
    [
        (2_000_000, PARTLY),
        (6_000_000, ALL),
        (2_000_000 + 1_002, CASES["ada"]),
        (6_000_000 + 3_003, CASES["the last of ada"]),
        (4_000_000, release(sample(5), indices=(1, 4))),
        (4_000_000 + 2_005, release(sample(5, token=ADA), indices=(1, 4))),
        (3, release(sample(3, lovelace_per_payout=1, keeper_fee_per_payout=0))),
        (3, release(sample(3, lovelace_per_payout=0, keeper_fee_per_payout=1))),
        (0, release(sample(3, lovelace_per_payout=0, keeper_fee_per_payout=0))),
        (3_003, release(sample(3, token=ADA, lovelace_per_payout=0, keeper_fee_per_payout=0))),
        (6_000_000, release(sample(3), surplus={ADA: 10_000_000})),
        (6_003_003, release(sample(3, token=ADA), surplus={ADA: 10_000_000})),
    ],
    ids=[
        "one",
        "all three",
        "one, of ada",
        "all three, of ada",
        "two of five",
        "two of five, of ada",
        "a lovelace for each",
        "a lovelace for the keeper",
        "nothing for each",
        "nothing for each, of ada",
        "of more than it needs",
        "of ada, of more than it needs",
    ],
)
def test_lovelace_goes_down_by_what_payouts_cost_and_no_more(goes: int, case: Case) -> None:
    """For each payout what it carries and the keeper's fee. One more, a little at a time, and the last payouts lack
    what they must hold; less may be taken, down to nothing, and more may be given."""
    before, after = value_of(resolved(case, STATE))[ADA], value_of(outputs(case)[DISTRIBUTION])[ADA]
    assert goes == before - after
    assert passes(case)
    for less in (1, 500_000, after - 1):
        assert not passes(with_output(case, DISTRIBUTION, plus={ADA: -less}))
    for more in (1, goes, goes + 1, 10**12):
        assert passes(with_output(case, DISTRIBUTION, plus={ADA: more}))

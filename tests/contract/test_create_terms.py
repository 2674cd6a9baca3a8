"""Create, and the terms: those that could not be kept are refused, each by the rule that it breaks alone.

Rule 5 of `contracts/lib/logic/create.ak`. The output holds more than any of these terms asks for, and the state token
is named by the id that they give. An allocation is tried at every position.
"""

from dataclasses import replace
from itertools import combinations
from typing import Any, Final

import pytest

from tests.contract.case import Case
from tests.contract.gallery import FOREIGN
from tests.contract.healthy import DISTRIBUTION, create, sample, state_token
from tests.contract.keys import public
from tests.contract.mutate import with_output
from tests.contract.parts import outputs, value_of
from tests.contract.plutus import constr, with_field
from tests.contract.recreate import with_terms
from tests.contract.script import OWN
from tests.contract.terms import ADA, TOKEN, Address, Allocation, Asset, Credential, Terms, somebody
from tests.contract.verdict import passes, refused

PLENTY: Final = 2**63
TERMS: Final = sample(3, oracles=4, threshold=1, milestones=(b"m1", b"m2"))
IN_ADA: Final = replace(TERMS, token=ADA)
RICH: Final = {
    terms.token: with_output(create(terms), DISTRIBUTION, plus={TOKEN: PLENTY, ADA: PLENTY} if token else {ADA: PLENTY})
    for terms, token in ((TERMS, True), (IN_ADA, False))
}
KEY_28, SCRIPT_28 = Credential(bytes([0x66] * 28)), Credential(bytes([0x88] * 28), is_script=True)
OURS, KEY_OF_OUR_HASH = Credential(OWN, is_script=True), Credential(OWN)

everywhere = pytest.mark.parametrize("position", range(3))
in_either = pytest.mark.parametrize("terms", [TERMS, IN_ADA], ids=["a token", "ada"])


def created(terms: Terms) -> Case:
    """A creation under other terms, from one that holds plenty of the same token."""
    return with_terms(RICH[terms.token], terms)


def allocated(position: int, terms: Terms = TERMS, **changes: Any) -> Terms:
    """The terms with another allocation at a position."""
    listed = list(terms.allocations)
    listed[position] = replace(listed[position], **changes)
    return replace(terms, allocations=tuple(listed))


def test_the_terms_to_begin_with_are_fine() -> None:
    """So it is what the tests below change that the script refuses, and not that there is so much in the output."""
    assert all(passes(created(terms)) for terms in (TERMS, IN_ADA))
    assert all(PLENTY < value_of(outputs(case)[DISTRIBUTION])[token] < 2**64 for token, case in RICH.items())


# --- a. Oracles and threshold


@pytest.mark.parametrize(
    ("oracles", "threshold"), [(1, 1), (2, 1), (2, 2), (4, 1), (4, 2), (4, 3), (4, 4), (15, 1), (15, 10), (15, 15)]
)
def test_from_one_to_all_oracles_may_be_needed(oracles: int, threshold: int) -> None:
    """The boundaries are in."""
    assert passes(created(sample(3, oracles=oracles, threshold=threshold)))


@pytest.mark.parametrize("threshold", [0, -1, -(2**63), -(2**64) - 1])
def test_a_threshold_of_none_is_refused(threshold: int) -> None:
    """No signature at all would be a quorum: an attacker need not ask an oracle."""
    assert refused(created(replace(TERMS, threshold=threshold)), by="mint")


@pytest.mark.parametrize(("oracles", "threshold"), [(1, 2), (4, 5), (4, 2**64), (15, 16)])
def test_a_threshold_that_all_together_do_not_reach_is_refused(oracles: int, threshold: int) -> None:
    """Nothing could ever be released; beneficiaries would trust in what only the funder will have back."""
    assert refused(created(sample(3, oracles=oracles, threshold=threshold)), by="mint")


@pytest.mark.parametrize("threshold", [0, 1])
def test_no_oracles_are_refused(threshold: int) -> None:
    """Whatever the threshold."""
    assert refused(created(sample(3, oracles=0, threshold=threshold)), by="mint")


@pytest.mark.parametrize(("first", "second"), list(combinations(range(4), 2)))
@pytest.mark.parametrize("threshold", [1, 3])
def test_no_oracle_stands_twice(first: int, second: int, threshold: int) -> None:
    """At no two positions: one oracle would count as two, and be a quorum by itself."""
    oracles = list(TERMS.oracles)
    oracles[second] = oracles[first]
    assert refused(created(replace(TERMS, oracles=tuple(oracles), threshold=threshold)), by="mint")


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("length", [0, 28, 31, 33, 64, 65])
def test_an_oracle_is_32_bytes(position: int, length: int) -> None:
    """The builtin that verifies signatures fails for any other length: every release that names it would."""
    oracles = list(TERMS.oracles)
    oracles[position] = (oracles[position] * 3)[:length]
    assert refused(created(replace(TERMS, oracles=tuple(oracles))), by="mint")


def test_what_the_32_bytes_are_is_not_checked() -> None:
    """Keys that are no point of the curve, and keys but a bit apart: the script cannot tell, the indexer does."""
    key = public("oracle 0")
    assert passes(created(replace(TERMS, oracles=(bytes(32), b"\xff" * 32, key, key[:-1] + bytes([key[-1] ^ 1])))))


# --- b. The token


@pytest.mark.parametrize("name", [b"x", b"TOKEN", bytes(32)])
def test_ada_has_no_name(name: bytes) -> None:
    """A payout of it would be of nothing that exists. Lovelace for it would be there."""
    case = RICH[ADA]
    assert passes(with_terms(case, replace(TERMS, token=ADA)))
    assert refused(with_terms(case, replace(TERMS, token=Asset(b"", name))), by="mint")
    assert refused(with_terms(RICH[TOKEN], replace(TERMS, token=Asset(b"", name))), by="mint")


@pytest.mark.parametrize("name", [b"", b"x", bytes(32)])
def test_the_token_is_none_of_ours(name: bytes) -> None:
    """State tokens would be paid out, and mark what beneficiaries like as genuine. Held or not, no id comes out."""
    terms = replace(TERMS, token=Asset(OWN, name))
    without = with_terms(RICH[ADA], terms)
    assert refused(without, by="mint")
    for token in (terms.token, state_token(terms)):
        assert refused(with_output(without, DISTRIBUTION, plus={token: 10**6}), by="mint")


# --- c. Allocations


@in_either
def test_no_allocations_are_refused(terms: Terms) -> None:
    """A distribution of nothing is complete from the start: a state token for whoever wants one."""
    assert refused(created(replace(terms, allocations=())), by="mint")


@everywhere
@in_either
@pytest.mark.parametrize("amount", [0, -1, -500, -(2**63), -(2**64) - 1])
def test_an_amount_is_positive(position: int, terms: Terms, amount: int) -> None:
    """A negative one makes the sum smaller than what the others are promised; none could be paid in an output."""
    assert refused(created(allocated(position, terms, amount=amount)), by="mint")


@everywhere
@in_either
def test_an_amount_of_one_is_enough(position: int, terms: Terms) -> None:
    """The least there is."""
    assert passes(created(allocated(position, terms, amount=1)))


@in_either
@pytest.mark.parametrize(
    "amounts",
    [(2**63 - 1,), (2**63 - 2, 1), (1, 2**63 - 2), (2**62, 2**62 - 1), (2**61, 2**61, 2**61, 2**61 - 1)],
)
def test_the_sum_stays_below_two_to_the_63(terms: Terms, amounts: tuple[int, ...]) -> None:
    """One more, wherever, and totals no longer fit the 64-bit integers of those who follow the chain."""
    friend = somebody("a friend")
    lean = replace(terms, lovelace_per_payout=0, keeper_fee_per_payout=0)

    def paying(*amounts: int) -> Case:
        return created(replace(lean, allocations=tuple(Allocation(friend, amount) for amount in amounts)))

    assert passes(paying(*amounts))
    for position in range(len(amounts)):
        more = (*amounts[:position], amounts[position] + 1, *amounts[position + 1 :])
        assert refused(paying(*more), by="mint")
    assert refused(paying(*amounts, 1), by="mint")


@everywhere
@in_either
def test_nothing_is_claimed_yet(position: int, terms: Terms) -> None:
    """A beneficiary would see his allocation listed, and never be paid."""
    assert refused(created(allocated(position, terms, claimed=True)), by="mint")


@in_either
def test_it_is_not_all_claimed_either(terms: Terms) -> None:
    """The funder could reclaim at once."""
    assert refused(created(terms.claim(range(3))), by="mint")


def test_allocations_may_be_alike() -> None:
    """Several for one beneficiary, the same to the last field: each is paid by an output of its own."""
    same = Allocation(somebody("a friend"))
    assert passes(created(replace(TERMS, allocations=(same, same, same))))


# --- d. Milestones and times


@everywhere
@pytest.mark.parametrize("length", [1, 2, 28, 63, 64])
def test_a_milestone_has_1_to_64_bytes(position: int, length: int) -> None:
    """Any bytes."""
    for content in (b"\0", b"\xff", b"m"):
        assert passes(created(allocated(position, milestone=content * length)))


@everywhere
@pytest.mark.parametrize("length", [0, 65, 66, 128, 1_000])
def test_a_milestone_of_another_length_is_refused(position: int, length: int) -> None:
    """Without a name nobody knows what oracles sign for; long ones make releases too large for a transaction."""
    assert refused(created(allocated(position, milestone=bytes(length))), by="mint")


@everywhere
@pytest.mark.parametrize("time", [0, 1, 2**62, 2**63 - 1])
def test_vesting_is_any_time_of_63_bits(position: int, time: int) -> None:
    """Since ever and never among them."""
    assert passes(created(allocated(position, vesting=time)))


@everywhere
@pytest.mark.parametrize("time", [-1, -(2**63), -(2**64) - 1, 2**63, 2**64, 2**64 + 1])
def test_vesting_at_another_time_is_refused(position: int, time: int) -> None:
    """It would not fit the 64-bit integers of those who follow the chain: an attacker could stop them all."""
    assert refused(created(allocated(position, vesting=time)), by="mint")


@in_either
@pytest.mark.parametrize("time", [None, 0, 1, 1_700_000_000_000, 2**63 - 1])
def test_expiry_is_none_or_any_time_of_63_bits(terms: Terms, time: int | None) -> None:
    """Also before what is vested."""
    assert passes(created(replace(terms, expires_at=time)))


@in_either
@pytest.mark.parametrize("time", [-1, -(2**63), -(2**64) - 1, 2**63, 2**64, 2**64 + 1])
def test_expiry_at_another_time_is_refused(terms: Terms, time: int) -> None:
    """As with vesting."""
    assert refused(created(replace(terms, expires_at=time)), by="mint")


# --- e. Beneficiaries


@everywhere
@pytest.mark.parametrize("stake", [None, KEY_28, SCRIPT_28, OURS, KEY_OF_OUR_HASH])
@pytest.mark.parametrize("payment", [KEY_28, SCRIPT_28, KEY_OF_OUR_HASH, Credential(FOREIGN, is_script=True)])
def test_a_beneficiary_is_any_other_address(position: int, payment: Credential, stake: Credential | None) -> None:
    """Keys and scripts, staked with either; also a key whose hash is that of our script, and our script for staking."""
    assert passes(created(allocated(position, beneficiary=Address(payment, stake))))


@everywhere
@pytest.mark.parametrize("stake", [None, KEY_28, OURS], ids=["unstaked", "staked with a key", "staked with ours"])
def test_our_script_is_no_beneficiary(position: int, stake: Credential | None) -> None:
    """A payout has no datum: at our address nobody could ever spend it."""
    assert refused(created(allocated(position, beneficiary=Address(OURS, stake))), by="mint")


@everywhere
@pytest.mark.parametrize("is_script", [False, True], ids=["key", "script"])
@pytest.mark.parametrize("length", [0, 1, 27, 29, 32, 65])
def test_a_payment_hash_is_28_bytes(position: int, is_script: bool, length: int) -> None:
    """No output can be at any other: one such allocation, and no release that includes it can be made."""
    beneficiary = Address(Credential(bytes(length), is_script))
    assert refused(created(allocated(position, beneficiary=beneficiary)), by="mint")


@everywhere
@pytest.mark.parametrize("is_script", [False, True], ids=["key", "script"])
@pytest.mark.parametrize("length", [0, 1, 27, 29, 32, 65])
def test_a_stake_hash_is_28_bytes(position: int, is_script: bool, length: int) -> None:
    """As with payment."""
    beneficiary = Address(KEY_28, Credential(bytes(length), is_script))
    assert refused(created(allocated(position, beneficiary=beneficiary)), by="mint")


@everywhere
@pytest.mark.parametrize("pointer", [(0, 0, 0), (1, 2, 3)])
def test_a_pointer_is_no_stake_part(position: int, pointer: tuple[int, int, int]) -> None:
    """The ledger has given them up: no output can be at such an address any more."""
    datum = with_field(TERMS.data(), (4, position, 0, 1), constr(0, constr(1, *pointer)))
    assert refused(with_terms(RICH[TOKEN], datum), by="mint")


# --- f. Lovelace and the keeper's fee for each payout


@in_either
@pytest.mark.parametrize(("lovelace", "fee"), [(0, 0), (0, 1), (1, 0), (1, 1), (10**9, 10**9)])
def test_lovelace_and_fee_are_anything_from_zero_on(terms: Terms, lovelace: int, fee: int) -> None:
    """What they come to is there."""
    assert passes(created(replace(terms, lovelace_per_payout=lovelace, keeper_fee_per_payout=fee)))


@in_either
@pytest.mark.parametrize(
    ("lovelace", "fee"), [(-1, 0), (-1, 1), (-1, 2), (-5, 10**9), (-1, -1), (-(2**64) - 1, 0), (-(2**64) - 1, 2**64)]
)
def test_lovelace_is_not_negative(terms: Terms, lovelace: int, fee: int) -> None:
    """Less would be asked of the funder than the keeper may take; and a payout would owe lovelace. Whatever the sum."""
    assert refused(created(replace(terms, lovelace_per_payout=lovelace, keeper_fee_per_payout=fee)), by="mint")


@in_either
@pytest.mark.parametrize(
    ("lovelace", "fee"), [(0, -1), (1, -1), (2, -1), (10**9, -5), (-1, -1), (0, -(2**64) - 1), (2**64, -(2**64) - 1)]
)
def test_the_fee_is_not_negative(terms: Terms, lovelace: int, fee: int) -> None:
    """A release would have to add to the distribution: no keeper would. Whatever the sum."""
    assert refused(created(replace(terms, lovelace_per_payout=lovelace, keeper_fee_per_payout=fee)), by="mint")

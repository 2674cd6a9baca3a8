"""Release, rule 5: outputs 1, 2, … pay the listed allocations in order.

Each at exactly the beneficiary's address, with exactly the amount, at least the lovelace, and nothing else.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from tests.contract.builder import Output
from tests.contract.case import Case
from tests.contract.gallery import EVERY_ADDRESS, GOLD, paid_out, to_every_address
from tests.contract.healthy import (
    DISTRIBUTION,
    FIRST_PAYOUT,
    payout,
    release,
    sample,
    state_token,
)
from tests.contract.mutate import (
    Changes,
    with_extra_output,
    with_output,
    with_outputs,
    without_output,
)
from tests.contract.parts import ADDRESS, outputs, value_of
from tests.contract.plutus import constr
from tests.contract.releasing import passes
from tests.contract.script import ALWAYS, CONTRACT, OWN
from tests.contract.terms import ADA, TOKEN, Address, Allocation, Asset, somebody
from tests.contract.tree import Map

TERMS: Final = sample(3)  # 1000, 1001 and 1002, each with 1.5 ada
LAST_PAYOUT: Final = 3
FRIEND: Final = somebody("a friend")
OF_TOKEN: Final = release(TERMS)
OF_ADA: Final = release(sample(3, token=ADA))

each_kind = pytest.mark.parametrize("case", [OF_TOKEN, OF_ADA], ids=["a token", "ada"])
each_end = pytest.mark.parametrize("place", [FIRST_PAYOUT, LAST_PAYOUT], ids=["the first", "the last"])


@each_kind
def test_the_healthy_ones_are_healthy(case: Case) -> None:
    """So what the tests below change is what the script refuses."""
    assert passes(case)


# --- Exactly the beneficiary's address


POINTER: Final = b"\x01\x02\x03"


@pytest.mark.parametrize("paid", range(6))
def test_a_payout_goes_exactly_to_its_address(paid: int) -> None:
    """Key and script, with each kind of stake part, of the same hashes: whoever submits may not choose another,
    be it only to collect the rewards."""
    terms = to_every_address(sample())
    case = release(terms)
    for other, address in enumerate(EVERY_ADDRESS):
        expected = other == paid
        assert expected == passes(with_output(case, FIRST_PAYOUT + paid, address=address.raw())), other


@each_kind
@each_end
@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw[:1] + bytes([raw[1] ^ 1]) + raw[2:],
        lambda raw: raw[:28] + bytes([raw[28] ^ 1]) + raw[29:],
        lambda raw: raw[:29] + bytes([raw[29] ^ 1]) + raw[30:],
        lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]),
        lambda raw: raw[:1] + raw[29:] + raw[1:29],
        lambda raw: bytes([raw[0] & 15 | 4 << 4]) + raw[1:29] + POINTER,
        lambda raw: raw[:1] + FRIEND.payment.hash + raw[29:],
        lambda raw: bytes([raw[0] & 15 | 7 << 4]) + OWN,
    ],
    ids=[
        "the first bit",
        "the last of the payment part",
        "the first of the stake part",
        "the last bit",
        "payment and stake swapped",
        "a pointer for the stake part",
        "somebody else",
        "our own",
    ],
)
def test_a_payout_goes_nowhere_else(case: Case, place: int, change: Callable[[bytes], bytes]) -> None:
    """Wherever it differs: a payout that goes astray counts as paid for ever."""
    raw = outputs(case)[place][ADDRESS]
    assert isinstance(raw, bytes)
    assert not passes(with_output(case, place, address=change(raw)))


# --- Exactly the amount, at least the lovelace


@each_end
@pytest.mark.parametrize("more", [-1, 1, -1_000, 1_000])
def test_a_payout_holds_exactly_its_amount(place: int, more: int) -> None:
    """A token less is stolen from the beneficiary; a token more would have to come from elsewhere."""
    assert not passes(with_output(OF_TOKEN, place, plus={TOKEN: more}))


@each_kind
@each_end
def test_a_payout_holds_at_least_its_lovelace(case: Case, place: int) -> None:
    """`lovelace_per_payout`, in ada beside the amount, is the beneficiary's; the keeper may add to it."""
    amount = 999 + place if case is OF_ADA else 0
    assert 1_500_000 + amount == value_of(outputs(case)[place])[ADA]
    assert not passes(with_output(case, place, plus={ADA: -1}))
    assert not passes(with_output(case, place, plus={ADA: -1_499_999}))
    assert passes(with_output(case, place, plus={ADA: 1}))
    assert passes(with_output(case, place, plus={ADA: 10**12}))


def test_ada_may_be_promised_without_lovelace_beside_it() -> None:
    """Then the amount is the least."""
    terms = replace(sample(token=ADA, lovelace_per_payout=0), allocations=(Allocation(FRIEND, 5_000_000),))
    case = release(terms)
    assert value_of(outputs(case)[FIRST_PAYOUT]) == {ADA: 5_000_000}
    assert passes(case)
    assert not passes(with_output(case, FIRST_PAYOUT, plus={ADA: -1}))


def test_lovelace_does_not_stand_for_tokens() -> None:
    """Nor the tokens of one payout for those of another."""
    assert not passes(with_output(OF_TOKEN, FIRST_PAYOUT, value={ADA: 10**9}))
    moved = with_output(OF_TOKEN, FIRST_PAYOUT, plus={TOKEN: -1})
    assert not passes(with_output(moved, LAST_PAYOUT, plus={TOKEN: 1}))


# --- No other token, no datum, no reference script


@each_kind
@each_end
@pytest.mark.parametrize(
    "asset",
    [
        GOLD,
        Asset(TOKEN.policy, b""),
        Asset(TOKEN.policy, b"TOKEM"),
        Asset(TOKEN.policy, b"TOKEN2"),
        Asset(OWN, bytes(32)),
        Asset(OWN, state_token(TERMS).name),
        Asset(bytes(28), TOKEN.name),
        Asset(bytes([0xFF] * 28), TOKEN.name),
    ],
    ids=[
        "a foreign one",
        "the same policy without a name",
        "the same policy, a name before",
        "the same policy, a name behind",
        "one of ours",
        "the state token",
        "the same name, a policy before",
        "the same name, a policy behind",
    ],
)
def test_a_payout_holds_no_other_token(case: Case, place: int, asset: Asset) -> None:
    """Tokens that nobody wants raise what the output must hold in ada, or make it too large for a wallet to spend."""
    assert not passes(with_output(case, place, plus={asset: 1}))


@each_end
def test_a_payout_holds_no_token_instead(place: int) -> None:
    """As many of another."""
    amount = 999 + place
    for other in (GOLD, Asset(TOKEN.policy, b"TOKEM"), Asset(TOKEN.policy, b"")):
        assert not passes(with_output(OF_TOKEN, place, plus={TOKEN: -amount, other: amount})), other
    assert not passes(with_output(OF_ADA, place, plus={TOKEN: amount}))


@each_kind
@each_end
@pytest.mark.parametrize(
    "changes",
    [
        Changes(datum=constr(0)),
        Changes(datum=b""),
        Changes(datum=TERMS.data()),
        Changes(datum_hash=bytes(32)),
        Changes(reference_script=ALWAYS),
        Changes(reference_script=CONTRACT),
    ],
    ids=["a datum", "an empty datum", "our datum", "a datum's hash", "a script", "our script"],
)
def test_a_payout_carries_nothing(case: Case, place: int, changes: Changes) -> None:
    """A datum may lock it for good at a script, and a script in it makes it dear to spend: neither was agreed to."""
    assert not passes(with_output(case, place, **changes))


# --- Outputs 1, 2, … in order


@each_kind
@pytest.mark.parametrize("place", [1, 2, 3])
def test_no_payout_is_missing(case: Case, place: int) -> None:
    """What comes next does not stand for it: not even the change, which is large enough."""
    assert not passes(without_output(case, place))


@each_kind
def test_without_any_payouts_there_is_no_release(case: Case) -> None:
    """Nor where nothing follows, not even change."""
    for count in (1, 2, 3):
        assert not passes(with_outputs(case, outputs(case)[:count])), count


@each_kind
@pytest.mark.parametrize("place", [1, 2, 3])
def test_nothing_stands_between(case: Case, place: int) -> None:
    """One place off, and every output would be judged by another's terms."""
    assert not passes(with_extra_output(case, paid_out(), place))


def test_behind_the_payouts_anything_stands() -> None:
    """A payout once more, and what looks like one."""
    for other in (
        paid_out(),
        payout(TERMS, 2),
        payout(TERMS, 0),
        Output(Address(EVERY_ADDRESS[3].payment), {ADA: 10**6}),
    ):
        assert passes(with_extra_output(OF_TOKEN, other, LAST_PAYOUT + 1))


@each_kind
@pytest.mark.parametrize("order", [(2, 1, 3), (1, 3, 2), (3, 1, 2), (3, 2, 1)])
def test_payouts_stand_in_the_order_of_their_allocations(case: Case, order: tuple[int, ...]) -> None:
    """So that each is looked at once, and for one allocation."""
    continuing, *rest = outputs(case)
    moved: list[Map] = [rest[n - 1] for n in order]
    assert not passes(with_outputs(case, [continuing, *moved, *rest[3:]]))


@pytest.mark.parametrize("token", [TOKEN, ADA], ids=["a token", "ada"])
def test_one_output_does_not_pay_twice(token: Asset) -> None:
    """Two allocations of the same beneficiary and amount: the second would be claimed and never paid."""
    same = Allocation(FRIEND, 1_000)
    case = release(replace(TERMS, token=token, allocations=(same, same)))
    assert passes(case)
    assert not passes(without_output(case, FIRST_PAYOUT))


@pytest.mark.parametrize("token", [TOKEN, ADA], ids=["a token", "ada"])
def test_payouts_are_not_merged(token: Asset) -> None:
    """The sum in one output, once for both or beside the second: what others count as paid stands in its own."""
    terms = replace(TERMS, token=token, allocations=(Allocation(FRIEND, 5), Allocation(FRIEND, 7)))
    case = release(terms)
    second = value_of(outputs(case)[FIRST_PAYOUT + 1])
    merged = with_output(without_output(case, FIRST_PAYOUT + 1), FIRST_PAYOUT, plus=second)
    assert not passes(merged)
    rest = with_output(case, FIRST_PAYOUT, plus={TOKEN: 7} if token == TOKEN else {ADA: 7})
    left = with_output(rest, FIRST_PAYOUT + 1, plus={TOKEN: -7} if token == TOKEN else {ADA: -7})
    assert not passes(left)


def test_the_distribution_pays_nobody() -> None:
    """Output 0 is not a payout, and a payout is not output 0."""
    continuing, first, *rest = outputs(OF_TOKEN)
    assert not passes(with_outputs(OF_TOKEN, [first, continuing, *rest]))
    assert not passes(without_output(OF_TOKEN, DISTRIBUTION))

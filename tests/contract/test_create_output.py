"""Create, and the output that holds the state token: where it is, its datum, its value.

Rules 3 and 6 of `contracts/lib/logic/create.ak`. Each test changes a healthy creation so that only the rule it names
is broken.
"""

from typing import Final

import pytest

from tests.contract.builder import Output, Value, sum_values
from tests.contract.case import Case
from tests.contract.gallery import FOREIGN, GOLD
from tests.contract.healthy import DISTRIBUTION, FUNDER, attested, create, sample, state_token
from tests.contract.mutate import with_extra_output, with_output
from tests.contract.neighbours import TOKENS
from tests.contract.plutus import constr, octets, sequence
from tests.contract.recreate import hashed, with_terms
from tests.contract.script import ALWAYS, CONTRACT, OWN
from tests.contract.terms import ADA, TOKEN, Address, Asset, Credential, Terms
from tests.contract.tree import Node, encode
from tests.contract.verdict import passes, refused

TERMS: Final = sample(3)
STATE_TOKEN: Final = state_token(TERMS)
HEALTHY: Final = create(TERMS)
IN_ADA: Final = create(sample(3, token=ADA))
CHANGE: Final = -1
HOME: Final = Address(Credential(OWN, is_script=True))
STRAY: Final = Output(HOME, {ADA: 3_000_000, GOLD: 5}, TERMS.data())

# --- 3. The output that holds it


@pytest.mark.parametrize(
    "address",
    [
        b"\x61" + OWN,
        b"\x71" + FOREIGN,
        b"\x71" + OWN[:-1] + bytes([OWN[-1] ^ 1]),
        b"\x61" + FUNDER,
        b"\x31" + FOREIGN + OWN,
        b"\x11" + FOREIGN + OWN,
    ],
    ids=[
        "a key of our hash",
        "another script",
        "almost ours",
        "the funder",
        "a script, staked with ours",
        "a script, staked with a key of our hash",
    ],
)
@pytest.mark.parametrize("stray", [False, True], ids=["alone", "behind a stray at ours"])
def test_the_token_goes_to_our_credential(address: bytes, stray: bool) -> None:
    """Elsewhere nothing guards it: an attacker could hang it on other terms, which would then count as genuine."""
    case = with_output(HEALTHY, DISTRIBUTION, address=address)
    assert refused(with_extra_output(case, STRAY, at=0) if stray else case, by="mint")


@pytest.mark.parametrize("holder", [None, CHANGE], ids=["in no output", "in the change"])
def test_the_distribution_holds_the_token(holder: int | None) -> None:
    """Kept aside, it could be added to whatever an attacker likes."""
    case = with_output(HEALTHY, DISTRIBUTION, plus={STATE_TOKEN: -1})
    assert refused(case if holder is None else with_output(case, holder, plus={STATE_TOKEN: 1}), by="mint")


def test_no_pointer_is_the_stake_part() -> None:
    """The ledger has given pointers up: an address that nothing can write again could not be continued."""
    assert refused(with_output(HEALTHY, DISTRIBUTION, address=b"\x51" + OWN + b"\1\2\3"), by="mint")


@pytest.mark.parametrize("header", [b"\x11", b"\x31"], ids=["key", "script"])
@pytest.mark.parametrize("stake", [OWN, FOREIGN, bytes(28)], ids=["our hash", "a script's", "zeros"])
def test_any_credential_is_a_stake_part(header: bytes, stake: bytes) -> None:
    """Rewards of what is locked are the funder's to direct."""
    assert passes(with_output(HEALTHY, DISTRIBUTION, address=header + OWN + stake))


def test_the_datum_is_inline() -> None:
    """By its hash alone it would be for somebody to show, and a keeper who does not have it could not release."""
    shown = create(TERMS, datums=(TERMS.data(),))
    assert refused(with_output(shown, DISTRIBUTION, datum_hash=hashed(TERMS.data())), by="mint")


def test_there_is_a_datum() -> None:
    """Without one, nobody could ever spend what is locked."""
    assert refused(with_output(HEALTHY, DISTRIBUTION, datum=None), by="mint")


@pytest.mark.parametrize(
    "datum",
    [attested(TERMS, b"m1", 0).data(), sequence(TERMS.data()), octets(encode(TERMS.data())), 0, constr(0)],
    ids=["an attestation", "a list of it", "its bytes", "an integer", "a constructor without fields"],
)
def test_the_datum_is_a_distribution(datum: Node) -> None:
    """Nothing else can be released or reclaimed: it would be locked for good."""
    assert refused(with_terms(HEALTHY, datum), by="mint")


# --- 6. What the output holds


def exactly(terms: Terms, more: Value | None = None) -> Case:
    """A creation whose output holds what is promised and the state token, and `more` or less."""
    value = sum_values([terms.promised(), {state_token(terms): 1}, more or {}])
    return with_output(create(terms), DISTRIBUTION, value=value)


def frugal(token: Asset, count: int = 3, lovelace: int = 7, fee: int = 2) -> Terms:
    return sample(count, token=token, lovelace_per_payout=lovelace, keeper_fee_per_payout=fee)


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("count", [1, 3])
def test_exactly_what_is_promised_is_enough(token: str, count: int) -> None:
    """Amounts; and for each payout its lovelace and the keeper's fee. Any of it may be more."""
    terms = frugal(TOKENS[token], count)
    assert count * 9 + (0 if terms.token != ADA else sum(1_000 + n for n in range(count))) == terms.promised()[ADA]
    for more in ({}, {ADA: 1}, {terms.token: 1}, {terms.token: 10**15, ADA: 10**15}):
        assert passes(exactly(terms, more))


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize("count", [1, 3])
def test_the_amounts_are_there(token: str, count: int) -> None:
    """With one less, the last to be paid goes without, though the oracles have signed for it."""
    terms = frugal(TOKENS[token], count)
    assert refused(exactly(terms, {terms.token: -1}), by="mint")


def test_a_promise_of_tokens_is_not_kept_with_none() -> None:
    """Nor with lovelace in their stead."""
    terms = frugal(TOKEN)
    assert refused(exactly(terms, {TOKEN: -terms.promised()[TOKEN], ADA: 10**9}), by="mint")


@pytest.mark.parametrize("token", TOKENS)
@pytest.mark.parametrize(("lovelace", "fee"), [(7, 2), (7, 0), (0, 2)])
@pytest.mark.parametrize("count", [1, 3])
def test_the_lovelace_of_every_payout_is_there(token: str, lovelace: int, fee: int, count: int) -> None:
    """With one less, some payout cannot be made, or its keeper goes without the fee."""
    terms = frugal(TOKENS[token], count, lovelace, fee)
    assert passes(exactly(terms))
    assert refused(exactly(terms, {ADA: -1}), by="mint")


STRANGE: Final = {
    "gold": GOLD,
    "a policy before all": Asset(bytes(28), b""),
    "a policy behind all": Asset(bytes([0xFF] * 28), b"x"),
    "a token of ours without a name": Asset(OWN, b""),
    "a token of ours before the state token": Asset(OWN, bytes(32)),
    "a token of ours behind the state token": Asset(OWN, b"\xff" * 32),
}


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize("token", TOKENS)
def test_nothing_else_is_in_it(strange: str, token: str) -> None:
    """Every release has to carry it along: an attacker could stuff it until no release fits into a transaction."""
    assert refused(exactly(frugal(TOKENS[token]), {STRANGE[strange]: 1}), by="mint")


def test_not_two_things_more_either() -> None:
    """Before and behind."""
    for token in TOKENS.values():
        more = {STRANGE["a policy before all"]: 1, STRANGE["a policy behind all"]: 1}
        assert refused(exactly(frugal(token), more), by="mint")


@pytest.mark.parametrize("name", [b"", b"TOKE", b"TOKEN ", bytes(32), bytes([0xFF] * 32)])
def test_no_other_name_of_the_tokens_policy_is_in_it(name: bytes) -> None:
    """Whether it sorts before or behind: it would be carried along, or taken for the token."""
    assert refused(exactly(frugal(TOKEN), {Asset(TOKEN.policy, name): 10**6}), by="mint")


@pytest.mark.parametrize(
    "instead",
    [Asset(TOKEN.policy, b"TOKEM"), Asset(TOKEN.policy, b""), Asset(FOREIGN, TOKEN.name), Asset(bytes(28), TOKEN.name)],
    ids=["another name", "no name", "another policy", "a policy before all"],
)
def test_no_other_token_stands_for_it(instead: Asset) -> None:
    """As many of something worthless, under the same name if need be."""
    terms = frugal(TOKEN)
    count = terms.promised()[TOKEN]
    assert refused(exactly(terms, {TOKEN: -count, instead: count}), by="mint")


@pytest.mark.parametrize("quantity", [2, 2**62])
def test_it_holds_one_state_token(quantity: int) -> None:
    """Of the very name: what a Reclaim burns is one, and the rest would be free to mark other outputs."""
    assert refused(with_output(HEALTHY, DISTRIBUTION, plus={STATE_TOKEN: quantity - 1}), by="mint")


@pytest.mark.parametrize("script", [CONTRACT, ALWAYS], ids=["ours", "another"])
@pytest.mark.parametrize("healthy", [HEALTHY, IN_ADA], ids=["a token", "ada"])
def test_it_holds_no_script(script: bytes, healthy: Case) -> None:
    """Whoever spends it pays for its bytes: an attacker could make each release cost more than its fee."""
    assert refused(with_output(healthy, DISTRIBUTION, reference_script=script), by="mint")

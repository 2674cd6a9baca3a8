"""Create, and what surrounds its output: who signs, the seed, the mint, and what is free.

Rules 1, 2 and 4 of `contracts/lib/logic/create.ak`; rules 3 and 6 are in `test_create_output`, 5 in
`test_create_terms`, decoding in full in `test_malformed`. Each test changes a healthy creation so that only the rule
it names is broken: where the terms or the seed become others, the state token is named anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import pytest

from tests.contract.builder import Coin, Output
from tests.contract.case import Case
from tests.contract.gallery import AFTER_ALL, BEFORE_ALL, CREATIONS, GOLD, KEY, SCRIPT, paid_out, purse
from tests.contract.healthy import (
    DISTRIBUTION,
    FUEL,
    FUNDER,
    NOW,
    SEED,
    STATE,
    attested,
    create,
    distribution,
    sample,
    state_token,
)
from tests.contract.keys import hash28, key_hash
from tests.contract.malformed import Place, malformed, places
from tests.contract.mutate import (
    with_certificate,
    with_extra_output,
    with_input,
    with_input_at,
    with_mint,
    with_output,
    with_proposal,
    with_redeemer,
    with_reference_input,
    with_script,
    with_signers,
    with_validity,
    with_vote,
    with_withdrawal,
)
from tests.contract.neighbours import BEFORE, BEHIND, TOKENS
from tests.contract.parts import mint, outputs, value_of
from tests.contract.plutus import constr, octets, sequence
from tests.contract.recreate import hashed, with_name, with_seed, with_terms
from tests.contract.script import ALWAYS, OWN, script_hash
from tests.contract.terms import (
    ADA,
    BURN,
    RECLAIM,
    Address,
    Asset,
    Credential,
    Reference,
    create_redeemer,
    identity,
    somebody,
)
from tests.contract.tree import Array, encode
from tests.contract.verdict import passes, refused

TERMS: Final = sample(3)
STATE_TOKEN: Final = state_token(TERMS)
HEALTHY: Final = create(TERMS)
CHANGE: Final = -1
HOME: Final = Address(Credential(OWN, is_script=True))
STRAY: Final = Output(HOME, {ADA: 3_000_000, GOLD: 5}, TERMS.data())

# --- What is free

SHAPES: Final[Mapping[str, Callable[[], Case]]] = {
    **CREATIONS,
    **{f"of {what}": partial(create, sample(token=token)) for what, token in TOKENS.items()},
    "that has expired": lambda: create(sample(expires_at=0)),
    "from the first of many inputs": lambda: create(TERMS, inputs=(purse(AFTER_ALL), purse(FUEL))),
    "from the last of many inputs": lambda: create(TERMS, inputs=(purse(BEFORE_ALL), purse(STATE))),
    "from the second output of a transaction": lambda: create(TERMS, inputs=(purse(SEED._replace(output_index=0)),)),
    "behind a stray at our address": lambda: create(TERMS, first=(STRAY,), inputs=(purse(BEFORE_ALL, {GOLD: 5}),)),
    "before a stray at our address": lambda: create(TERMS, outputs=(STRAY,), inputs=(purse(BEFORE_ALL, {GOLD: 5}),)),
    "behind an attestation": lambda: create(
        TERMS, first=(Output(HOME, {ADA: 3_000_000}, attested(TERMS, b"m1", 0).data()),)
    ),
    "beside a stray that is taken back": lambda: create(TERMS, inputs=(Coin(BEFORE_ALL, STRAY, RECLAIM),)),
    "beside another distribution as a reference": lambda: create(
        TERMS, references=(Coin(BEFORE_ALL, distribution(sample())),)
    ),
    "beside outputs of every kind": lambda: create(
        TERMS,
        outputs=(
            paid_out(),
            Output(Address(SCRIPT, KEY), {ADA: 2_000_000}, datum_hash=bytes(32)),
            Output(somebody("a friend"), {ADA: 9_000_000}, constr(0), script=ALWAYS),
        ),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_distribution_is_created(shape: str) -> None:
    """So what the tests below change is what the script refuses."""
    assert passes(SHAPES[shape]())


@pytest.mark.parametrize("script", [BEFORE, BEHIND], ids=["before ours", "behind ours"])
@pytest.mark.parametrize("quantity", [1, 5, -5])
def test_what_other_policies_mint_is_free(script: bytes, quantity: int) -> None:
    """On either side of ours, also under the state token's name."""
    policy = script_hash(script)
    minted = {**mint(HEALTHY), Asset(policy, STATE_TOKEN.name): quantity, Asset(policy, b""): 1}
    assert passes(with_script(with_mint(HEALTHY, minted, {policy: constr(0)}), script))


@pytest.mark.parametrize(
    "change",
    [
        lambda case: with_withdrawal(case, KEY, 5),
        lambda case: with_certificate(case, 7, Array((0, bytes(28))), 2_000_000),
        lambda case: with_vote(case, (2, bytes(28)), BEFORE_ALL),
        with_proposal,
        lambda case: with_validity(case, lower=NOW - 10**9, upper=None),
    ],
    ids=["a withdrawal", "a certificate", "a vote", "a proposal", "other bounds"],
)
def test_whatever_else_a_transaction_does_is_free(change: Callable[[Case], Case]) -> None:
    """Nothing is paid out here that it could be taken for."""
    assert change(HEALTHY) != HEALTHY
    assert passes(change(HEALTHY))


# --- Signed by the funder


@pytest.mark.parametrize(
    "signers",
    [(), (bytes(28),), (FUNDER[:-1] + bytes([FUNDER[-1] ^ 1]),), (key_hash("keeper"), hash28(b"beneficiary 0"))],
    ids=["nobody", "somebody else", "almost the same", "others in the story"],
)
def test_the_funder_signs(signers: tuple[bytes, ...]) -> None:
    """Else an attacker could make distributions in the name of one who never heard of them."""
    assert refused(with_signers(HEALTHY, signers), by="mint")


def test_others_may_sign_too() -> None:
    """Before and behind the funder."""
    assert passes(with_signers(HEALTHY, (bytes(28), FUNDER, bytes([0xFF] * 28))))


def test_the_one_who_signs_is_the_one_whom_the_datum_names() -> None:
    """Paying for it is not enough: an attacker could pass it off as a promise of somebody whom people trust."""
    assert refused(with_terms(HEALTHY, replace(TERMS, funder=key_hash("stranger"))), by="mint")


# --- 1. The seed is an input


@pytest.mark.parametrize(
    "instead",
    [FUEL, SEED._replace(output_index=SEED.output_index + 1), Reference(bytes(32), SEED.output_index)],
    ids=["another input", "another output of the same transaction", "the same output of another transaction"],
)
def test_the_seed_is_spent(instead: Reference) -> None:
    """Else the same seed would do twice: two distributions of one id, and signatures for one release the other."""
    assert refused(with_input_at(HEALTHY, SEED, instead), by="mint")


@pytest.mark.parametrize("instead", [BEFORE_ALL, AFTER_ALL], ids=["before", "behind"])
def test_a_reference_input_is_no_seed(instead: Reference) -> None:
    """It is not used up: an attacker could create the same distribution, of the same id, again and again."""
    looked_at = Coin(SEED, Output(somebody("anybody"), {ADA: 2_000_000}))
    assert refused(with_reference_input(with_input_at(HEALTHY, SEED, instead), looked_at), by="mint")


def test_another_input_is_a_seed_as_well() -> None:
    """Whichever the redeemer names, if the id is made from it."""
    case = with_input(HEALTHY, purse(AFTER_ALL))
    assert passes(with_seed(case, AFTER_ALL.data()))
    assert refused(with_seed(HEALTHY, AFTER_ALL.data()), by="mint")


@pytest.mark.parametrize("place", places(SEED.data()), ids=["the seed", "its transaction", "its index"])
def test_the_seed_decodes_in_full(place: Place) -> None:
    """Else it could be written in several ways, each of another id, and one output would be the seed of them all."""
    for what, seed in malformed(SEED.data(), place):
        assert refused(with_seed(HEALTHY, seed), by="mint"), what


def test_create_is_said_by_its_own_redeemer() -> None:
    """Constructor 0 with a seed and nothing else. Burn mints nothing."""
    arguments = dict(malformed(create_redeemer(SEED), ()))
    for argument in (*arguments.values(), BURN, SEED.data(), constr(0, create_redeemer(SEED))):
        assert refused(with_redeemer(HEALTHY, "mint", 0, argument), by="mint"), argument


# --- 2. One token, named by the id


OTHER_NAMES: Final = {
    "the first of all names": b"",
    "a name that sorts before": bytes(32),
    "a name that sorts behind": bytes([0xFF] * 32),
    "the id of other terms": identity(SEED, sample(2)),
}


@pytest.mark.parametrize("quantity", [2, 3, 2**63 - 1])
@pytest.mark.parametrize("holder", [DISTRIBUTION, CHANGE], ids=["in the distribution", "in the change"])
def test_no_more_than_one_is_minted(quantity: int, holder: int) -> None:
    """A second state token would mark whatever an attacker likes as genuine."""
    case = with_mint(HEALTHY, {STATE_TOKEN: quantity})
    assert refused(with_output(case, holder, plus={STATE_TOKEN: quantity - 1}), by="mint")


@pytest.mark.parametrize("name", OTHER_NAMES)
@pytest.mark.parametrize("quantity", [1, -1])
def test_no_other_name_is_minted_or_burnt_beside(name: str, quantity: int) -> None:
    """One more token is one more mark of a genuine distribution. Nor is another one's burnt: that is for Burn."""
    other = Asset(OWN, OTHER_NAMES[name])
    case = with_mint(HEALTHY, {STATE_TOKEN: 1, other: quantity})
    assert refused(with_output(case, CHANGE, plus={other: max(quantity, 0)}), by="mint")


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_the_token_in_the_output_is_the_one_that_is_minted(name: str) -> None:
    """An output that had its token already cannot cover for another that is minted and kept."""
    other = Asset(OWN, OTHER_NAMES[name])
    assert refused(with_output(with_mint(HEALTHY, {other: 1}), CHANGE, plus={other: 1}), by="mint")


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_the_token_that_is_minted_is_the_one_in_the_output(name: str) -> None:
    """The state token kept by an attacker, under whose name oracles would sign, and another in the output."""
    other = Asset(OWN, OTHER_NAMES[name])
    held = {asset: n for asset, n in value_of(outputs(HEALTHY)[DISTRIBUTION]).items() if asset != STATE_TOKEN}
    case = with_output(HEALTHY, DISTRIBUTION, value={**held, other: 1})
    assert refused(with_output(case, CHANGE, plus={STATE_TOKEN: 1}), by="mint")


@pytest.mark.parametrize("quantity", [-1, -2])
def test_create_burns_nothing(quantity: int) -> None:
    """The state token of a distribution at work would be gone, and what it holds with it."""
    assert refused(with_mint(HEALTHY, {STATE_TOKEN: quantity}), by="mint")


PAIR: Final = sequence(SEED.data(), TERMS.data())


@pytest.mark.parametrize(
    "name",
    [
        b"",
        STATE_TOKEN.name[:-1],
        STATE_TOKEN.name[:-1] + bytes([STATE_TOKEN.name[-1] ^ 1]),
        identity(FUEL, TERMS),
        identity(SEED._replace(output_index=0), TERMS),
        identity(SEED, sample(2)),
        identity(SEED, TERMS.claim((0,))),
        identity(SEED, replace(TERMS, funder=key_hash("stranger"))),
        hashed(TERMS.data()),
        hashed(SEED.data()),
        hashed(sequence(TERMS.data(), SEED.data())),
        hashed(constr(0, SEED.data(), TERMS.data())),
        hashed(octets(encode(PAIR))),
        hash28(encode(PAIR)),
    ],
    ids=[
        "empty",
        "cut short",
        "a bit flipped",
        "of another seed",
        "of another output of the same transaction",
        "of fewer allocations",
        "of terms with something claimed",
        "of another funder",
        "of the terms alone",
        "of the seed alone",
        "of the pair in reverse",
        "of a constructor of both",
        "of the bytes as a string",
        "by blake2b-224",
    ],
)
def test_the_name_is_the_id(name: bytes) -> None:
    """Oracles sign it. If it did not commit to seed and terms, an attacker could put terms of his own under the id of
    another distribution, and have its signatures release them."""
    assert passes(with_name(HEALTHY, STATE_TOKEN.name))
    assert refused(with_name(HEALTHY, name), by="mint")


def test_two_distributions_take_two_transactions() -> None:
    """Also if each is healthy by itself: exactly one token is minted."""
    second = distribution(sample(2))
    both = with_mint(HEALTHY, {STATE_TOKEN: 1, state_token(sample(2)): 1})
    assert refused(with_extra_output(both, second), by="mint")
    assert refused(with_extra_output(both, second, at=0), by="mint")


def test_a_distribution_is_not_reclaimed_while_another_is_created() -> None:
    """Its token would have to be burnt, and nothing but the new one is minted or burnt."""
    old = sample(2, expires_at=NOW)
    case = with_input(HEALTHY, Coin(STATE, distribution(old), RECLAIM))
    assert refused(with_mint(case, {STATE_TOKEN: 1, state_token(old): -1}), by="mint")
    assert refused(case, by="spend")

"""Attempts to steal or to lock money, one test each: other scripts, other redeemers, and state tokens at large.

Each is refused, or it goes through and the docstring says why nobody is harmed. `test_hostile_money` is about what
outputs hold, `test_hostile_bytes` about encodings, positions, keys and signatures.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import pytest

from tests.contract.builder import Coin, Output, Value
from tests.contract.case import Case
from tests.contract.gallery import AFTER_ALL, BEFORE_ALL, FOREIGN, GOLD, KEY, SCRIPT, purse
from tests.contract.healthy import (
    DISTRIBUTION,
    FUNDER,
    NOW,
    REFUND,
    SEED,
    STATE,
    attested,
    create,
    distribution,
    payout,
    reclaim,
    release,
    sample,
    signatures,
    state_token,
    withdraw,
)
from tests.contract.keys import key_hash
from tests.contract.mutate import (
    position,
    with_certificate,
    with_extra_output,
    with_input,
    with_mint,
    with_output,
    with_proposal,
    with_redeemer,
    with_reference_input,
    with_resolved,
    with_script,
    with_signer,
    with_vote,
    with_withdrawal,
    without_input,
    without_output,
    without_signer,
)
from tests.contract.parts import mint
from tests.contract.plutus import constr
from tests.contract.recreate import with_terms
from tests.contract.releasing import listing
from tests.contract.script import ALWAYS, OWN
from tests.contract.terms import (
    ADA,
    BURN,
    RECLAIM,
    TOKEN,
    WITHDRAW,
    Address,
    Allocation,
    Asset,
    Credential,
    Reference,
    create_redeemer,
    release_redeemer,
    somebody,
)
from tests.contract.tree import Array, Node
from tests.contract.verdict import passes, refused

TERMS: Final = sample()
OTHERS: Final = sample(1, expires_at=NOW)  # another distribution, which may be reclaimed
CREATION, RELEASE, WITHDRAWAL = create(TERMS), release(TERMS), withdraw()
RECLAMATION: Final = reclaim(OTHERS)
STATE_TOKEN, OTHER_TOKEN = state_token(TERMS), state_token(OTHERS)

HOME: Final = Address(Credential(OWN, is_script=True))
STRAY: Final = Coin(AFTER_ALL, Output(HOME, {ADA: 3_000_000}, TERMS.data()), RECLAIM)
DEPOSIT: Final = Coin(AFTER_ALL, Output(HOME, {ADA: 3_000_000}, attested(TERMS, b"m1", 0).data()), WITHDRAW)
OTHER: Final = Coin(BEFORE_ALL, distribution(OTHERS), RECLAIM)

# --- Another script counts our payment as its own


def running(case: Case) -> Case:
    """With the foreign script at hand."""
    return with_script(case, ALWAYS)


def minting(case: Case, quantity: int) -> Case:
    """What is minted already, and a foreign token."""
    return running(with_mint(case, {**mint(case), GOLD: quantity}, {FOREIGN: constr(0)}))


FOREIGN_STAKE: Final = Credential(FOREIGN, is_script=True)
FOREIGN_COIN: Final = Coin(AFTER_ALL, Output(Address(FOREIGN_STAKE), {ADA: 3_000_000}, constr(0)), constr(0))
ALONGSIDE: Final[Mapping[str, Callable[[Case], Case]]] = {
    "an input": lambda case: running(with_input(case, FOREIGN_COIN)),
    "a mint": lambda case: minting(case, 1),
    "a burn": lambda case: minting(case, -1),
    "a withdrawal": lambda case: running(with_withdrawal(case, FOREIGN_STAKE, 5, constr(0))),
    "a withdrawal of zero": lambda case: running(with_withdrawal(case, FOREIGN_STAKE, 0, constr(0))),
    "a vote": lambda case: running(
        with_redeemer(with_vote(case, (3, FOREIGN), BEFORE_ALL), "vote", 0, constr(0)),
    ),
    "a certificate": lambda case: running(
        with_redeemer(with_certificate(case, 2, Array((1, FOREIGN)), bytes(28)), "publish", 0, constr(0))
    ),
    "a proposal": with_proposal,
}


@pytest.mark.parametrize("change", ALONGSIDE.values(), ids=ALONGSIDE)
def test_no_foreign_script_runs_beside_a_release(change: Callable[[Case], Case]) -> None:
    """Double satisfaction: a script that asks for a payment to our beneficiary would find ours, and let go of its own.
    Native scripts need no rule of their own: as inputs and policies they look the same to ours."""
    assert refused(change(RELEASE), by="spend")


@pytest.mark.parametrize("change", ALONGSIDE.values(), ids=ALONGSIDE)
@pytest.mark.parametrize("case", [RECLAMATION, WITHDRAWAL], ids=["reclaim", "withdraw"])
def test_foreign_scripts_may_run_where_we_ask_for_no_payment(case: Case, change: Callable[[Case], Case]) -> None:
    """Reclaim and Withdraw ask for a signature, and who signs sees all that runs. So a release refuses none of these
    for being broken."""
    assert passes(change(case))


def test_a_creation_may_satisfy_a_foreign_script() -> None:
    """Create asks for one output at our own credential. That a foreign script is content with it too is for that script
    to mind: what we ask for is there, under a token that exists once."""
    for what in ("an input", "a mint", "a withdrawal of zero"):
        assert passes(ALONGSIDE[what](CREATION))


@pytest.mark.parametrize("purpose", ["withdraw", "publish", "vote"])
def test_our_own_script_serves_no_other_purpose(purpose: str) -> None:
    """Withdraw-zero with us: stake, certificates and votes of our hash are nobody's, whichever redeemer asks. Stake may
    be registered there, which takes no script's consent; its rewards are lost."""
    own = Credential(OWN, is_script=True)
    cases = {
        "withdraw": with_withdrawal(WITHDRAWAL, own),
        "publish": with_certificate(WITHDRAWAL, 2, Array((1, OWN)), bytes(28)),
        "vote": with_vote(WITHDRAWAL, (3, OWN), BEFORE_ALL),
    }
    for redeemer in (constr(0), BURN, WITHDRAW, create_redeemer(SEED)):
        assert refused(with_redeemer(cases[purpose], purpose, 0, redeemer), by=purpose)
    assert passes(with_certificate(WITHDRAWAL, 0, Array((1, OWN))))


# --- One payment of ours counted twice


@pytest.mark.parametrize("at", [BEFORE_ALL, AFTER_ALL], ids=["before ours", "behind ours"])
def test_two_distributions_are_not_released_at_once(at: Reference) -> None:
    """Two that owe one beneficiary the same: one payout would serve both."""
    twin = replace(TERMS, expires_at=NOW)
    redeemer = release_redeemer(b"m1", (0, 1), signatures(twin, b"m1", (0, 1)))
    assert refused(with_input(RELEASE, Coin(at, distribution(twin), redeemer)), by="spend")


def test_one_payout_does_not_pay_two_allocations() -> None:
    """Two allocations that are alike: neither is the payout left out, nor one allocation listed twice."""
    alike = Allocation(somebody("a friend"), 1_000)
    terms = replace(TERMS, allocations=(alike, alike))
    both = release(terms)
    assert passes(both)
    assert refused(without_output(both, 2), by="spend")
    assert refused(with_extra_output(listing(release(terms, indices=(0,)), (0, 0)), payout(terms, 0), at=1), by="spend")


@pytest.mark.parametrize("stake", [None, KEY, SCRIPT], ids=["no stake part", "a stake key", "a stake script"])
def test_no_payout_is_the_continuing_output(stake: Credential | None) -> None:
    """A beneficiary at our own credential would make it one. A key of the same hash is none of ours, and nobody has
    it."""
    first, second = TERMS.allocations
    ours, theirs = (
        replace(TERMS, allocations=(first, replace(second, beneficiary=Address(Credential(OWN, is_script), stake))))
        for is_script in (True, False)
    )
    assert refused(with_terms(CREATION, ours), by="mint")
    assert passes(with_terms(CREATION, theirs))


# --- Several of our own redeemers in one transaction

OURS: Final[Mapping[str, Callable[[Case], Case]]] = {
    "a stray reclaimed": lambda case: with_signer(with_input(case, STRAY), FUNDER),
    "a deposit withdrawn": lambda case: with_signer(with_input(case, DEPOSIT), REFUND),
    "a distribution reclaimed": lambda case: with_signer(
        with_mint(with_input(case, OTHER), {**mint(case), OTHER_TOKEN: -1}, {OWN: BURN}), FUNDER
    ),
    "a distribution created": lambda case: with_signer(
        with_mint(
            with_input(with_extra_output(case, distribution(OTHERS)), Coin(SEED, purse(SEED).output)),
            {**mint(case), OTHER_TOKEN: 1},
            {OWN: create_redeemer(SEED)},
        ),
        FUNDER,
    ),
}


@pytest.mark.parametrize("change", OURS.values(), ids=OURS)
def test_nothing_else_of_ours_happens_beside_a_release(change: Callable[[Case], Case]) -> None:
    """It is the only input at our credential, and nothing is minted: what a stray or a deposit holds cannot make up for
    what is missing in the output."""
    assert refused(change(RELEASE), by="spend")


def test_attestations_may_be_read_beside_a_release() -> None:
    """As reference inputs: the script takes signatures from its redeemer only."""
    assert passes(with_reference_input(RELEASE, replace(DEPOSIT, redeemer=None)))


def test_strays_and_deposits_come_back_beside_a_creation() -> None:
    """Each for its own signature. What they held does not lessen what the new output has to hold."""
    both = with_input(OURS["a deposit withdrawn"](CREATION), replace(STRAY, reference=BEFORE_ALL))
    assert passes(both)
    assert refused(without_signer(both, REFUND), by="spend")
    assert refused(with_output(both, DISTRIBUTION, plus={TOKEN: -1}), by="mint")


def test_two_reclaims_take_two_burns() -> None:
    """Two distributions in one transaction, and one token burnt, or one of them twice: the other would be at large."""
    case = OURS["a distribution reclaimed"](reclaim(TERMS.claim((0, 1))))
    assert passes(case)
    for minted in ({STATE_TOKEN: -1}, {OTHER_TOKEN: -1}, {STATE_TOKEN: -2}, {STATE_TOKEN: -1, OTHER_TOKEN: -2}):
        assert refused(with_mint(case, minted, {OWN: BURN}), by="spend")


# --- State tokens: several, none, or at large


@pytest.mark.parametrize(
    "minted",
    [
        {STATE_TOKEN: 2},
        {STATE_TOKEN: 1, OTHER_TOKEN: 1},
        {STATE_TOKEN: 1, OTHER_TOKEN: -1},
        {STATE_TOKEN: -1, OTHER_TOKEN: 1},
        {STATE_TOKEN: 1, Asset(OWN, b""): 1},
        {STATE_TOKEN: -1},
        {OTHER_TOKEN: 1},
    ],
    ids=[
        "two",
        "two names",
        "one, and one burnt",
        "one burnt, and one",
        "one without a name",
        "burnt",
        "of another name",
    ],
)
@pytest.mark.parametrize("redeemer", [create_redeemer(SEED), BURN], ids=["create", "burn"])
def test_one_token_is_minted(minted: Value, redeemer: Node) -> None:
    """A second one would be a distribution without money. Burn mints none."""
    case = with_redeemer(with_mint(CREATION, minted), "mint", 0, redeemer)
    assert (redeemer == BURN and set(minted.values()) == {-1}) == passes(case)


@pytest.mark.parametrize("address", [Address(KEY), Address(SCRIPT), Address(Credential(OWN)), Address(FOREIGN_STAKE)])
def test_a_new_token_does_not_leave(address: Address) -> None:
    """It is at our credential from the start: a decoy there, without it, does not do."""
    elsewhere = with_output(CREATION, DISTRIBUTION, address=address.raw())
    decoy = replace(distribution(TERMS), value={ADA: 1_000_000_000, TOKEN: 5_000})
    assert refused(elsewhere, by="mint")
    assert refused(with_extra_output(elsewhere, decoy), by="mint")


def test_a_decoy_before_the_distribution_is_passed_over() -> None:
    """Whoever pays it to us has paid a stray: the token is held by the output that was looked into."""
    assert passes(with_extra_output(CREATION, STRAY.output, at=0))


def test_a_token_is_not_carried_off_by_release() -> None:
    """To a payout, the change, or the fee."""
    gone = with_output(RELEASE, DISTRIBUTION, plus={STATE_TOKEN: -1})
    for taker in (gone, with_output(gone, 1, plus={STATE_TOKEN: 1}), with_output(gone, -1, plus={STATE_TOKEN: 1})):
        assert refused(taker, by="spend")


@pytest.mark.parametrize(
    "minted",
    [{}, {STATE_TOKEN: -1}, {GOLD: -1}, {Asset(FOREIGN, OTHER_TOKEN.name): -1}, {OTHER_TOKEN: -2}],
    ids=["nothing", "another's", "a foreign one", "a foreign one of its name", "two"],
)
def test_a_token_is_not_carried_off_by_reclaim(minted: Value) -> None:
    """Its own name is burnt, once; else the funder would keep a token that vouches for whatever he puts beside it."""
    case = with_mint(RECLAMATION, minted, {OWN: BURN, FOREIGN: BURN})
    assert refused(running(case) if any(asset.policy == FOREIGN for asset in minted) else case, by="spend")


def test_a_token_is_not_renewed_by_reclaim() -> None:
    """Reclaimed and created again at once under the same id, so that nothing is minted in sum."""
    case = with_mint(with_extra_output(RECLAMATION, distribution(OTHERS)), {})
    assert refused(case, by="spend")


def test_a_token_is_not_carried_off_by_withdraw() -> None:
    """A distribution is no attestation, whoever signs."""
    case = with_resolved(WITHDRAWAL, STATE, datum=TERMS.data(), value=distribution(TERMS).value)
    for signer in (FUNDER, key_hash("keeper"), *TERMS.oracles):
        case = with_signer(case, signer[:28])
    assert refused(case, by="spend")


def test_no_attestation_holds_a_state_token() -> None:
    """Withdraw does not look for one, and need not: Create refuses the datum, and Release keeps the one that is there.
    If there were one, it would leave."""
    datum = attested(TERMS, b"m1", 0).data()
    assert refused(with_terms(CREATION, datum), by="mint")
    assert refused(with_output(RELEASE, DISTRIBUTION, datum=datum), by="spend")
    assert passes(with_resolved(WITHDRAWAL, STATE, plus={STATE_TOKEN: 1}))


def test_a_token_is_not_moved_while_another_is_created() -> None:
    """The old one, reclaimed without its burn, behind or beside the new one."""
    case = with_signer(with_input(CREATION, OTHER), FUNDER)
    for at in (0, 1):
        assert refused(with_extra_output(case, OTHER.output, at=at), by="spend")
    both = with_output(case, DISTRIBUTION, plus={OTHER_TOKEN: 1})
    assert refused(both, by="spend")
    assert refused(with_output(CREATION, DISTRIBUTION, plus={OTHER_TOKEN: 1}), by="mint")
    assert refused(with_mint(both, {STATE_TOKEN: 1, OTHER_TOKEN: -1}), by="mint")


@pytest.mark.parametrize("token", [Asset(FOREIGN, STATE_TOKEN.name), Asset(KEY.hash, STATE_TOKEN.name), TOKEN, GOLD])
def test_a_look_alike_is_not_released(token: Asset) -> None:
    """The same datum at the same address, with another token or none: anybody can make one, and have its signatures."""
    case = with_resolved(RELEASE, STATE, plus={STATE_TOKEN: -1})
    case = with_output(case, DISTRIBUTION, plus={STATE_TOKEN: -1})
    assert refused(case, by="spend")
    assert refused(with_output(with_resolved(case, STATE, plus={token: 1}), DISTRIBUTION, plus={token: 1}), by="spend")


def test_a_look_alike_is_its_funders() -> None:
    """At any time, whatever its datum promises: money that was never under the rules. Who pays to an address he copied
    from a distribution pays the funder named there."""
    assert passes(reclaim(TERMS, stray=True, lower=None, upper=None))
    assert refused(without_signer(reclaim(TERMS, stray=True), FUNDER), by="spend")


# --- The seed


def test_a_seed_may_lie_at_our_own_address() -> None:
    """A stray that is reclaimed: it is spent like any other input, so its id comes once."""
    case = with_resolved(CREATION, SEED, address=HOME.raw(), datum=TERMS.data())
    assert passes(with_redeemer(case, "spend", position(case, SEED), RECLAIM))


def test_a_distribution_is_no_seed_of_the_next() -> None:
    """Its token would have to be burnt, and a creation burns nothing."""
    case = with_resolved(CREATION, SEED, address=HOME.raw(), datum=OTHERS.data(), value=OTHER.output.value)
    case = with_redeemer(case, "spend", position(case, SEED), RECLAIM)
    assert refused(case, by="spend")
    assert refused(with_mint(case, {STATE_TOKEN: 1, OTHER_TOKEN: -1}), by="mint")


def test_a_seed_is_not_merely_read() -> None:
    """A reference input may be read again, for the same id again."""
    case = with_input(without_input(CREATION, SEED), purse(BEFORE_ALL))
    assert refused(case, by="mint")
    assert refused(with_reference_input(case, purse(SEED)), by="mint")

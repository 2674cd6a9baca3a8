"""Release, and what surrounds the payments: one distribution, inputs of keys, and nothing else that runs.

Here is what the rules leave free, and rules 1 and 2 of `contracts/lib/logic/release.ak`. Each test below changes a
healthy release so that only the rule it names is broken.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import pytest

from tests.contract.builder import Coin, Output
from tests.contract.case import Case
from tests.contract.gallery import AFTER_ALL, BEFORE_ALL, FOREIGN, GOLD, KEY, RELEASES, SCRIPT, purse
from tests.contract.healthy import (
    DISTRIBUTION,
    FUEL,
    FUNDER,
    NOW,
    REFUND,
    STATE,
    attested,
    distribution,
    release,
    sample,
    state_token,
)
from tests.contract.keys import key_hash
from tests.contract.mutate import (
    with_certificate,
    with_input,
    with_mint,
    with_output,
    with_proposal,
    with_redeemer,
    with_resolved,
    with_script,
    with_signer,
    with_vote,
    with_withdrawal,
)
from tests.contract.parts import PROPOSALS, closed, ledger_set, opened
from tests.contract.plutus import constr
from tests.contract.releasing import passes, showing
from tests.contract.script import ALWAYS, OWN
from tests.contract.terms import (
    ADA,
    BURN,
    MAINNET,
    RECLAIM,
    TOKEN,
    WITHDRAW,
    Address,
    Allocation,
    Asset,
    Credential,
    Reference,
    create_redeemer,
    identity,
    message,
    release_redeemer,
    signature,
    somebody,
)
from tests.contract.tree import Array, Map, Node

TERMS: Final = sample()
STATE_TOKEN: Final = state_token(TERMS)
HEALTHY: Final = release(TERMS)
HOME: Final = Address(Credential(OWN, is_script=True))
FRIEND: Final = somebody("a friend")
STRAY: Final = Output(HOME, {ADA: 3_000_000}, TERMS.data())
DEPOSIT: Final = Output(HOME, {ADA: 3_000_000}, attested(TERMS, b"m1", 0).data())

elsewhere = pytest.mark.parametrize("at", [BEFORE_ALL, AFTER_ALL], ids=["before ours", "behind ours"])


def signed_under(name: bytes) -> list[tuple[int, bytes]]:
    """What the oracles would have signed if that were the id."""
    content = message(OWN, name, b"m1")
    return [(n, signature(TERMS.oracles[n], content)) for n in (0, 1)]


# --- What is free

SAME: Final = Allocation(FRIEND, 1_000)
SHAPES: Final[Mapping[str, Callable[[], Case]]] = {
    **RELEASES,
    "of what another has left": lambda: release(sample(4).claim((1,))),
    "of the first, leaving the last": lambda: release(sample(3), indices=(0, 1)),
    "of every second": lambda: release(sample(5), indices=(0, 2, 4)),
    "of ada of what another has left": lambda: release(sample(4, token=ADA).claim((0, 3)), indices=(2,)),
    "to one beneficiary, several times": lambda: release(
        replace(TERMS, allocations=tuple(Allocation(FRIEND, amount) for amount in (5, 7, 5)))
    ),
    "to one beneficiary, the same each time": lambda: release(replace(TERMS, allocations=(SAME, SAME))),
    "of the smallest and a large amount": lambda: release(
        replace(TERMS, allocations=(replace(SAME, amount=1), replace(SAME, amount=2**63 - 2)))
    ),
    "vested since ever": lambda: release(replace(TERMS, allocations=(replace(SAME, vesting=0),))),
    "of a token without a name": lambda: release(sample(token=Asset(FOREIGN, b""))),
    "of a token whose policy comes before ours": lambda: release(sample(3, token=Asset(bytes(28), b"x")), indices=(1,)),
    "of a token whose policy comes after ours": lambda: release(
        sample(3, token=Asset(bytes([0xFF] * 28), b"x")), indices=(1,)
    ),
    "whose keeper takes a part of the fee": lambda: with_output(HEALTHY, DISTRIBUTION, plus={ADA: 250_000}),
    "whose keeper gives instead": lambda: with_output(HEALTHY, DISTRIBUTION, plus={ADA: 10**9}),
    "of ada from a distribution with more than it needs": lambda: release(sample(token=ADA), surplus={ADA: 7}),
    "paid from a wallet with a stake script": lambda: release(
        TERMS, inputs=(Coin(BEFORE_ALL, Output(Address(Credential(key_hash("keeper")), SCRIPT), {ADA: 9_000_000})),)
    ),
    "with another distribution as a reference": lambda: release(
        TERMS, references=(Coin(BEFORE_ALL, distribution(sample(3))),)
    ),
    "with what is at our address as references": lambda: release(
        TERMS, references=(Coin(BEFORE_ALL, STRAY), Coin(AFTER_ALL, DEPOSIT))
    ),
    "with a foreign script's output as a reference": lambda: release(
        TERMS, references=(Coin(BEFORE_ALL, Output(Address(SCRIPT), {ADA: 3_000_000, GOLD: 1}, constr(0))),)
    ),
    "beside outputs of every kind": lambda: release(
        TERMS,
        inputs=(purse(AFTER_ALL, {GOLD: 3}),),
        outputs=(
            STRAY,
            DEPOSIT,
            Output(FRIEND, {ADA: 2_000_000, GOLD: 3}, TERMS.claim((0, 1)).data()),
            Output(Address(SCRIPT, KEY), {ADA: 2_000_000}, datum_hash=bytes(32)),
            Output(FRIEND, {ADA: 9_000_000}, script=ALWAYS),
        ),
    ),
    "signed by the funder too": lambda: with_signer(HEALTHY, FUNDER),
    "on the day before expiry": lambda: release(sample(expires_at=NOW + 86_400_000)),
    "long after expiry": lambda: release(sample(expires_at=0)),
    "without an upper bound, at an address with a stake script": lambda: release(TERMS, stake=SCRIPT, upper=None),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_release_goes_through(shape: str) -> None:
    """Nobody's permission is asked beyond the oracles' signatures, and whatever no rule speaks of is free."""
    assert passes(SHAPES[shape]())


# --- 1. The input holds the state token


@pytest.mark.parametrize(
    "policy", [None, FOREIGN, TOKEN.policy], ids=["nothing", "a foreign policy's", "the promised token's policy's"]
)
@pytest.mark.parametrize("token", [TOKEN, ADA], ids=["a token", "ada"])
def test_without_the_state_token_nothing_is_released(token: Asset, policy: bytes | None) -> None:
    """Anybody may send anything to our address: terms that no Create has checked would pay, and look genuine. Nor does
    another policy's token of the same name help."""
    terms = replace(TERMS, token=token)
    change = {state_token(terms): -1}
    if policy is not None:
        change[Asset(policy, state_token(terms).name)] = 1
    case = with_output(with_resolved(release(terms), STATE, plus=change), DISTRIBUTION, plus=change)
    assert not passes(case)
    assert not passes(showing(case, signed_under(b"")))


@pytest.mark.parametrize("name", [b"", bytes(32), bytes([0xFF] * 32)], ids=["without a name", "before", "behind"])
def test_beside_a_second_state_token_nothing_is_released(name: bytes) -> None:
    """Two names are two ids: signatures under one would pay what the other promised."""
    change = {Asset(OWN, name): 1}
    case = with_output(with_resolved(HEALTHY, STATE, plus=change), DISTRIBUTION, plus=change)
    assert not passes(case)
    assert not passes(showing(case, signed_under(name)))


# --- 1. It is the only input at our credential


@elsewhere
@pytest.mark.parametrize("stake", [None, KEY, SCRIPT], ids=["no stake part", "a stake key", "a stake script"])
def test_no_stray_is_reclaimed_beside_it(at: Reference, stake: Credential | None) -> None:
    """Two inputs of ours might count the same outputs; so there is one, at whatever stake part."""
    stray = replace(STRAY, address=Address(HOME.payment, stake))
    assert not passes(with_signer(with_input(HEALTHY, Coin(at, stray, RECLAIM)), FUNDER))


@elsewhere
def test_no_deposit_is_withdrawn_beside_it(at: Reference) -> None:
    """Nor this one, though its script asks for nothing but a signature."""
    assert not passes(with_signer(with_input(HEALTHY, Coin(at, DEPOSIT, WITHDRAW)), REFUND))


def test_the_same_payments_do_not_serve_two_distributions() -> None:
    """A twin on the same terms, signed as well: who pays each beneficiary once would keep what the twin holds."""
    twin = Asset(OWN, identity(FUEL, TERMS))
    held = distribution(TERMS)
    value = {(twin if asset == STATE_TOKEN else asset): quantity for asset, quantity in held.value.items()}
    redeemer = release_redeemer(b"m1", (0, 1), signed_under(twin.name))
    spent = Coin(AFTER_ALL, replace(held, value=value), redeemer)
    assert not passes(with_input(HEALTHY, spent))


# --- 1. Every other input is locked by a key


@elsewhere
@pytest.mark.parametrize("stake", [None, KEY], ids=["no stake part", "a stake key"])
def test_no_input_of_another_script_is_spent(at: Reference, stake: Credential | None) -> None:
    """That script could take our payments for those that it asks for: the keeper pays once and owes twice.

    A native script looks the same to ours; the evaluator cannot read one.
    """
    foreign = Output(Address(Credential(FOREIGN, is_script=True), stake), {ADA: 3_000_000}, constr(0))
    assert not passes(with_script(with_input(HEALTHY, Coin(at, foreign, constr(0))), ALWAYS))


@elsewhere
def test_inputs_of_keys_are_spent(at: Reference) -> None:
    """Somebody pays the fee, and each input alone is no obstacle."""
    assert passes(with_input(HEALTHY, Coin(at, Output(somebody("a donor", stake="script"), {ADA: 3_000_000}))))


# --- 2. Nothing is minted or burnt


@pytest.mark.parametrize(
    "minted",
    [
        {GOLD: 1},
        {GOLD: -1},
        {STATE_TOKEN: -1},
        {STATE_TOKEN: 1},
        {Asset(OWN, bytes(32)): 1},
        {Asset(OWN, bytes(32)): -1},
        {GOLD: 1, Asset(OWN, bytes(32)): -1},
    ],
    ids=[
        "another token minted",
        "another token burnt",
        "the state token burnt",
        "the state token minted",
        "another of ours minted",
        "another of ours burnt",
        "another token minted, another of ours burnt",
    ],
)
def test_nothing_is_minted_or_burnt(minted: dict[Asset, int]) -> None:
    """A policy that mints against payments would count ours; and of ours, a second state token could be had."""
    own = create_redeemer(FUEL) if 1 in (n for asset, n in minted.items() if asset.policy == OWN) else BURN
    case = with_mint(HEALTHY, minted, {FOREIGN: constr(0), OWN: own})
    assert not passes(with_script(case, ALWAYS) if GOLD in minted else case)


def test_no_distribution_is_created_beside_it() -> None:
    """Else one output would be the end of a release and the beginning of another distribution."""
    terms = sample(3)
    token = Asset(OWN, identity(FUEL, terms))
    held = distribution(terms)
    value = {(token if asset == state_token(terms) else asset): quantity for asset, quantity in held.value.items()}
    purse_of_tokens = purse(AFTER_ALL, {TOKEN: value[TOKEN]})
    case = release(
        TERMS,
        inputs=(purse_of_tokens,),
        outputs=(replace(held, value=value),),
        signers=(FUNDER,),
        mint={token: 1},
        mint_redeemers={OWN: create_redeemer(FUEL)},
    )
    assert not passes(case)


# --- 2. No withdrawals, certificates, votes or proposals


ACCOUNT: Final = bytes([0xE0 | MAINNET]) + bytes(28)
OTHER_KEY, OTHER_SCRIPT = Credential(bytes(28)), Credential(FOREIGN, is_script=True)
ACTION: Final = Reference(bytes(32), 0)


def proposing(case: Case, *action: Node) -> Case:
    """A governance action proposed."""
    anchor = Array(("https://example.org", bytes(32)))
    proposal = Array((100_000_000_000, ACCOUNT, Array(action), anchor))
    parts = opened(case)
    return closed(replace(parts, body=parts.body.with_value(PROPOSALS, ledger_set((proposal,)))))


def running(case: Case, purpose: str) -> Case:
    """With the redeemer of somebody's script that agrees to everything."""
    return with_script(with_redeemer(case, purpose, 0, constr(0)), ALWAYS)


@pytest.mark.parametrize(
    "change",
    [
        lambda case: with_withdrawal(case, OTHER_KEY, 0),
        lambda case: with_withdrawal(case, OTHER_KEY, 1),
        lambda case: running(with_withdrawal(case, OTHER_SCRIPT, 0), "withdraw"),
        lambda case: running(with_withdrawal(case, OTHER_SCRIPT, 5), "withdraw"),
        lambda case: with_withdrawal(case, HOME.payment, 0, constr(0)),
    ],
    ids=["of zero", "of a lovelace", "of zero by a script", "by a script", "of zero by our script"],
)
def test_nothing_is_withdrawn(change: Callable[[Case], Case]) -> None:
    """To withdraw zero is the usual way to run a script: it would count our payments as its own."""
    assert not passes(change(HEALTHY))


@pytest.mark.parametrize(
    "change",
    [
        lambda case: with_certificate(case, 0, Array((0, bytes(28)))),
        lambda case: with_certificate(case, 2, Array((0, bytes(28))), bytes(28)),
        lambda case: with_certificate(case, 4, bytes(28), 500),
        lambda case: with_certificate(case, 7, Array((0, bytes(28))), 2_000_000),
        lambda case: with_certificate(case, 16, Array((0, bytes(28))), 500_000_000, None),
        lambda case: running(with_certificate(case, 2, Array((1, FOREIGN)), bytes(28)), "publish"),
        lambda case: running(with_certificate(case, 8, Array((1, FOREIGN)), 2_000_000), "publish"),
    ],
    ids=[
        "a registration without deposit",
        "a delegation",
        "a retirement of a pool",
        "a registration",
        "a registration of a DRep",
        "a delegation by a script",
        "a script's deregistration",
    ],
)
def test_nothing_is_certified(change: Callable[[Case], Case]) -> None:
    """A certificate of a script's credential runs that script."""
    assert not passes(change(HEALTHY))


@pytest.mark.parametrize(
    "change",
    [
        lambda case: with_vote(case, (0, bytes(28)), ACTION),
        lambda case: with_vote(case, (2, bytes(28)), ACTION),
        lambda case: with_vote(case, (4, bytes(28)), ACTION, vote=2),
        lambda case: running(with_vote(case, (1, FOREIGN), ACTION), "vote"),
        lambda case: running(with_vote(case, (3, FOREIGN), ACTION), "vote"),
    ],
    ids=["the committee", "a DRep", "a pool", "the committee's script", "a DRep that is a script"],
)
def test_nobody_votes(change: Callable[[Case], Case]) -> None:
    """A vote of a script's credential runs that script."""
    assert not passes(change(HEALTHY))


@pytest.mark.parametrize(
    "change",
    [
        with_proposal,
        lambda case: proposing(case, 2, Map(((ACCOUNT, 5),)), None),
        lambda case: running(proposing(case, 2, Map(((ACCOUNT, 5),)), FOREIGN), "propose"),
    ],
    ids=["of nothing", "of a treasury withdrawal", "that runs the guardrails"],
)
def test_nothing_is_proposed(change: Callable[[Case], Case]) -> None:
    """The guardrails script runs with some proposals."""
    assert not passes(change(HEALTHY))

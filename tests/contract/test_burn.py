"""Burn: every quantity of our policy is negative, and nothing else is asked.

The rule of `contracts/lib/logic/burn.ak`. That a token may be burnt at all is for the input that holds it to say: see
`test_reclaim`.
"""

from collections.abc import Mapping
from typing import Final

import pytest

from tests.contract.builder import Coin, Output, Value
from tests.contract.case import Case
from tests.contract.gallery import BEFORE_ALL
from tests.contract.healthy import (
    DISTRIBUTION,
    NOW,
    STATE,
    create,
    distribution,
    reclaim,
    sample,
    state_token,
    withdraw,
)
from tests.contract.malformed import malformed
from tests.contract.mutate import (
    with_input,
    with_mint,
    with_output,
    with_redeemer,
    with_script,
    with_signers,
    with_validity,
    without_input,
)
from tests.contract.neighbours import BEFORE, BEHIND
from tests.contract.plutus import constr, sequence
from tests.contract.script import OWN, script_hash
from tests.contract.terms import ADA, BURN, Asset, somebody
from tests.contract.verdict import passes, refused

TERMS: Final = sample(expires_at=NOW)
STATE_TOKEN: Final = state_token(TERMS)
HEALTHY: Final = reclaim(TERMS)

NAMES: Final[Mapping[str, Asset]] = {
    "no name": Asset(OWN, b""),
    "a name before": Asset(OWN, bytes(32)),
    "a name behind": Asset(OWN, b"\xff" * 32),
}


def alone(burnt: Value) -> Case:
    """Nothing of ours is spent: the tokens come from a wallet."""
    wallet = Coin(BEFORE_ALL, Output(somebody("a wallet"), {ADA: 5_000_000, **dict.fromkeys(burnt, 2**62)}))
    return with_mint(with_input(without_input(HEALTHY, STATE), wallet), burnt)


@pytest.mark.parametrize("quantity", [-1, -2, -(2**63)])
@pytest.mark.parametrize("name", NAMES)
def test_any_quantity_of_any_name_is_burnt(name: str, quantity: int) -> None:
    """Without a spending: who has such tokens may be rid of them."""
    assert passes(alone({NAMES[name]: quantity}))
    assert passes(alone({STATE_TOKEN: -1, NAMES[name]: quantity}))
    assert passes(alone({**dict.fromkeys(NAMES.values(), -1), NAMES[name]: quantity}))


def test_nobody_has_to_sign_or_to_wait() -> None:
    """That is for Reclaim to ask."""
    assert passes(with_validity(with_signers(alone({STATE_TOKEN: -1}), ()), lower=None, upper=None))


@pytest.mark.parametrize("quantity", [1, 2, 2**63 - 1])
@pytest.mark.parametrize("name", [*NAMES, "a state token"])
def test_nothing_is_minted(name: str, quantity: int) -> None:
    """An attacker would mint state tokens for terms that Create has never seen."""
    token = NAMES.get(name, STATE_TOKEN)
    case = with_output(alone({token: -1}), 0, plus={token: quantity})
    assert refused(with_mint(case, {token: quantity}), by="mint")


@pytest.mark.parametrize("quantity", [1, 2, 2**63 - 1])
@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_minted_beside_what_is_burnt(name: str, quantity: int) -> None:
    """A token burnt does not pay for one that is minted, whether it sorts before or behind."""
    case = with_mint(HEALTHY, {STATE_TOKEN: -1, NAMES[name]: quantity})
    assert passes(with_mint(HEALTHY, {STATE_TOKEN: -1, NAMES[name]: -quantity}))
    assert refused(with_output(case, 0, plus={NAMES[name]: quantity}), by="mint")


@pytest.mark.parametrize("minted", NAMES)
def test_nothing_is_minted_among_several_burnt(minted: str) -> None:
    """At every position."""
    burnt = dict.fromkeys((*NAMES.values(), STATE_TOKEN), -1)
    assert passes(alone(burnt))
    assert refused(alone({**burnt, NAMES[minted]: 1}), by="mint")


def test_a_distribution_is_not_created_by_burn() -> None:
    """The token that Create would have minted, under its name: Burn does not look at the terms."""
    terms = sample()
    assert refused(with_redeemer(create(terms), "mint", 0, BURN), by="mint")


def test_a_distribution_does_not_continue_a_reclaimed_one() -> None:
    """Burnt and minted again in one transaction is not burnt: a mint says the sum of both."""
    new = sample(3, expires_at=NOW)
    case = with_mint(HEALTHY, {STATE_TOKEN: -1, state_token(new): 1})
    assert refused(with_output(case, DISTRIBUTION, value=distribution(new).value), by="mint")


@pytest.mark.parametrize("script", [BEFORE, BEHIND], ids=["before ours", "behind ours"])
@pytest.mark.parametrize("quantity", [1, 2**63 - 1, -1])
def test_what_other_policies_mint_is_free(script: bytes, quantity: int) -> None:
    """On either side of ours, also under the state token's name."""
    policy = script_hash(script)
    other = Asset(policy, STATE_TOKEN.name)
    case = with_mint(HEALTHY, {STATE_TOKEN: -1, other: quantity}, {policy: constr(0)})
    assert passes(with_script(case, script))


def test_burn_goes_along_with_a_withdrawal() -> None:
    """Whatever else a transaction does is free."""
    assert passes(with_mint(withdraw(), {STATE_TOKEN: -1}, {OWN: BURN}))


def test_it_takes_the_redeemer_burn() -> None:
    """Constructor 1 without fields. Create does not burn, whatever seed it names."""
    arguments = dict(malformed(BURN, ()))
    for argument in (*arguments.values(), constr(0, STATE.data()), constr(2), sequence(BURN)):
        assert refused(with_redeemer(alone({STATE_TOKEN: -1}), "mint", 0, argument), by="mint"), argument

"""Where a transaction is made up, so that the contract need not say the same: the model says so."""

from dataclasses import replace

import pytest

from tests.contract.story import (
    FUEL,
    ID,
    LIFE,
    PAYEE,
    PINNED,
    SELF,
    STATE,
    WALLET,
    Change,
    Terms,
    changed,
    creation,
    output,
    release,
)


@pytest.mark.parametrize(
    ("why", "rule", "change"),
    [
        ("the state token is there more than once", "", lambda s: s.outputs.append(s.outputs[0])),
        (
            "the state token is there more than once",
            "the state output holds one state token",
            lambda s: s.outputs[0][1][1].update({SELF: {PINNED: 2}}),
        ),
        (
            "an input holds the state token already",
            "",
            lambda s: s.inputs.update({FUEL: output(PAYEE, 1, {SELF: {PINNED: 1}})}),
        ),
    ],
)
def test_a_creation_that_no_chain_shows_is_undefined(why: str, rule: str, change: Change) -> None:
    """No ledger balances it, or a token was there before it was minted."""
    assert (rule, why) == changed(creation(name=PINNED), change)


def test_a_token_of_our_policy_is_undefined() -> None:
    """The id commits to `token`: it can be no state token, and there are no others."""
    story = creation(replace(Terms(), token=(SELF, b"")))
    story.outputs[0][1][1] = {SELF: {Terms(token=(SELF, b"")).id(): 1, b"": 5}}
    assert story.verdict() == ("", "token is of our policy")


@pytest.mark.parametrize(
    ("why", "rule", "change"),
    [
        (
            "a state token outside our credential",
            "",
            lambda s: s.inputs.update({FUEL: output(PAYEE, 1, {SELF: {b"": 1}})}),
        ),
        (
            "the input holds more than one token of our policy",
            "",
            lambda s: s.inputs[STATE][1][1].update({SELF: {ID: 1, b"\xff": 1}}),
        ),
        (
            "a state output without an inline Distribution",
            "the input's datum is a Distribution",
            lambda s: s.inputs[STATE].update({2: [0, bytes(32)]}),
        ),
        ("a state output with other tokens", "", lambda s: s.inputs[STATE][1][1].update({WALLET: {b"": 1}})),
    ],
)
def test_a_release_that_no_chain_shows_is_undefined(why: str, rule: str, change: Change) -> None:
    """A state output is as Create and Release leave it, or made up."""
    assert (rule, why) == changed(release(), change)


def test_a_state_output_of_terms_that_no_create_lets_pass_is_undefined() -> None:
    """The model follows the letter: a threshold of zero is reached."""
    why = "a state output whose terms are not well formed: 1 <= threshold <= oracles"
    assert release(replace(LIFE, threshold=0)).verdict() == ("", why)
    rule = "output 0 has token reduced by exactly what is paid"
    assert release(replace(LIFE, token=(SELF, b""))).verdict() == (rule, "token is of our policy")

"""The script mints and is spent from. For every other purpose it fails, whatever it is told.

Else somebody could register it and delegate it, have it vote, or draw what rewards come to it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

import pytest

from tests.contract.case import Case
from tests.contract.gallery import BEFORE_ALL
from tests.contract.healthy import NOW, SEED, STATE, create, reclaim, sample
from tests.contract.mutate import (
    with_certificate,
    with_proposal,
    with_redeemer,
    with_script,
    with_vote,
    with_withdrawal,
    without_input,
)
from tests.contract.parts import PROPOSALS, closed, items, ledger_set, opened
from tests.contract.script import ALWAYS, OWN, script_hash
from tests.contract.terms import BURN, MAINNET, WITHDRAW, Credential, create_redeemer, release_redeemer
from tests.contract.tree import Array, Map, Node
from tests.contract.verdict import passes, refused

SPENDING: Final = reclaim(sample(), stray=True)
CASES: Final = {
    "alone": without_input(SPENDING, STATE),
    "beside a spending": SPENDING,
    "beside a creation": create(sample()),
    "beside a burn": reclaim(sample(expires_at=NOW)),
}
REDEEMERS: Final = {
    "Create": create_redeemer(SEED),
    "Burn, Reclaim": BURN,
    "Release": release_redeemer(b"m1", (0,), ()),
    "Withdraw": WITHDRAW,
    "an integer": 0,
}

# A transaction, the hash of a script that it needs.
Action: TypeAlias = Callable[[Case, bytes], Case]


def certified(number: int, *rest: Node) -> Action:
    """A certificate for the script as a stake credential, a DRep or a member of the committee."""
    return lambda case, script: with_certificate(case, number, Array((1, script)), *rest)


def guarded(*action: Node) -> Action:
    """A proposal that the constitution's guardrails have to agree to, which this script would be."""

    def proposed(case: Case, script: bytes) -> Case:
        parts = opened(with_proposal(case))
        (proposal,) = items(parts.body, PROPOSALS)
        assert isinstance(proposal, Array)
        changed = proposal.with_item(2, Array((*action, script)))
        return closed(replace(parts, body=parts.body.with_value(PROPOSALS, ledger_set((changed,)))))

    return proposed


ABSTAIN: Final = Array((2,))
POOL: Final = bytes(28)
DEPOSIT: Final = 2_000_000

# What each needs a redeemer for, and how the ledger calls that.
ACTIONS: Final[Mapping[str, tuple[str, Action]]] = {
    "a withdrawal of nothing": ("withdraw", lambda case, script: with_withdrawal(case, Credential(script, True))),
    "a withdrawal": ("withdraw", lambda case, script: with_withdrawal(case, Credential(script, True), 5)),
    "a stake key's end, as it was": ("publish", certified(1)),
    "a delegation": ("publish", certified(2, POOL)),
    "a stake key's end": ("publish", certified(8, DEPOSIT)),
    "a delegation of votes": ("publish", certified(9, ABSTAIN)),
    "a delegation of both": ("publish", certified(10, POOL, ABSTAIN)),
    "a registration that delegates": ("publish", certified(11, POOL, DEPOSIT)),
    "a registration that delegates votes": ("publish", certified(12, ABSTAIN, DEPOSIT)),
    "a registration that delegates both": ("publish", certified(13, POOL, ABSTAIN, DEPOSIT)),
    "a committee's hot key": ("publish", certified(14, Array((0, POOL)))),
    "a committee member's leave": ("publish", certified(15, None)),
    "a DRep": ("publish", certified(16, DEPOSIT, None)),
    "a DRep's end": ("publish", certified(17, DEPOSIT)),
    "a DRep's news": ("publish", certified(18, None)),
    "a vote of the committee": ("vote", lambda case, script: with_vote(case, (1, script), BEFORE_ALL)),
    "a vote of a DRep": ("vote", lambda case, script: with_vote(case, (3, script), BEFORE_ALL)),
    "a change of parameters": ("propose", guarded(0, None, Map(((0, 44),)))),
    "a withdrawal from the treasury": ("propose", guarded(2, Map(((bytes([0xE0 | MAINNET]) + POOL, 5),)))),
}


def asked(case: Case, action: str, script: bytes, redeemer: Node) -> Case:
    purpose, apply = ACTIONS[action]
    return with_redeemer(apply(case, script), purpose, 0, redeemer)


@pytest.mark.parametrize("action", ACTIONS)
def test_with_another_script_it_would_do(action: str) -> None:
    """So it is our script that the tests below are refused for."""
    assert passes(with_script(asked(SPENDING, action, script_hash(ALWAYS), 0), ALWAYS))


@pytest.mark.parametrize("beside", CASES)
@pytest.mark.parametrize("action", ACTIONS)
def test_it_agrees_to_nothing_else(action: str, beside: str) -> None:
    """By none of its redeemers, alone or in a transaction that it agrees to otherwise."""
    purpose, _ = ACTIONS[action]
    for what, redeemer in REDEEMERS.items():
        assert refused(asked(CASES[beside], action, OWN, redeemer), by=purpose), what

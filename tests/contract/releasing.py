"""What the tests of Release share: the script's answer, and its redeemer written anew."""

from collections.abc import Iterable
from typing import Final

from tests.contract.case import Case
from tests.contract.evaluate import Passed, ScriptFailed, evaluate
from tests.contract.healthy import STATE
from tests.contract.mutate import position, with_redeemer
from tests.contract.parts import redeemer
from tests.contract.plutus import integer, octets, sequence, with_field
from tests.contract.tree import Node

# Fields of the redeemer.
MILESTONE, ALLOCATIONS, SIGNATURES = range(3)

# Positions that are in no list.
NOWHERE: Final = (-1, -(2**64) - 1, 1_000, 2**63, 2**64)


def passes(case: Case) -> bool:
    """What the script says that guards the distribution. AssertionError: it is not asked, or another one says no."""
    match evaluate(case):
        case Passed():
            return True
        case ScriptFailed(("spend", index)) if index == position(case, STATE):
            return False
        case outcome:
            raise AssertionError(outcome)


def argument(case: Case) -> Node:
    """The redeemer of a release."""
    return redeemer(case, "spend", position(case, STATE))


def arguing(case: Case, data: Node, *at: int) -> Case:
    """The same transaction with other data in a place of its redeemer, else as its redeemer."""
    return with_redeemer(case, "spend", position(case, STATE), with_field(argument(case), at, data))


def listing(case: Case, indices: Iterable[int]) -> Case:
    """The same transaction, said to pay the allocations at these positions."""
    return arguing(case, sequence(*map(integer, indices)), ALLOCATIONS)


def showing(case: Case, signatures: Iterable[tuple[int, bytes]]) -> Case:
    """The same transaction with other signatures: each the position of its oracle, and its bytes."""
    pairs = (sequence(integer(oracle), octets(proof)) for oracle, proof in signatures)
    return arguing(case, sequence(*pairs), SIGNATURES)


def ascends(positions: tuple[int, ...], length: int) -> bool:
    """Whether these are positions in a list of that length, each greater than the one before."""
    return list(positions) == [n for n in range(length) if n in positions]

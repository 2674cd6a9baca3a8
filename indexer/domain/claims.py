"""What can be claimed of a distribution, allocation by allocation, and why not what cannot."""

from dataclasses import dataclass
from enum import StrEnum

from indexer.domain.life import Life, assess
from indexer.domain.quorum import QuorumStatus
from indexer.plutus.datum import Allocation


class Claimability(StrEnum):
    """Whether an allocation can be claimed, or what stands first in its way.

    A milestone that is not verified comes before a time that has not come: the one waits for somebody to act, the
    other passes by itself.
    """

    CLAIMABLE = "claimable"
    VESTING_NOT_PASSED = "vesting_not_passed"
    MILESTONE_NOT_VERIFIED = "milestone_not_verified"
    ALREADY_CLAIMED = "already_claimed"
    RECLAIMED = "reclaimed"  # the funder had back what was left


@dataclass(frozen=True, slots=True)
class Claim:
    """An allocation by its place in the terms, and whether it can be claimed. `paid_by`: the release that paid it."""

    index: int
    allocation: Allocation
    claimability: Claimability
    paid_by: bytes | None


def claims_of(life: Life, now_ms: int) -> list[Claim]:
    """Every allocation of a distribution, in its order, at a time (POSIX milliseconds). Only where there is an origin.

    Expiry does not stop a release, so nothing is said of it here: what stops one is that the funder reclaimed.
    """
    tallies, _ = assess(life)
    paid = life.claims
    found = []
    for index, allocation in enumerate(life.terms.allocations):
        payment = paid.get(index)
        if payment is not None:
            claimability = Claimability.ALREADY_CLAIMED
        elif life.end is not None:
            claimability = Claimability.RECLAIMED
        elif tallies[allocation.milestone_id].status is QuorumStatus.PENDING:
            claimability = Claimability.MILESTONE_NOT_VERIFIED
        elif allocation.vesting_timestamp > now_ms:
            claimability = Claimability.VESTING_NOT_PASSED
        else:
            claimability = Claimability.CLAIMABLE
        found.append(Claim(index, allocation, claimability, None if payment is None else payment.transaction_id))
    return found

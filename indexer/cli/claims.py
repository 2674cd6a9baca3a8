"""What `calculate-distribution` answers: each allocation, and whether it can be claimed."""

from collections import Counter
from collections.abc import Iterable

from indexer.chain.network import Network
from indexer.chain.time import iso
from indexer.cli.outputs import Output
from indexer.domain.claims import Claim, Claimability, claims_of
from indexer.domain.life import Life
from indexer.plutus.address import address_text
from indexer.plutus.identity import shown_milestone


class AllocationClaim(Output):
    """An allocation, and whether it can be claimed: `claimable`, or what stands first in its way."""

    allocation_index: int
    milestone_id: str
    beneficiary: str
    amount: int
    vesting_at: str
    reason: str
    paid_by: str | None


class ReasonTotal(Output):
    """All allocations with one reason."""

    reason: str
    allocations: int
    amount: int


class Calculation(Output):
    """A distribution's allocations at a time. Amounts in the token's smallest unit."""

    distribution_id: str
    at: str
    state: str
    token_policy: str
    token_name: str
    allocations: tuple[AllocationClaim, ...]
    totals: tuple[ReasonTotal, ...]


def calculate(life: Life, network: Network, now_ms: int, beneficiary: str | None) -> Calculation:
    """Each allocation at a time (POSIX milliseconds), or those of one beneficiary. Only where there is an origin."""
    found = [
        (claim, address)
        for claim in claims_of(life, now_ms)
        if (address := address_text(claim.allocation.beneficiary, network.id)) == beneficiary or beneficiary is None
    ]
    token = life.terms.token
    return Calculation(
        distribution_id=life.id.hex(),
        at=iso(now_ms),
        state=str(life.state),
        token_policy=token.policy_id.hex(),
        token_name=token.asset_name.hex(),
        allocations=tuple(
            AllocationClaim(
                allocation_index=claim.index,
                milestone_id=shown_milestone(claim.allocation.milestone_id),
                beneficiary=address,
                amount=claim.allocation.token_amount,
                vesting_at=iso(claim.allocation.vesting_timestamp),
                reason=str(claim.claimability),
                paid_by=None if claim.paid_by is None else claim.paid_by.hex(),
            )
            for claim, address in found
        ),
        totals=_totals(claim for claim, _ in found),
    )


def _totals(claims: Iterable[Claim]) -> tuple[ReasonTotal, ...]:
    counts: Counter[Claimability] = Counter()
    amounts: Counter[Claimability] = Counter()
    for claim in claims:
        counts[claim.claimability] += 1
        amounts[claim.claimability] += claim.allocation.token_amount
    return tuple(
        ReasonTotal(reason=str(reason), allocations=counts[reason], amount=amounts[reason]) for reason in Claimability
    )

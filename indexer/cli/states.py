"""What `check-status DISTRIBUTION` answers: a distribution's terms, and how far it is, as of a moment."""

from collections.abc import Iterable

from indexer.chain.network import Network
from indexer.chain.point import Slot
from indexer.chain.time import iso, slot_to_ms
from indexer.cli.happened import AnyEvent
from indexer.cli.outputs import Output
from indexer.domain.life import Life, assess
from indexer.domain.quorum import Signature, Tally, Verdict
from indexer.plutus.address import address_text
from indexer.plutus.identity import shown_milestone


class SignatureState(Output):
    """A signature seen, and what it is worth."""

    milestone_id: str
    oracle: str
    signature: str
    source: str
    verdict: str
    output_reference: str | None
    slot: int
    seen_at: str


class AllocationState(Output):
    """Tokens for one beneficiary."""

    allocation_index: int
    beneficiary: str
    amount: int
    vesting_at: str
    vested: bool
    claimed: bool
    paid_by: str | None
    paid_slot: int | None


class MilestoneState(Output):
    """A milestone: its quorum, its amounts, its signatures and allocations."""

    milestone_id: str
    quorum_status: str
    signatures_valid: int
    quorum_threshold: int
    quorum_met_slot: int | None
    quorum_met_at: str | None
    amount_total: int
    amount_vested: int
    amount_paid: int
    next_vesting_at: str | None
    signatures: tuple[SignatureState, ...]
    allocations: tuple[AllocationState, ...]


class DistributionContractState(Output):
    """A distribution: its terms, and how far it is. Amounts in the token's smallest unit; `as_of_slot` is the slot that
    was asked for, or that of the last block read; what is vested is so at `as_of_time`."""

    distribution_id: str
    as_of_slot: int
    as_of_time: str
    state: str
    policy: str
    seed: str
    output_reference: str
    funder: str
    token_policy: str
    token_name: str
    oracles: tuple[str, ...]
    quorum_threshold: int
    lovelace_per_payout: int
    keeper_fee_per_payout: int
    expires_at: str | None
    amount_total: int
    amount_paid: int
    amount_left: int
    allocations_total: int
    allocations_claimed: int
    created_slot: int
    created_at: str
    updated_slot: int
    updated_at: str
    ended_slot: int | None
    ended_by: str | None
    milestones: tuple[MilestoneState, ...]
    other_signatures: tuple[SignatureState, ...]  # for milestones that the terms do not name
    events: tuple[AnyEvent, ...]  # up to that slot, also those that were retracted


class Moments:
    """Slots as times of a network."""

    def __init__(self, network: Network) -> None:
        self._eras = network.eras

    def __call__(self, slot: Slot) -> str:
        """When a slot begins, ISO-8601 UTC."""
        return iso(slot_to_ms(self._eras, slot))

    def ms(self, slot: Slot) -> int:
        """The same in POSIX milliseconds."""
        return slot_to_ms(self._eras, slot)


def state_of(
    life: Life,
    network: Network,
    slot: Slot,
    now_ms: int,
    events: Iterable[AnyEvent] = (),
    milestone: bytes | None = None,
) -> DistributionContractState:
    """A distribution as of a slot; what is vested, at a time (POSIX milliseconds). Only where there is an origin.

    `milestone`: leave out the others.
    """
    assert life.origin is not None
    assert life.reference is not None
    at, terms, claims = Moments(network), life.terms, life.claims
    tallies, verdicts = assess(life)
    signatures: dict[bytes, list[SignatureState]] = {}
    for signature, verdict in zip(life.signatures, verdicts, strict=True):
        signatures.setdefault(signature.milestone_id, []).append(_signature(signature, verdict, at))
    total = sum(allocation.token_amount for allocation in terms.allocations)
    paid = sum(terms.allocations[index].token_amount for index in claims)
    seen = [life.origin.seen, *(payment.seen for payment in life.payments), *([life.end.seen] if life.end else ())]
    updated = seen[-1].slot
    return DistributionContractState(
        distribution_id=life.id.hex(),
        as_of_slot=slot,
        as_of_time=iso(now_ms),
        state=str(life.state),
        policy=life.origin.policy.hex(),
        seed=str(life.origin.seed),
        output_reference=str(life.reference),
        funder=terms.funder.hex(),
        token_policy=terms.token.policy_id.hex(),
        token_name=terms.token.asset_name.hex(),
        oracles=tuple(oracle.hex() for oracle in terms.oracles),
        quorum_threshold=terms.quorum_threshold,
        lovelace_per_payout=terms.lovelace_per_payout,
        keeper_fee_per_payout=terms.keeper_fee_per_payout,
        expires_at=None if terms.expires_at is None else iso(terms.expires_at),
        amount_total=total,
        amount_paid=paid,
        amount_left=total - paid,
        allocations_total=len(terms.allocations),
        allocations_claimed=len(claims),
        created_slot=life.origin.seen.slot,
        created_at=at(life.origin.seen.slot),
        updated_slot=updated,
        updated_at=at(updated),
        ended_slot=None if life.end is None else life.end.seen.slot,
        ended_by=None if life.end is None else life.end.transaction_id.hex(),
        milestones=tuple(
            _milestone(life, one, tallies[one], tuple(signatures.get(one, ())), network, now_ms)
            for one in life.milestones
            if milestone in (None, one)
        ),
        other_signatures=tuple(
            one for name, found in signatures.items() if name not in tallies and milestone is None for one in found
        ),
        events=tuple(
            event for event in events if milestone is None or event.milestone_id in (None, shown_milestone(milestone))
        ),
    )


def _milestone(
    life: Life, milestone: bytes, tally: Tally, signatures: tuple[SignatureState, ...], network: Network, now_ms: int
) -> MilestoneState:
    assert life.origin is not None
    at, claims = Moments(network), life.claims
    ours = [(index, one) for index, one in enumerate(life.terms.allocations) if one.milestone_id == milestone]
    met = None if tally.completing is None else max(life.origin.seen.slot, tally.completing.slot)
    ahead = [a.vesting_timestamp for i, a in ours if i not in claims and a.vesting_timestamp > now_ms]
    return MilestoneState(
        milestone_id=shown_milestone(milestone),
        quorum_status=str(tally.status),
        signatures_valid=len(tally.valid),
        quorum_threshold=tally.threshold,
        quorum_met_slot=met,
        quorum_met_at=None if met is None else at(met),
        amount_total=sum(a.token_amount for _, a in ours),
        amount_vested=sum(a.token_amount for _, a in ours if a.vesting_timestamp <= now_ms),
        amount_paid=sum(a.token_amount for i, a in ours if i in claims),
        next_vesting_at=iso(min(ahead)) if ahead else None,
        signatures=signatures,
        allocations=tuple(
            AllocationState(
                allocation_index=index,
                beneficiary=address_text(one.beneficiary, network.id),
                amount=one.token_amount,
                vesting_at=iso(one.vesting_timestamp),
                vested=one.vesting_timestamp <= now_ms,
                claimed=index in claims,
                paid_by=claims[index].transaction_id.hex() if index in claims else None,
                paid_slot=claims[index].seen.slot if index in claims else None,
            )
            for index, one in ours
        ),
    )


def _signature(signature: Signature, verdict: Verdict, at: Moments) -> SignatureState:
    return SignatureState(
        milestone_id=shown_milestone(signature.milestone_id),
        oracle=signature.oracle.hex(),
        signature=signature.signature.hex(),
        source=str(signature.source),
        verdict=str(verdict),
        output_reference=None if signature.reference is None else str(signature.reference),
        slot=signature.slot,
        seen_at=at(signature.slot),
    )

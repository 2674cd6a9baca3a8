"""What people are told of a distribution's life: events that follow from the life, under ids that never change."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Final

from indexer.chain.block import OutputReference
from indexer.chain.point import BlockHeight, Slot
from indexer.domain.life import Life, Origin, State, assess
from indexer.domain.quorum import Seen, Signature, Tally, Verdict
from indexer.plutus.identity import shown_milestone

_TOLD: Final = {
    Verdict.VALID: "attestation.accepted",
    Verdict.UNAUTHORISED: "attestation.rejected",
    Verdict.BAD_SIGNATURE: "attestation.rejected",
    Verdict.UNKNOWN_MILESTONE: "attestation.rejected",
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell. `height` is that of the newest block it rests on: deeper than k, it stands for good.

    Also what a file showed (`by_file`) rests on a block: that of the distribution, and those of the other signatures of
    a quorum. `slot` is that of the block that shows it, or at which the file was found.
    `data` is for JSON: ids in hex, milestone ids as people see them, amounts in the token's smallest unit.
    """

    id: str
    type: str
    distribution_id: bytes
    milestone_id: bytes | None
    slot: Slot
    height: BlockHeight
    by_file: bool
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Cause:
    """What shows it: a block and an output, or a signature from a file."""

    slot: Slot
    height: BlockHeight
    key: bytes
    by_file: bool = False

    @classmethod
    def block(cls, seen: Seen, subject: OutputReference) -> "_Cause":
        return cls(seen.slot, seen.height, b"block" + seen.block_id + str(subject).encode())

    @classmethod
    def signature(cls, signature: Signature, origin: Origin) -> "_Cause":
        """A signature on the chain counts from its block on, or from the distribution's, if that is later."""
        if signature.seen is None or signature.reference is None:
            return cls(signature.slot, origin.seen.height, b"signature" + signature.signature, by_file=True)
        return cls.block(max(signature.seen, origin.seen, key=lambda seen: seen.height), signature.reference)


def event_id(magic: int, kind: str, distribution: bytes, milestone: bytes, oracle: bytes, cause: bytes) -> str:
    """32 hex digits (blake2b-128) that the network, the subject and the cause decide, and nothing else."""
    parts = (str(magic).encode(), kind.encode(), distribution, milestone, oracle, cause)
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return blake2b(framed, digest_size=16).hexdigest()


def events_of(life: Life, magic: int) -> list[Event]:
    """Every event that a life has had so far, in the order in which it happened."""
    if life.origin is None:
        return []
    tallies, verdicts = assess(life)
    found = [
        *_of_creation(life, life.origin, magic),
        *_of_signatures(life, life.origin, verdicts, magic),
        *_of_quorums(life, life.origin, tallies, magic),
        *_of_payments(life, magic),
        *_of_end(life, magic),
    ]
    return sorted(found, key=lambda event: event.slot)  # stable: within a slot, in the order above


def _event(life: Life, magic: int, kind: str, cause: _Cause, data: dict[str, Any], **whom: bytes) -> Event:
    milestone, oracle = whom.get("milestone"), whom.get("oracle", b"")
    name = event_id(magic, kind, life.id, milestone or b"", oracle, cause.key)
    return Event(name, kind, life.id, milestone, cause.slot, cause.height, cause.by_file, data)


def _of_creation(life: Life, origin: Origin, magic: int) -> Iterator[Event]:
    terms = origin.terms
    data = {
        "output_reference": str(origin.reference),
        "funder": terms.funder.hex(),
        "token_policy": terms.token.policy_id.hex(),
        "token_name": terms.token.asset_name.hex(),
        "amount_total": sum(allocation.token_amount for allocation in terms.allocations),
        "quorum_threshold": terms.quorum_threshold,
        "oracles": [oracle.hex() for oracle in terms.oracles],
        "milestones": [shown_milestone(milestone) for milestone in life.milestones],
    }
    yield _event(life, magic, "distribution.created", _Cause.block(origin.seen, origin.reference), data)


def _of_signatures(life: Life, origin: Origin, verdicts: list[Verdict], magic: int) -> Iterator[Event]:
    for signature, verdict in zip(life.signatures, verdicts, strict=True):
        kind = _TOLD.get(verdict)
        if kind is not None:
            data = {
                "oracle": signature.oracle.hex(),
                "signature": signature.signature.hex(),
                "source": str(signature.source),
                "verdict": str(verdict),
                "output_reference": None if signature.reference is None else str(signature.reference),
            }
            cause = _Cause.signature(signature, origin)
            whom = {"milestone": signature.milestone_id, "oracle": signature.oracle}
            yield _event(life, magic, kind, cause, data, **whom)


def _of_quorums(life: Life, origin: Origin, tallies: dict[bytes, Tally], magic: int) -> Iterator[Event]:
    for milestone, tally in tallies.items():
        completing = tally.completing
        if completing is not None:
            counted = tally.valid[: tally.threshold]
            data = {
                "quorum_threshold": tally.threshold,
                "oracles": [signature.oracle.hex() for signature in counted],
                "amount_total": sum(a.token_amount for a in origin.terms.allocations if a.milestone_id == milestone),
            }
            cause = _Cause.signature(completing, origin)
            if completing.slot < origin.seen.slot:  # all were there before the distribution was
                cause = _Cause.block(origin.seen, origin.reference)
            heights = [signature.seen.height for signature in counted if signature.seen is not None]
            cause = replace(cause, height=max(origin.seen.height, *heights, cause.height))
            yield _event(life, magic, "milestone.quorum_met", cause, data, milestone=milestone)


def _of_payments(life: Life, magic: int) -> Iterator[Event]:
    claimed: set[int] = set()
    allocations = life.terms.allocations
    for payment in life.payments:
        claimed |= set(payment.claims)
        data = {
            "transaction_id": payment.transaction_id.hex(),
            "allocations": list(payment.claims),
            "amount": sum(allocations[index].token_amount for index in payment.claims),
        }
        cause = _Cause.block(payment.seen, payment.reference)
        yield _event(life, magic, "milestone.released", cause, data, milestone=payment.milestone_id)
        if len(claimed) == len(allocations):
            data = {"transaction_id": payment.transaction_id.hex()}
            yield _event(life, magic, "distribution.completed", cause, data)


def _of_end(life: Life, magic: int) -> Iterator[Event]:
    if life.end is not None and life.reference is not None:
        claimed = life.claims
        left = sum(a.token_amount for i, a in enumerate(life.terms.allocations) if i not in claimed)
        kind = "distribution.closed" if life.state is State.CLOSED else "distribution.reclaimed"
        data = {"transaction_id": life.end.transaction_id.hex(), "amount_left": left}
        yield _event(life, magic, kind, _Cause.block(life.end.seen, life.reference), data)

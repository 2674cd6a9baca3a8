"""The life of a distribution: founded, partly released, completed, ended; and what its signatures are worth.

A life is what the chain (and the local files) showed of one distribution id. `Book.take` adds what a transaction says.
What follows from it (`assess`) is a function of the life alone, so it is the same after every detour of the chain.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from operator import attrgetter

from indexer.chain.block import OutputReference
from indexer.chain.point import Slot
from indexer.domain.facts import BEFORE_SINCE, NOT_THE_TERMS, Act, Attested, Continued, Founded, Rejected
from indexer.domain.quorum import Seen, Signature, Source, Tally, Verdict, tally, verifies
from indexer.plutus.datum import Distribution
from indexer.plutus.identity import message_to_sign


class State(StrEnum):
    """How far a distribution is."""

    OPEN = "open"
    COMPLETED = "completed"  # all claimed
    CLOSED = "closed"  # reclaimed after completion
    RECLAIMED = "reclaimed"  # reclaimed before


@dataclass(frozen=True, slots=True)
class Origin:
    """How a distribution began. `terms` are as created, `datum` their CBOR as written."""

    policy: bytes
    seed: OutputReference
    terms: Distribution
    datum: bytes
    reference: OutputReference
    seen: Seen


@dataclass(frozen=True, slots=True)
class Payment:
    """One release: the output that it left, and the positions of the allocations that it paid."""

    transaction_id: bytes
    milestone_id: bytes
    claims: tuple[int, ...]
    reference: OutputReference
    seen: Seen


@dataclass(frozen=True, slots=True)
class End:
    """The state token is burnt."""

    transaction_id: bytes
    seen: Seen


@dataclass(slots=True)
class Life:
    """One distribution. Without an origin, all that is known of it is signatures."""

    id: bytes
    origin: Origin | None = None
    payments: list[Payment] = field(default_factory=list)
    end: End | None = None
    signatures: list[Signature] = field(default_factory=list)

    @property
    def reference(self) -> OutputReference | None:
        """The latest output that holds, or held, the state token."""
        if self.payments:
            return self.payments[-1].reference
        return None if self.origin is None else self.origin.reference

    @property
    def claims(self) -> dict[int, Payment]:
        """The allocations that are paid, each with its release."""
        return {index: payment for payment in self.payments for index in payment.claims}

    @property
    def terms(self) -> Distribution:
        """The terms as created. Only where there is an origin."""
        assert self.origin is not None
        return self.origin.terms

    @property
    def state(self) -> State:
        """How far it is. Only where there is an origin."""
        complete = len(self.claims) == len(self.terms.allocations)
        if self.end is not None:
            return State.CLOSED if complete else State.RECLAIMED
        return State.COMPLETED if complete else State.OPEN

    @property
    def milestones(self) -> list[bytes]:
        """The milestone ids of its allocations, in their order, each once."""
        return list(dict.fromkeys(allocation.milestone_id for allocation in self.terms.allocations))

    def at(self, slot: Slot) -> "Life":
        """The same life as it was known when the block at this slot had been applied."""
        origin = self.origin if self.origin is not None and self.origin.seen.slot <= slot else None
        return Life(
            self.id,
            origin,
            [payment for payment in self.payments if payment.seen.slot <= slot],
            self.end if self.end is not None and self.end.seen.slot <= slot else None,
            [signature for signature in self.signatures if signature.slot <= slot],
        )

    def add(self, signatures: Iterable[Signature]) -> None:
        """More signatures, in any order; verified, if that is possible already."""
        self.signatures += map(self._verified, signatures)

    def begin(self, origin: Origin) -> None:
        """Its creation is seen. Signatures that came before it can now be verified."""
        self.origin = origin
        # Verified anew: on another fork, another contract may have had the same id.
        self.signatures = [self._verified(replace(signature, verifies=None)) for signature in self.signatures]

    def _verified(self, signature: Signature) -> Signature:
        if self.origin is None or signature.verifies is not None:
            return signature
        message = message_to_sign(self.origin.policy, self.id, signature.milestone_id)
        return replace(signature, verifies=verifies(signature.oracle, signature.signature, message))


def assess(life: Life) -> tuple[dict[bytes, Tally], list[Verdict]]:
    """The tally of each milestone that its terms name, and the verdict on each signature, now in order."""
    life.signatures.sort(key=attrgetter("order"))
    if life.origin is None:
        return {}, [Verdict.UNKNOWN_DISTRIBUTION] * len(life.signatures)
    by_milestone: dict[bytes, list[Signature]] = {milestone: [] for milestone in life.milestones}
    for signature in life.signatures:
        if signature.milestone_id in by_milestone:
            by_milestone[signature.milestone_id].append(signature)
    oracles = frozenset(life.terms.oracles)
    tallies = {m: tally(oracles, life.terms.quorum_threshold, of) for m, of in by_milestone.items()}
    verdicts = {milestone: iter(tally.verdicts) for milestone, tally in tallies.items()}
    return tallies, [
        next(verdicts[signature.milestone_id]) if signature.milestone_id in verdicts else Verdict.UNKNOWN_MILESTONE
        for signature in life.signatures
    ]


class Book:
    """The lives that some blocks concern, and what these blocks add to them."""

    def __init__(self, lives: Iterable[Life] = ()) -> None:
        self.lives = {life.id: life for life in lives}
        self.rejected: list[tuple[Rejected, Slot]] = []
        self.touched: set[bytes] = set()
        self._living = {
            life.reference: life for life in self.lives.values() if life.reference is not None and life.end is None
        }

    def life(self, distribution_id: bytes) -> Life:
        """The life with this id, begun if nothing was known of it; it counts as touched."""
        self.touched.add(distribution_id)
        return self.lives.setdefault(distribution_id, Life(distribution_id))

    def take(self, act: Act, seen: Seen) -> None:
        """Add what a transaction says. Acts come in the order of the chain."""
        for fact in act.facts:
            match fact:
                case Founded():
                    self._begin(fact, seen)
                case Continued():
                    self._continue(fact, act, seen)
                case Attested(attestation, reference):
                    signature = Signature(
                        attestation.milestone_id,
                        attestation.oracle,
                        attestation.signature,
                        Source.CHAIN,
                        seen.slot,
                        reference.index,
                        seen,
                        reference,
                    )
                    self.life(attestation.distribution_id).add([signature])
                case Rejected():
                    self.rejected.append((fact, seen.slot))
        for reference in act.spent:
            ended = self._living.pop(reference, None)
            if ended is not None:
                self.touched.add(ended.id)
                ended.end = End(act.transaction_id, seen)

    def _begin(self, fact: Founded, seen: Seen) -> None:
        life = self.life(fact.id)
        if life.origin is not None:  # one transaction can do so under two contracts
            self._reject(fact, f"{NOT_THE_TERMS}: there is a distribution of that id already", seen)
            return
        life.begin(Origin(fact.policy, fact.seed, fact.terms, fact.datum, fact.reference, seen))
        self._living[fact.reference] = life

    def _continue(self, fact: Continued, act: Act, seen: Seen) -> None:
        life = self.lives.get(fact.id)
        if life is None or life.origin is None:
            self._reject(fact, BEFORE_SINCE, seen)
            return
        reason = _what_is_wrong(life, fact)
        if reason is not None:
            self._reject(fact, f"{NOT_THE_TERMS}: {reason}", seen)
            return
        self._living.pop(fact.spends)
        self._living[fact.reference] = life
        self.touched.add(life.id)
        life.payments.append(Payment(act.transaction_id, fact.milestone_id, fact.claims, fact.reference, seen))
        life.add(
            Signature(
                fact.milestone_id,
                life.terms.oracles[oracle],
                signature,
                Source.RELEASE,
                seen.slot,
                place,
                seen,
                fact.reference,
            )
            for place, (oracle, signature) in enumerate(fact.signatures)
            if 0 <= oracle < len(life.terms.oracles)
        )

    def _reject(self, fact: Founded | Continued, reason: str, seen: Seen) -> None:
        self.rejected.append((Rejected(fact.reference, reason), seen.slot))


def _what_is_wrong(life: Life, release: Continued) -> str | None:
    """Why this is no release of the distribution as we know it; None where it is. The contract sees to it that it is:
    this is for a contract that does not."""
    if life.origin is None or life.origin.policy != release.policy or life.end is not None:
        return "it is not the distribution of that id"
    if life.reference != release.spends:
        return "it does not spend the distribution's latest output"
    claimed = life.claims.keys()
    due = {i for i, a in enumerate(life.terms.allocations) if a.milestone_id == release.milestone_id} - claimed
    if not release.claims or len(set(release.claims)) != len(release.claims) or not due.issuperset(release.claims):
        return "it claims what is not due to the milestone"
    if not _same_but_for_claims(life.terms, release.terms, claimed | set(release.claims)):
        return "the terms are not the same, but for what it claims"
    return None


def _same_but_for_claims(known: Distribution, shown: Distribution, claims: AbstractSet[int]) -> bool:
    rest = [field.name for field in fields(Distribution) if field.name != "allocations"]
    return (
        all(getattr(known, name) == getattr(shown, name) for name in rest)
        and len(known.allocations) == len(shown.allocations)
        and all(
            (a.beneficiary, a.token_amount, a.milestone_id, a.vesting_timestamp, i in claims)
            == (b.beneficiary, b.token_amount, b.milestone_id, b.vesting_timestamp, b.claimed)
            for i, (a, b) in enumerate(zip(known.allocations, shown.allocations, strict=True))
        )
    )

"""What is to be released, and what it has to be worth: told from what is known of a distribution, by nobody's word.

Each signature is verified here once more, and the id is reckoned anew from seed and terms, whatever database, file or
datum say of them: what comes out of this is paid.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final

from indexer.chain.block import OutputReference
from indexer.chain.parameters import Parameters, Units
from indexer.chain.point import Slot
from indexer.domain.facts import seed_of
from indexer.domain.life import Life
from indexer.domain.quorum import verifies
from indexer.plutus.datum import Distribution
from indexer.plutus.identity import distribution_id, message_to_sign, shown_milestone
from indexer.plutus.terms import objections

SPONSOR_ALL: Final = "all"
_LEAST_PAYOUT: Final = 37  # bytes of the smallest output that pays somebody
_LEAST_FRAME: Final = 150  # bytes of the smallest transaction around outputs and datum


@dataclass(frozen=True, slots=True)
class Wanted:
    """A release that may be made: these allocations of a milestone (positions in the terms, ascending), by these
    signatures (position in the oracles, 64 bytes), out of `state`. `terms` as they stand there, with what is claimed.

    `since`: slot of the block that made `state`; `due_ms`: since when the last of them is due (POSIX milliseconds).
    """

    distribution_id: bytes
    policy: bytes
    milestone_id: bytes
    allocations: tuple[int, ...]
    signatures: tuple[tuple[int, bytes], ...]
    state: OutputReference
    since: Slot
    terms: Distribution
    due_ms: int

    @property
    def id(self) -> str:
        """See `release_id`."""
        return release_id(self.state, self.milestone_id, self.allocations)

    def only(self, count: int) -> "Wanted":
        """The same with the first so many of its allocations."""
        some = self.allocations[:count]
        return replace(self, allocations=some, due_ms=max(self.terms.allocations[i].vesting_timestamp for i in some))


@dataclass(frozen=True, slots=True)
class Unwanted:
    """Why nothing of a milestone is to be released now. `next_ms`: when its next allocation falls due, where that is
    all that is missing (POSIX milliseconds). `never`: its terms are such that nothing still to come makes it due."""

    reason: str
    next_ms: int | None = None
    never: bool = False


def release_id(state: OutputReference, milestone_id: bytes, allocations: Iterable[int]) -> str:
    """32 hex digits (blake2b-128) of the output that is spent, the milestone, and what is paid."""
    positions = b"".join(position.to_bytes(4, "big") for position in allocations)
    parts = (state.transaction_id, state.index.to_bytes(4, "big"), milestone_id, positions)
    return blake2b(b"".join(len(part).to_bytes(4, "big") + part for part in parts), digest_size=16).hexdigest()


def judge(life: Life, milestone_id: bytes, now_ms: int) -> Wanted | Unwanted:
    """All that can be paid of a milestone at a time (POSIX milliseconds), or why nothing can."""
    origin, state = life.origin, life.reference
    if origin is None or state is None:
        return Unwanted("its creation was not seen")
    if distribution_id(seed_of(origin.seed), origin.terms) != life.id:
        return Unwanted("its id is not that of its seed and terms: they are not what the oracles sign", never=True)
    if reasons := objections(origin.terms, origin.policy):
        return Unwanted(f"its terms are none that the contract lets begin: {reasons[0]}", never=True)
    if life.end is not None:
        return Unwanted("the funder had back what was left")
    claimed = life.claims
    terms = replace(
        origin.terms,
        allocations=tuple(
            replace(each, claimed=True) if index in claimed else each
            for index, each in enumerate(origin.terms.allocations)
        ),
    )
    unpaid = [
        (index, each)
        for index, each in enumerate(terms.allocations)
        if each.milestone_id == milestone_id and not each.claimed
    ]
    if not unpaid:
        named = any(each.milestone_id == milestone_id for each in terms.allocations)
        return Unwanted("all of it is paid" if named else f"it has no milestone {shown_milestone(milestone_id)}")
    signatures = _signatures(life, origin.policy, milestone_id)
    if len(signatures) < terms.quorum_threshold:
        return Unwanted(f"{len(signatures)} of {terms.quorum_threshold} signatures verify")
    due = [(index, each.vesting_timestamp) for index, each in unpaid if each.vesting_timestamp <= now_ms]
    if not due:
        return Unwanted("its time has not come", min(each.vesting_timestamp for _, each in unpaid))
    return Wanted(
        life.id,
        origin.policy,
        milestone_id,
        tuple(index for index, _ in due),
        tuple(signatures[: terms.quorum_threshold]),
        state,
        life.payments[-1].seen.slot if life.payments else origin.seen.slot,
        terms,
        max(time for _, time in due),
    )


def _signatures(life: Life, policy: bytes, milestone_id: bytes) -> list[tuple[int, bytes]]:
    """One signature of each oracle that verifies, by the oracle's position. As few as it takes make it cheap."""
    message = message_to_sign(policy, life.id, milestone_id)
    given: dict[bytes, list[bytes]] = {}
    for one in life.signatures:
        if one.milestone_id == milestone_id:
            given.setdefault(one.oracle, []).append(one.signature)
    found = []
    for position, oracle in enumerate(life.terms.oracles):
        good = next((each for each in given.get(oracle, ()) if verifies(oracle, each, message)), None)
        if good is not None:
            found.append((position, good))
    return found


def surely_costs(wanted: Wanted, datum_length: int, script_length: int, parameters: Parameters) -> int:
    """Lovelace that whoever releases is sure to lose, at least, before anything is built; 0 or less: perhaps nothing.

    A bound from below: the smallest fee for a transaction with the datum (`datum_length` bytes) and these payouts,
    whose scripts use nothing, less all that the terms allow to be kept. Thousands of distributions that pay nobody
    anything cost us no evaluation.
    """
    size = _LEAST_FRAME + datum_length + _LEAST_PAYOUT * len(wanted.allocations)
    fee = parameters.minimum_fee(size, Units(0, 0), script_length)
    return fee - len(wanted.allocations) * wanted.terms.keeper_fee_per_payout


def sponsored(wanted: Wanted, sponsors: Collection[str]) -> bool:
    """Whether its cost may be borne: `sponsors` are distribution ids, key hashes of funders, or `all`."""
    return not {SPONSOR_ALL, wanted.distribution_id.hex(), wanted.terms.funder.hex()}.isdisjoint(sponsors)

"""Why a milestone is released, or not: the whole chain of reasons, in the order in which the keeper looks at them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from indexer.chain.time import iso
from indexer.domain.gates import Gate, Stands
from indexer.domain.judge import Unwanted, Wanted, judge
from indexer.domain.life import Life, State, assess
from indexer.domain.quorum import Tally, Verdict
from indexer.domain.submission import IN_THE_CHAIN, TO_BE_BUILT, UNDER_WAY, ReleaseState
from indexer.plutus.identity import shown_milestone

_NOTHING_IS_SENT: Final = frozenset({Gate.NOT_PAUSED, Gate.CAUGHT_UP, Gate.NO_ROLLBACK, Gate.NODE})
"""Gates that hold what is written down already, too."""


class Standing(StrEnum):
    """How it stands with a reason."""

    OK = "ok"
    DONE = "done"
    WAITING = "waiting"  # for oracles, time, a block: nothing that the operator has to do
    BLOCKED = "blocked"  # until somebody does something about it


@dataclass(frozen=True, slots=True)
class Reason:
    """One link of the chain: what it is about, how it stands, a sentence, and what to do (None: nothing)."""

    topic: str
    standing: Standing
    sentence: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Journaled:
    """A release of the milestone, as the journal has it. `retry_ms`: left alone until then; `depth`: blocks upon its
    own. `passed`: what it was to spend is the distribution's output no more, so it stands in nobody's way."""

    id: str
    state: ReleaseState
    attempts: int
    transaction_id: str | None
    depth: int | None
    last_error: str | None
    retry_ms: int | None
    passed: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """The transaction that would be sent now. Lovelace; `cost` is less than 0 where it brings something; `allowed`:
    what it may cost. `payouts` of the allocations that are due fit into it."""

    transaction_id: str
    payouts: int
    cost: int
    allowed: int
    sponsored: bool
    size: int


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is known of a milestone, at a time (POSIX milliseconds).

    `proposal`: a transaction; why none can be built; None: nothing was tried, for the node cannot be asked, there is no
    wallet, or nothing is due. `followed`: whether the configuration names the contract. `other`: a release of another
    milestone that is under way, and that milestone: two cannot spend the same output.
    """

    life: Life
    milestone_id: bytes
    now_ms: int
    gates: Sequence[Stands]
    journal: Sequence[Journaled]
    proposal: Proposal | str | None
    followed: bool
    other: tuple[str, bytes] | None = None

    @property
    def under_way(self) -> Journaled | None:
        """The release whose bytes are sent."""
        return next((one for one in self.journal if one.state in UNDER_WAY and not one.passed), None)


def explain(facts: Facts) -> list[Reason]:
    """The chain of reasons; the last one says what comes next. Only where there is an origin."""
    found = judge(facts.life, facts.milestone_id, facts.now_ms)
    reasons = [
        _distribution(facts.life),
        *_signatures(facts),
        *_allocations(facts),
        *_journal(facts.journal),
    ]
    if isinstance(found, Wanted):
        reasons += _gates(facts)
        if facts.under_way is None and facts.other is None:
            reasons += _cost(facts, found)
    return [*reasons, _next(facts, found, reasons)]


def _distribution(life: Life) -> Reason:
    told = f"distribution {life.id.hex()} is {life.state}"
    if life.end is not None:
        ended = f"{told}, by transaction {life.end.transaction_id.hex()} in slot {life.end.seen.slot}"
        return Reason("distribution", Standing.DONE, ended)
    return Reason("distribution", Standing.DONE if life.state is State.COMPLETED else Standing.OK, told)


def _signatures(facts: Facts) -> list[Reason]:
    # Verified here once more, as the judge does: a database may say anything of them.
    life = replace(facts.life, signatures=[])
    life.add(replace(each, verifies=None) for each in facts.life.signatures)
    tally = assess(life)[0].get(facts.milestone_id)
    if tally is None:
        return [
            Reason(
                "signatures",
                Standing.BLOCKED,
                f"it has no milestone {shown_milestone(facts.milestone_id)}",
                "`indexer check-status DISTRIBUTION` lists those it has",
            )
        ]
    have = len(tally.valid)
    who = ", ".join(f"{one.oracle.hex()[:16]}… ({one.source})" for one in tally.valid)
    told = f"{have} of {tally.threshold} signatures that it takes verify{': ' if who else ''}{who}"
    enough = have >= tally.threshold
    hint = None if enough else "an oracle signs with `indexer attest`"
    reasons = [Reason("signatures", Standing.OK if enough else Standing.WAITING, told, hint)]
    return [*reasons, *_not_counted(life, facts.milestone_id, tally)]


def _not_counted(life: Life, milestone_id: bytes, tally: Tally) -> list[Reason]:
    """Signatures that are there and do not count, by verdict."""
    ours = [one for one in life.signatures if one.milestone_id == milestone_id]
    verdicts = Counter(v for _, v in zip(ours, tally.verdicts, strict=False) if v is not Verdict.VALID)
    return [
        Reason("signatures", Standing.OK, f"{count} more {'does' if count == 1 else 'do'} not count: {_plain(verdict)}")
        for verdict, count in sorted(verdicts.items())
    ]


def _allocations(facts: Facts) -> list[Reason]:
    claims = facts.life.claims
    mine = [
        (index, each)
        for index, each in enumerate(facts.life.terms.allocations)
        if each.milestone_id == facts.milestone_id
    ]
    paid = [claims[index] for index, _ in mine if index in claims]
    unpaid = [each for index, each in mine if index not in claims]
    reasons = []
    if paid:
        by = sorted({payment.transaction_id.hex() for payment in paid})
        standing = Standing.OK if unpaid else Standing.DONE
        told = f"{len(paid)} of {len(mine)} allocations are paid, by {', '.join(by)}"
        reasons.append(Reason("allocations", standing, told))
    due = [each for each in unpaid if each.vesting_timestamp <= facts.now_ms]
    later = sorted(each.vesting_timestamp for each in unpaid if each.vesting_timestamp > facts.now_ms)
    if due:
        told = f"{len(due)} of {len(mine)} allocations are vested and not paid"
        reasons.append(Reason("allocations", Standing.OK, told))
    if later:
        told = f"{len(later)} of {len(mine)} allocations vest later, the next at {iso(later[0])}"
        reasons.append(Reason("allocations", Standing.WAITING, told))
    return reasons


def _gates(facts: Facts) -> list[Reason]:
    return [
        Reason(f"gate {each.gate}", _standing(each), each.reason, None if each.open else each.hint)
        for each in facts.gates
    ]


def _standing(gate: Stands) -> Standing:
    if gate.open:
        return Standing.OK
    return Standing.WAITING if gate.gate is Gate.NO_ROLLBACK else Standing.BLOCKED


def _cost(facts: Facts, wanted: Wanted) -> list[Reason]:
    if not facts.followed:
        hint = "name its blueprint in a [[contract]] of the configuration"
        return [Reason("contract", Standing.BLOCKED, "its contract is not in the configuration", hint)]
    match facts.proposal:
        case Proposal() as one:
            return [_worth(one), *_fits(one, wanted)]
        case str(reason):
            return [Reason("transaction", Standing.BLOCKED, f"none can be built: {reason}")]
        case None:
            asked = all(each.open for each in facts.gates if each.gate is Gate.NODE)
            why = "there is no wallet to pay from" if asked else "the gate of the node is shut"
            return [Reason("transaction", Standing.WAITING, f"none was built to look at: {why}")]


def _worth(one: Proposal) -> Reason:
    if one.cost <= 0:
        return Reason("cost", Standing.OK, f"it pays for itself: the wallet gains {-one.cost} lovelace")
    told = f"it costs the wallet {one.cost} lovelace, and {one.allowed} are allowed"
    if one.cost <= one.allowed:
        return Reason("cost", Standing.OK, f"{told}: it is sponsored")
    if one.sponsored:
        hint = "raise [keeper] max_loss_lovelace_per_day, or fill the wallet; or wait: the limit is for 24 hours"
        return Reason("cost", Standing.BLOCKED, told, hint)
    hint = "name the distribution or its funder in [keeper] sponsor, or `indexer submit-release` once"
    return Reason("cost", Standing.BLOCKED, f"{told}: nobody sponsors it", hint)


def _fits(one: Proposal, wanted: Wanted) -> list[Reason]:
    told = f"transaction {one.transaction_id} would pay {one.payouts} of {len(wanted.allocations)} ({one.size} bytes)"
    rest = "" if one.payouts == len(wanted.allocations) else "; the rest does not fit, and comes in another one"
    return [Reason("transaction", Standing.OK, told + rest)]


def _journal(journal: Sequence[Journaled]) -> list[Reason]:
    """The newest releases first; a few are enough."""
    return [_one_of_journal(one) for one in journal[:5]]


def _one_of_journal(one: Journaled) -> Reason:
    depth = "" if one.depth is None else f", {one.depth} blocks deep"
    error = "" if one.last_error is None else f"; last trouble: {one.last_error}"
    by = "" if one.transaction_id is None else f" by transaction {one.transaction_id}"
    told = f"release {one.id} is {_plain(one.state)}{by}{depth}, attempt {one.attempts}{error}"
    if one.state in IN_THE_CHAIN or one.state is ReleaseState.SUPERSEDED:
        return Reason("journal", Standing.DONE, told)
    if one.passed:
        return Reason("journal", Standing.DONE, f"{told}; the distribution's output is another one now")
    if one.state is ReleaseState.FAILED:
        hint = "nothing is tried again by itself: look at the error, then `indexer submit-release`"
        return Reason("journal", Standing.BLOCKED, told, hint)
    return Reason("journal", Standing.WAITING, told)


def _next(facts: Facts, found: Wanted | Unwanted, reasons: Sequence[Reason]) -> Reason:
    """What comes next, and when."""
    if isinstance(found, Unwanted):
        return _nothing(facts, found)
    if facts.under_way is not None:
        return _sent(facts, facts.under_way)
    if facts.other is not None:
        release, milestone = facts.other
        told = f"release {release}, of milestone {shown_milestone(milestone)}, is under way"
        return Reason("next", Standing.WAITING, f"{told}: this one spends what that one leaves")
    blocked = next((reason for reason in reasons if reason.standing is Standing.BLOCKED), None)
    if blocked is not None:
        return Reason("next", Standing.BLOCKED, f"not released: {blocked.topic}: {blocked.sentence}", blocked.hint)
    shut = next((each for each in facts.gates if not each.open), None)
    if shut is not None:
        return Reason("next", Standing.WAITING, f"not released yet: gate {shut.gate}: {shut.reason}", shut.hint)
    resting = [one.retry_ms or 0 for one in facts.journal if one.state in TO_BE_BUILT and not one.passed]
    waits = [until_ms for until_ms in resting if until_ms > facts.now_ms]
    if waits:
        return Reason("next", Standing.WAITING, f"it is tried again at {iso(max(waits))}")
    told = "it is released with the keeper's next round: within seconds, or within the hour if it failed before"
    return Reason("next", Standing.OK, told)


def _nothing(facts: Facts, found: Unwanted) -> Reason:
    """Nothing is to be released."""
    if found.next_ms is not None:
        told = f"it is released with the first block after {iso(found.next_ms)}, if all gates are open then"
        return Reason("next", Standing.WAITING, told)
    standing = Standing.WAITING
    if facts.life.end is not None or _all_paid(facts):
        standing = Standing.DONE
    elif found.never or facts.milestone_id not in facts.life.milestones:
        standing = Standing.BLOCKED
    return Reason("next", standing, f"nothing is to be released: {found.reason}")


def _sent(facts: Facts, release: Journaled) -> Reason:
    """It is sent until a block has it, unless nothing at all is."""
    shut = next((each for each in facts.gates if not each.open and each.gate in _NOTHING_IS_SENT), None)
    if shut is None:
        return Reason("next", Standing.WAITING, f"release {release.id} is under way: a block has to take it")
    told = f"it is not sent again: gate {shut.gate}: {shut.reason}"
    if release.state is ReleaseState.SUBMITTED:  # a node may still have it
        told = f"release {release.id} is under way: a block may take it; until then {told}"
        return Reason("next", Standing.WAITING, told, shut.hint)
    return Reason("next", _standing(shut), f"release {release.id} waits: {told}", shut.hint)


def _all_paid(facts: Facts) -> bool:
    claims = facts.life.claims
    mine = [index for index, each in enumerate(facts.life.terms.allocations) if each.milestone_id == facts.milestone_id]
    return bool(mine) and all(index in claims for index in mine)


def _plain(word: str) -> str:
    return str(word).replace("_", " ")

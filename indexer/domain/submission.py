"""The life of a release that we send: what the chain shows of it, and what the node answers, decide the next state.

It is told by levels, not by edges: each time the cursor has moved, `behold` gets what the chain says now, so nothing is
lost by not having been asked for a while. The same comes out after a crash, after a fork, and in a new database. What a
fork undoes, this undoes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeAlias

from indexer.chain.point import BlockHeight, Slot


class ReleaseState(StrEnum):
    """How far a release is."""

    INTENDED = "intended"  # wanted, and no transaction of it can be sent: one is to be built
    BUILT = "built"  # signed and written down; not known to have been sent
    SUBMITTED = "submitted"  # handed over, or perhaps handed over: a lost reply means unknown
    IN_BLOCK = "in_block"
    CONFIRMED = "confirmed"
    FINAL = "final"
    EXPIRED = "expired"  # in no block while it was valid
    REFUSED = "refused"  # by the node; built anew after a while
    SUPERSEDED = "superseded"  # a transaction that is not ours spent the state output
    ROLLED_BACK = "rolled_back"  # it was in a block that was undone
    FAILED = "failed"  # nothing is tried again by itself


IN_THE_CHAIN: Final = frozenset({ReleaseState.IN_BLOCK, ReleaseState.CONFIRMED, ReleaseState.FINAL})
UNDER_WAY: Final = frozenset({ReleaseState.BUILT, ReleaseState.SUBMITTED, ReleaseState.ROLLED_BACK})
"""States in which the latest transaction's bytes are sent, and its coins are kept for it."""
TO_BE_BUILT: Final = frozenset({ReleaseState.INTENDED, ReleaseState.EXPIRED, ReleaseState.REFUSED})
"""States from which another transaction is built, if the release is still due."""

_BACK_OFF_MS: Final = 30_000  # after the second failure in a row; four times as long after each other one
LONGEST_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Landed:
    """The transaction that is in a block, and where. `height` None: so deep that it is not remembered."""

    transaction_id: bytes
    slot: Slot
    height: BlockHeight | None


@dataclass(frozen=True, slots=True)
class Course:
    """Where a release stands. `valid_until`: the first slot in which its latest transaction is not valid any more; None
    where there is none. `attempts`: how often it was set out with; `failures`: in a row. `settled`: nothing can change
    any more."""

    state: ReleaseState
    attempts: int = 0
    failures: int = 0
    valid_until: Slot | None = None
    landed: Landed | None = None
    settled: bool = False


# --- what the chain shows


@dataclass(frozen=True, slots=True)
class Unspent:
    """The state output is there."""


@dataclass(frozen=True, slots=True)
class Spent:
    """The state output was spent in a block. `height` None: so deep that it is not remembered. `ours`: by one of the
    release's own transactions."""

    transaction_id: bytes
    slot: Slot
    height: BlockHeight | None
    ours: bool


@dataclass(frozen=True, slots=True)
class NotHeld:
    """No block that we hold has the state output: one was undone, or is still to come."""


OfState: TypeAlias = Unspent | Spent | NotHeld


@dataclass(frozen=True, slots=True)
class Sight:
    """What the chain shows at the cursor. `coins`: whether all that the latest transaction spends beside the state
    output is unspent, or comes from a transaction of ours that is under way itself. `lost`: whether what it stakes was
    taken by a transaction of the release: a block has it as one whose scripts said no."""

    cursor: Slot
    height: BlockHeight
    state_output: OfState
    coins: bool = True
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """The next state, and why."""

    course: Course
    reason: str


def behold(course: Course, sight: Sight, k: int, confirmed_depth: int) -> Turn | None:
    """What follows from what the chain shows; None: nothing.

    `k`: the depth from which on nothing is undone; `confirmed_depth`: that from which on it counts as confirmed.
    """
    if course.settled:
        return None
    match sight.state_output:
        case Spent(ours=True) as spent:
            return _landed(course, spent, sight, k, confirmed_depth)
        case Spent() as spent:
            return _superseded(course, spent, sight, k)
        case NotHeld():
            return _without_state(course, sight)
        case Unspent():
            return _open(course, sight)


def _landed(course: Course, spent: Spent, sight: Sight, k: int, confirmed_depth: int) -> Turn | None:
    depth = k if spent.height is None else sight.height - spent.height
    if depth >= k:
        state, settled = ReleaseState.FINAL, True
    else:
        state, settled = (ReleaseState.CONFIRMED if depth >= confirmed_depth else ReleaseState.IN_BLOCK), False
    landed = Landed(spent.transaction_id, spent.slot, spent.height)
    there = replace(course, state=state, failures=0, landed=landed, settled=settled)
    if there == course:
        return None
    return Turn(there, f"in the block of slot {spent.slot}, at depth {depth}" if depth < k else "too deep to be undone")


def _superseded(course: Course, spent: Spent, sight: Sight, k: int) -> Turn | None:
    settled = spent.height is None or sight.height - spent.height >= k
    there = replace(course, state=ReleaseState.SUPERSEDED, landed=None, settled=settled)
    if there == course:
        return None
    return Turn(there, f"transaction {spent.transaction_id.hex()} spent the state output in slot {spent.slot}")


def _undone(course: Course, reason: str) -> Turn:
    return Turn(replace(course, state=ReleaseState.ROLLED_BACK, landed=None), reason)


def _without_state(course: Course, sight: Sight) -> Turn | None:
    """The state output was undone. It may come back, but nothing waits for that longer than the bytes are valid."""
    match course.state:
        case state if state in IN_THE_CHAIN:
            return _undone(course, "the block that paid it was undone, and with it what it spends")
        case ReleaseState.SUPERSEDED:
            reason = "the block that superseded it was undone, and with it what it spends"
            return Turn(replace(course, state=ReleaseState.INTENDED), reason)
        case state if state in UNDER_WAY:
            return _expired(course, sight)
    return None


def _expired(course: Course, sight: Sight) -> Turn | None:
    if course.valid_until is None or sight.cursor < course.valid_until:
        return None
    there = replace(course, state=ReleaseState.EXPIRED, failures=course.failures + 1)
    return Turn(there, f"in no block before slot {course.valid_until}")


def _open(course: Course, sight: Sight) -> Turn | None:
    """The state output is unspent, so it has been paid by nobody."""
    may_land = course.valid_until is not None and sight.cursor < course.valid_until and sight.coins
    match course.state:
        case state if sight.lost and state in UNDER_WAY | TO_BE_BUILT:
            return _failed(course, "a block has it as one whose scripts said no, and took its collateral")
        case ReleaseState.IN_BLOCK | ReleaseState.CONFIRMED | ReleaseState.FINAL:
            return _undone(course, "the block that paid it was undone")
        case ReleaseState.SUPERSEDED if may_land:
            return Turn(_again(course), "the block that superseded it was undone: the same bytes are sent again")
        case ReleaseState.SUPERSEDED:
            return Turn(replace(course, state=ReleaseState.INTENDED), "the block that superseded it was undone")
        case ReleaseState.EXPIRED if may_land:
            return Turn(_again(course), "the blocks after its validity were undone: the same bytes are sent again")
        case state if state in UNDER_WAY:
            if (expired := _expired(course, sight)) is not None:
                return expired
            if not sight.coins:
                return Turn(replace(course, state=ReleaseState.INTENDED), "a coin that it spends is gone")
    return None


def _again(course: Course) -> Course:
    return replace(course, state=ReleaseState.BUILT, attempts=course.attempts + 1)


# --- what the node answers


@dataclass(frozen=True, slots=True)
class Taken:
    """The mempool has it."""


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Nobody knows: no answer came, or the answer says that it may be there already."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotNow:
    """Not taken; the same bytes may be taken later."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotLikeThis:
    """Not taken; another transaction may be."""

    reason: str


@dataclass(frozen=True, slots=True)
class Never:
    """Not taken, and trying again would give the same; or nobody knows what it would give."""

    reason: str


Answer: TypeAlias = Taken | Unanswered | NotNow | NotLikeThis | Never


def answered(course: Course, answer: Answer) -> Turn | None:
    """What follows from an answer to the bytes of a release that is under way; None: nothing."""
    match answer:
        case Taken():
            return _sent(course, "the mempool took it")
        case Unanswered(reason):
            return _sent(course, reason)
        case NotNow(reason):
            return Turn(replace(course, failures=course.failures + 1), reason)
        case NotLikeThis(reason):
            return Turn(replace(course, state=ReleaseState.REFUSED, failures=course.failures + 1), reason)
        case Never(reason):
            return _failed(course, reason)


def _failed(course: Course, reason: str) -> Turn:
    return Turn(replace(course, state=ReleaseState.FAILED, failures=course.failures + 1), reason)


def _sent(course: Course, reason: str) -> Turn | None:
    """It is under way, as far as we know. After a rollback it sets out once more."""
    more = course.state is ReleaseState.ROLLED_BACK
    there = replace(course, state=ReleaseState.SUBMITTED, attempts=course.attempts + more, failures=0)
    return None if there == course else Turn(there, reason)


def built(course: Course, valid_until: Slot) -> Turn:
    """A transaction was built and signed for it. It is in no block, whatever was before."""
    there = replace(
        course, state=ReleaseState.BUILT, attempts=course.attempts + 1, valid_until=valid_until, landed=None
    )
    return Turn(there, "built and signed")


def retry_after_ms(failures: int) -> int:
    """How long a release that failed so often in a row is left alone (milliseconds). The first time costs nothing: the
    chain may only have moved."""
    if failures < 2:
        return 0
    return int(min(_BACK_OFF_MS * 4 ** min(failures - 2, 8), LONGEST_MS))


def rests(until_ms: int | None, now_ms: int) -> bool:
    """Whether something is left alone, until a time (both POSIX milliseconds). One that lies further ahead than any
    wait was told by a clock that was wrong, and does not count."""
    return until_ms is not None and now_ms < until_ms <= now_ms + LONGEST_MS


def in_order(parents: Iterable[tuple[str, frozenset[str]]]) -> list[str]:
    """Names such that each comes after those that it rests on; pairs (name, names that it rests on).

    Those that rest on each other in a circle, which cannot be, come last.
    """
    waiting = dict(parents)
    found: list[str] = []
    while ready := [name for name, on in waiting.items() if not (on & waiting.keys())]:
        found += ready
        for name in ready:
            del waiting[name]
    return [*found, *waiting]

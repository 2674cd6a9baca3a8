"""What a sink is told: of which events, when there is something to tell, and how long it is tried.

An event turns: it holds (turn 0), is retracted (1), holds again (2). Each turn that a sink has to know of is a message
of its own; a receiver that keeps, for each event, the highest turn it has heard of knows what is true.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from indexer.chain.point import Slot

FIRST_WAIT_MS: Final = 1_000
LONGEST_WAIT_MS: Final = 900_000  # of a message
LONGEST_REST_MS: Final = 60_000  # of a sink: so soon it is noticed that one is back
GIVE_UP_AFTER_MS: Final = 3 * 86_400_000
GIVE_UP_AFTER_ATTEMPTS: Final = 10
NOISE: Final = "attestation.rejected"  # anybody can make any amount of these: only told where asked for by name


class Finality(StrEnum):
    """How sure an event has to be before a sink is told."""

    SEEN = "seen"
    CONFIRMED = "confirmed"
    FINAL = "final"


class DeliveryState(StrEnum):
    """What became of a message."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Subject:
    """What filters look at. Ids in hex; None where no distribution is concerned. `time_ms` is that of the slot; None
    while the network's eras are unknown. `number` is the event's; `rests_on_block`: whether a block can take it away.
    """

    type: str
    distribution_id: str | None
    funder: str | None
    slot: Slot
    time_ms: int | None
    number: int
    rests_on_block: bool


@dataclass(frozen=True, slots=True)
class Since:
    """From where on a sink hears: blocks after a slot, or from a time on (POSIX milliseconds); what rests on no block
    also if it has a higher number than the events that were there when the sink was new."""

    ms: int | None = None
    slot: Slot | None = None
    event: int | None = None

    def includes(self, subject: Subject) -> bool:
        """Whether it is for a sink to hear of."""
        if self.event is not None and not subject.rests_on_block and subject.number > self.event:
            return True
        if self.slot is not None:
            return subject.slot > self.slot
        return self.ms is None or (subject.time_ms is not None and subject.time_ms >= self.ms)


@dataclass(frozen=True, slots=True)
class Wants:
    """What a sink wants to hear of. `types` may end in `*`; none: all but what strangers can make any amount of.
    Of distributions those named, and those of the funders; or `everything`. What concerns none is for all sinks."""

    types: tuple[str, ...] = ()
    distributions: frozenset[str] = field(default_factory=frozenset)
    funders: frozenset[str] = field(default_factory=frozenset)
    everything: bool = False
    finality: Finality = Finality.SEEN

    def includes(self, subject: Subject) -> bool:
        """Whether it is among them."""
        if self.types:
            fits = any(fnmatchcase(subject.type, pattern) for pattern in self.types)
        else:
            fits = subject.type != NOISE
        mine = self.everything or subject.distribution_id is None
        return fits and (mine or subject.distribution_id in self.distributions or subject.funder in self.funders)


@dataclass(frozen=True, slots=True)
class Past:
    """A message about an event that a sink has, or was to get. `attempts`: how often it was begun to be sent."""

    turn: int
    state: DeliveryState
    attempts: int


def family(kind: str) -> str:
    """What a type of event is about: the part before the first dot. Of what concerns no distribution, messages of one
    family are sent in order; a `wallet.low` that is refused holds up no `follower.stalled`."""
    return kind.partition(".")[0]


def holds(turn: int) -> bool:
    """Whether an event holds at this turn; else it is retracted."""
    return turn % 2 == 0


def begun(past: Iterable[Past]) -> Past | None:
    """The newest message that may have arrived; None: none can have."""
    return max((each for each in past if each.attempts > 0), key=lambda each: each.turn, default=None)


def owed(turn: int, past: Iterable[Past]) -> bool:
    """Whether a sink has to be told that an event stands at this turn, after what it was told or may have been told.

    What was never begun to be sent is never retracted. What is known to have arrived is not said once more.
    """
    last = begun(past)
    if last is None:
        return holds(turn)
    return holds(last.turn) != holds(turn) or last.state is not DeliveryState.DELIVERED


def wait_ms(failures: int, longest_ms: int, jitter: float) -> int:
    """How long to wait after so many failures in a row (at least 1): twice as long each time, up to `longest_ms`.

    `jitter` between 0 and 1 takes up to half of it away, so that not everybody comes back at the same moment.
    """
    return int(min(longest_ms, FIRST_WAIT_MS * 2 ** min(failures - 1, 30)) * (1 - jitter / 2))


def given_up(attempts: int, first_ms: int, now_ms: int) -> bool:
    """Whether a message was tried often and long enough: it is a dead letter then."""
    return attempts >= GIVE_UP_AFTER_ATTEMPTS and now_ms - first_ms >= GIVE_UP_AFTER_MS

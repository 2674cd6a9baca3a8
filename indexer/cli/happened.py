"""Events as models: what `indexer.domain.events` and the keeper make, as the view `events` and messages tell it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, TypeAdapter


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Event(_Part):
    """What all events have. `finality` says how sure it is; what is `retracted` does not hold any longer."""

    event_id: str
    origin: Literal["chain", "daemon"]
    distribution_id: str
    slot: int
    time: str
    finality: Literal["seen", "confirmed", "final", "retracted"]


class CreatedData(_Part):
    """Terms, in short. Amounts in the token's smallest unit, as everywhere here."""

    output_reference: str
    funder: str
    token_policy: str
    token_name: str
    amount_total: int
    quorum_threshold: int
    oracles: tuple[str, ...]
    milestones: tuple[str, ...]


class DistributionCreated(_Event):
    """Tokens are locked and promised."""

    type: Literal["distribution.created"]
    milestone_id: None = None
    data: CreatedData


class SignatureData(_Part):
    """An oracle's signature. `output_reference` is null for one from a file."""

    oracle: str
    signature: str
    source: Literal["chain", "release", "local"]
    verdict: Literal["valid", "unauthorised", "bad_signature", "unknown_milestone"]
    output_reference: str | None


class AttestationAccepted(_Event):
    """A signature became valid."""

    type: Literal["attestation.accepted"]
    milestone_id: str
    data: SignatureData


class AttestationRejected(_Event):
    """A signature counts for nothing."""

    type: Literal["attestation.rejected"]
    milestone_id: str
    data: SignatureData


class QuorumData(_Part):
    """The oracles whose signatures met it, in their order."""

    quorum_threshold: int
    oracles: tuple[str, ...]
    amount_total: int


class QuorumMet(_Event):
    """Enough oracles have signed."""

    type: Literal["milestone.quorum_met"]
    milestone_id: str
    data: QuorumData


class ReleasedData(_Part):
    """Which allocations were paid, by their places in the terms, and how much in all."""

    transaction_id: str
    allocations: tuple[int, ...]
    amount: int


class MilestoneReleased(_Event):
    """Allocations were paid."""

    type: Literal["milestone.released"]
    milestone_id: str
    data: ReleasedData


class CompletedData(_Part):
    """The release that paid the last allocation."""

    transaction_id: str


class DistributionCompleted(_Event):
    """All is paid."""

    type: Literal["distribution.completed"]
    milestone_id: None = None
    data: CompletedData


class EndedData(_Part):
    """The transaction that took back the rest, and how much of what was promised was not paid."""

    transaction_id: str
    amount_left: int


class DistributionEnded(_Event):
    """The funder had back what was left: closed after completion, reclaimed before it."""

    type: Literal["distribution.closed", "distribution.reclaimed"]
    milestone_id: None = None
    data: EndedData


class AttemptData(_Part):
    """A turn of a release of ours: its id in the journal, how often it had been set out with, and why it turned."""

    release_id: str
    attempt: int
    transaction_id: str | None
    allocations: tuple[int, ...]
    reason: str


class ReleaseTurned(_Event):
    """The keeper sent a release, or something became of it."""

    type: Literal["release.submitted", "release.in_block", "release.confirmed", "release.rolled_back", "release.failed"]
    milestone_id: str
    data: AttemptData


class GateData(_Part):
    """A gate of the keeper's that is shut, and why."""

    gate: str
    reason: str


class KeeperHeld(_Event):
    """Something is due, and the keeper's wallet is low, or one of its gates has been shut for ten minutes."""

    type: Literal["wallet.low", "keeper.paused"]
    distribution_id: None = None  # type: ignore[assignment]  # it is about no distribution
    milestone_id: None = None
    data: GateData


class StalledData(_Part):
    """Since when the follower had neither been ready nor moved, and why it was not ready."""

    since: str
    reason: str


class FollowerStalled(_Event):
    """The follower stands still, and what the database says grows old."""

    type: Literal["follower.stalled"]
    distribution_id: None = None  # type: ignore[assignment]  # it is about no distribution
    milestone_id: None = None
    data: StalledData


class RecoveredData(_Part):
    """From when to when the follower had stalled."""

    since: str
    until: str


class FollowerRecovered(_Event):
    """The follower is ready again."""

    type: Literal["follower.recovered"]
    distribution_id: None = None  # type: ignore[assignment]  # it is about no distribution
    milestone_id: None = None
    data: RecoveredData


AnyEvent = Annotated[
    DistributionCreated
    | AttestationAccepted
    | AttestationRejected
    | QuorumMet
    | MilestoneReleased
    | DistributionCompleted
    | DistributionEnded
    | ReleaseTurned
    | KeeperHeld
    | FollowerStalled
    | FollowerRecovered,
    Field(discriminator="type"),
]


class Event(RootModel[AnyEvent]):
    """Something that happened to a distribution."""


class SampleData(_Part):
    """Some words."""

    text: str


class Sample(_Event):
    """About nothing: what `sinks test` sends."""

    type: Literal["sink.test"]
    distribution_id: None = None  # type: ignore[assignment]  # it is about no distribution
    milestone_id: None = None
    data: SampleData


class Message(_Part):
    """What sinks are sent about an event: a CloudEvent (1.0, JSON format).

    `id` is `<event_id>.<n>`: with n even the event holds, with n odd it is retracted; of the messages about an event
    the one with the highest n is true. `subject` is the event's id; `data` the event as the view `events` has it.
    """

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: Literal["application/json"]
    finality: Literal["seen", "confirmed", "final", "retracted"]
    data: AnyEvent | Sample


_EVENT: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)


def event_of(row: dict[str, Any]) -> AnyEvent:
    """The event of a row of the view `events`, its `data` read."""
    return _EVENT.validate_python(row)

"""What sinks are given, and how they fail.

A message is a CloudEvent (CloudEvents 1.0, JSON format). Its id is that of the event and the turn: EVENT.N.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from indexer.errors import IndexerError

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
SAMPLE_TYPE: Final = "sink.test"


class Fault(StrEnum):
    """Whose fault it is that a message did not arrive: that of the message alone, or of the sink, where others have to
    wait too."""

    MESSAGE = "message"
    SINK = "sink"


class SinkFailed(IndexerError):
    """A message is not known to have arrived. `after_s`: how long the receiver asks to wait, if it does."""

    code = "sink.failed"
    hint = "`indexer sinks test` sends a sample, `indexer deliveries` says what waits"
    exit_code = 3

    def __init__(self, reason: str, fault: Fault, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.fault, self.after_s = fault, after_s


class ExtraMissing(IndexerError):
    """A kind of sink needs a package that is not installed."""

    code = "sink.extra_missing"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Message:
    """One message about an event. `id` is the same at each attempt; `event` is the event as the view `events` has it,
    with `data` as an object. `retracted`: it does not hold any longer."""

    id: str
    network: str
    retracted: bool
    event: Mapping[str, Any]

    @property
    def type(self) -> str:
        """Of the event."""
        return str(self.event["type"])

    def cloud_event(self) -> dict[str, Any]:
        """The CloudEvent. `finality` is an extension attribute."""
        return {
            "specversion": "1.0",
            "id": self.id,
            "source": f"urn:milestone-indexer:{self.network}",
            "type": self.type,
            "subject": self.event["event_id"],
            "time": self.event["time"],
            "datacontenttype": "application/json",
            "finality": self.event["finality"],
            "data": dict(self.event),
        }

    def body(self) -> bytes:
        """The CloudEvent as JSON, the same bytes for the same content."""
        return json.dumps(self.cloud_event(), separators=(",", ":"), ensure_ascii=False).encode()


class Sink(Protocol):
    """Somewhere to send messages to."""

    @property
    def at_once(self) -> int:
        """How many messages may be on their way at the same time, of different distributions."""

    async def send(self, message: Message) -> None:
        """Returns once it has arrived. Raises SinkFailed where that is not known, and nothing else."""

    async def close(self) -> None:
        """Let go of connections."""


def sample(network: str, now: str, number: str) -> Message:
    """A message that is about nothing. `now`: ISO-8601; `number`: 32 hex digits that were not used before."""
    event = {
        "event_id": number,
        "type": SAMPLE_TYPE,
        "origin": "daemon",
        "distribution_id": None,
        "milestone_id": None,
        "slot": 0,
        "time": now,
        "finality": "final",
        "data": {"text": "a sample, about nothing: the sink works"},
    }
    return Message(f"{number}.0", network, False, event)

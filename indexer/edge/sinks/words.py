"""Messages in words, for people in chats. What comes from the chain is set as code: no chat makes a link of it."""

from collections.abc import Mapping
from typing import Any, Final

from indexer.edge.sinks.message import Message

TITLES: Final = {
    "distribution.created": "Distribution created",
    "attestation.accepted": "An oracle has signed",
    "attestation.rejected": "A signature counts for nothing",
    "milestone.quorum_met": "Quorum met",
    "milestone.released": "Milestone paid",
    "distribution.completed": "Distribution completed: all is paid",
    "distribution.closed": "Distribution closed",
    "distribution.reclaimed": "Distribution reclaimed before it was completed",
    "release.submitted": "Release sent",
    "release.in_block": "Release in a block",
    "release.confirmed": "Release confirmed",
    "release.failed": "Release failed",
    "release.rolled_back": "Release rolled back",
    "wallet.low": "The keeper's wallet is low",
    "keeper.paused": "The keeper is held up",
    "follower.stalled": "The indexer has stopped following the chain",
    "follower.recovered": "The indexer follows the chain again",
    "sink.test": "A sample",
}
_SHOWN: Final = (
    "amount", "amount_total", "amount_left", "quorum_threshold", "oracle", "funder", "verdict", "transaction_id",
    "gate", "reason", "text",
)  # fmt: skip
_LONGEST: Final = 200


def title(message: Message) -> str:
    """One line, of our own words alone."""
    told = TITLES.get(message.type, message.type)
    return f"[{message.network}] {'RETRACTED: ' if message.retracted else ''}{told}"


def text(message: Message) -> str:
    """A few lines of Markdown."""
    event = message.event
    data: Mapping[str, Any] = event["data"]
    lines = ["The chain has taken it back: it does not hold any longer."] if message.retracted else []
    ids = ("milestone_id", "distribution_id")
    lines += [f"{name.removesuffix('_id')}: {code(event[name])}" for name in ids if event[name] is not None]
    lines += [f"{name.replace('_', ' ')}: {code(data[name])}" for name in _SHOWN if data.get(name) is not None]
    lines.append(f"{event['time']}, {event['finality']}, message {code(message.id)}")
    return "\n\n".join(lines)


def code(value: object) -> str:
    """A value as a code span: whatever it holds, it ends where it should, and is one line."""
    plain = "".join(c if c.isprintable() and c != "`" else "?" for c in str(value))
    return f"`{plain if len(plain) <= _LONGEST else plain[:_LONGEST] + '…'}`"

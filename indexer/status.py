"""Where the daemon stands: plain facts that its workers write, and health and metrics read."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from indexer.chain.point import ORIGIN, BlockHeight, Place, Tip


class Phase(StrEnum):
    """What the follower is doing."""

    CONNECTING = "connecting"
    WAITING_FOR_NODE = "waiting_for_node"
    FOLLOWING = "following"
    STOPPED = "stopped"


@dataclass(slots=True)
class FollowerStatus:
    """Counters run from the start of the process."""

    phase: Phase = Phase.CONNECTING
    reason: str = "not connected to Ogmios yet"
    cursor: Place = ORIGIN
    height: BlockHeight | None = None
    cursor_time_ms: int | None = None  # when the cursor's slot began
    tip: Tip | None = None
    blocks: int = 0
    blocks_decoded: int = 0
    bytes: int = 0
    rollbacks: int = 0
    blocks_rolled_back: int = 0
    reconnects: int = 0
    commits: int = 0
    rollback_depths: Counter[int] = field(default_factory=Counter)  # how often so many blocks were undone at once
    stalled: bool = False  # and people were told so

    def seconds_behind(self, now_ms: int) -> int | None:
        """By the wall clock, whatever the node says of itself. None before the first block."""
        return None if self.cursor_time_ms is None else max(0, now_ms - self.cursor_time_ms) // 1000


@dataclass(slots=True)
class KeeperStatus:
    """What the keeper found when it looked last. Amounts in lovelace; None: not known. `gates`: whether each is open;
    `releases`: how many of those that are not settled are in which state; `oldest_ms`: when the oldest of those that
    are on their way was intended (POSIX milliseconds; 0: none is); `turns`: how often, since the process began, one has
    come to a state; `runway`: for how many releases the wallet lasts; `round_ms`: when its last round that went well
    ended (POSIX milliseconds)."""

    gates: dict[str, bool] = field(default_factory=dict)
    balance: int | None = None
    collateral: int | None = None
    runway: int | None = None
    releases: dict[str, int] = field(default_factory=dict)
    turns: Counter[str] = field(default_factory=Counter)
    round_ms: int | None = None
    oldest_ms: int | None = None


@dataclass(slots=True)
class ModelStatus:
    """What the read model held when it was counted last; None: it was not yet. `milestones` by quorum status,
    `distributions` by state, `due`: milestones that wait to be paid."""

    milestones: dict[str, int] | None = None
    distributions: dict[str, int] | None = None
    due: int | None = None


@dataclass(slots=True)
class HeartbeatStatus:
    """Heartbeats since the process began: those that were answered well, and those that were not."""

    sent: int = 0
    failed: int = 0


@dataclass(slots=True)
class DeliveryStatus:
    """How sinks are served. `queued`: by sink, messages that wait to be sent, since when the oldest of them is tried
    (POSIX milliseconds; 0: it is not), dead letters. `attempts`: by sink and outcome (`delivered`, `failed`)."""

    queued: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    attempts: Counter[tuple[str, str]] = field(default_factory=Counter)

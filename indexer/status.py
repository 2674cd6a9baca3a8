"""Where the daemon stands: plain facts that the follower writes, and health and metrics read."""

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

    def seconds_behind(self, now_ms: int) -> int | None:
        """By the wall clock, whatever the node says of itself. None before the first block."""
        return None if self.cursor_time_ms is None else max(0, now_ms - self.cursor_time_ms) // 1000


@dataclass(slots=True)
class KeeperStatus:
    """What the keeper found when it looked last. Amounts in lovelace; None: not known. `gates`: whether each is open;
    `releases`: how many of those that are not settled are in which state."""

    gates: dict[str, bool] = field(default_factory=dict)
    balance: int | None = None
    collateral: int | None = None
    releases: dict[str, int] = field(default_factory=dict)

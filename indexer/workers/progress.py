"""What the follower says of its progress: a line a block near the tip, a line every few seconds far from it."""

import structlog

from indexer.chain.point import ORIGIN, Checkpoint, distance
from indexer.status import FollowerStatus
from indexer.workers.batch import Batch

log = structlog.get_logger(__name__)


class Progress:
    """Remembers when it spoke last."""

    def __init__(self, every_s: float) -> None:
        self._every_s, self._spoke_at, self._blocks = every_s, 0.0, 0

    def tell(self, batch: Batch, cursor: Checkpoint, status: FollowerStatus, now: float) -> None:
        """Log a committed batch, or that there is a long way to go; `now` in seconds of any steady clock."""
        behind = distance(cursor.height or 0, status.tip or ORIGIN)
        if behind == 0:
            log.info(
                "block.applied" if batch.count == 1 else "blocks.applied",
                at=str(cursor.place),
                height=cursor.height,
                blocks=batch.count,
                created=sum(len(delta.created) for delta in batch.deltas),
                spent=sum(len(delta.spent) for delta in batch.deltas),
            )
        elif now - self._spoke_at >= self._every_s:
            rate = (status.blocks - self._blocks) / (now - self._spoke_at) if self._spoke_at else None
            log.info(
                "chain.catching_up",
                height=cursor.height,
                behind=behind,
                blocks_per_s=rate and round(rate),
                seconds_left=rate and round(behind / rate),
            )
            self._spoke_at, self._blocks = now, status.blocks

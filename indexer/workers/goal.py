"""How far the follower is to go: for ever, to a point, or to the node's tip."""

from aiosqlite import Connection

from indexer import errors
from indexer.chain.block import Header
from indexer.chain.point import Origin, Point, Tip, slot_of
from indexer.store import checkpoints
from indexer.store.checkpoints import Standing
from indexer.workers.session import Until


class Goal:
    """`until`, and whether it is reached."""

    def __init__(self, until: Until) -> None:
        self._until = until
        self._target = until if isinstance(until, Point) else None
        self._settled = False  # whether this session has told us how far our chain is the node's

    def begin(self) -> None:
        """A session begins."""
        self._settled = False

    def see_tip(self, tip: Tip | Origin) -> None:
        """The node's tip, as it is at the beginning of a session."""
        if self._until == "tip":
            self._target = tip.point if isinstance(tip, Tip) else None

    async def settle(self, db: Connection, standing: Standing) -> None:
        """The first rollback of a session is behind us, so the cursor is on the node's chain.

        Raises UntilPassed where `until` would lie behind the cursor, and does not.
        """
        target = None if self._settled or self._until == "tip" else self._target
        if target is not None and target.slot <= slot_of(standing.cursor.place):
            try:
                await checkpoints.height_of(db, target, standing)
            except errors.PointNotKept as error:
                raise errors.UntilPassed(f"we stand at {standing.cursor.place}, and hold no {target}") from error
        self._settled = True

    def is_reached(self, standing: Standing, last: Header | None, *, at_tip: bool) -> bool:
        """Whether it is behind us; `last` is the newest block of the batch. Raises UntilPassed where the chain went
        around it.

        A tip that a fork took away may never come: then the tip of the day will do.
        """
        if not self._settled:
            return False
        if self._until == "tip" and at_tip:
            return True
        if self._target is None:
            return False
        slot = slot_of(standing.cursor.place) if last is None or last.slot is None else last.slot
        if slot < self._target.slot:
            return False
        point = None if last is None else last.point
        if point is not None and point != self._target and self._until != "tip":
            raise errors.UntilPassed(f"the chain went from before {self._target} straight to {point}")
        return True

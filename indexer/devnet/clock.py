"""What time it is on the devnet, in slots: by the clock on the wall, or as a test says."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from indexer.chain.point import Slot


class Clock(ABC):
    """Slots of `slot_length` since `start`. `skip` is a journey into the future; there is no way back."""

    def __init__(self, start: datetime, slot_length: timedelta) -> None:
        self._start, self._slot_length = start, slot_length

    @property
    @abstractmethod
    def slot(self) -> Slot:
        """The slot we are in; negative before the start."""

    @abstractmethod
    def skip(self, slots: int) -> None:
        """From now on it is so many slots later."""

    def run(self, on_slot: Callable[[], None]) -> None:  # noqa: B027  a virtual clock does not run by itself
        """Call `on_slot` now, and in every slot to come, until `stop`. Needs a running event loop."""

    def stop(self) -> None:  # noqa: B027  nothing runs, nothing stops
        """Call nobody any more."""

    def now(self) -> datetime:
        """The moment our slot began, in UTC."""
        return self._start + self.slot * self._slot_length


class VirtualClock(Clock):
    """A clock that stands still until it is told to move."""

    def __init__(
        self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC), slot_length: timedelta = timedelta(seconds=1)
    ) -> None:
        super().__init__(start, slot_length)
        self._slot = 0

    @property
    def slot(self) -> Slot:
        return self._slot

    def skip(self, slots: int) -> None:
        self._slot += slots


class WallClock(Clock):
    """The machine's own time, plus what was skipped."""

    def __init__(self, start: datetime, slot_length: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(start, slot_length)
        self._skipped = 0
        self._on_slot: Callable[[], None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def slot(self) -> Slot:
        return (datetime.now(UTC) - self._start) // self._slot_length + self._skipped

    def skip(self, slots: int) -> None:
        self._skipped += slots

    def run(self, on_slot: Callable[[], None]) -> None:
        self._on_slot = on_slot
        self._tick()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._on_slot = None

    def _tick(self) -> None:
        if self._on_slot is None:
            return
        # The next call is settled first: one that fails must not stop the clock.
        left = self._slot_length - (datetime.now(UTC) - self._start) % self._slot_length
        self._timer = asyncio.get_running_loop().call_later(left.total_seconds(), self._tick)
        self._on_slot()

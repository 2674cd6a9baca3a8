"""Slots on the wall clock, and how far ahead they can be told."""

from dataclasses import dataclass

from indexer.chain.point import Slot


@dataclass(frozen=True, slots=True)
class Timeline:
    """The one era of a devnet. Times in milliseconds; the first slot begins at `start`, a POSIX time."""

    start: int = 0
    slot_length: int = 1_000
    first_slot: Slot = 0
    epoch_length: int = 86_400  # slots
    safe_zone: int | None = None  # slots past the tip in which no hard fork can come; None: none ever comes

    def time(self, slot: Slot) -> int:
        """The POSIX time in milliseconds at which a slot begins."""
        return self.start + (slot - self.first_slot) * self.slot_length

    def horizon(self, tip: Slot) -> Slot | None:
        """The first slot whose time cannot be told yet at `tip`: the end of the epoch in which the safe zone ends, as
        in Ogmios' `eraSummaries`. None: every slot's time can be told."""
        if self.safe_zone is None:
            return None
        epoch = (tip + self.safe_zone - self.first_slot) // self.epoch_length + 1
        return self.first_slot + epoch * self.epoch_length

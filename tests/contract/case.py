"""A transaction as phase 2 sees it: its bytes, and the outputs that its inputs stand for."""

from dataclasses import dataclass
from typing import Final

# Slots and POSIX milliseconds, as on mainnet since Shelley.
ZERO_SLOT: Final = 4_492_800
ZERO_TIME: Final = 1_596_059_091_000
SLOT_LENGTH: Final = 1_000


@dataclass(frozen=True)
class Case:
    """What an evaluator is given."""

    transaction: bytes  # CBOR of the whole, signed transaction
    resolved: tuple[tuple[bytes, bytes], ...]  # of each input, referenced or not: CBOR of [id, index] and of the output


def milliseconds(slot: int) -> int:
    """POSIX milliseconds at which a slot begins."""
    return ZERO_TIME + (slot - ZERO_SLOT) * SLOT_LENGTH


def slot(time: int) -> int:
    """The first slot that begins at or after POSIX milliseconds."""
    return ZERO_SLOT + -((ZERO_TIME - time) // SLOT_LENGTH)

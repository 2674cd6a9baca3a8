"""What goes wrong on command: the devnet is also a test bench."""

from collections import deque
from dataclasses import dataclass, field

from indexer.devnet.ledger.refusal import Refusal


@dataclass(slots=True)
class Faults:
    """Each is used up by the submissions that meet it."""

    refusals: deque[Refusal] = field(default_factory=deque)  # what the next submissions are answered, unseen
    lost_replies: int = 0  # submissions that are taken, and whose client is cut off instead of answered
    stalled: bool = False  # nobody is listened to, nobody is told anything

    def next_refusal(self) -> Refusal | None:
        """What the submission at hand is to be refused with."""
        return self.refusals.popleft() if self.refusals else None

    def loses_reply(self) -> bool:
        """Whether the answer to the submission at hand gets lost."""
        if self.lost_replies == 0:
            return False
        self.lost_replies -= 1
        return True

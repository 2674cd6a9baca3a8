"""How patient the workers are."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient the follower is, in seconds."""

    batch_s: float = 0.5  # a batch is committed at the latest after this
    request_timeout_s: float = 60.0
    first_retry_s: float = 0.5
    longest_retry_s: float = 30.0
    node_behind_s: float = 5.0
    progress_s: float = 10.0

    def retry_after(self, failures: int) -> float:
        """How long to wait after so many failures in a row: twice as long each time, within limits, with jitter."""
        longest = min(self.longest_retry_s, self.first_retry_s * 2.0 ** min(failures - 1, 16))
        return longest * random.uniform(0.5, 1.0)  # noqa: S311 -- jitter, not a secret

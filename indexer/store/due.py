"""Milestones whose quorum is met and which have something due: what the keeper looks at in each round."""

from dataclasses import dataclass
from typing import Final

from aiosqlite import Connection

# `pay_from_ms` is NULL where nothing is left to be paid, also because the distribution ended.
DUE: Final = """
    SELECT m.distribution_id, m.milestone_id, d.funder, d.keeper_fee_per_payout, m.pay_from_ms
    FROM milestone m INDEXED BY milestone_to_pay JOIN distribution d ON d.distribution_id = m.distribution_id
    WHERE m.pay_from_ms <= ? AND m.quorum_met_slot IS NOT NULL
    ORDER BY m.pay_from_ms, m.distribution_id, m.milestone_id"""


@dataclass(frozen=True, slots=True)
class Due:
    """A milestone that waits to be paid, as the views show ids. `keeper_fee`: lovelace for each payout, for whoever
    pays; `since_ms`: when the first of it fell due (POSIX milliseconds)."""

    distribution_id: str
    milestone_id: str
    funder: str
    keeper_fee: int
    since_ms: int

    @property
    def key(self) -> tuple[str, str]:
        """Which milestone of which distribution."""
        return self.distribution_id, self.milestone_id


async def due_milestones(db: Connection, now_ms: int) -> list[Due]:
    """All that are due at a time (POSIX milliseconds), those that have waited longest first."""
    rows = await db.execute_fetchall(DUE, (now_ms,))
    return [Due(name, milestone, funder, int(fee), since) for name, milestone, funder, fee, since in rows]

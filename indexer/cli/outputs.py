"""What commands answer, as pydantic models: the same facts as JSON and in words."""

from typing import Self

from aiosqlite import Connection, Row
from pydantic import BaseModel, ConfigDict

from indexer.chain.point import Point, Slot
from indexer.chain.time import iso, slot_to_ms
from indexer.chain.watch import ByronWatch
from indexer.cli.find import refuse_not_held
from indexer.cli.told import ada, shortened, table
from indexer.domain.life import State
from indexer.status import FollowerStatus
from indexer.store import checkpoints, contracts, status, watches


class Output(BaseModel):
    """A command's answer."""

    model_config = ConfigDict(frozen=True)


class Ran(Output):
    """How a run ended."""

    cursor: str
    height: int | None
    blocks: int
    rollbacks: int
    reconnects: int

    @classmethod
    def of(cls, status: FollowerStatus) -> Self:
        """From what the follower counted."""
        return cls(
            cursor=str(status.cursor),
            height=status.height,
            blocks=status.blocks,
            rollbacks=status.rollbacks,
            reconnects=status.reconnects,
        )

    def told(self) -> str:
        """In words."""
        return f"stopped at {self.cursor}, height {self.height}, after {self.blocks:,} blocks"


class Rewound(Output):
    """Where the database stands after a rollback, and where it stood before."""

    cursor: str
    was: str
    height: int | None

    def told(self) -> str:
        """In words."""
        return f"rolled back from {self.was} to {self.cursor}; the next run reads the chain from there"


class Rebuilt(Output):
    """How far the database had come before it was emptied."""

    was: str

    def told(self) -> str:
        """In words."""
        return f"dropped what was read up to {self.was}; the next run reads the chain anew"


class WatchStatus(Output):
    """What is held of one watch. `history` is `complete`, or `partial`: from `since` on."""

    credential: str
    kind: str
    since: str
    history: str
    configured: bool
    outputs: int
    unspent: int
    lovelace_unspent: int


class ContractStatus(Output):
    """A contract that is followed: from where on, and whether the configuration still names it."""

    script_hash: str
    since: str
    configured: bool


class DistributionCounts(Output):
    """How many distributions are in each state."""

    open: int
    completed: int
    closed: int
    reclaimed: int


class DueMilestone(Output):
    """A milestone whose quorum is met, with vested allocations that are not paid: how many, how much in all in the
    token's smallest unit, and since when the longest of them waits to be paid."""

    distribution_id: str
    milestone_id: str
    token_policy: str
    token_name: str
    allocations: int
    amount: int
    vested_at: str
    quorum_met_slot: int


class Status(Output):
    """Where the follower stands, how many distributions there are, and which milestones are due.

    `as_of_slot`: the slot that was asked for; distributions and what is due are as of it. `due` has those that have
    waited longest, no more than were asked for; `due_total` says how many there are.
    """

    network: str
    slot: int | None
    block_id: str | None
    height: int | None
    time: str | None
    tip_slot: int | None
    tip_height: int | None
    seconds_behind: int | None
    schema_version: int
    since: str | None
    watches: tuple[WatchStatus, ...]
    contracts: tuple[ContractStatus, ...]
    as_of_slot: int | None
    distributions: DistributionCounts
    due_total: int
    due: tuple[DueMilestone, ...]

    def told(self) -> str:
        """In words."""
        place = "nothing read yet" if self.slot is None else f"slot {self.slot}, block {self.block_id}"
        behind = clock = "an unknown time"
        if self.tip_height is not None and self.height is not None:
            behind = f"{max(0, self.tip_height - self.height):,} blocks"
        if self.seconds_behind is not None:
            clock = _span(self.seconds_behind)
        lines = [
            f"network  {self.network}",
            f"cursor   {place}",
            f"height   {self.height if self.height is not None else 'not known yet'}",
            f"time     {self.time or 'not known yet'}",
            f"behind   {behind} behind the node's tip as last told, {clock} behind the clock",
            f"since    {self.since or 'not started'}",
            "",
        ]
        if self.since is None:
            return "\n".join([*lines, "the next run begins with the watches of the configuration"])
        if not self.watches:
            return "\n".join([*lines, "nothing is watched: add [[watch]] to the configuration"])
        rows = [
            (
                shortened(w.credential),
                w.kind,
                "complete" if w.history == "complete" else f"partial: after {w.since.partition('.')[0]}",
                w.outputs,
                w.unspent,
                ada(w.lovelace_unspent),
                "" if w.configured else "removed from the configuration; followed until `indexer rebuild`",
            )
            for w in self.watches
        ]
        heads = ("watch", "kind", "history", "outputs", "unspent", "ada unspent", "")
        return "\n".join([*lines, table(heads, rows, frozenset((3, 4, 5)))])


_BY_CREDENTIAL = """
    SELECT count(*), count(*) - count(spent_slot), coalesce(sum(lovelace) FILTER (WHERE spent_slot IS NULL), 0)
    FROM output WHERE payment_credential = ? AND created_slot > ? AND (? = 'any' OR credential_kind = ?)"""
_BY_ADDRESS = """
    SELECT count(*), count(*) - count(spent_slot), coalesce(sum(lovelace) FILTER (WHERE spent_slot IS NULL), 0)
    FROM output WHERE address = ? AND created_slot > ?"""


async def status_of(db: Connection, now_ms: int, at: Slot | None = None, most: int | None = None) -> Status:
    """Read where the database stands, as of one moment: the caller's transaction.

    What is due is so at `now_ms` (POSIX milliseconds), or as of a slot, at its time; no more than `most` of it is
    listed, or all. Raises SlotNotHeld.
    """
    db.row_factory = Row
    rows = list(await db.execute_fetchall("SELECT * FROM sync_status"))
    db.row_factory = None
    standing = await checkpoints.read(db)
    watched = [await _watch(db, entry) for entry in await watches.read(db)]
    if at is not None:
        refuse_not_held(standing, at)
        now_ms = slot_to_ms(standing.network.eras, at)
    counts, due = await status.states(db, at), await status.due(db, now_ms, at, most)
    return Status(
        **{key: rows[0][key] for key in rows[0].keys()},  # noqa: SIM118 -- a Row iterates over its values
        since=None if standing.since is None else str(standing.since),
        watches=tuple(watched),
        contracts=tuple(
            ContractStatus(script_hash=one.script_hash.hex(), since=str(one.since), configured=one.configured)
            for one in await contracts.read(db)
        ),
        as_of_slot=at,
        distributions=DistributionCounts(**{str(state): counts[state] for state in State}),
        due_total=due.total,
        due=tuple(
            DueMilestone(
                distribution_id=one.distribution_id,
                milestone_id=one.milestone_id,
                token_policy=one.token_policy,
                token_name=one.token_name,
                allocations=one.allocations,
                amount=one.amount,
                vested_at=iso(one.since_ms),
                quorum_met_slot=one.quorum_met_slot,
            )
            for one in due.first
        ),
    )


async def _watch(db: Connection, entry: watches.Watched) -> WatchStatus:
    text = str(entry.watch)
    after = entry.since.slot if isinstance(entry.since, Point) else -1
    if isinstance(entry.watch, ByronWatch):
        kind = "byron"
        rows = await db.execute_fetchall(_BY_ADDRESS, (text, after))
    else:
        kind = str(entry.watch.kind or "any")
        rows = await db.execute_fetchall(_BY_CREDENTIAL, (text, after, kind, kind))
    outputs, unspent, lovelace = next(iter(rows))
    return WatchStatus(
        credential=text,
        kind=kind,
        since=str(entry.since),
        history="complete" if entry.complete else "partial",
        configured=entry.configured,
        outputs=outputs,
        unspent=unspent,
        lovelace_unspent=lovelace,
    )


def _span(seconds: int) -> str:
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:,} {unit}"
    return f"{seconds} seconds"

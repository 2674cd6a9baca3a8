"""What `releases` answers: the journal, and one release with every turn it took."""

import json
import re
from typing import Any, Final

from aiosqlite import Connection, Row

from indexer.cli import find, refusals
from indexer.cli.outputs import Output
from indexer.cli.told import ada, shortened, table
from indexer.config import Config
from indexer.domain.submission import ReleaseState

_ID: Final = re.compile(r"[0-9a-f]{32}")
# The view tells seconds: in which order those of one second came, only the table knows.
_NEWEST: Final = """
    SELECT v.* FROM (SELECT release_id, intended_ms FROM release INDEXED BY {which} ORDER BY intended_ms DESC LIMIT ?) r
    CROSS JOIN releases v ON v.release_id = r.release_id ORDER BY r.intended_ms DESC"""
NEWEST: Final = _NEWEST.format(which="release_by_intended_ms")
IN_STATE: Final = _NEWEST.format(which="release_by_state WHERE state = ?")
OF_DISTRIBUTION: Final = _NEWEST.format(which="release_of_milestone WHERE distribution_id = ?")
OF_BOTH: Final = _NEWEST.format(which="release_of_milestone WHERE distribution_id = ? AND state = ?")
ONE: Final = "SELECT * FROM releases WHERE release_id = ?"
STEPS: Final = "SELECT * FROM release_steps WHERE release_id = ? ORDER BY number"


class ReleaseRow(Output):
    """A release, as the view `releases` has it."""

    release_id: str
    distribution_id: str
    milestone_id: str
    state: str
    transaction_id: str | None
    fee: int | None
    cost: int | None
    ex_units_memory: int | None
    ex_units_cpu: int | None
    attempts: int
    last_error: str | None
    intended_at: str
    submitted_at: str | None
    in_block_slot: int | None
    depth: int | None
    allocations: tuple[int, ...]
    state_output: str


class StepRow(Output):
    """A turn that a release took, as the view `release_steps` has it."""

    number: int
    attempt: int
    from_state: str | None
    to_state: str
    slot: int
    time: str
    reason: str


class Releases(Output):
    """Releases, the newest first. `steps` are those of the one that was asked for, else none."""

    releases: tuple[ReleaseRow, ...]
    steps: tuple[StepRow, ...]

    def told(self) -> str:
        """In words."""
        if not self.releases:
            return "nothing was released yet"
        if self.steps:
            return "\n".join(_one_in_words(self.releases[0], self.steps))
        rows = [
            (
                one.release_id[:16],
                shortened(one.distribution_id),
                one.milestone_id,
                one.state,
                one.depth,
                one.attempts,
                None if one.cost is None else _signed(one.cost),
                one.intended_at,
                one.last_error or "",
            )
            for one in self.releases
        ]
        heads = ("release", "distribution", "milestone", "state", "depth", "attempts", "cost in ada", "since", "")
        return table(heads, rows, frozenset((4, 5, 6)))


async def listed(config: Config, which: str | None, state: str | None, limit: int) -> Releases:
    """The newest releases, those of a distribution, or one.

    Raises ReleaseUnknown, DistributionUnknown, StateUnknown.
    """
    if state is not None and state not in set(ReleaseState):
        raise refusals.StateUnknown(f"{state!a} is no state", hint=f"one of {', '.join(ReleaseState)}")
    async with find.moment(config.database.path) as db:
        if which is not None and _ID.fullmatch(which.lower()):
            found = await _rows(db, ONE, which.lower())
            if not found:
                raise refusals.ReleaseUnknown(f"the journal has no release {which.lower()}")
            steps = await _rows(db, STEPS, which.lower())
            return Releases(releases=_releases(found), steps=tuple(StepRow(**step) for step in steps))
        name = None if which is None else (await find.life_of(db, which)).id.hex()
        match name, state:
            case None, None:
                rows = await _rows(db, NEWEST, limit)
            case None, _:
                rows = await _rows(db, IN_STATE, state, limit)
            case _, None:
                rows = await _rows(db, OF_DISTRIBUTION, name, limit)
            case _:
                rows = await _rows(db, OF_BOTH, name, state, limit)
    return Releases(releases=_releases(rows), steps=())


async def _rows(db: Connection, sql: str, *parameters: object) -> list[dict[str, Any]]:
    db.row_factory = Row
    rows = [dict(row) for row in await db.execute_fetchall(sql, parameters)]
    db.row_factory = None
    return rows


def _releases(rows: list[dict[str, Any]]) -> tuple[ReleaseRow, ...]:
    return tuple(ReleaseRow(**row | {"allocations": tuple(json.loads(row["allocations"]))}) for row in rows)


def _one_in_words(one: ReleaseRow, steps: tuple[StepRow, ...]) -> list[str]:
    depth = "" if one.depth is None else f", {one.depth} blocks deep"
    lines = [
        f"release       {one.release_id}",
        f"distribution  {one.distribution_id}",
        f"milestone     {one.milestone_id}",
        f"pays          allocations {', '.join(map(str, one.allocations))}",
        f"out of        {one.state_output}",
        f"state         {one.state}{depth}, attempt {one.attempts}",
        f"transaction   {one.transaction_id or 'none yet'}",
    ]
    if one.fee is not None and one.cost is not None:
        word = "cost          " if one.cost >= 0 else "gain          "
        lines.append(f"{word}{ada(abs(one.cost))} ada, the fee of {ada(one.fee)} ada reckoned in")
    if one.last_error is not None:
        lines.append(f"last error    {one.last_error}")
    rows = [(step.time, step.slot, step.attempt, step.to_state, step.reason) for step in steps]
    return [*lines, "", table(("time", "slot", "attempt", "state", "why"), rows, frozenset((1, 2)))]


def _signed(lovelace: int) -> str:
    return ada(lovelace) if lovelace >= 0 else f"-{ada(-lovelace)}"

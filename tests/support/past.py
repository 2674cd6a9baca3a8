"""What the product says of slots that are past, and what the fold says of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from indexer.chain.time import slot_to_ms
from indexer.cli.states import state_of
from indexer.store import checkpoints, status
from indexer.store.db import opened_for_reading
from indexer.store.lives import load
from tests.support.fold import Rows
from tests.support.reading import COLUMNS, Views, ordered

# Of these, what is told of one distribution; the numbers of its milestones can be counted.
AS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    view: tuple(name for name in columns.split(", ") if name not in ("milestones_total", "milestones_released"))
    for view, columns in COLUMNS.items()
    if view != "rejected_outputs"
}


async def as_of(path: Path, slots: Iterable[int]) -> list[Views]:
    """What the product answers of slots that are past, each at the time of the slot: all that is told of every
    distribution, as by `check-status DISTRIBUTION --at`; and how many are in which state, and what is due."""
    async with opened_for_reading(path) as db:
        network = (await checkpoints.read(db)).network
        lives = await load(db, await status.beginning(db, "", 1_000_000))
        found = []
        for slot in slots:
            now = slot_to_ms(network.eras, slot)
            then = [life.at(slot) for life in lives.values()]
            told = [state_of(life, network, slot, now).model_dump() for life in then if life.origin is not None]
            views = _of_states(told)
            counts = await status.states(db, slot)
            views["states"] = [{"state": str(state), "count": count} for state, count in counts.items() if count]
            views["due"] = [
                {"distribution_id": due.distribution_id, "milestone_id": due.milestone_id, "amount": due.amount}
                for due in (await status.due(db, now, slot)).first
            ]
            found.append({name: ordered(rows) for name, rows in views.items()})
        return found


def _of_states(told: list[dict[str, Any]]) -> Views:
    """Rows as the views have them, out of what is told of each distribution."""
    views: Views = {name: [] for name in AS_OF}
    for one in told:
        name = {"distribution_id": one["distribution_id"]}
        milestones = [name | milestone for milestone in one["milestones"]]
        views["distributions"].append(one | {"oracles": list(one["oracles"])})
        views["milestones"] += milestones
        views["allocations"] += [
            name | {"milestone_id": milestone["milestone_id"]} | allocation | {"claimed": int(allocation["claimed"])}
            for milestone in milestones
            for allocation in milestone["allocations"]
        ]
        views["attestations"] += [
            name | signature
            for part in (*(milestone["signatures"] for milestone in milestones), one["other_signatures"])
            for signature in part
        ]
    return {view: [{key: row[key] for key in AS_OF[view]} for row in rows] for view, rows in views.items()}


def expected_as_of(rows: Rows, now: int) -> Views:
    """The same of the fold, as of a slot whose time is `now`."""
    known = {"attestations": [row for row in rows.attestations if row["verdict"] != "unknown_distribution"]}
    views = {
        view: [{key: row[key] for key in columns} for row in known.get(view, getattr(rows, view))]
        for view, columns in AS_OF.items()
    }
    counts = Counter(row["state"] for row in rows.distributions)
    views["states"] = [{"state": state, "count": count} for state, count in counts.items()]
    alive = {row["distribution_id"] for row in rows.distributions if row["state"] in ("open", "completed")}
    views["due"] = [
        {"distribution_id": row["distribution_id"], "milestone_id": row["milestone_id"], "amount": amount}
        for row in rows.milestones
        if row["distribution_id"] in alive
        and row["quorum_met_slot"] is not None
        and (amount := row["amount_vested"] - row["amount_paid"])
    ]
    return {name: ordered(found) for name, found in views.items()}

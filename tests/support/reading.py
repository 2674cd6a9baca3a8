"""What the product says of milestones: the views by SQL, and its answer to what was true as of a slot."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from tests.support.fold import Row, Rows, shown_milestone
from tests.support.following import select
from tests.support.happenings import Told

COLUMNS: Final[Mapping[str, str]] = {
    "distributions": (
        "distribution_id, seed, state, token_policy, token_name, oracles, quorum_threshold, amount_total, amount_paid, "
        "amount_left, milestones_total, milestones_released, allocations_total, allocations_claimed, funder, "
        "expires_at, output_reference, created_slot, created_at, updated_slot, updated_at"
    ),
    "milestones": (
        "distribution_id, milestone_id, signatures_valid, quorum_threshold, quorum_status, quorum_met_slot, "
        "quorum_met_at, amount_total, amount_vested, amount_paid, next_vesting_at"
    ),
    "allocations": (
        "distribution_id, allocation_index, milestone_id, beneficiary, amount, vesting_at, claimed, paid_by, paid_slot"
    ),
    "attestations": (
        "distribution_id, milestone_id, oracle, signature, source, verdict, output_reference, slot, seen_at"
    ),
    "rejected_outputs": "transaction_id, output_index, slot, reason, datum",
}
Views: TypeAlias = dict[str, list[Row]]
Happened: TypeAlias = tuple[str, str, str | None, int, str]  # type, distribution, milestone, slot, finality


def views(path: Path) -> Views:
    """The rows of the views in an order of their own, with the columns that DESIGN names; of a reason its beginning."""
    found = {name: select(path, f"SELECT {columns} FROM {name}") for name, columns in COLUMNS.items()}
    for row in found["distributions"]:
        row["oracles"] = json.loads(row["oracles"])
    for row in found["rejected_outputs"]:
        row["reason"] = row["reason"].partition(":")[0]
    return {name: ordered(rows) for name, rows in found.items()}


def expected(rows: Rows) -> Views:
    """The same of the fold."""
    return {name: ordered(getattr(rows, name)) for name in COLUMNS}


def events(path: Path) -> Counter[Happened]:
    """The view `events`, each as often as it is there."""
    rows = select(path, "SELECT type, distribution_id, milestone_id, slot, finality FROM events")
    return Counter(tuple(row.values()) for row in rows)


def drop_file(data: Path, distribution: bytes, milestone: bytes, signatures: Iterable[Told]) -> None:
    """Put all that was told of a milestone into its file, as another tool might."""
    of_it = [one for one in signatures if (one.distribution, one.milestone) == (distribution, milestone)]
    path = data / "milestones" / distribution.hex() / f"{milestone.hex()}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "distribution_id": distribution.hex(),
        "milestone_id": shown_milestone(milestone),
        "oracle_signatures": [
            {"oracle": one.oracle.hex(), "signature": one.signature.hex(), "slot": one.slot} for one in of_it
        ],
    }
    path.write_text(json.dumps(document), encoding="utf-8")


def rows(path: Path, view: str, columns: str, order: str = "1") -> list[tuple[Any, ...]]:
    """Some columns of a view."""
    return [tuple(row.values()) for row in select(path, f"SELECT {columns} FROM {view} ORDER BY {order}")]


def told(path: Path) -> list[tuple[Any, ...]]:
    """Type, milestone, slot, finality: by slot, then by type."""
    return rows(path, "events", "type, milestone_id, slot, finality", "slot, type, milestone_id, finality")


def ordered(rows: Iterable[Row]) -> list[Row]:
    """Rows in an order that is the same for equal ones."""
    return sorted(rows, key=lambda row: [(value is None, str(value)) for value in row.values()])

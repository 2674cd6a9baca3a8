"""What a client asks of the matches, and which rows these are."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from indexer.chain.point import ORIGIN, Origin, Place, Point, Slot
from indexer.devnet.http import Query
from indexer.devnet.kupo import hints
from indexer.devnet.kupo.index import Index
from indexer.devnet.kupo.patterns import Asset, Labelled, OfTransaction, OneOutput, Pattern, Policy, question
from indexer.devnet.kupo.rows import Row
from indexer.devnet.kupo.shown import shown_point

_MAX_SLOT: Final = 2**63 - 2
_BOUND: Final = re.compile("(created|spent)_(after|before)")
_FILTERS: Final = ("policy_id", "asset_name", "transaction_id", "output_index")


@dataclass(frozen=True, slots=True)
class Bound:
    """A slot, inclusive, at which an output was made or spent; or a block, which has to be on the chain."""

    event: Literal["created", "spent"]
    at: Slot | Place

    @property
    def slot(self) -> Slot:
        """The slot of it."""
        match self.at:
            case Point(slot):
                return slot
            case Origin():
                return 0
            case slot:
                return slot


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked of the matches beside a pattern."""

    is_spent: bool | None = None
    lower: Bound | None = None
    upper: Bound | None = None
    filter: Pattern | None = None
    oldest_first: bool = False
    resolve_hashes: bool = False


def read_selection(query: Query) -> Selection:
    """Whatever is said of matches, in the order in which Kupo finds fault with it. Raises Failure."""
    lower, upper = _bounds(query)
    return Selection(
        _is_spent(query),
        lower,
        upper,
        read_filter(query),
        _oldest_first(query),
        _flag(query, "resolve_hashes"),
    )


def read_filter(query: Query) -> Pattern | None:
    """The filter by asset or by transaction. Raises Failure."""
    found: dict[str, str] = {}
    for name, value in query:
        if name in _FILTERS and value is not None:  # without a value they say nothing
            if name in found:
                raise hints.match_filter()
            found[name] = value
    match [_read_value(name, found[name]) if name in found else None for name in _FILTERS]:
        case [None, None, None, None]:
            return None
        case [bytes(policy), None, None, None]:
            return Policy(policy)
        case [bytes(policy), bytes(asset), None, None]:
            return Asset(policy, asset)
        case [None, None, bytes(id_), None]:
            return OfTransaction(id_)
        case [None, None, bytes(id_), int(index)]:
            return OneOutput(id_, index)
    raise hints.match_filter()


def read_slot(text: str) -> Slot | None:
    """A slot in decimal; None where it is none."""
    if not re.fullmatch("[0-9]{1,20}", text) or int(text) > _MAX_SLOT:
        return None
    return int(text)


def read_place(text: str) -> Place | None:
    """`SLOT.HEADERHASH` or `origin`; None where it is neither."""
    if text.lower() == "origin":
        return ORIGIN
    slot, _, hash_ = text.strip().partition(".")
    at = read_slot(slot)
    return None if at is None or not re.fullmatch("[0-9a-fA-F]{64}", hash_) else Point(at, bytes.fromhex(hash_))


def select(index: Index, pattern: Pattern, selection: Selection) -> list[Row]:
    """The rows that are asked for, in the order that is asked for. Raises Failure."""
    if isinstance(pattern, Labelled):
        raise hints.index_only()
    for bound in (selection.lower, selection.upper):
        if bound is not None:
            _check(index, bound)
    rows: Iterable[Row] = filter(question(pattern), index.rows)
    if selection.filter is not None:
        rows = filter(question(selection.filter), rows)
    if selection.is_spent is not None:
        rows = (row for row in rows if (row.spent is not None) is selection.is_spent)
    if (lower := selection.lower) is not None:
        rows = (row for row in rows if (slot := _slot(row, lower)) is not None and slot >= lower.slot)
    if (upper := selection.upper) is not None:
        rows = (row for row in rows if (slot := _slot(row, upper)) is not None and slot <= upper.slot)
    found = list(rows)
    return found if selection.oldest_first else found[::-1]


def _slot(row: Row, bound: Bound) -> Slot | None:
    if bound.event == "created":
        return row.created_at.slot
    return None if row.spent is None else row.spent.at.slot


def _check(index: Index, bound: Bound) -> None:
    """A block that bounds a range has to be on the chain: so a client sees that it has changed."""
    match bound.at:
        case Point() | Origin() as place:
            found = index.at_or_before(bound.slot)
            if found is None:
                raise hints.unknown_point()
            if found != place:
                raise hints.other_point(place, shown_point(found))


def _bounds(query: Query) -> tuple[Bound | None, Bound | None]:
    found: dict[str, Bound] = {}
    for name, value in query:
        if said := _BOUND.fullmatch(name):
            slot = None if value is None else read_slot(value)
            at = read_place(value or "") if slot is None else slot
            if at is None or said[2] in found:
                raise hints.slot_range()
            found[said[2]] = Bound("created" if said[1] == "created" else "spent", at)
    return found.get("after"), found.get("before")


def _is_spent(query: Query) -> bool | None:
    said = [(name, value) for name, value in query if name in ("spent", "unspent")]
    match said:
        case []:
            return None
        case [(name, None)]:
            return name == "spent"
    raise hints.status_flag()


def _oldest_first(query: Query) -> bool:
    match [value for name, value in query if name == "order"]:
        case [] | ["most_recent_first"]:
            return False
        case ["oldest_first"]:
            return True
    raise hints.order()


def _flag(query: Query, flag: str) -> bool:
    values = [value for name, value in query if name == flag]
    if values and values[0] is not None:
        raise hints.resolve_flag()
    return bool(values)


def _read_value(name: str, value: str) -> bytes | int:
    form = {
        "policy_id": "[0-9a-fA-F]{56}",
        "asset_name": "(?:[0-9a-fA-F]{2}){0,32}",
        "transaction_id": "[0-9a-fA-F]{64}",
        "output_index": "[0-9]{1,5}",
    }[name]
    if not re.fullmatch(form, value):
        raise hints.match_filter()
    return int(value) if name == "output_index" else bytes.fromhex(value)

"""Managing what the index watches: the endpoints under /patterns."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from indexer.chain.point import ORIGIN, Place, Slot, slot_of
from indexer.devnet.kupo import hints
from indexer.devnet.kupo.index import SAFE_ZONE, Index
from indexer.devnet.kupo.patterns import NotAPattern, Pattern, includes, ordered, parse
from indexer.devnet.kupo.queries import read_place

_WITHIN: Final = "within_safe_zone"
_BEYOND: Final = "unsafe_allow_beyond_safe_zone"


def pattern_of(segments: Sequence[str]) -> Pattern:
    """The pattern that the rest of a path spells: nothing, one segment, or two. Raises Failure."""
    try:
        if len(segments) > 2:
            raise NotAPattern
        return parse("/".join(segments) if segments else "*")
    except NotAPattern:
        raise hints.pattern() from None


def listed(index: Index, segments: Sequence[str]) -> list[str]:
    """What is watched; with a pattern in the path, only what includes that. Raises Failure."""
    watched = ordered(index.patterns)
    if segments:
        narrow = pattern_of(segments)
        watched = [wide for wide in watched if includes(wide, narrow)]
    return [str(pattern) for pattern in watched]


def put(index: Index, tip: Slot | None, segments: Sequence[str], body: bytes) -> list[str]:
    """Watch the pattern in the path, or those in the body, from a block on that the body names.

    Kupo does so when the next block comes, and answers then; here it is done at once. Raises Failure.
    """
    said = _object(body)
    patterns = [pattern_of(segments)] if segments else _patterns(said)
    since = _since(index, said)
    if abs((tip or 0) - slot_of(since)) > SAFE_ZONE and said.get("limit") != _BEYOND:
        raise hints.beyond_safe_zone()
    try:
        index.watch(patterns, since)
    except ValueError:
        raise hints.rollback_failed() from None
    return listed(index, ())


def _object(body: bytes) -> Mapping[str, Any]:
    """A JSON object; an empty one where the body is something else, or nothing."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _patterns(said: Mapping[str, Any]) -> list[Pattern]:
    texts = said.get("patterns")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts) or "rollback_to" not in said:
        raise hints.pattern()
    valid = []
    for text in texts:
        try:
            valid.append(parse(text))
        except NotAPattern:
            continue
    if len(valid) < len(texts):
        raise hints.patterns(valid)
    return valid


def _since(index: Index, said: Mapping[str, Any]) -> Place:
    """The block to roll back to. A slot alone stands for the newest block up to it. Raises Failure."""
    if said.get("limit", _WITHIN) not in (_WITHIN, _BEYOND):
        raise hints.malformed_point()
    match said.get("rollback_to"):
        case {"slot_no": bool()}:
            place = None
        case {"slot_no": int(slot), "header_hash": str(hash_)}:
            place = read_place(f"{slot}.{hash_}")
            if place is not None and index.at_or_before(slot) not in (place, None):
                raise hints.unknown_point()
        case {"slot_no": int(slot), **rest} if slot >= 0 and rest.get("header_hash") is None:
            place = index.at_or_before(slot)
            if place is None:
                raise hints.unknown_point()
        case _:
            place = None
    if place is None or place == ORIGIN:
        raise hints.malformed_point()
    return place

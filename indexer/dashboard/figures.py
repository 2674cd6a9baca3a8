"""What the charts show, out of the views: sums that are exact however large, in few points however many rows there are.

Anyone may create distributions, of any token: so what is shown can be narrowed to a token and a funder, and the number
of tokens is limited, those that the configuration knows first.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

POINTS: Final = 120  # of a line, at most
TOKENS_SHOWN: Final = 3
TOKENS_NAMED: Final = 40
MONTHS: Final = 12
KINDS: Final = ("promised", "paid", "taken back")
DUE, WAITING, LATER = "due now", "no quorum yet", "later"
# Upper ends in seconds; what takes longer still comes last.
SPANS: Final = (
    ("< 1 min", 60),
    ("< 1 h", 3_600),
    ("< 6 h", 21_600),
    ("< 1 day", 86_400),
    ("< 1 week", 604_800),
    ("< 30 days", 2_592_000),
    ("longer", None),
)

Token = tuple[str, str]  # policy and name, in hex; both empty for ada

_TOKENS: Final = """
SELECT token_policy, token_name FROM distributions
WHERE :funder IS NULL OR funder = :funder
GROUP BY token_policy, token_name
ORDER BY token_policy || '.' || token_name IN (SELECT value FROM json_each(:known)) DESC, count(*) DESC, 1, 2
LIMIT :limit
"""
_SPAN: Final = """
SELECT min(created_slot), max(max(created_slot), coalesce((SELECT slot FROM sync_status), 0)), min(created_at),
    (SELECT time FROM sync_status)
FROM distributions
WHERE token_policy = :policy AND token_name = :name AND (:funder IS NULL OR funder = :funder)
"""
# Sums first, times last: of each point one, instead of one a row.
_HAPPENED: Final = """
WITH sums AS MATERIALIZED (
    SELECT d.created_slot, d.ended_slot, a.paid_slot,
        sum(a.amount / 1000000000) AS billions, sum(a.amount % 1000000000) AS rest
    FROM distributions AS d CROSS JOIN allocations AS a USING (distribution_id)
    WHERE d.token_policy = :policy AND d.token_name = :name AND (:funder IS NULL OR d.funder = :funder)
    GROUP BY 1, 2, 3
), happened AS (
    SELECT 'promised' AS kind, created_slot AS slot, billions, rest FROM sums
    UNION ALL
    SELECT 'paid', paid_slot, billions, rest FROM sums WHERE paid_slot IS NOT NULL
    UNION ALL
    SELECT 'taken back', ended_slot, billions, rest FROM sums WHERE ended_slot IS NOT NULL AND paid_slot IS NULL
), points AS (
    SELECT kind, max(slot) AS slot, sum(billions) AS billions, sum(rest) AS rest
    FROM happened GROUP BY kind, (slot - :first) / :step
)
SELECT kind, CASE kind
        WHEN 'promised' THEN (SELECT created_at FROM distributions WHERE created_slot = slot LIMIT 1)
        WHEN 'paid' THEN (SELECT paid_at FROM allocations WHERE paid_slot = slot LIMIT 1)
        ELSE (SELECT updated_at FROM distributions WHERE ended_slot = slot LIMIT 1) END AS time,
    billions, rest
FROM points ORDER BY slot
"""
_OWED: Final = """
SELECT CASE WHEN a.vesting_ms > :now_ms THEN substr(a.vesting_at, 1, 7)
        WHEN m.quorum_met_slot IS NULL THEN 'no quorum yet' ELSE 'due now' END AS time,
    sum(a.amount / 1000000000), sum(a.amount % 1000000000)
FROM distributions AS d CROSS JOIN allocations AS a USING (distribution_id)
    CROSS JOIN milestones AS m USING (distribution_id, milestone_id)
WHERE d.token_policy = :policy AND d.token_name = :name AND (:funder IS NULL OR d.funder = :funder)
    AND d.ended_slot IS NULL AND a.paid_slot IS NULL
GROUP BY 1
"""
_QUORUMS: Final = """
WITH met AS (
    SELECT strftime('%s', m.quorum_met_at) - strftime('%s', d.created_at) AS since_creation,
        strftime('%s', m.quorum_met_at) - strftime('%s', max(d.created_at, (
            SELECT min(s.seen_at) FROM attestations AS s
            WHERE s.distribution_id = m.distribution_id AND s.milestone_id = m.milestone_id AND s.verdict = 'valid'
        ))) AS since_first
    FROM distributions AS d CROSS JOIN milestones AS m USING (distribution_id)
    WHERE m.quorum_met_slot IS NOT NULL AND (:funder IS NULL OR d.funder = :funder)
        AND (:policy IS NULL OR (d.token_policy = :policy AND d.token_name = :name))
)
SELECT since_creation, since_first, count(*) FROM (
    SELECT (SELECT count(*) FROM json_each(:ends) WHERE value <= since_creation) AS since_creation,
        (SELECT count(*) FROM json_each(:ends) WHERE value <= since_first) AS since_first FROM met
) GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Line:
    """What came together until when: (POSIX seconds, total so far), in order."""

    kind: str
    points: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Money:
    """One token: what was promised, paid and taken back between two times, and what is owed, by when it falls due."""

    token: Token
    start: int  # POSIX seconds
    end: int
    lines: tuple[Line, ...]
    owed: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Figures:
    """All that is shown. `quorums`: a span, and how many quorums took it since the creation, and since the first oracle
    spoke. `tokens`: those there are, of which `money` shows some."""

    tokens: tuple[Token, ...]
    money: tuple[Money, ...]
    quorums: tuple[tuple[str, int, int], ...]


def read(
    db: sqlite3.Connection, now: datetime, *, known: Iterable[Token] = (), token: Token | None, funder: str | None
) -> Figures:
    """The figures as of one moment, of one token and one funder where these are named. `now` is UTC."""
    names = json.dumps([".".join(each) for each in known])
    db.execute("BEGIN")
    try:
        rows = db.execute(_TOKENS, {"funder": funder, "known": names, "limit": TOKENS_NAMED})
        tokens = tuple((policy, name) for policy, name in rows)
        shown = tokens[:TOKENS_SHOWN] if token is None else (token,)
        money = tuple(found for each in shown if (found := _money(db, each, funder, now)) is not None)
        return Figures(tokens, money, _quorums(db, token, funder))
    finally:
        db.execute("ROLLBACK")


def _money(db: sqlite3.Connection, token: Token, funder: str | None, now: datetime) -> Money | None:
    """None where nobody promised any of it."""
    which = {"policy": token[0], "name": token[1], "funder": funder}
    ((first, last, begun, ended),) = db.execute(_SPAN, which)
    if first is None:
        return None
    happened: dict[str, list[tuple[int, int]]] = {kind: [] for kind in KINDS}
    step = (last - first) // POINTS + 1
    for kind, time, billions, rest in db.execute(_HAPPENED, which | {"first": first, "step": step}):
        before = happened[kind][-1][1] if happened[kind] else 0
        happened[kind].append((_seconds(time), before + _exact(billions, rest)))
    owed = {time: _exact(*parts) for time, *parts in db.execute(_OWED, which | {"now_ms": _ms(now)})}
    times = [time for points in happened.values() for time, _ in points]
    return Money(
        token,
        _seconds(begun),
        max(*times, _seconds(ended or begun)),
        tuple(Line(kind, tuple(points)) for kind, points in happened.items() if points),
        _by_month(owed, now),
    )


def _by_month(owed: Mapping[str, int], now: datetime) -> tuple[tuple[str, int], ...]:
    """What has come, the months ahead from this one on, and what comes after."""
    months = _months(now)
    later = sum(amount for time, amount in owed.items() if time not in (DUE, WAITING) and time > months[-1])
    ahead = [(month, owed.get(month, 0)) for month in months]
    return ((DUE, owed.get(DUE, 0)), (WAITING, owed.get(WAITING, 0)), *ahead, (LATER, later))


def _months(now: datetime) -> Sequence[str]:
    first = now.year * 12 + now.month - 1
    return [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(first, first + MONTHS)]


def _quorums(db: sqlite3.Connection, token: Token | None, funder: str | None) -> tuple[tuple[str, int, int], ...]:
    ends = json.dumps([end for _, end in SPANS if end is not None])
    policy, name = token or (None, None)
    since_creation, since_first = [0] * len(SPANS), [0] * len(SPANS)
    for long, short, count in db.execute(_QUORUMS, {"policy": policy, "name": name, "funder": funder, "ends": ends}):
        since_creation[long] += count
        since_first[short] += count
    return tuple((span, since_creation[i], since_first[i]) for i, (span, _) in enumerate(SPANS))


def _exact(billions: int, rest: int) -> int:
    return billions * 10**9 + rest


def _seconds(time: str) -> int:
    return int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp())


def _ms(now: datetime) -> int:
    return int(now.timestamp() * 1000)

"""docs/analysts.md: each of its questions is asked of a database, and answered by counting in Python."""

import asyncio
import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

from indexer.chain.network import Network
from indexer.chain.point import Checkpoint, Point
from indexer.domain.life import Life, assess
from indexer.plutus.address import address_text
from indexer.store import goback, lives
from indexer.store.db import opened
from tests.support.crowd import ADA, TOKEN, Crowd, Promise, begin, keys, network_from, tell, terms_of, write

PAGE: Final = Path(__file__).parents[1] / "docs" / "analysts.md"
QUESTIONS: Final = dict(
    re.findall(r"^### (.+)\n(?:(?!#).*\n)*?```sql\n((?:.*\n)*?)```", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
)
NOW: Final = datetime(2025, 6, 15, 12, 0, 0, tzinfo=UTC)
START: Final = NOW - timedelta(days=200)
DAY: Final = 86_400
NETWORK: Final[Network] = network_from(int(START.timestamp()) * 1000)


@dataclass(frozen=True)
class Held:
    """A database, what was put into it, and what the product says of each distribution."""

    path: Path
    crowd: Crowd
    lives: dict[bytes, Life]

    @property
    def promises(self) -> list[Promise]:
        return self.crowd.promises

    def ask(self, question: str, **parameters: object) -> list[tuple[Any, ...]]:
        """The answer of the page's SQL, as of NOW, through the page's connection."""
        return self.ask_sql(QUESTIONS[question], **parameters)

    def ask_sql(self, sql: str, **parameters: object) -> list[tuple[Any, ...]]:
        """The same of any SQL."""
        db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=5)
        clock = sqlite3.connect(":memory:")

        def strftime(*words: object) -> str | None:
            told = [NOW.strftime("%Y-%m-%d %H:%M:%S") if word == "now" else word for word in words]
            row: tuple[str | None] = clock.execute(f"SELECT strftime({', '.join('?' * len(told))})", told).fetchone()
            return row[0]

        db.create_function("strftime", -1, strftime)
        try:
            return db.execute(sql, parameters).fetchall()
        finally:
            db.close()
            clock.close()


def random_terms(random: Random, slot: int) -> Any:
    """Some allocations over some milestones; a few vest far away, some have vested."""
    milestones = [f"m{n}" for n in range(random.randint(1, 3))]
    return terms_of(
        [
            (
                random.choice(milestones),
                random.randrange(6),
                random.randint(1, 10**9),
                int(START.timestamp() + slot + random.randrange(-20, 120) * DAY) * 1000,
            )
            for _ in range(random.randint(1, 8))
        ],
        oracles=random.sample(range(6), random.randint(1, 4)),
        threshold=1,
        token=random.choice((TOKEN, ADA)),
        funder=random.randrange(4),
    )


def numbers(promise: Promise) -> list[int]:
    return [n for n in range(6) if keys(n)[0] in promise.terms.oracles]


def live(random: Random, crowd: Crowd) -> None:
    """What happens in a block: often a creation, attestations good and bad, now and then a release or an end."""
    if random.random() < 0.5 or not crowd.promises:
        terms = random_terms(random, crowd.slot)
        threshold = random.randint(1, len(terms.oracles))
        crowd.found(type(terms)(**{f: getattr(terms, f) for f in terms.__slots__} | {"quorum_threshold": threshold}))
    for promise in random.sample(crowd.promises, min(len(crowd.promises), random.randint(0, 3))):
        milestone = random.choice([*promise.milestones, "m9"])
        crowd.attest(promise, milestone, *random.sample(range(6), random.randint(1, 4)), good=random.random() < 0.8)
    for promise in random.sample(crowd.promises, min(len(crowd.promises), random.randint(0, 3))):
        milestone = random.choice(promise.milestones)
        left = [
            i
            for i, each in enumerate(promise.terms.allocations)
            if each.milestone_id.decode() == milestone and i not in promise.paid
        ]
        if promise.ended is None and left:
            some = sorted(random.sample(left, random.randint(1, len(left))))
            crowd.release(promise, milestone, some, numbers(promise)[: promise.terms.quorum_threshold])
        elif promise.ended is None and random.random() < 0.4:
            crowd.reclaim(promise)
    if random.random() < 0.1:
        crowd.reject(random.choice(("no datum: none at all", "no state token", "malformed datum: at its end")))


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Held:
    """Two hundred days of promises; on the way a fork took some back for good."""
    return asyncio.run(made(tmp_path_factory.mktemp("analysts") / "db.sqlite"))


async def made(path: Path) -> Held:
    random, crowd = Random(6), Crowd(NETWORK)
    async with opened(path) as db:
        await begin(db, NETWORK)
        for number in range(80):
            live(random, crowd)
            block = crowd.block(random.randint(DAY // 2, 4 * DAY))
            await write(db, [block], NETWORK)
            if number % 9 == 8:
                promise = random.choice(crowd.promises)
                oracle = random.choice(numbers(promise))
                await tell(db, NETWORK, promise, random.choice(promise.milestones), oracle, crowd.slot - 1)
            if number % 30 == 29:
                assert block.header.slot is not None
                there = Checkpoint(Point(block.header.slot, block.header.id), block.header.height)
                await undone(db, crowd)
                await goback.rewind(db, there, NETWORK)
        await next_month_on_purpose(db, crowd)
        known = await lives.load(db, [promise.id for promise in crowd.promises])
    assert {"open", "completed", "closed", "reclaimed"} == {state(promise) for promise in crowd.promises}
    return Held(path, crowd, known)


async def next_month_on_purpose(db: Any, crowd: Crowd) -> None:
    """Two promises that vest next month: one is taken back, of the other something is paid (no contract is asked)."""
    at = int(datetime(2025, 7, 15, tzinfo=UTC).timestamp()) * 1000
    gone, alive = (crowd.found(terms_of([("m0", n, 77, at), ("m1", n, 78, at)])) for n in range(2))
    await write(db, [crowd.block()], NETWORK)
    crowd.reclaim(gone)
    crowd.release(alive, "m0", (), (0, 1))
    await write(db, [crowd.block()], NETWORK)


async def undone(db: Any, crowd: Crowd) -> None:
    """A block on another fork, with a release: what it does is not noted."""
    there = crowd.height, crowd.slot, dict(crowd.heights), list(crowd.promises)
    crowd.found(random_terms(Random(crowd.slot), crowd.slot))
    crowd.attest(deepcopy(crowd.promises[0]), "m0", *range(6))
    owing = next(one for one in crowd.promises if one.ended is None and len(one.paid) < len(one.terms.allocations))
    milestone = next(a for i, a in enumerate(owing.terms.allocations) if i not in owing.paid).milestone_id.decode()
    crowd.release(deepcopy(owing), milestone, (), numbers(owing)[: owing.terms.quorum_threshold])
    await write(db, [crowd.block()], NETWORK)
    crowd.height, crowd.slot, crowd.heights, crowd.promises = there


# --- what things are worth, counted from what was done


def state(promise: Promise, slot: int = 1 << 62) -> str:
    complete = all(i in promise.paid and promise.paid[i][0] <= slot for i in range(len(promise.terms.allocations)))
    if promise.ended is not None and promise.ended <= slot:
        return "closed" if complete else "reclaimed"
    return "completed" if complete else "open"


def total(promise: Promise) -> int:
    return sum(each.token_amount for each in promise.terms.allocations)


def paid(promise: Promise, slot: int = 1 << 62) -> int:
    return sum(promise.terms.allocations[i].token_amount for i, (at, _) in promise.paid.items() if at <= slot)


def token(promise: Promise) -> tuple[str, str]:
    return promise.terms.token.policy_id.hex(), promise.terms.token.asset_name.hex()


def time(slot: int) -> datetime:
    return START + timedelta(seconds=slot)


def iso(when: datetime) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def vests(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC)


def unpaid(held: Held) -> Iterator[tuple[Promise, Any]]:
    """The allocations that are owed."""
    for promise in held.promises:
        for i, each in enumerate(promise.terms.allocations):
            if i not in promise.paid and promise.ended is None:
                yield promise, each


def milestones(held: Held) -> Iterator[tuple[Promise, str]]:
    return ((promise, milestone) for promise in held.promises for milestone in promise.milestones)


def grouped(rows: Iterator[tuple[Any, int]]) -> list[tuple[Any, ...]]:
    """Of each key, how many amounts, and their sum."""
    found: dict[Any, list[int]] = defaultdict(list)
    for key, amount in rows:
        found[key].append(amount)
    return [(*key, len(amounts), sum(amounts)) for key, amounts in found.items()]


def status(valid: int, threshold: int) -> str:
    return "exceeded" if valid > threshold else "met" if valid == threshold else "pending"


# --- the answers


def by_token(held: Held) -> list[tuple[Any, ...]]:
    found = []
    for key in {token(promise) for promise in held.promises}:
        of = [promise for promise in held.promises if token(promise) == key]
        back = sum(total(each) - paid(each) for each in of if each.ended is not None)
        owed = sum(total(each) - paid(each) for each in of if each.ended is None)
        found.append((*key, len(of), sum(map(total, of)), sum(map(paid, of)), back, owed))
    return found


def by_funder(held: Held) -> list[tuple[Any, ...]]:
    states: dict[str, Counter[str]] = defaultdict(Counter)
    for promise in held.promises:
        states[promise.terms.funder.hex()][state(promise)] += 1
    return [
        (funder, of.total(), of["open"], of["completed"] + of["closed"], of["reclaimed"])
        for funder, of in states.items()
    ]


def by_beneficiary(held: Held) -> list[tuple[Any, ...]]:
    return grouped(
        ((address_text(each.beneficiary, 0), *token(promise)), each.token_amount) for promise, each in unpaid(held)
    )


def next_month(held: Held) -> list[tuple[Any, ...]]:
    return grouped(
        (token(promise), each.token_amount)
        for promise, each in unpaid(held)
        if datetime(2025, 7, 1, tzinfo=UTC) <= vests(each.vesting_timestamp) < datetime(2025, 8, 1, tzinfo=UTC)
    )


def due_now(held: Held) -> list[tuple[Any, ...]]:
    due: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for promise, each in unpaid(held):
        milestone = each.milestone_id.decode()
        if promise.met(milestone) is not None and vests(each.vesting_timestamp) <= NOW:
            due[promise.id.hex(), milestone].append(each)
    return [
        (*key, len(of), sum(a.token_amount for a in of), iso(min(vests(a.vesting_timestamp) for a in of)))
        for key, of in due.items()
    ]


def runway(held: Held) -> list[tuple[Any, ...]]:
    locked: Counter[tuple[str, ...]] = Counter()
    spent: Counter[tuple[str, ...]] = Counter()
    for promise in held.promises:
        key = promise.terms.funder.hex(), *token(promise)
        if promise.ended is None:
            locked[key] += total(promise) - paid(promise)
        for i, (slot, _) in promise.paid.items():
            if time(slot) > NOW - timedelta(days=90):
                spent[key] += promise.terms.allocations[i].token_amount
    return [
        (*key, amount, spent[key] or None, int(90.0 * amount / spent[key]) if spent[key] else None)
        for key, amount in locked.items()
    ]


def weekly(held: Held) -> list[tuple[Any, ...]]:
    weeks: dict[str, list[bytes]] = defaultdict(list)
    for promise in held.promises:
        for slot, _, _ in promise.releases:
            weeks[time(slot).strftime("%Y-%W")].append(promise.id)
    return [(week, len(ids), len(set(ids))) for week, ids in weeks.items()]


def how_long(held: Held) -> list[tuple[Any, ...]]:
    times: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for promise, milestone in milestones(held):
        met = promise.met(milestone)
        if met is not None:
            first = promise.valid(milestone)[0].slot
            times[promise.terms.funder.hex()].append((met - promise.created, met - max(first, promise.created)))
    return [
        (funder, len(of), sum(a for a, _ in of) // len(of), sum(b for _, b in of) // len(of), max(b for _, b in of))
        for funder, of in times.items()
    ]


def late(held: Held) -> list[tuple[Any, ...]]:
    behind: dict[bytes, list[tuple[int, bool]]] = defaultdict(list)
    for promise, milestone in milestones(held):
        valid, met = promise.valid(milestone), promise.met(milestone)
        for each in valid:
            behind[each.oracle].append((each.slot - valid[0].slot, met is not None and each.slot > met))
    return [
        (oracle.hex(), len(of), sum(n for n, _ in of) // len(of), max(n for n, _ in of), sum(after for _, after in of))
        for oracle, of in behind.items()
    ]


def participation(held: Held) -> list[tuple[Any, ...]]:
    asked: Counter[bytes] = Counter()
    answered: Counter[bytes] = Counter()
    for promise, milestone in milestones(held):
        asked.update(promise.terms.oracles)
        answered.update(each.oracle for each in promise.valid(milestone))
    return [(oracle.hex(), n, answered[oracle]) for oracle, n in asked.items()]


def verdict(promise: Promise, each: Any) -> str:
    if each.milestone not in promise.milestones:
        return "unknown_milestone"
    if each.oracle not in promise.terms.oracles:
        return "unauthorised"
    if not each.good:
        return "bad_signature"
    return "valid" if any(each is one for one in promise.valid(each.milestone)) else "duplicate"


def for_nothing(held: Held) -> list[tuple[Any, ...]]:
    found = Counter((verdict(promise, each), each.source) for promise in held.promises for each in promise.signed)
    return [(*key, n) for key, n in found.items() if key[0] != "valid"]


def by_reason(held: Held) -> list[tuple[Any, ...]]:
    return list(Counter(reason.partition(":")[0] for reason in held.crowd.rejected).items())


def not_fanned_out(held: Held) -> list[tuple[Any, ...]]:
    found = []
    for funder in {promise.terms.funder for promise in held.promises}:
        of = [promise for promise in held.promises if promise.terms.funder == funder]
        valid = [[each for m in promise.milestones for each in promise.valid(m)] for promise in of]
        people = sum(len({a.beneficiary for a in promise.terms.allocations}) for promise in of)
        most = max(len({each.oracle for each in each_valid}) for each_valid in valid)
        found.append((funder.hex(), sum(map(total, of)), people, sum(map(len, valid)), most))
    return found


def any_size(held: Held) -> list[tuple[Any, ...]]:
    totals: dict[tuple[str, str], list[int]] = defaultdict(list)
    for promise in held.promises:
        totals[token(promise)].append(total(promise))
    return [(*key, sum(n // 10**9 for n in of), sum(n % 10**9 for n in of)) for key, of in totals.items()]


ANSWERS: Final[dict[str, Callable[[Held], list[tuple[Any, ...]]]]] = {
    "Paid against promised, by token": by_token,
    "Distributions by funder": by_funder,
    "Unpaid by beneficiary": by_beneficiary,
    "Owed next month": next_month,
    "Due now": due_now,
    "Runway": runway,
    "Releases per week": weekly,
    "How long a quorum takes": how_long,
    "Who attests late": late,
    "Oracles' participation": participation,
    "Signatures that count for nothing": for_nothing,
    "Rejected outputs by reason": by_reason,
    "Totals that do not fan out": not_fanned_out,
    "Totals of any size": any_size,
}
ELSEWHERE: Final = {
    "One distribution, milestone by milestone",
    "State as of a slot",
    "Quorums as of a slot",
    "State as of a date",
    "Events for a report",
}


def test_every_question_of_the_page_is_asked_here() -> None:
    """One that is added there has to be answered."""
    assert ANSWERS.keys() | ELSEWHERE == QUESTIONS.keys()
    assert PAGE.read_text(encoding="utf-8").count("```sql") == len(QUESTIONS) >= 12


@pytest.mark.parametrize("question", ANSWERS)
def test_sql_says_what_counting_says(held: Held, question: str) -> None:
    """Of every row; and there is something to say."""
    expected = ANSWERS[question](held)
    assert len(expected) > 1
    assert sorted(expected, key=repr) == sorted(held.ask(question), key=repr)


def without_each_condition(sql: str) -> Iterator[tuple[str, str]]:
    """Each condition after WHERE, also those of a FILTER, and the question without it."""
    for begun in re.finditer(r"\b(?:WHERE|AND)\s+", sql):
        depth = 0
        for found in re.finditer(r"[()]|\b(?:AND|GROUP|ORDER|THEN)\b|;", sql[begun.end() :]):
            depth += {"(": 1, ")": -1}.get(found[0], 0)
            if depth < 0 or (depth == 0 and found[0] not in "()"):
                end = begun.end() + found.start()
                yield " ".join(sql[begun.end() : end].split()), f"{sql[: begun.end()]}1 {sql[end:]}"
                break


@pytest.mark.parametrize("question", ANSWERS)
def test_no_condition_of_a_question_can_be_left_out_unnoticed(held: Held, question: str) -> None:
    """Without it the answer is another one, unless it is there for the index alone."""
    answer = sorted(map(repr, held.ask(question)))
    for condition, sql in without_each_condition(QUESTIONS[question]):
        noticed = sorted(map(repr, held.ask_sql(sql))) != answer
        assert noticed != (condition == "a.paid_slot IS NOT NULL"), condition  # it has a `paid_at`


def test_questions_that_ask_for_an_order_get_it(held: Held) -> None:
    """Those whose rows have one that matters."""
    weeks = [week for week, *_ in held.ask("Releases per week")]
    since = [row[-1] for row in held.ask("Due now")]
    behind = [row[2] for row in held.ask("Who attests late")]
    assert (weeks, since, behind) == (sorted(weeks), sorted(since), sorted(behind, reverse=True))


def test_each_distribution_is_told_milestone_by_milestone(held: Held) -> None:
    """As of the clock."""
    for promise in held.promises:
        expected = []
        for milestone in promise.milestones:
            threshold, met = promise.terms.quorum_threshold, promise.met(milestone)
            of = [(i, a) for i, a in enumerate(promise.terms.allocations) if a.milestone_id.decode() == milestone]
            ahead = [vests(a.vesting_timestamp) for i, a in of if i not in promise.paid]
            valid = len(promise.valid(milestone))
            expected.append(
                (
                    milestone,
                    f"{valid} of {threshold}",
                    status(valid, threshold),
                    None if met is None else iso(time(met)),
                    sum(a.token_amount for _, a in of),
                    sum(a.token_amount for _, a in of if vests(a.vesting_timestamp) <= NOW),
                    sum(a.token_amount for i, a in of if i in promise.paid),
                    min((iso(when) for when in ahead if when > NOW), default=None),
                )
            )
        found = held.ask("One distribution, milestone by milestone", distribution=promise.id.hex())
        assert sorted(expected) == sorted(found)


def test_as_of_every_slot_sql_says_what_the_product_says(held: Held) -> None:
    """At each block, and just before it; and the promises agree."""
    slots = {slot - back for slot in held.crowd.heights for back in (0, 1)}
    for slot in sorted(slots):
        states, quorums = [], []
        for promise in held.promises:
            life = held.lives[promise.id].at(slot)
            if life.origin is None:
                continue
            done = sum(life.terms.allocations[i].token_amount for i in life.claims)
            states.append((life.id.hex(), str(life.state), len(life.claims), done, total(promise) - done))
            assert (state(promise, slot), paid(promise, slot)) == (life.state, done)
            for milestone, tally in assess(life)[0].items():
                met = None if tally.completing is None else max(promise.created, tally.completing.slot)
                quorums.append((life.id.hex(), milestone.decode(), len(tally.valid), str(tally.status), met))
        assert sorted(states) == sorted(held.ask("State as of a slot", slot=slot))
        assert sorted(quorums, key=repr) == sorted(held.ask("Quorums as of a slot", slot=slot), key=repr)
        by_date = [(name, told, amount) for name, told, _, amount, _ in states]
        assert sorted(by_date) == sorted(held.ask("State as of a date", date=iso(time(slot))))


def events_of(promise: Promise) -> Iterator[tuple[int, str, str | None, int]]:
    """Slot, type, milestone, and the slot of the newest block it rests on: what a file showed rests on others."""
    yield promise.created, "distribution.created", None, promise.created
    for each in promise.signed:
        told = {"valid": "accepted", "duplicate": None}.get(verdict(promise, each), "rejected")
        if told is not None:
            slot = max(promise.created, each.slot)
            yield slot, f"attestation.{told}", each.milestone, promise.created if each.source == "local" else slot
    for milestone in promise.milestones:
        met = promise.met(milestone)
        if met is not None:
            counted = promise.valid(milestone)[: promise.terms.quorum_threshold]
            seen = [each.slot for each in counted if each.source != "local"]
            yield met, "milestone.quorum_met", milestone, max(promise.created, *seen, 0)
    for slot, milestone, _ in promise.releases:
        yield slot, "milestone.released", milestone, slot
    if len(promise.paid) == len(promise.terms.allocations):
        last = max(slot for slot, _ in promise.paid.values())
        yield last, "distribution.completed", None, last
    if promise.ended is not None:
        yield promise.ended, f"distribution.{state(promise)}", None, promise.ended


def test_a_report_has_the_events_that_hold_each_as_sure_as_it_is(held: Held) -> None:
    """Those that a fork took back are there, and told only to those who ask for them."""
    first, last = START + timedelta(days=30), START + timedelta(days=365)
    tip = held.crowd.height - 1
    expected: Counter[tuple[str, str, str, str | None, str]] = Counter()
    for promise in held.promises:
        for slot, kind, milestone, rests_on in events_of(promise):
            if first <= time(slot) < last:
                depth = tip - held.crowd.heights[rests_on]
                finality = "final" if depth >= 40 else "confirmed" if depth >= 15 else "seen"
                expected[iso(time(slot)), kind, promise.id.hex(), milestone, finality] += 1
    span = {"from": iso(first), "to": iso(last)}
    found = held.ask("Events for a report", **span)
    assert expected == Counter(row[:5] for row in found)
    assert [row[0] for row in found] == sorted(row[0] for row in found)
    assert {"seen", "confirmed", "final"} == {row[4] for row in found}
    db = sqlite3.connect(held.path)
    assert db.execute("SELECT count(*) FROM events WHERE finality = 'retracted'").fetchone()[0] > 1
    db.close()


async def test_totals_beyond_64_bits_are_told_or_refused(tmp_path: Path) -> None:
    """Strangers may promise what they like: the plain sum stops, the parts are exact."""
    largest = (1 << 63) - 1
    crowd = Crowd(NETWORK)
    for _ in range(3):
        crowd.found(terms_of([("m0", 0, largest, 0)]))
    path = tmp_path / "db.sqlite"
    async with opened(path) as db:
        await begin(db, NETWORK)
        await write(db, [crowd.block()], NETWORK)
    held = Held(path, crowd, {})
    [(_, _, billions, rest)] = held.ask("Totals of any size")
    assert 3 * largest == billions * 10**9 + rest
    with pytest.raises(sqlite3.OperationalError, match="integer overflow"):
        held.ask("Paid against promised, by token")


def test_the_connection_of_the_page_reads_and_cannot_write(
    held: Held, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The Python block, as it stands."""
    [block] = re.findall(r"```python\n((?:.*\n)*?)```", PAGE.read_text(encoding="utf-8"))
    for each in held.path.parent.glob(f"{held.path.name}*"):
        (tmp_path / each.name.replace(held.path.name, "indexer.sqlite")).write_bytes(each.read_bytes())
    monkeypatch.chdir(tmp_path)
    told: dict[str, Any] = {}
    exec(block, told)
    with told["connection"] as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM distribution")
    told["connection"].close()
    assert len([promise for promise in held.promises if promise.created <= 1_000_000]) == len(told["rows"])

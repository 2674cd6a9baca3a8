"""What lies between two runs of the daemon: configurations that change, a projection that is dropped; and history that
is sent on purpose."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiosqlite import Connection

from indexer.domain.delivery import Finality, Since, Wants
from indexer.domain.events import Event
from indexer.edge.sinks.message import Message
from indexer.status import DeliveryStatus
from indexer.store import checkpoints, events, goback, outbox
from indexer.store.db import opened, transaction
from indexer.workers.deliver import Deliverer, NotRetried, Post, SinkUnknown
from indexer.workers.upkeep import A_DAY_MS, Upkeep
from tests.delivery.world import DISTRIBUTIONS, FUNDERS, GENESIS_MS, NETWORK, promised

DISTRIBUTION = DISTRIBUTIONS[0]
FUNDER = FUNDERS[DISTRIBUTION]


class Keeps:
    """A receiver that keeps what it gets."""

    at_once = 4

    def __init__(self) -> None:
        self.got: list[str] = []

    async def send(self, message: Message) -> None:
        self.got.append(message.id)

    async def close(self) -> None:
        pass


def event(number: int, kind: str = "milestone.released") -> Event:
    data = {"funder": FUNDER} if kind == "distribution.created" else {"amount": 1}
    return Event(f"{number:032x}", kind, DISTRIBUTION, None, number, number, False, data)


async def store(db: Connection, *found: Event) -> None:
    async with transaction(db):
        await events.reconcile(db, [], found, whole=False)


async def run(db: Connection, posts: Sequence[Post], rounds: int = 10, now_ms: int = GENESIS_MS) -> None:
    """A daemon's life; without rounds one that dies as soon as it has opened."""
    deliverer = Deliverer(db, "devnet", posts, lambda: now_ms, DeliveryStatus(), lambda: 0.0)
    await deliverer.open()
    await work(deliverer, rounds)
    await deliverer.close()


async def work(deliverer: Deliverer, rounds: int = 10) -> None:
    for _ in range(rounds):
        await deliverer.step()
        await asyncio.sleep(0)


async def test_a_sink_that_is_back_hears_in_order_also_of_what_came_last(tmp_path: Path) -> None:
    """What came just before the daemon stopped had been handed to nobody yet."""
    sink = Keeps()
    post = Post("one", sink, Wants(everything=True), Since())
    async with opened(tmp_path / "db.sqlite") as db:
        await checkpoints.claim(db, NETWORK)
        await run(db, [post])
        await run(db, [], rounds=0)
        await store(db, event(1), event(2))
        await run(db, [], rounds=1)
        await store(db, event(3))
        await run(db, [post])
    assert sink.got == [f"{number:032x}.0" for number in (1, 2, 3)]


async def test_the_sink_of_a_funder_misses_nothing_when_the_projection_is_dropped(tmp_path: Path) -> None:
    """An event came just before the daemon stopped; then `indexer rebuild` dropped the distribution that says whose it
    is. The event comes back as it was, when the chain is read again."""
    sink = Keeps()
    post = Post("one", sink, Wants(funders=frozenset({FUNDER})), Since())
    created, released = event(1, "distribution.created"), event(2)
    async with opened(tmp_path / "db.sqlite") as db:
        await checkpoints.claim(db, NETWORK)
        await promised(db)
        await run(db, [post])
        await store(db, created, released)
        await goback.rebuild(db)
        await run(db, [post], rounds=0)
        await store(db, created, released)
        await run(db, [post])
    assert sink.got == [f"{number:032x}.0" for number in (1, 2)]


async def test_history_that_is_sent_again_begins_where_it_was_asked_for(tmp_path: Path) -> None:
    """What had arrived of earlier blocks is not sent once more."""
    sink = Keeps()
    async with opened(tmp_path / "db.sqlite") as db:
        await checkpoints.claim(db, NETWORK)
        deliverer = Deliverer(
            db,
            "devnet",
            [Post("one", sink, Wants(everything=True), Since())],
            lambda: GENESIS_MS,
            DeliveryStatus(),
            lambda: 0.0,
        )
        await deliverer.open()
        await store(db, event(1), event(2), event(3))
        await work(deliverer)
        sink.got.clear()
        assert await deliverer.backfill("one", Since(slot=2), again=True) == {"sink": "one", "messages": 1}
        await work(deliverer)
        await deliverer.close()
    assert sink.got == [f"{3:032x}.0"]


async def test_what_a_file_showed_before_the_first_block_of_a_sink_is_sent_on_purpose(tmp_path: Path) -> None:
    """It counts from the newest block there was when the daemon found it, which is older than the sink. As with all
    that is older nobody is told twice when the database is made anew."""
    sink, now_ms = Keeps(), GENESIS_MS + 1_000_500  # half a second behind the block
    of_a_file = replace(event(1, "attestation.accepted"), slot=1_000, by_file=True)
    async with opened(tmp_path / "db.sqlite") as db:
        await checkpoints.claim(db, NETWORK)
        posts = [Post("one", sink, Wants(everything=True))]
        deliverer = Deliverer(db, "devnet", posts, lambda: now_ms, DeliveryStatus(), lambda: 0.0)
        await deliverer.open()
        await store(db, of_a_file, replace(event(2), slot=1_001))
        await work(deliverer)
        assert sink.got == [f"{2:032x}.0"]
        assert await deliverer.backfill("one", Since(ms=GENESIS_MS + 1_000_000), again=False) == {
            "sink": "one",
            "messages": 1,
        }
        await work(deliverer)
        await deliverer.close()
    assert sink.got == [f"{2:032x}.0", f"{1:032x}.0"]


async def test_a_sink_that_cannot_be_closed_does_not_hold_up_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a connection whose other end does not answer any more; nor one that breaks while it is closed."""
    monkeypatch.setattr("indexer.workers.deliver.GRACE_S", 0.05)

    class Endless(Keeps):
        async def close(self) -> None:
            await asyncio.Event().wait()

    class Broken(Keeps):
        async def close(self) -> None:
            raise ConnectionResetError

    sinks = {"broken": Broken(), "endless": Endless()}
    async with opened(tmp_path / "db.sqlite") as db, asyncio.timeout(10):
        await checkpoints.claim(db, NETWORK)
        await run(db, [Post(name, sink, Wants(everything=True)) for name, sink in sinks.items()])


async def test_a_sink_that_is_new_looks_through_no_history_that_it_does_not_ask_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon starts as fast as before, whatever there is; what stirs just then is for the new one too."""
    looked, make_up = [], outbox.make_up

    async def looks(db: Connection, name: str, *most: Any, **named: Any) -> Any:
        looked.append(name)
        return await make_up(db, name, *most, **named)

    monkeypatch.setattr(outbox, "make_up", looks)
    asks, hears, later = Keeps(), Keeps(), event(2)
    async with opened(tmp_path / "db.sqlite") as db:
        await checkpoints.claim(db, NETWORK)
        await store(db, event(1), replace(later, slot=1_000_000))
        posts = [Post("asks", asks, Wants(everything=True), Since()), Post("hears", hears, Wants(everything=True))]
        await run(db, posts, now_ms=GENESIS_MS + 500_000_000)
    assert looked == ["asks"]
    assert asks.got == [f"{number:032x}.0" for number in (1, 2)]
    assert hears.got == [f"{2:032x}.0"]


async def test_of_dead_letters_those_are_retried_that_are_still_true(tmp_path: Path) -> None:
    """The others are settled by their newer message: they ring no alarm any longer."""
    posts = [Post("one", Keeps(), Wants(everything=True), Since(slot=0))]
    async with opened(tmp_path / "db.sqlite") as db:
        await checkpoints.claim(db, NETWORK)
        await store(db, event(1), event(2))
        await run(db, posts)
        await db.execute("UPDATE delivery SET state = 'dead'")
        await db.execute("UPDATE event SET turns = 1, gone = 1 WHERE event_id = ?", (f"{2:032x}",))
        deliverer = Deliverer(db, "devnet", posts, lambda: GENESIS_MS, DeliveryStatus())
        await deliverer.open()
        assert await deliverer.retry("one", None) == {"retried": 1, "outdated": 1}
        rows = await db.execute_fetchall("SELECT event_id, state FROM delivery WHERE turn = 0 ORDER BY event_id")
        assert [tuple(row) for row in rows] == [(f"{1:032x}", "pending"), (f"{2:032x}", "cancelled")]
        await deliverer.close()


async def test_of_a_sink_that_is_left_out_nothing_is_retried_and_nothing_counted(tmp_path: Path) -> None:
    """It would never be sent; and whoever asks is told so."""
    names, status = ("gone", "here"), DeliveryStatus()
    posts = {name: Post(name, Keeps(), Wants(everything=True), Since(slot=0)) for name in names}
    async with opened(tmp_path / "db.sqlite") as db:
        await checkpoints.claim(db, NETWORK)
        await store(db, event(1), event(2))
        await run(db, list(posts.values()))
        await db.execute("UPDATE delivery SET state = 'dead'")
        await db.execute("UPDATE delivery SET state = 'pending' WHERE sink = 'gone' AND event_id = ?", (f"{2:032x}",))
        deliverer = Deliverer(db, "devnet", [posts["here"]], lambda: GENESIS_MS, status)
        await deliverer.open()
        await deliverer.step()
        assert status.queued == {"here": (0, 0, 2)}
        for ask in (deliverer.retry("gone", None), deliverer.backfill("gone", Since(), again=False)):
            with pytest.raises(SinkUnknown, match="any longer") as refused:
                await ask
            assert "config.toml" in str(refused.value.hint)
        with pytest.raises(SinkUnknown) as unknown:
            await deliverer.retry("another", None)
        assert unknown.value.hint == "one of here"
        assert await deliverer.retry(None, None) == {"retried": 2, "outdated": 0}
        dead = await db.execute_fetchall("SELECT sink FROM delivery WHERE state = 'dead'")
        assert [row[0] for row in dead] == ["gone"]
        with pytest.raises(NotRetried, match="sink of the configuration"):
            await deliverer.retry(None, f"{1:032x}.0")
        await deliverer.close()


@pytest.mark.parametrize("finality", [Finality.SEEN, Finality.FINAL])
@pytest.mark.parametrize(
    "narrower",
    [Wants(types=("distribution.*",), everything=True), Wants(distributions=frozenset({"ee" * 32})), Wants()],
    ids=["other types", "other distributions", "another funder"],
)
async def test_what_a_sink_does_not_want_any_longer_is_not_sent_although_it_was_to_be(
    narrower: Wants, finality: Finality, tmp_path: Path
) -> None:
    """Such as to a receiver who is not to know any longer. What it wants again later can be sent on purpose."""
    sink = Keeps()
    wide = Wants(funders=frozenset({FUNDER}), finality=finality)
    async with opened(tmp_path / "db.sqlite") as db:
        await checkpoints.claim(db, NETWORK)
        await promised(db)
        before = Deliverer(db, "devnet", [Post("one", sink, wide, Since())], lambda: GENESIS_MS, DeliveryStatus())
        await before.open()
        await store(db, event(1), event(2))
        async with transaction(db):
            await outbox.hand_out(db, before.sinks, GENESIS_MS)
        await before.close()
        await db.execute("UPDATE chain SET cursor_height = 1000000")
        await run(db, [Post("one", sink, replace(narrower, finality=finality), Since())])
        assert sink.got == []
        rows = await db.execute_fetchall("SELECT DISTINCT state FROM delivery")
        assert [row[0] for row in rows] == ["cancelled"]
        deliverer = Deliverer(db, "devnet", [Post("one", sink, wide, Since())], lambda: GENESIS_MS, DeliveryStatus())
        await deliverer.open()
        assert await deliverer.backfill("one", Since(), again=False) == {"sink": "one", "messages": 2}
        await work(deliverer)
        await deliverer.close()
    assert sink.got == [f"{number:032x}.0" for number in (1, 2)]


@pytest.mark.parametrize("forgets", [False, True], ids=["kept", "deleted"])
async def test_of_what_it_was_told_a_sink_hears_on_whatever_it_wants_now(forgets: bool, tmp_path: Path) -> None:
    """One event was taken back before the configuration changed and its retraction waits; it holds again later. Another
    is taken back after that. Neither is left to be believed wrongly."""
    sink = Keeps()
    one = Post("one", sink, Wants(everything=True), Since())
    narrow = replace(one, wants=Wants(types=("distribution.*",), everything=True))
    turn = "UPDATE event SET turns = turns + 1, gone = 1 - gone WHERE event_id = ?"
    async with opened(tmp_path / "db.sqlite") as db:
        await checkpoints.claim(db, NETWORK)
        await store(db, event(1), event(2))
        await run(db, [one])
        assert sink.got == [f"{number:032x}.0" for number in (1, 2)]
        if forgets:
            await db.execute("UPDATE chain SET cursor_height = 1000000")
            await Upkeep(db, lambda: GENESIS_MS + 2 * A_DAY_MS, 1, 1, pause_s=0.0).prune()
        await db.execute(turn, (event(1).id,))
        await run(db, [one], rounds=0)  # handed out, and not begun
        await run(db, [narrow])
        assert sink.got[2:] == [f"{1:032x}.1"]
        await db.execute(turn, (event(1).id,))
        await run(db, [narrow], rounds=0)
        await db.execute(turn, (event(2).id,))
        await run(db, [narrow])
        assert next(iter(await db.execute_fetchall("SELECT count(*) FROM told")))[0] == (2 if forgets else 0)
    assert sorted(sink.got[3:]) == [f"{1:032x}.2", f"{2:032x}.1"]

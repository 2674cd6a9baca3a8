"""What is settled and old is deleted, and nobody is told anything else for that."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
from aiosqlite import Connection

from indexer.domain.delivery import Finality, Since, Wants
from indexer.store import checkpoints, events, goback, letters, outbox
from indexer.store.db import opened, transaction
from indexer.workers.upkeep import A_DAY_MS, Upkeep
from tests.delivery.world import BLOCK_S, CONFIRMED, DISTRIBUTIONS, NETWORK, Block, K, World
from tests.support.following import select

SINKS: Final = {
    "all": Wants(everything=True),
    "sure": Wants(everything=True, finality=Finality.CONFIRMED),
    "final": Wants(types=("milestone.*",), everything=True, finality=Finality.FINAL),
    "his": Wants(distributions=frozenset({DISTRIBUTIONS[1].hex()})),
}
A_BLOCK_MS: Final = BLOCK_S * 1000
DAYS: Final = 2 * A_BLOCK_MS / A_DAY_MS
Sent = tuple[str, str, str, int]  # sink, message, finality, attempt


class Twin(World):
    """A world that sends one message after the other, so that a seed always brings about the same; it deletes what is
    old, or it does not."""

    db: Connection
    prunes = True
    forgets_dead = False
    calm = False

    def begin(self, db: Connection) -> None:
        self.db, self.sent = db, list[Sent]()
        self.sinks = {name: (wants, Since(ms=0)) for name, wants in SINKS.items()}

    async def _turn(self, *, may_die: bool = True) -> None:  # noqa: ARG002 -- as the world calls it
        async with transaction(self.db):
            while await outbox.hand_out(self.db, self.sinks, self.now_ms):
                pass
        for name, (wants, _) in self.sinks.items():
            async with transaction(self.db):
                reach = await outbox.reach(self.db, wants.finality)
                await outbox.ripen(self.db, name, reach)
                look = await outbox.due(self.db, name, self.now_ms, reach, (), "", 3)
                for each in await outbox.begin(self.db, look.numbers, self.now_ms):
                    self.sent.append((name, each.id, each.event["finality"], each.attempts))
                    match 2 if self.calm else self.rng.randint(0, 5):
                        case 0:
                            await outbox.failed(self.db, each.number, "away", self.now_ms + A_BLOCK_MS)
                        case 1:
                            await outbox.died(self.db, each.number, "gone", self.now_ms)
                        case _:
                            await outbox.arrived(self.db, each.number, self.now_ms)
        if self.prunes:
            dead_days = DAYS if self.forgets_dead else None
            await Upkeep(self.db, lambda: self.now_ms, DAYS, dead_days, pause_s=0.0).prune()

    async def rebuild(self) -> None:
        """The chain is read anew; something of it is not found any more, such as what was at a contract left out."""
        await goback.rebuild(self.db)
        lost = self.rng.choice((0.0, 0.1))
        self.blocks = [
            replace(block, events=tuple(each for each in block.events if self.rng.random() >= lost))
            for block in self.blocks
        ]
        await self.store(self.db)

    async def tell_of_the_past(self) -> None:
        """A sink comes back, hears from elsewhere on, or is sent on purpose what it was not told."""
        name = self.rng.choice(list(SINKS))
        slot = self.rng.choice([-1, *(block.slot for block in self.blocks)])
        async with transaction(self.db):
            await outbox.make_up(self.db, name, SINKS[name], Since(slot=slot, event=0), self.now_ms, most=10_000)

    async def tell_everything_again(self) -> list[Sent]:
        """Every sink is sent all of history, also what it had: what that is, in order of the messages' ids."""
        self.calm = True
        for _ in range(K + 1):
            self.blocks.append(Block(self.blocks[-1].slot + BLOCK_S, self.height + 1, ()))
        await self.store(self.db)
        for again in (False, True):
            self.sent.clear()
            for name, wants in SINKS.items():
                async with transaction(self.db):
                    await outbox.make_up(self.db, name, wants, Since(), self.now_ms, again=again, most=10_000)
            waits = "SELECT count(*) FROM delivery WHERE state = 'pending' AND ready = 1"
            while next(iter(await self.db.execute_fetchall(waits)))[0]:
                self.now_ms += A_BLOCK_MS
                await self._turn()
        return sorted(self.sent)

    async def pass_time(self) -> None:
        for _ in range(60):
            self.now_ms += A_BLOCK_MS
            match self.rng.randint(0, 9):
                case 0:
                    await self.fork(self.db)
                case 1:
                    await self.tell(self.db)
                case 2:
                    await self.tell_of_the_past()
                case 3 if self.rng.random() < 0.3:
                    await self.rebuild()
                case 4 if not self.forgets_dead:
                    async with transaction(self.db):
                        await letters.revive(self.db, SINKS)
                case _:
                    self.grow(recurring=self.rng.random() < 0.1)
                    await self.store(self.db)
            await self._turn()


async def lived(seed: int, path: Path, *, prunes: bool, forgets_dead: bool) -> tuple[list[Sent], int, int]:
    """All that was sent, and then once more; how many messages are in the database before that, and how many are
    remembered of others."""
    twin = Twin(seed, path)
    twin.prunes, twin.forgets_dead = prunes, forgets_dead
    async with opened(path) as db:
        await checkpoints.claim(db, NETWORK)
        await db.execute("UPDATE chain SET confirmed_depth = ?", (CONFIRMED,))
        twin.begin(db)
        await twin.pass_time()
        (counted,) = select(path, "SELECT (SELECT count(*) FROM delivery) AS d, (SELECT count(*) FROM told) AS t")
        sent = [*twin.sent]
        sent += await twin.tell_everything_again()
    return sent, int(counted["d"]), int(counted["t"])


@pytest.mark.parametrize("seed", range(1, 21))
async def test_what_sinks_are_told_is_the_same_whether_old_messages_are_deleted_or_not(
    seed: int, tmp_path: Path
) -> None:
    """Message by message, with finality and attempts: through forks, rebuilds that find less, sinks that come back and
    history that is sent again. With dead letters kept, and deleted too."""
    for forgets_dead in (False, True):
        kept, all_of_them, none = await lived(
            seed, tmp_path / f"{forgets_dead}-kept", prunes=False, forgets_dead=forgets_dead
        )
        pruned, few, remembered = await lived(
            seed, tmp_path / f"{forgets_dead}-pruned", prunes=True, forgets_dead=forgets_dead
        )
        assert pruned == kept
        assert len(kept) > 20
        assert none == 0
        assert few < all_of_them
        assert remembered


async def settled(db: Connection, world: World, heights: Sequence[int]) -> None:
    """An event a block, told to one sink, which has it."""
    for height in heights:
        event = replace(world._event(height, height), id=f"{height:032x}", type="milestone.released")
        world.blocks.append(Block(height, height, (event,)))
    await world.store(db)
    async with transaction(db):
        await outbox.hand_out(db, {"one": (Wants(everything=True), Since())}, world.now_ms)
        rows = list(await db.execute_fetchall("SELECT number FROM delivery"))
        for each in await outbox.begin(db, [row[0] for row in rows], world.now_ms):
            await outbox.arrived(db, each.number, world.now_ms)


def numbers(path: Path) -> list[int]:
    """Heights of the events whose messages are there."""
    return [int(row["event_id"], 16) for row in select(path, "SELECT event_id FROM delivery ORDER BY event_id")]


async def test_only_what_is_settled_for_long_and_final_goes(tmp_path: Path) -> None:
    """Not what waits, was given up, was settled lately, or lies where a fork can still reach; nor what an event that is
    in doubt, or that nobody was asked about yet, may need."""
    path, world = tmp_path / "db.sqlite", World(1, tmp_path)
    top = K + 8
    async with opened(path) as db:
        await checkpoints.claim(db, NETWORK)
        await settled(db, world, range(1, top + 1))
        await db.execute("UPDATE delivery SET state = 'pending', ended_ms = NULL WHERE event_id LIKE '%001'")
        await db.execute("UPDATE delivery SET state = 'dead' WHERE event_id LIKE '%002'")
        await db.execute("UPDATE delivery SET ended_ms = ended_ms + ? WHERE event_id LIKE '%003'", (A_DAY_MS,))
        await db.execute("UPDATE event SET gone = 1 WHERE event_id LIKE '%004'")
        await db.execute("UPDATE event SET turns = 2 WHERE event_id LIKE '%005'")  # into the outbox
        kept = [1, 2, 3, 4, 5, *range(top - K + 1, top + 1)]

        def upkeep(now_ms: int, settled_days: int | None, dead_days: int | None) -> Upkeep:
            return Upkeep(db, lambda: now_ms, settled_days, dead_days, pause_s=0.0)

        later = world.now_ms + A_DAY_MS
        assert await upkeep(later, 1, None).prune() == 0
        assert await upkeep(later + 1, None, None).prune() == 0
        assert await upkeep(later + 1, 1, None).prune() == top - len(kept)
        assert numbers(path) == kept
        assert await upkeep(later + 1, 1, 2).prune() == 0
        assert await upkeep(later + 1, None, 1).prune() == 1  # dead letters alone
        kept.remove(2)
        assert numbers(path) == kept
        await db.execute("UPDATE chain SET cursor_height = NULL")
        assert await upkeep(later + 10 * A_DAY_MS, 1, 1).prune() == 0
    assert len(select(path, "SELECT * FROM told")) == top - len(kept)


async def test_a_message_more_than_a_batch_is_deleted_too(tmp_path: Path) -> None:
    """In transactions of three hundred."""
    path, world = tmp_path / "db.sqlite", World(1, tmp_path)
    async with opened(path) as db:
        await checkpoints.claim(db, NETWORK)
        await settled(db, world, range(1, 501))
        commits = 0

        def counted(statement: str) -> None:
            nonlocal commits
            commits += statement == "COMMIT"

        await db.set_trace_callback(counted)
        gone = await Upkeep(db, lambda: world.now_ms + A_DAY_MS + 1, 1, None, pause_s=0.0).prune()
    assert (gone, commits) == (500 - K, 2)


async def test_events_are_kept(tmp_path: Path) -> None:
    """Whoever analyses has all of them, also those of which no message is there."""
    path, world = tmp_path / "db.sqlite", World(1, tmp_path)
    async with opened(path) as db:
        await checkpoints.claim(db, NETWORK)
        await settled(db, world, range(1, K + 3))
        assert await Upkeep(db, lambda: world.now_ms + A_DAY_MS + 1, 1, None, pause_s=0.0).prune() == 2
        assert not await events.recovering(db)
    assert len(select(path, "SELECT * FROM events")) == K + 2

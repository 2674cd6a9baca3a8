"""Random worlds in which events come and go, sinks fail in every way they can, and the deliverer dies at any moment.

The chain here is a list of blocks, and what holds in the end is read off that list, not off the database. Time is a
number that the world moves.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from aiosqlite import Connection

from indexer.chain.network import Network
from indexer.chain.time import Era
from indexer.domain.delivery import Finality, Wants
from indexer.domain.events import Event
from indexer.edge.sinks.message import Fault, Message, SinkFailed
from indexer.status import DeliveryStatus
from indexer.store import checkpoints, events
from indexer.store.db import opened, transaction
from indexer.workers.deliver import Deliverer, Post
from indexer.workers.upkeep import A_DAY_MS, Upkeep

GENESIS_MS: Final = 1_700_000_000_000
BLOCK_S: Final = 20
K: Final = 6
CONFIRMED: Final = 3
DISTRIBUTIONS: Final = tuple(bytes([n]) * 32 for n in range(1, 5))
TYPES: Final = ("distribution.created", "milestone.quorum_met", "milestone.released", "attestation.rejected")
OF_ITSELF: Final = ("wallet.low", "release.submitted", "follower.stalled", "follower.recovered")
NETWORK: Final = Network("devnet", 42, K, (Era(0, GENESIS_MS, 1000),))
FUNDERS: Final = dict(zip(DISTRIBUTIONS, ("f2" * 28, "f2" * 28, "f1" * 28, "f2" * 28), strict=True))
DEPTHS: Final = {Finality.SEEN: 0, Finality.CONFIRMED: CONFIRMED, Finality.FINAL: K}


async def promised(db: Connection) -> None:
    """The distributions are there, of which the funder is all that matters."""
    async with transaction(db):
        await db.executemany(
            """INSERT INTO distribution (distribution_id, policy, seed_transaction_id, seed_index, datum, funder,
                token_policy, token_name, oracles, quorum_threshold, lovelace_per_payout, keeper_fee_per_payout,
                created_slot) VALUES (?, '', '', 0, x'', ?, '', '', '[]', 1, '0', '0', 1)""",
            [(distribution.hex(), funder) for distribution, funder in FUNDERS.items()],
        )


class Killed(BaseException):
    """As by `kill -9`: nothing catches it."""


@dataclass
class Receiver:
    """Somebody who is told things, and remembers all of it."""

    name: str
    wants: Wants
    world: "World"
    at_once: int = 3
    mode: str = "up"
    away_until_ms: int = 0
    got: list[Message] = field(default_factory=list)
    since_ms: int = 0
    told_from: int = 0  # events of the daemon's own, by number, that there were when it came
    hanging: list[asyncio.Future[bool]] = field(default_factory=list)
    flying: list[str] = field(default_factory=list)
    crowded: bool = False  # two at once of one distribution, or of the daemon's own of one kind

    async def send(self, message: Message) -> None:
        lane = message.event["distribution_id"] or message.type.split(".")[0]
        self.crowded = self.crowded or lane in self.flying
        self.flying.append(lane)
        try:
            await self._answer(message)
        finally:
            self.flying.remove(lane)

    async def _answer(self, message: Message) -> None:
        world = self.world
        await asyncio.sleep(0)
        if world.now_ms < self.away_until_ms:
            raise SinkFailed("connection refused", Fault.SINK)
        match self.mode:
            case "broken":
                raise SinkFailed("answers 500", Fault.SINK, world.rng.choice((None, 30.0)))
            case "picky" if world.rng.random() < 0.4:
                raise SinkFailed("answers 422", Fault.MESSAGE)
            case "bug" if world.rng.random() < 0.2:
                raise ZeroDivisionError
            case "mute":  # it has it, and nobody is told so
                self._receive(message)
                raise SinkFailed("no answer", Fault.SINK)
            case "hang":
                ends: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
                self.hanging.append(ends)
                if not await ends:
                    raise SinkFailed("no answer", Fault.SINK)
        self._receive(message)

    def _receive(self, message: Message) -> None:
        self.got.append(message)

    async def close(self) -> None:
        pass

    def let_go(self, arrives: bool) -> None:
        for ends in self.hanging:
            if not ends.done():
                ends.set_result(arrives)
        self.hanging.clear()

    def believes(self) -> set[str]:
        """The events that hold, as it was told: of each, the message with the highest number counts."""
        turns: defaultdict[str, int] = defaultdict(lambda: -1)
        for message in self.got:
            event_id, _, turn = message.id.rpartition(".")
            turns[event_id] = max(turns[event_id], int(turn))
        return {event_id for event_id, turn in turns.items() if turn % 2 == 0}


@dataclass
class Block:
    slot: int
    height: int
    events: tuple[Event, ...]


@dataclass
class World:
    """One seed."""

    seed: int
    path: Path
    blocks: list[Block] = field(default_factory=list)
    own: list[tuple[str, str]] = field(default_factory=list)  # id and type of what the daemon told of itself
    abandoned: list[Event] = field(default_factory=list)
    now_ms: int = GENESIS_MS + 1_000_000
    trace: list[str] = field(default_factory=list)
    kills: int = 0
    pruned: set[tuple[str, str]] = field(default_factory=set)
    depths: dict[tuple[str, str], int | None] = field(default_factory=dict)  # of events, when messages were begun

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.broom = random.Random(f"broom {self.seed}")  # of its own, so that all else happens as without it
        mine, his = DISTRIBUTIONS[0].hex(), DISTRIBUTIONS[1].hex()
        self.receivers = [
            Receiver("all", Wants(everything=True), self),
            Receiver("noise", Wants(types=("*",), everything=True), self, at_once=1),
            Receiver("sure", Wants(everything=True, finality=Finality.CONFIRMED), self),
            Receiver("final", Wants(types=("milestone.*",), everything=True, finality=Finality.FINAL), self),
            Receiver("mine", Wants(distributions=frozenset({mine}), types=("*.*",)), self),
            Receiver("his", Wants(funders=frozenset({"f1" * 28}), distributions=frozenset({his})), self),
        ]
        self.left_out: set[str] = set()

    # --- the chain

    @property
    def height(self) -> int:
        return self.blocks[-1].height if self.blocks else 0

    def depth_of(self, event_id: str) -> int | None:
        """None: it is in no block."""
        for block in self.blocks:
            if any(event.id == event_id for event in block.events):
                return self.height - block.height
        return None

    def grow(self, recurring: bool = False) -> None:
        height, slot = self.height + 1, (self.blocks[-1].slot if self.blocks else 1000) + BLOCK_S
        self.now_ms = max(self.now_ms, GENESIS_MS + slot * 1000 + 1)  # no block is from the future
        found = []
        for _ in range(self.rng.choice((0, 0, 1, 1, 2, 4))):
            if recurring and self.abandoned and self.rng.random() < 0.6:
                back = self.abandoned.pop(self.rng.randrange(len(self.abandoned)))
                found.append(replace(back, height=height))  # as what a file showed may come to rest on another block
            else:
                found.append(self._event(slot, height))
        self.blocks.append(Block(slot, height, tuple(found)))

    def _event(self, slot: int, height: int) -> Event:
        kind = self.rng.choice(TYPES)
        milestone = self.rng.choice((b"m1", b"m2")) if kind.startswith("milestone") else None
        distribution = self.rng.choice(DISTRIBUTIONS)
        data = {"funder": FUNDERS[distribution]} if kind == "distribution.created" else {"amount": slot}
        return Event(f"{self.rng.getrandbits(128):032x}", kind, distribution, milestone, slot, height, False, data)

    async def store(self, db: Connection, falls_back: bool = False) -> None:
        """What the follower would write, at once."""
        async with transaction(db):
            if falls_back:
                await events.fall_back(db)
            holding = [event for block in self.blocks for event in block.events]
            await events.reconcile(db, DISTRIBUTIONS, holding, whole=True)
            where = (self.height, self.blocks[-1].slot if self.blocks else None)
            await db.execute("UPDATE chain SET cursor_height = ?, cursor_slot = ?", where)
            await events.settle(db, self.height)

    async def fork(self, db: Connection) -> None:
        depth = min(self.rng.randint(1, K), len(self.blocks))
        gone, self.blocks = self.blocks[-depth:], self.blocks[: len(self.blocks) - depth]
        self.abandoned += [event for block in gone for event in block.events]
        was = self.height + depth
        self.trace.append(f"fork of {depth}")
        await self.store(db, falls_back=True)
        if self.rng.random() < 0.5:
            yield_to = self.rng.randint(0, 2)
            for _ in range(yield_to):
                await self._turn()
        while self.height < was:
            self.grow(recurring=True)
            if self.rng.random() < 0.5:
                await self.store(db)
                await self._turn()
        await self.store(db)

    async def tell(self, db: Connection) -> None:
        name = f"{self.rng.getrandbits(128):032x}"
        kind = self.rng.choice(OF_ITSELF)
        distribution = self.rng.choice(DISTRIBUTIONS) if kind == "release.submitted" else None
        slot = self.blocks[-1].slot if self.blocks else 0
        self.own.append((name, kind if distribution is None else f"{kind} {distribution.hex()}"))
        async with transaction(db):
            await events.tell(
                db, event_id=name, type=kind, distribution_id=distribution, milestone_id=None, slot=slot, data={}
            )

    # --- the deliverer

    def posts(self) -> list[Post]:
        return [Post(each.name, each, each.wants) for each in self.receivers if each.name not in self.left_out]

    async def start(self) -> None:
        self._context = opened(self.path)
        self._db: Any = await self._context.__aenter__()
        self.deliverer = Deliverer(
            self._db, "devnet", self.posts(), lambda: self.now_ms, DeliveryStatus(), self.rng.random
        )
        sends = self.deliverer._send

        def begun(desk: Any, message: Any) -> Any:
            assert (desk.post.name, message.id) not in self.pruned, "what is settled and deleted is sent once more"
            depth = self.depth_of(message.event["event_id"])
            self.depths.setdefault((desk.post.name, message.id), depth)
            return sends(desk, message)

        setattr(self.deliverer, "_send", begun)  # noqa: B010 -- what replaces a method is not typed as one
        await self.deliverer.open()
        for each in self.receivers:
            if each.name not in self.left_out and not each.since_ms:
                each.since_ms, each.told_from = self.now_ms, len(self.own)
        self._left: int | None = None
        for name in ("execute", "executemany", "execute_fetchall"):
            setattr(self._db, name, self._mortal(getattr(self._db, name)))

    def _mortal(self, act: Any) -> Any:
        def counted(*words: Any) -> Any:
            if self._left is not None:
                self._left -= 1
                if self._left < 0:
                    raise Killed
            return act(*words)

        return counted

    async def _die(self) -> None:
        """Nothing that was on its way is waited for, nothing is written down."""
        self.kills += 1
        for task in list(self.deliverer._sending):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for each in self.receivers:
            each.hanging.clear()
        with suppress(Killed):
            await self._context.__aexit__(None, None, None)
        await self.start()

    async def _turn(self, *, may_die: bool = True) -> None:
        if may_die and self.rng.random() < 0.25:
            self._left = self.rng.randint(0, 25)
        try:
            for _ in range(self.rng.randint(1, 3)):
                await self.deliverer.step()
                for _ in range(self.rng.randint(0, 4)):
                    await asyncio.sleep(0)
        except Killed:
            await self._die()
        self._left = None

    async def prune(self, db: Connection) -> None:
        """Dead letters too, half of the time."""
        rows = "SELECT sink, event_id || '.' || turn FROM delivery WHERE attempts > 0"
        before = {(str(sink), str(name)) for sink, name in await db.execute_fetchall(rows)}
        days = 2 * BLOCK_S * 1000 / A_DAY_MS
        dead_days = self.broom.choice((None, days))
        await Upkeep(db, lambda: self.now_ms, days, dead_days, pause_s=0.0).prune()
        self.pruned |= before - {(str(sink), str(name)) for sink, name in await db.execute_fetchall(rows)}

    async def live(self, steps: int = 30) -> None:
        """Everything happens; in the end all is well, and all that is to be told is told."""
        async with opened(self.path) as db:
            await checkpoints.claim(db, NETWORK)
            await db.execute("UPDATE chain SET confirmed_depth = ?", (CONFIRMED,))
            await promised(db)
            self.grow()
            await self.store(db)
            self.left_out = {each.name for each in self.receivers if self.rng.random() < 0.2}
            await self.start()
            for _ in range(steps):
                await self._happen(db)
                await self._turn()
                if self.broom.random() < 0.3:
                    await self.prune(db)
            await self._calm(db)
            await self.deliverer.close()
            await self._context.__aexit__(None, None, None)

    async def begin_anew(self, path: Path) -> int:
        """The database is lost, and the same chain read into another one: how many messages that makes."""
        self.path, before = path, sum(len(each.got) for each in self.receivers)
        async with opened(path) as db:
            await checkpoints.claim(db, NETWORK)
            await promised(db)
            await self.start()
            await self.store(db)
            for _ in range(3):
                await self._turn(may_die=False)
            await self.deliverer.close()
            await self._context.__aexit__(None, None, None)
        return sum(len(each.got) for each in self.receivers) - before

    async def _happen(self, db: Connection) -> None:
        self.now_ms += BLOCK_S * 1000
        match self.rng.randint(0, 9):
            case 0:
                await self.fork(db)
            case 1:
                await self.tell(db)
            case 2:
                self.now_ms += self.rng.choice((1_000, 60_000, 3_600_000))
            case 3 | 4:
                one = self.rng.choice(self.receivers)
                one.mode = self.rng.choice(("up", "broken", "picky", "mute", "hang", "bug"))
                one.away_until_ms = self.now_ms + self.rng.choice((0, 0, 3_600_000))
                self.trace.append(f"{one.name} is {one.mode}")
            case 5:
                self.rng.choice(self.receivers).let_go(self.rng.random() < 0.5)
            case 6 if self.rng.random() < 0.5:  # another configuration
                self.left_out = {each.name for each in self.receivers if self.rng.random() < 0.2}
                await self._die()
            case _:
                for _ in range(self.rng.randint(1, 3)):
                    self.grow(recurring=self.rng.random() < 0.1)
                await self.store(db)

    async def _calm(self, db: Connection) -> None:
        if self.left_out:
            self.left_out = set()
            await self._die()
        for each in self.receivers:
            each.mode, each.away_until_ms = "up", 0
            each.let_go(False)
        for _ in range(K + 1):
            self.blocks.append(Block(self.blocks[-1].slot + BLOCK_S, self.height + 1, ()))
        await self.store(db)
        for _ in range(400):
            await self._turn(may_die=False)
            self.now_ms += 600_000
            rows = await db.execute_fetchall("SELECT count(*) FROM delivery WHERE state = 'pending'")
            waiting = next(iter(rows))[0] + next(iter(await db.execute_fetchall("SELECT count(*) FROM outbox")))[0]
            if not waiting and not self.deliverer._sending and not self.deliverer._outcomes:
                await self._turn(may_die=False)
                return
        raise AssertionError("something is never told")

    # --- what should have come of it

    def should_hold(self, receiver: Receiver) -> Iterator[str]:
        """The events that it should believe in."""
        for block in self.blocks:
            for event in block.events:
                if GENESIS_MS + event.slot * 1000 >= receiver.since_ms and self._wanted(receiver, event):
                    yield event.id
        for event_id, words in self.own[receiver.told_from :]:
            _, _, distribution = words.partition(" ")
            is_for_all = receiver.name in ("all", "noise", "sure") or not distribution
            if receiver.name != "final" and (is_for_all or distribution in self._of(receiver)):
                yield event_id

    def _of(self, receiver: Receiver) -> set[str]:
        mine, his, funded, _ = (distribution.hex() for distribution in DISTRIBUTIONS)
        return {mine} if receiver.name == "mine" else {his, funded}

    def _wanted(self, receiver: Receiver, event: Event) -> bool:
        match receiver.name:
            case "all" | "sure":
                return event.type != "attestation.rejected"
            case "noise":
                return True
            case "final":
                return event.type.startswith("milestone")
            case "mine":
                return event.distribution_id == DISTRIBUTIONS[0]
        return event.distribution_id in DISTRIBUTIONS[1:3] and event.type != "attestation.rejected"


class Failed(Exception):
    """A seed that does not hold; its cause is why."""

    def __init__(self, world: World) -> None:
        super().__init__(f"seed {world.seed}")
        self.trace = world.trace


async def live(seed: int, folder: Path) -> World:
    """A world, lived and checked. Raises Failed."""
    world = World(seed, folder / "first.sqlite")
    try:
        await world.live()
        check(world)
        assert await world.begin_anew(folder / "second.sqlite") == 0, "a database that is made anew tells old things"
    except Exception as error:
        raise Failed(world) from error
    return world


def check(world: World) -> None:
    """What was promised to whoever receives."""
    for receiver in world.receivers:
        ever = {message.event["event_id"] for message in receiver.got}
        should = set(world.should_hold(receiver))
        believes = receiver.believes()
        assert believes == should, (receiver.name, "too much", believes - should, "too little", should - believes)
        assert ever >= should
        assert not receiver.crowded
        _check_ids(receiver)
        _check_order(receiver)
        _check_finality(receiver)


def _check_ids(receiver: Receiver) -> None:
    """One id, one content."""
    contents: dict[str, Any] = {}
    for message in receiver.got:
        said = (message.type, message.retracted, message.event["finality"], message.event["distribution_id"])
        assert contents.setdefault(message.id, said) == said
        assert message.retracted == (int(message.id.rpartition(".")[2]) % 2 == 1)


def _check_order(receiver: Receiver) -> None:
    """Of one distribution, whatever was first heard later, happened later or became sure later; no number goes back."""
    turns: dict[str, int] = {}
    for message in receiver.got:
        event_id, _, turn = message.id.rpartition(".")
        assert int(turn) >= turns.get(event_id, 0), (receiver.name, message.id)
        turns[event_id] = int(turn)


def _check_finality(receiver: Receiver) -> None:
    """Nobody is told earlier than wanted, and how sure it is is true."""
    for message in receiver.got:
        depth = receiver.world.depths[receiver.name, message.id]
        if message.retracted:
            event_id, _, turn = message.id.rpartition(".")
            earlier = {(receiver.name, f"{event_id}.{each}") for each in range(0, int(turn), 2)}
            assert earlier & receiver.world.depths.keys(), "what nobody can have been told is taken back"
            sure = "retracted"
        elif message.type in OF_ITSELF:
            sure = "final"
        else:
            assert depth is not None
            assert depth >= DEPTHS[receiver.wants.finality], (receiver.name, message.id, depth)
            sure = "final" if depth >= K else "confirmed" if depth >= CONFIRMED else "seen"
        assert message.event["finality"] == sure

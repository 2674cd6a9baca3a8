"""One seed: a world, one or two keepers in it, and all that goes wrong; then calm, and what must hold."""

import random as randomness
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from indexer.devnet.ledger.refusal import Refused
from indexer.devnet.ogmios.examples import example
from indexer.devnet.ogmios.server import serve
from indexer.edge import pause, requests
from indexer.edge.requests import Kind
from indexer.ogmios.rulings import RULES, Verdict
from tests.chaos import people
from tests.chaos.checks import agree, at_the_end, required
from tests.chaos.explained import cases, explained, some
from tests.chaos.house import House, Killed, Plot
from tests.chaos.people import Filled
from tests.chaos.reading import Surviving, due, read, state_terms
from tests.chaos.worlds import ADA, AMPLE, WALLETS, plant, some_rules
from tests.support.following import until
from tests.support.happenings import Told
from tests.support.promises import State, World
from tests.support.reading import drop_file
from tests.support.spending import Coin, Wallet

STEPS: Final = (6, 20)
CALM: Final = 80  # looks until all has to be done
UNDER_WAY: Final = {"built", "submitted", "rolled_back", "in_block", "confirmed"}
DRAINED: Final = 0.2  # of the worlds strangers live on keepers
_EVALUATION: Final = (3000, 3001, 3002, 3003, 3004, 3005, 3010, 3011, 3012, 3013, -32603)


class Chaos:
    """Everything is drawn from the seed; the trace says what happened."""

    def __init__(self, seed: int) -> None:
        self.seed, self.random, self.trace = seed, randomness.Random(seed), list[str]()
        self.curious = randomness.Random(f"{seed}, asked")  # what is asked changes nothing of what happens
        self.k = self.random.choice((5, 8, 12))
        self.confirmed = self.random.randint(1, 3)
        self.world = World(k=self.k)
        self.told: list[Told] = []
        self.houses: list[House] = []
        self._read: tuple[tuple[int, int], Surviving] | None = None
        self.steps = (
            (self._people, 12),
            (self._blocks, 8),
            (self._time, 4),
            (self._tell, 2),
            (self._fork, 5),
            (self._plot, 12),
            (self._reject, 4),
            (self._misjudge, 1),
            (self._lose_replies, 3),
            (self._stall, 1),
            (self._disconnect, 2),
            (self._forget, 2),
            (self._restart, 1),
            (self._lose_database, 1),
            (self._rebuild, 1),
            (self._pause, 1),
            (self._gift, 1),
            (self._plant, 1),
        )

    def note(self, what: str) -> None:
        self.trace.append(what)

    async def run(self) -> None:
        """Raises AssertionError where something does not hold."""
        with tempfile.TemporaryDirectory() as folder:
            async with AsyncExitStack() as stack:
                self.server = await stack.enter_async_context(serve(self.world.node))
                await self._found(Path(folder))
                for house in self.houses:
                    await house.start()
                try:
                    await self._go_wrong()
                    await self._calm_down()
                finally:
                    for house in self.houses:
                        await house.die()

    # --- the beginning

    async def _found(self, folder: Path) -> None:
        count = self.random.choice((1, 1, 2))
        purses = [self.random.choice(WALLETS[: 5 if number else 7]) for number in range(count)]
        for number, purse in enumerate(purses):
            people.fund(self.world, _wallet(number), purse)
        self.world.block()
        self.world.first = len(self.world.node.chain)
        for _ in range(self.random.randint(1, 4)):
            people.found(self.random, self.world)
            if self.random.random() < 0.85:
                people.sign(self.random, self.world)
        if self.random.random() < DRAINED:
            for _ in range(self.random.randint(2, 3)):
                people.drain(self.random, self.world)
        for number, purse in enumerate(purses):
            data = folder / str(number)
            data.mkdir()
            rules = some_rules(self.random, self.world.plans, self.confirmed)
            self.houses.append(House(number, self.world, self.server, data, rules, _wallet(number), self.note))
            self.note(f"keeper {number}: {purse}, {sorted(rules.sponsors)}, up to {rules.max_loss_per_day}")
        self.world.block()

    # --- trouble

    async def _go_wrong(self) -> None:
        acts, weights = zip(*self.steps, strict=True)
        for _ in range(self.random.randint(*STEPS)):
            (act,) = self.random.choices(acts, weights)
            self.note(f"-- {act.__name__} (slot {self.world.slot})")
            await act()
            await self._look()
            await self._explain()

    async def _explain(self) -> None:
        """Of some milestone `explain` tells what is so, beside one of the keepers."""
        await self._caught_up()
        house = self.curious.choice(self.houses)
        await explained(house, some(self.curious, cases(house, self.world.plans, self._surviving())))

    async def _look(self) -> None:
        """Each keeper, or some, in any order, once all have read what there is."""
        await self._caught_up()
        for house in self.random.sample(self.houses, len(self.houses)):
            if self.random.random() < 0.9:
                await self._round(house)
        self._learn()

    async def _round(self, house: House) -> None:
        paused, sent = (house.folder / "paused").exists(), len(house.sent)
        calm = not house.plots
        if await house.round() and calm and house.stands_high:
            agree(house, self._surviving())
        assert not paused or len(house.sent) == sent, "something was sent in a pause"

    def _surviving(self) -> Surviving:
        version = self.world.node.chain.version, len(self.world.plans)
        if self._read is None or self._read[0] != version:
            wallets = [house.wallet.hash for house in self.houses]
            self._read = version, read(self.world.node, self.world.plans, wallets)
        return self._read[1]

    def _learn(self) -> None:
        """Strangers go on from what keepers left."""
        found = self._surviving()
        assert found.wrong == []
        held = {each.coin.at for each in self.world.holdings}
        for plan in self.world.plans:
            at = found.states.get(plan.id)
            if at is not None and at not in held:
                self.world.holdings.append(State(plan, state_terms(found, plan), Coin(at, found.coins[at]), None))

    async def _people(self) -> None:
        for _ in range(self.random.randint(1, 4)):
            people.do(self.random, self.world, self.note)
        if self.random.random() < 0.8:
            self.world.block()

    async def _blocks(self) -> None:
        self.world.block(self.random.choice((1, 1, 2, self.k)))

    async def _time(self) -> None:
        self.world.wait(self.random.choice((5, 60, 400, 2_000)))

    async def _tell(self) -> None:
        """The same files with all keepers."""
        told = people.some_told(self.random, self.random.choice(self.world.plans), self.world.slot - 1)
        if told.subject not in {each.subject for each in self.told}:
            self.told.append(told)
        for house in self.houses:
            drop_file(house.folder, told.distribution, told.milestone, self.told)
            await house.local.look()

    async def _fork(self) -> None:
        depth = self.random.randint(1, self.k)
        drop = [id_ for id_ in self.world.recent if self.random.random() < 0.4]
        self.world.fork(depth, depth + self.random.choice((-1, 0, 1, 1, 2)), drop)

    async def _plot(self) -> None:
        house = self.random.choice(self.houses)
        what, act = self.random.choice(
            (
                *(("die", self._die),) * 4,
                ("a block", self._block_meanwhile),
                ("a fork", self._fork_meanwhile),
                ("the connections are cut", self._disconnect),
                ("the mempool forgets", self._forget),
                ("somebody is faster", self._forestall_meanwhile),
            )
        )
        house.plots.append(Plot(self.random.choice((0, 1, 2, 3, 4, 5, 7, 9, 12)), what, act))

    async def _die(self) -> None:
        raise Killed

    async def _block_meanwhile(self) -> None:
        self.world.block()
        await self._caught_up()

    async def _fork_meanwhile(self) -> None:
        await self._fork()
        await self._caught_up()

    async def _forestall_meanwhile(self) -> None:
        try:
            people.forestall(self.random, self.world)
        except Refused:
            return
        self.world.block()
        await self._caught_up()

    async def _caught_up(self) -> None:
        for house in self.houses:
            await house.caught_up()

    async def _reject(self) -> None:
        verdict = self.random.choice((*Verdict, Verdict.WAIT, Verdict.REBUILD, Verdict.REBUILD))
        codes = [code for code, rule in RULES.items() if rule.verdict is verdict] or [4242]
        code = self.random.choice(codes)
        self.note(f"next is answered {code} ({verdict})")
        self.server.reject(example(code), self.random.choice((1, 1, 2)))

    async def _misjudge(self) -> None:
        self.random.choice(self.houses).evaluations.append(example(self.random.choice(_EVALUATION)))

    async def _lose_replies(self) -> None:
        self.server.lose_replies(self.random.choice((1, 1, 2)))

    async def _stall(self) -> None:
        """The node says nothing for the length of a look."""
        await self._caught_up()
        self.server.stall()
        for house in self.houses:
            house.silent, plots = True, house.plots[:]
            house.plots.clear()
            await self._unanswered(house)
            house.silent, house.plots = False, plots
        self.server.resume()
        await until(lambda: len(self.server.sessions) == len(self.houses))

    async def _unanswered(self, house: House) -> None:
        from indexer.errors import SessionBroken

        try:
            await house.keeper.round()
        except SessionBroken as error:
            house.at.node_trouble = str(error)

    async def _disconnect(self) -> None:
        before = [house.status.reconnects for house in self.houses]
        self.server.drop_connections()
        for house, count in zip(self.houses, before, strict=True):
            await house.reconnected(count)

    async def _forget(self) -> None:
        """As when the node is started again; nobody else notices."""
        node = self.world.node
        node.mempool.renew(node.ledger, node.mempool.slot, ())
        node.mempool.tell()

    async def _restart(self) -> None:
        house = self.random.choice(self.houses)
        await house.stop()
        await house.start()

    async def _lose_database(self) -> None:
        await self.random.choice(self.houses).lose()

    async def _rebuild(self) -> None:
        await self.random.choice(self.houses).rebuild()

    async def _pause(self) -> None:
        house = self.random.choice(self.houses)
        if not pause.resume(house.folder):
            pause.pause(house.folder, house.now_ms(), "chaos")

    async def _gift(self) -> None:
        people.give(self.random, self.world, self.random.choice(self.houses).wallet)

    async def _plant(self) -> None:
        """Somebody writes into the database that forgeries verify, and that quorums are met."""
        house = self.random.choice(self.houses)
        await house.caught_up()
        plant(self.random, house.path, self.world.plans)

    # --- calm

    async def _calm_down(self) -> None:
        """Nothing goes wrong any more: all that is due is paid, and nothing is left over."""
        self.note("-- calm")
        self.server.faults.refusals.clear()
        self.server.faults.lost_replies = 0
        for house in self.houses:
            house.plots.clear()
            house.evaluations.clear()
            pause.resume(house.folder)
            people.fund(self.world, house.wallet, Filled((100 * ADA, 8 * ADA)))
            self.world.block()
        await self._come_to_rest()
        self.world.wait(2_000)  # what nobody has put into a block by now never will be; and something more falls due
        await self._come_to_rest()
        await at_the_end(self.houses, self.world.plans, self._surviving())
        for house in self.houses:
            turns = house.rows(
                "SELECT from_state, to_state, count(*) AS n FROM release_step GROUP BY 1, 2 ORDER BY 1, 2"
            )
            for row in turns:
                self.note(f"keeper {house.number}: {row['from_state']} -> {row['to_state']}: {row['n']}")

    async def _come_to_rest(self) -> None:
        """Until all that has to be paid is, and is final."""
        for look in range(CALM):
            self._pass(look)
            await self._caught_up()  # who asks a keeper that is a block behind is told to come back
            for house in self.houses:
                if look > 2:
                    await self._by_hand(house)
                await self._round(house)
            if self._done():
                return
        left = required(self.houses, self.world.plans, self._due(self._surviving()))
        assert not left, f"not paid: {sorted((id_.hex()[:8], n) for id_, n in left)}"
        raise AssertionError("it does not come to rest")

    def _pass(self, look: int) -> None:
        """Blocks, at times after so long that whatever waits has waited enough."""
        if look % 4 == 3:
            self.world.wait((30, 130, 600, 2_000, 3_700)[min(look // 4, 4)])
        else:
            self.world.block()

    async def _by_hand(self, house: House) -> None:
        """What failed is asked for by somebody, who has looked at it."""
        failed = "SELECT distribution_id, milestone_id FROM release WHERE state = 'failed' AND settled = 0"
        for row in house.rows(failed):
            plan = next(plan for plan in self.world.plans if plan.id.hex() == row["distribution_id"])
            arguments = {**row, "most": AMPLE if house.bears(plan) and house.rules.max_loss_per_day == AMPLE else 0}
            requests.leave(house.folder, Kind.RELEASE, arguments, house.now_ms())
            self.note(f"keeper {house.number} is asked for {row['distribution_id'][:8]}")
            await house.keeper._clerk.work()

    def _due(self, found: Surviving) -> set[tuple[bytes, int]]:
        told: dict[tuple[bytes, bytes], set[bytes]] = {}
        for one in self.told:
            if one.sound:
                told.setdefault((one.distribution, one.milestone), set()).add(one.oracle)
        return due(found, self.world.plans, told)

    def _done(self) -> bool:
        found = self._surviving()
        if required(self.houses, self.world.plans, self._due(found)):
            return False
        states = {
            row["state"] for house in self.houses for row in house.rows("SELECT state FROM release WHERE settled = 0")
        }
        return not states & UNDER_WAY


def _wallet(number: int) -> Wallet:
    return Wallet(f"keeper {number} of chaos")


Act = Callable[[], Awaitable[None]]


async def live(seed: int) -> list[str]:
    """One seed; its trace. Raises Failed."""
    chaos = Chaos(seed)
    try:
        await chaos.run()
    except Exception as error:
        raise Failed(seed, chaos.trace) from error
    return chaos.trace


class Failed(AssertionError):
    """Something did not hold."""

    def __init__(self, seed: int, trace: list[str]) -> None:
        super().__init__(f"seed {seed}")
        self.seed, self.trace = seed, trace

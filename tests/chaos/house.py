"""One daemon: the real follower and the real keeper on real files, opened up so that it can die anywhere.

Between any two writes of the journal, and before and after each signature and each word to the node, there is a
boundary. There the daemon may be killed, or the chain may move on.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from aiosqlite import Connection

from indexer.chain.address import CredentialKind
from indexer.chain.network import network_of
from indexer.chain.parameters import Units
from indexer.chain.point import ORIGIN, Point
from indexer.chain.watch import CredentialWatch
from indexer.devnet.ledger.refusal import Refusal
from indexer.devnet.ogmios.server import OgmiosServer
from indexer.edge import ogmios
from indexer.edge.builder.signing import Witness, sign
from indexer.edge.node import Node
from indexer.edge.node import node as node_session
from indexer.errors import SessionBroken
from indexer.ogmios import submission
from indexer.ogmios.submission import Pointer, Stage, SubmissionRefused
from indexer.plutus.blueprint import Blueprint
from indexer.status import DeliveryStatus, FollowerStatus, KeeperStatus
from indexer.store import checkpoints, coins
from indexer.store.contracts import record
from indexer.store.db import opened, transaction
from indexer.store.goback import rebuild
from indexer.workers.deliver import Deliverer
from indexer.workers.follow import Follower
from indexer.workers.keeper import Keeper
from indexer.workers.local import LocalSignatures
from indexer.workers.premises import Premises, Rules, Script
from tests.support.following import IMPATIENT, until
from tests.support.promises import Plan, World
from tests.support.spending import Wallet
from tests.support.yard import BLUEPRINT, Hand

NETWORK: Final = network_of("devnet")
PATIENCE_S: Final = 60.0  # of whoever waits for an answer that will come
IMPATIENCE_S: Final = 0.02  # where it is certain that none will
IN_A_WRITE: Final = "before a commit"


class Killed(BaseException):
    """The daemon is gone: nothing in it may catch this."""


@dataclass
class Plot:
    """What is to happen at the boundary after so many others."""

    after: int
    what: str
    act: Callable[[], Awaitable[None]]


@dataclass
class House:
    """A daemon with its files and its wallet."""

    number: int
    world: World
    server: OgmiosServer
    folder: Path
    rules: Rules
    wallet: Wallet
    note: Callable[[str], None]  # tells the trace of the seed what happens
    plots: list[Plot] = field(default_factory=list)
    evaluations: list[Refusal] = field(default_factory=list)  # what the next evaluations are answered
    fatal: int = 0  # refusals after which nobody tries again
    signed: list[bytes] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)
    refused: list[tuple[bytes, SubmissionRefused]] = field(default_factory=list)
    high: int = -1  # the height at which it stood
    forgot: bool = False  # whether its journal was ever lost
    adrift: int = 0  # lovelace that may leave the wallet by what was written down there
    silent: bool = False  # whether the node answers nobody for now

    @property
    def path(self) -> Path:
        """Of the database."""
        return self.folder / "db.sqlite"

    # --- whole

    async def start(self) -> None:
        """On the files that are there."""
        self.stack = AsyncExitStack()
        contract = BLUEPRINT
        db = await self.stack.enter_async_context(opened(self.path))
        await checkpoints.claim(db, NETWORK)
        async with transaction(db):
            await record(db, [contract.hash], ORIGIN, self.rules.confirmed_depth)
        journal = await self.stack.enter_async_context(opened(self.path, durable=True))
        self.status = FollowerStatus()
        async with transaction(journal):
            await coins.remember(journal, self.wallet.hash, ORIGIN)
        self.local = LocalSignatures(db, self.folder, NETWORK, lambda: self.world.slot - 1, self.now_ms)
        self.at = Premises(
            self._cut_open(journal),
            NETWORK,
            {contract.hash: Script(contract, _published(self.world, contract))},
            self.rules,
            _Signer(self),
            self.wallet.address,
            self.status,
            self.folder,
            self.now_ms,
            KeeperStatus(),
        )
        deliverer = Deliverer(journal, NETWORK.name, (), self.now_ms, DeliveryStatus())
        self.keeper = Keeper(self.at, self._connected, deliverer)
        await self.local.look()
        self.follower = Follower(
            db,
            partial(ogmios.session, self._url, {}, PATIENCE_S),
            NETWORK,
            [CredentialWatch(contract.hash), CredentialWatch(self.wallet.hash, CredentialKind.KEY)],
            contracts=[contract.hash],
            status=self.status,
            pace=IMPATIENT,
        )
        self.task = asyncio.create_task(self.follower.run())
        self.reader = sqlite3.connect(f"file:{self.folder / 'db.sqlite'}?mode=ro", uri=True)
        self.reader.row_factory = sqlite3.Row
        self.stack.callback(self.reader.close)
        await self.caught_up()

    async def stop(self) -> None:
        """As SIGTERM does."""
        self.follower.stop()
        await self.task
        await self.stack.aclose()

    async def die(self) -> None:
        """As SIGKILL does."""
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        await self.stack.aclose()

    async def lose(self) -> None:
        """The database is deleted while nobody looks."""
        sent = "SELECT t.loss FROM release_transaction t JOIN release r USING (release_id) WHERE NOT r.settled"
        self.adrift += sum(max(0, row["loss"]) for row in self.rows(sent))
        await self.stop()
        for file in self.folder.glob("db.sqlite*"):
            file.unlink()
        self.high, self.forgot = -1, True
        await self.start()

    async def rebuild(self) -> None:
        """As `indexer rebuild` does; the journal stays."""
        await self.stop()
        async with opened(self.path) as db:
            await rebuild(db)
        await self.start()

    async def caught_up(self) -> None:
        """The follower has committed the chain's tip, and heard so."""
        tip = self.world.node.tip
        assert tip is not None
        where = Point(tip.slot, tip.id)
        await until(lambda: self.task.done() or (self.status.cursor, self.status.phase) == (where, "following"))
        if self.task.done():
            await self.task
        await until(lambda: self.status.tip is not None and self.status.tip.point == where)
        self.high = max(self.high, tip.height)

    async def reconnected(self, before: int) -> None:
        """The follower has noticed that its connection is gone, and has another."""
        await until(lambda: self.status.reconnects > before)
        await self.caught_up()

    async def round(self) -> bool:
        """The keeper looks once; whether it came to the end."""
        await self.caught_up()
        try:
            await self.keeper.round()
        except SessionBroken as error:
            self.note(f"keeper {self.number} lost the node: {error.code}")
            self.at.node_trouble = str(error)
            return False
        except Killed:
            self.note(f"keeper {self.number} died")
            await self.die()
            await self.start()
            return False
        return True

    def now_ms(self) -> int:
        """By the devnet's clock."""
        return int(self.world.node.clock.now().timestamp() * 1000)

    @property
    def stands_high(self) -> bool:
        """Whether the chain is as high again as it ever was."""
        tip = self.world.node.tip
        return tip is not None and tip.height >= self.high

    def bears(self, plan: Plan) -> bool:
        """Whether it may lose by a release of this."""
        return not self.rules.sponsors.isdisjoint({"all", plan.terms.funder.hex(), plan.id.hex()})

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """What the database says, through a connection that can only read."""
        return [dict(row) for row in self.reader.execute(sql)]

    # --- cut open

    async def boundary(self, name: str) -> None:
        """Something may happen here."""
        for plot in self.plots:
            if name == IN_A_WRITE and plot.what != "die":
                continue  # the follower could not write meanwhile
            plot.after -= 1
            if plot.after < 0:
                self.plots.remove(plot)
                self.note(f"keeper {self.number}, {name}: {plot.what}")
                await plot.act()
                return

    def _cut_open(self, db: Connection) -> Connection:
        execute = db.execute

        async def cut(sql: str, parameters: Any = None) -> Any:
            if sql == "COMMIT":
                await self.boundary(IN_A_WRITE)
            cursor = await execute(sql, parameters)
            if sql == "COMMIT":
                await self.boundary("after a commit")
            return cursor

        db.execute = cut  # type: ignore[method-assign, assignment]
        return db

    @property
    def _url(self) -> str:
        return f"ws://127.0.0.1:{self.server.port}"

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Node]:
        async with node_session(self._url, {}, IMPATIENCE_S if self.silent else PATIENCE_S) as node:
            yield _Node(self, node)


class _Node(Node):
    """What the keeper talks to."""

    def __init__(self, house: House, node: Node) -> None:
        super().__init__(node._socket, node._timeout_s)
        self._house = house

    async def evaluate(self, transaction: bytes, additional: Sequence[Mapping[str, Any]] = ()) -> dict[Pointer, Units]:
        house = self._house
        await house.boundary("before an evaluation")
        if house.evaluations:
            told = house.evaluations.pop(0)
            house.note(f"keeper {house.number} is told {told.code} for an evaluation")
            error = submission.refusal(Stage.EVALUATE, {"code": told.code, "message": told.message, "data": told.data})
            house.fatal += error.verdict in ("fatal", "unknown")
            raise error
        return await super().evaluate(transaction, additional)

    async def submit(self, transaction: bytes) -> bytes:
        house = self._house
        await house.boundary("before it is sent")
        house.sent.append(transaction)
        asked_for = len(house.server.faults.refusals)
        try:
            id_ = await super().submit(transaction)
        except SubmissionRefused as refused:
            if len(house.server.faults.refusals) == asked_for:
                house.refused.append((transaction, refused))
            house.fatal += refused.verdict in ("fatal", "unknown")
            house.note(f"keeper {house.number} is refused: {refused.ogmios_code}")
            raise
        finally:
            await house.boundary("after it was sent")
        house.note(f"keeper {house.number} sent {id_.hex()[:8]}")
        return id_


@dataclass
class _Signer:
    """The wallet's key."""

    house: House

    @property
    def public(self) -> bytes:
        return self.house.wallet.public

    async def sign(self, transaction: bytes) -> Witness:
        await self.house.boundary("before it is signed")
        witness = sign(transaction, Hand(self.house.wallet.key))
        self.house.signed.append(transaction)
        await self.house.boundary("after it is signed")
        return witness


def _published(world: World, contract: Blueprint) -> Any:
    return world.published[contract.hash].reference

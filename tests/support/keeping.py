"""A keeper at work on a devnet: the real follower and the real keeper on real files, in the time of a clock that stands
still until it is told to move. Nothing waits: whoever tests says when blocks come and when the keeper looks.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from indexer.chain.address import CredentialKind
from indexer.chain.network import network_of
from indexer.chain.watch import CredentialWatch, Watch
from indexer.devnet.ogmios.server import OgmiosServer, serve
from indexer.edge import ogmios
from indexer.edge.builder.intents import Publish
from indexer.edge.builder.signing import Witness, sign
from indexer.edge.node import node as node_session
from indexer.plutus.blueprint import Blueprint
from indexer.plutus.datum import Attestation, Distribution
from indexer.plutus.identity import message_to_sign
from indexer.status import DeliveryStatus, FollowerStatus, KeeperStatus
from indexer.store.db import opened
from indexer.workers.adopt import Adopt
from indexer.workers.deliver import Deliverer
from indexer.workers.follow import Follower
from indexer.workers.keeper import Keeper
from indexer.workers.premises import Premises, Rules, Script
from tests.support.following import IMPATIENT, select, until
from tests.support.spending import Wallet
from tests.support.yard import BLUEPRINT, HANDS, KEEPER, ORACLES, OWNER, Hand, Yard, furnished, id_of

RULES: Final = Rules(
    enabled=True,
    reserve=5_000_000,
    max_loss_per_day=20_000_000,
    sponsors=frozenset(),
    ready_within_s=300,
    confirmed_depth=3,
)
TIMEOUT_S: Final = 5.0


@dataclass
class Signer:
    """The keeper's key, which counts how often it signs. `after` the next signature, something may happen."""

    hand: Hand
    signed: list[bytes] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)

    @property
    def public(self) -> bytes:
        return self.hand.public

    async def sign(self, transaction: bytes) -> Witness:
        self.signed.append(transaction)
        witness = sign(transaction, self.hand)
        while self.after:
            self.after.pop()()
        return witness


@dataclass
class House:
    """One keeper, with its files, beside a chain that others may use too."""

    yard: Yard
    server: OgmiosServer
    folder: Path
    rules: Rules = RULES
    wallet: Wallet = KEEPER
    follows: bool = True  # whether its configuration names the contract
    also: tuple[Blueprint, ...] = ()  # further contracts that it names
    follower: Follower | None = None
    keeper: Keeper | None = None
    status: KeeperStatus = field(default_factory=KeeperStatus)
    signer: Signer | None = None

    @property
    def path(self) -> Path:
        return self.folder / "indexer.sqlite"

    @property
    def now_ms(self) -> int:
        return int(self.yard.node.clock.now().timestamp() * 1000)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["House"]:
        """Follower and keeper on the files that are there, until the context ends."""
        network = network_of("devnet")
        contract = self.yard.contract
        named = None if self.yard.reference is None else self.yard.reference.reference
        scripts = {contract.hash: Script(contract, named), **{each.hash: Script(each, None) for each in self.also}}
        url = f"ws://127.0.0.1:{self.server.port}"
        async with AsyncExitStack() as stack:
            db = await stack.enter_async_context(opened(self.path))
            journal = await stack.enter_async_context(opened(self.path, durable=True))
            status = FollowerStatus()
            watched: list[Watch] = [
                CredentialWatch(contract.hash),
                *(CredentialWatch(each.hash) for each in self.also),
                CredentialWatch(self.wallet.hash, CredentialKind.KEY),
            ]
            self.follower = Follower(
                db,
                partial(ogmios.session, url, {}, TIMEOUT_S),
                network,
                watched,
                contracts=[contract.hash, *(each.hash for each in self.also)],
                status=status,
                pace=IMPATIENT,
                adopt=Adopt(db, lambda: node_session(url, {}, TIMEOUT_S), self.wallet.address),
            )
            self.signer = Signer(HANDS.get(self.wallet.hash) or Hand(self.wallet.key))
            at = Premises(
                journal,
                network,
                scripts if self.follows else {},
                self.rules,
                self.signer,
                self.wallet.address,
                status,
                self.folder,
                lambda: self.now_ms,
                self.status,
            )
            deliverer = Deliverer(journal, network.name, (), lambda: self.now_ms, DeliveryStatus())
            self.keeper = Keeper(at, lambda: node_session(url, {}, TIMEOUT_S), deliverer, self.follower.begin_anew)
            task = asyncio.create_task(self.follower.run())
            try:
                await self.caught_up()
                yield self
            finally:
                self.follower.stop()
                await task

    async def caught_up(self) -> None:
        """The follower has committed the chain's tip."""
        assert self.follower is not None
        tip = self.yard.node.tip
        assert tip is not None
        follower = self.follower

        def there() -> bool:
            cursor = follower.status.cursor
            return getattr(cursor, "id", None) == tip.id and follower.status.tip is not None

        await until(there)

    async def round(self) -> None:
        """The keeper looks, once the follower has read all there is."""
        assert self.keeper is not None
        await self.caught_up()
        await self.keeper.round()

    async def block(self, count: int = 1) -> None:
        """So many blocks, and a look after each."""
        for _ in range(count):
            self.yard.node.make_block()
            await self.round()

    @property
    def wealth(self) -> int:
        """Lovelace at the wallet's address, whatever the indexer says."""
        return sum(coin.output.lovelace for coin in self.yard.coins_at(self.wallet.address))

    def releases(self) -> list[dict[str, Any]]:
        """The view `releases`, in the order in which they were intended."""
        return select(self.path, "SELECT * FROM releases ORDER BY intended_at, release_id")

    def states(self) -> list[str]:
        return [row["state"] for row in self.releases()]

    def events(self, kind: str = "release.%") -> list[str]:
        rows = select(self.path, "SELECT type FROM events WHERE type LIKE ? ORDER BY slot", kind)
        return [row["type"] for row in rows]


@asynccontextmanager
async def grounds(contract: Blueprint = BLUEPRINT) -> AsyncIterator[tuple[Yard, OgmiosServer]]:
    """A yard, served."""
    yard = await furnished(contract=contract)
    async with serve(yard.node) as server:
        yield yard, server


@asynccontextmanager
async def house(folder: Path, rules: Rules = RULES) -> AsyncIterator[House]:
    """A yard with a keeper in it."""
    async with grounds() as (yard, server), House(yard, server, folder, rules).opened() as made:
        yield made


async def promised(yard: Yard, terms: Distribution) -> bytes:
    """A distribution is created; its id."""
    created, _ = await yard.create(terms)
    return id_of(created)


async def attested(yard: Yard, distribution_id: bytes, milestone: bytes, *oracles: int) -> None:
    """Oracles publish their signatures, each in a block of its own."""
    message = message_to_sign(yard.contract.policy_id, distribution_id, milestone)
    for number in oracles:
        hand = ORACLES[number]
        signed = Attestation(distribution_id, milestone, hand.public, hand.sign(message), OWNER.hash)
        await yard.do(Publish(signed), OWNER)

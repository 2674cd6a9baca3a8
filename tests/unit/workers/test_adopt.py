"""A wallet that is older than what was followed: its coins are read once, and are what the ledger says from then on."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from indexer.chain.address import CredentialKind
from indexer.chain.network import network_of
from indexer.chain.point import ORIGIN, Place, Point
from indexer.chain.watch import CredentialWatch, Watch
from indexer.devnet.ogmios.server import serve
from indexer.edge import ogmios
from indexer.edge.builder.intents import Split
from indexer.edge.node import Node
from indexer.edge.node import node as node_session
from indexer.store import coins
from indexer.store.db import opened
from indexer.workers.adopt import Adopt
from indexer.workers.follow import Follower
from tests.support.following import IMPATIENT, select, until
from tests.support.yard import KEEPER, OWNER, Yard, furnished

K: Final = 40  # of the devnet
WALLET: Final = CredentialWatch(KEEPER.hash, CredentialKind.KEY)
SOMEBODY: Final = CredentialWatch(OWNER.hash, CredentialKind.KEY)


@dataclass
class Site:
    """A chain, and one who follows it, a session at a time."""

    yard: Yard
    port: int
    path: Path
    asked: int = 0  # how often the node was asked for the wallet
    reach: int | None = None  # the port at which it is asked

    @asynccontextmanager
    async def node(self) -> AsyncIterator[Node]:
        self.asked += 1
        async with node_session(f"ws://127.0.0.1:{self.reach or self.port}", {}, 5.0) as session:
            yield session

    @asynccontextmanager
    async def follower(self, since: Place, watched: Iterable[Watch], *, goes_on: bool) -> AsyncIterator[Follower]:
        async with opened(self.path) as db:
            yield Follower(
                db,
                partial(ogmios.session, f"ws://127.0.0.1:{self.port}", {}, 5.0),
                network_of("devnet"),
                list(watched),
                since=since,
                until=None if goes_on else "tip",
                pace=IMPATIENT,
                adopt=Adopt(db, self.node, KEEPER.address),
            )

    async def follow(self, since: Place = ORIGIN, watched: Iterable[Watch] = (WALLET,)) -> None:
        """One session, up to the tip."""
        async with self.follower(since, watched, goes_on=False) as follower:
            await follower.run()

    @property
    def tip(self) -> Point:
        assert self.yard.node.tip is not None
        return Point(self.yard.node.tip.slot, self.yard.node.tip.id)

    @property
    def in_ledger(self) -> dict[str, int]:
        """The wallet's coins as the ledger has them."""
        return {str(coin.reference): coin.output.lovelace for coin in self.yard.coins_at(KEEPER.address)}

    @property
    def in_rows(self) -> dict[str, int]:
        """The same as the view shows them."""
        rows = select(
            self.path,
            "SELECT transaction_id || '#' || output_index AS at, lovelace FROM outputs"
            " WHERE payment_credential = ? AND spent_slot IS NULL",
            KEEPER.hash.hex(),
        )
        return {row["at"]: row["lovelace"] for row in rows}

    async def unread(self) -> bool:
        async with opened(self.path) as db:
            return await coins.unread(db, KEEPER.hash)

    async def lost(self) -> int:
        async with opened(self.path) as db:
            return await coins.lost_since(db, KEEPER.hash, 0)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Site]:
    """The keeper's wallet has two coins already."""
    yard = await furnished(deployed=False)
    async with serve(yard.node) as server:
        yield Site(yard, server.port, tmp_path / "db.sqlite")


async def test_coins_from_before_are_known_and_their_spending_is_seen(here: Site) -> None:
    """As of the block that was the last then, and they are not asked for again."""
    start = here.tip
    await here.follow(start)
    assert (len(here.in_ledger), here.in_rows, await here.unread()) == (2, here.in_ledger, False)
    (reading,) = select(here.path, "SELECT * FROM wallet_reading")
    assert reading == {"credential": KEEPER.hash.hex(), "slot": start.slot, "block_id": start.id.hex()}
    done = await here.yard.do(Split(6_000_000))
    here.yard.pay(KEEPER.address, 3_000_000)
    await here.follow(start)
    assert (len(here.in_ledger), here.in_rows) == (4, here.in_ledger)
    assert (await here.lost(), here.asked) == (done.fee, 1)


async def test_a_coin_that_was_spent_since_is_read_as_it_was_and_then_seen_spent(here: Site) -> None:
    """The follower stands far behind: it reads what was true there, so nothing is counted twice or missed."""
    start = here.tip
    first = await here.yard.do(Split(6_000_000))
    second = await here.yard.do(Split(7_000_000))
    here.yard.skip(1)
    await here.follow(start)
    assert (here.in_rows, await here.unread()) == (here.in_ledger, False)
    assert await here.lost() == first.fee + second.fee
    old = select(here.path, "SELECT spent_by FROM outputs WHERE created_slot = ?", start.slot)
    assert {row["spent_by"] for row in old} >= {first.id.hex()}
    assert len(old) == 2


async def test_a_block_too_far_back_is_no_place_to_read_at(here: Site) -> None:
    """The node has forgotten that ledger; the next session begins where it has not."""
    start = here.tip
    await here.yard.do(Split(6_000_000))
    for _ in range(K):
        here.yard.skip(1)
    await here.follow(start)
    assert await here.unread()
    assert here.in_rows != here.in_ledger
    await here.follow(start)
    assert (here.in_rows, await here.unread()) == (here.in_ledger, False)


async def test_a_session_ends_and_another_begins_when_it_is_asked_to(here: Site) -> None:
    """Nothing is lost, and it goes on to follow."""
    start = here.tip
    for _ in range(K + 1):
        here.yard.skip(1)
    async with here.follower(start, (WALLET,), goes_on=True) as follower:
        task = asyncio.create_task(follower.run())
        await until(lambda: follower.status.cursor == here.tip)
        assert (here.asked, here.in_rows) == (1, {})
        follower.begin_anew()
        await until(lambda: here.in_rows == here.in_ledger)
        await here.yard.do(Split(6_000_000))
        await until(lambda: follower.status.cursor == here.tip)
        assert (here.asked, here.in_rows, follower.status.reconnects) == (2, here.in_ledger, 0)
        follower.stop()
        await task


async def test_a_key_that_comes_later_has_its_coins_read_where_the_database_stands(here: Site) -> None:
    """Of the history that was followed without it there is nothing."""
    for _ in range(2):
        await here.follow(watched=(SOMEBODY,))
        assert (here.asked, here.in_rows, await here.unread()) == (0, {}, True)
    await here.follow(watched=(SOMEBODY, WALLET))
    assert (here.in_rows, await here.unread()) == (here.in_ledger, False)


async def test_a_wallet_that_was_watched_from_the_beginning_is_not_asked_for(here: Site) -> None:
    """All of its coins were seen."""
    await here.follow()
    await here.follow()
    assert (here.asked, here.in_rows) == (0, here.in_ledger)


async def test_what_was_read_at_a_block_that_a_fork_undoes_is_read_again(here: Site) -> None:
    """Else a coin that the other branch does not have, or has not spent, would be believed."""
    await here.yard.do(Split(6_000_000))
    here.yard.skip(1)
    await here.follow(watched=(SOMEBODY,))
    await here.follow(watched=(SOMEBODY, WALLET))
    assert here.in_rows == here.in_ledger
    split_off = {at: lovelace for at, lovelace in here.in_ledger.items() if lovelace == 6_000_000}
    here.yard.node.fork(2, 3, drop=[bytes.fromhex(at.partition("#")[0]) for at in split_off])
    await here.follow(watched=(SOMEBODY, WALLET))
    assert not split_off.items() & here.in_rows.items()
    assert await here.unread()
    await here.follow(watched=(SOMEBODY, WALLET))
    assert (here.in_rows, await here.unread()) == (here.in_ledger, False)
    assert len(here.in_ledger) == 2


async def test_a_node_that_takes_long_to_look_does_not_end_the_session(here: Site) -> None:
    """The time that it took is not held against the blocks, which nobody asked for meanwhile."""
    for _ in range(3):
        here.yard.skip(1)

    async def slowly(_: Point) -> bool:
        await asyncio.sleep(1.5)
        return False

    async with opened(here.path) as db:
        follower = Follower(
            db,
            partial(ogmios.session, f"ws://127.0.0.1:{here.port}", {}, 5.0),
            network_of("devnet"),
            [WALLET],
            since=Point(0, here.yard.node.chain[0].id),
            until="tip",
            pace=replace(IMPATIENT, request_timeout_s=1),
            adopt=slowly,
        )
        async with asyncio.timeout(30):  # else it would go on for ever, from one session to the next
            await follower.run()
    assert (follower.status.cursor, follower.status.reconnects) == (here.tip, 0)


async def test_what_cannot_be_read_stops_nobody(here: Site) -> None:
    """The blocks are followed all the same."""
    start, here.reach = here.tip, 1
    here.yard.pay(KEEPER.address, 3_000_000)
    await here.follow(start)
    assert (here.asked, list(here.in_rows.values()), await here.unread()) == (1, [3_000_000], True)
    here.reach = None
    await here.follow(start)
    assert (here.in_rows, await here.unread()) == (here.in_ledger, False)

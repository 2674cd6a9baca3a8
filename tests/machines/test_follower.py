"""However the chain forks, and whenever the daemon or the connection dies, the rows are a replay of what survived."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from indexer.chain.address import CredentialKind
from indexer.chain.network import Network
from indexer.chain.watch import parse_watch
from indexer.devnet.chain import Chain
from indexer.devnet.recording import MadeBlock
from indexer.devnet.replay import ReplayServer
from indexer.edge import ogmios
from indexer.store.db import opened
from indexer.workers.follow import Follower
from tests.support.blocks import WATCHES, Block, Tx, compact, fold, is_ebb, make_block
from tests.support.chains import Ledger
from tests.support.following import IMPATIENT, assets, outputs, place_of, row_of, select

WATCHED = [parse_watch(text, None if kind is None else CredentialKind(kind)) for text, kind in WATCHES]


class FollowerMachine(RuleBasedStateMachine):
    """The real follower and SQLite, an Ogmios that serves a chain which grows and forks, and a dumb replay."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "db.sqlite"
        self.chain: list[Block] = []
        self.orphans: list[Tx] = []
        self.stack = AsyncExitStack()
        self.task: asyncio.Task[None]
        self.follower: Follower

    @initialize()
    def begin(self) -> None:
        self.runner.run(self._serve())
        self.runner.run(self._start())

    @rule(data=st.data(), count=st.integers(1, 4))
    def roll_forward(self, data: st.DataObject, count: int) -> None:
        random = data.draw(st.randoms(use_true_random=False))
        self.runner.run(self._grow([self._block(random) for _ in range(count)]))

    @rule(data=st.data())
    def roll_backward(self, data: st.DataObject) -> None:
        """To any block that the chain holds, or to the origin; transactions may come back later."""
        self._abandon(data.draw(st.integers(0, len(self.chain))))
        self.runner.run(self._shorten())

    @rule()
    def restart(self) -> None:
        self.runner.run(self._stop())
        self.runner.run(self._start())

    @rule(data=st.data(), depth=st.integers(0, 3))
    def restart_after_a_fork(self, data: st.DataObject, depth: int) -> None:
        """The fork happens while nobody looks, and grows higher than what it replaces, as forks that win do.

        At least one block is common, or the history is lost.
        """
        self.runner.run(self._stop())
        keep = max(len(self.chain) - depth, self._first_point())
        if keep < len(self.chain):
            random = data.draw(st.randoms(use_true_random=False))
            height = self.chain[-1]["height"]
            self._abandon(keep)
            self.runner.run(self._shorten())
            blocks = [self._block(random)]
            while blocks[-1]["height"] <= height:
                blocks.append(self._block(random))
            self.runner.run(self._grow(blocks))
        self.runner.run(self._start())

    @rule()
    def reconnect(self) -> None:
        self.runner.run(self._drop())

    @invariant()
    def rows_replay_the_chain(self) -> None:
        self.runner.run(self._caught_up())
        expected = fold(self.chain, WATCHES)
        rows = outputs(self.path)
        assert {ref: row_of(row) for ref, row in expected.rows.items()} == rows
        assert {
            (*ref, policy, name): quantity
            for ref, row in expected.rows.items()
            for policy, name, quantity in row.assets
        } == assets(self.path)
        held = {(r.transaction_id.hex(), r.index) for r in self.follower._sieve._held}
        assert expected.unspent == held, "the sieve must equal a fresh load"
        assert expected.unspent == {ref for ref, row in rows.items() if row["spent_slot"] is None}
        kept = select(self.path, "SELECT slot, block_id AS id, height FROM blocks ORDER BY slot")
        with_slot = [{key: b[key] for key in ("slot", "id", "height")} for b in self.chain if not is_ebb(b)]
        assert with_slot == kept

    def teardown(self) -> None:
        if hasattr(self, "task"):
            self.runner.run(self._stop())
        self.runner.run(self.stack.aclose())
        self.runner.close()
        self.folder.cleanup()

    # --- the chain

    def _block(self, random: Any) -> Block:
        again = [transaction for transaction in self.orphans if random.random() < 0.5]
        self.chain.append(make_block(random, Ledger.of(self.chain), again))
        return self.chain[-1]

    def _abandon(self, keep: int) -> None:
        while keep and is_ebb(self.chain[keep - 1]):
            keep -= 1
        self.orphans = [t for block in self.chain[keep:] for t in block.get("transactions", [])]
        del self.chain[keep:]

    def _first_point(self) -> int:
        return next((i + 1 for i, block in enumerate(self.chain) if not is_ebb(block)), len(self.chain))

    async def _grow(self, blocks: list[Block]) -> None:
        self.served.extend(made(block) for block in blocks)

    async def _shorten(self) -> None:
        self.served.roll_back(len(self.chain))

    # --- both ends

    async def _serve(self) -> None:
        self.served = Chain()
        self.server = await self.stack.enter_async_context(
            ReplayServer(self.served, "devnet", security_parameter=1_000)
        )

    async def _start(self) -> None:
        self.closing = AsyncExitStack()
        db = await self.closing.enter_async_context(opened(self.path))
        self.follower = Follower(
            db,
            partial(ogmios.session, f"ws://127.0.0.1:{self.server.port}", {}, 5.0),
            Network("devnet", 42),
            WATCHED,
            pace=IMPATIENT,
        )
        self.task = asyncio.create_task(self.follower.run())

    async def _stop(self) -> None:
        self.follower.stop()
        await self.task
        await self.closing.aclose()

    async def _drop(self) -> None:
        """Cut the connection, and let the follower notice: a node that shrinks while it is away is just behind."""
        before = self.follower.status.reconnects
        self.server.drop_connections()
        async with asyncio.timeout(5):
            while self.follower.status.reconnects == before:  # noqa: ASYNC110 -- a plain number
                await asyncio.sleep(0)

    async def _caught_up(self) -> None:
        """Wait until the follower stands where the chain ends, and has heard of it through a live session."""
        async with asyncio.timeout(5):
            while not self._stands_at_tip():
                if self.task.done():
                    await self.task
                await asyncio.sleep(0)

    def _stands_at_tip(self) -> bool:
        return self.follower.status.cursor == place_of(self.chain) and self.follower.status.phase == "following"


def made(block: Block) -> MadeBlock:
    """A block of the test's making as the server takes it."""
    return MadeBlock(bytes.fromhex(block["id"]), block["height"], block.get("slot"), compact(block).encode())


FollowerMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=25)
TestFollower = FollowerMachine.TestCase

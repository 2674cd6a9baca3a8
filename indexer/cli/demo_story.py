"""The demo: a promise made, attested and paid, on a devnet in this process, by what the commands do and by a daemon;
and paid again, for a fork takes the payment back."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from indexer import log
from indexer.chain.point import slot_of
from indexer.cli import attests, commits, deploys, find, keypairs, publishes, registers
from indexer.cli.checks import shipped
from indexer.cli.happened import event_of
from indexer.cli.keypairs import KeyPair
from indexer.cli.outputs import Output
from indexer.cli.released import Releases, listed
from indexer.cli.spending import means_of
from indexer.cli.states import DistributionContractState, state_of
from indexer.cli.tokens import Tokens
from indexer.cli.told import ada, table
from indexer.cli.words import state_in_words
from indexer.config import (
    PREFIX,
    Config,
    ContractSection,
    DatabaseSection,
    DataSection,
    FinalitySection,
    HttpSection,
    KeeperSection,
    OgmiosSection,
)
from indexer.devnet.clock import WallClock
from indexer.devnet.genesis import Genesis
from indexer.devnet.ledger.addresses import read_address
from indexer.devnet.node import Node
from indexer.devnet.running import Devnet
from indexer.edge.files import only_writer
from indexer.errors import IndexerError
from indexer.store import checkpoints, status

FUNDS: Final = 300_000_000  # lovelace of the funder
FUEL: Final = 100_000_000  # of the keeper
DEPTH: Final = 3  # blocks upon a payment until it counts as confirmed
PATIENCE_S: Final = 60.0
LOOK_EVERY_S: Final = 0.05
SLOT: Final = timedelta(milliseconds=200)
MILESTONE: Final = "m1"
T = TypeVar("T")
_RELEASE: Final = "SELECT transaction_id, in_block_slot FROM releases"


class Holding(Output):
    """What lies at an address at the end, as the chain says it. Lovelace."""

    whom: str
    address: str
    lovelace: int


class Story(Output):
    """How the demo ended: the database, the distribution in it, what the keeper did, and what people hold."""

    database: str
    seconds: float
    distribution: DistributionContractState
    holdings: tuple[Holding, ...]
    release: Releases

    def told(self) -> str:
        """In words."""
        rows = [(one.whom, one.address, ada(one.lovelace)) for one in self.holdings]
        return "\n".join(
            (
                "",
                state_in_words(self.distribution, Tokens.of(())),
                "",
                self.release.told(),
                "",
                "what people hold at the end, as the chain says it",
                "",
                table(("who", "address", "ada"), rows, frozenset((2,))),
                "",
                f"All of it in {self.seconds:.1f} s. The database: {self.database}",
                "Ask it anything, for a start:",
                f"  sqlite3 -readonly {self.database} 'SELECT * FROM releases'",  # noqa: S608 -- words
            )
        )


class DemoStuck(IndexerError):
    """Something that the demo waits for did not come about."""

    code = "demo.stuck"
    hint = "a slow machine, or a bug: report it with what the daemon logged"
    exit_code = 70


def tell_story(directory: Path, say: Callable[[str], None]) -> Story:
    """Play it: at the end the milestone is paid, and the database holds it all. Raises DemoStuck."""
    log.set_up("error", "console")
    begun = time.perf_counter()
    database = directory.absolute() / "indexer.sqlite"
    with only_writer(database):
        for suffix in ("", "-wal", "-shm"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="indexer-demo-") as name, _devnet() as devnet:
        folder = Path(name)
        say(f"a devnet listens at {devnet.url}")
        play = _Play(_config(database, folder, devnet.url), folder, devnet, say)
        distribution = play.to_the_end()
        found = asyncio.run(_state(play.config, distribution))
        (paid,) = asyncio.run(listed(play.config, distribution, None, 1)).releases
        return Story(
            database=str(directory / "indexer.sqlite"),
            seconds=time.perf_counter() - begun,
            distribution=found,
            holdings=play.holdings(),
            release=asyncio.run(listed(play.config, paid.release_id, None, 1)),
        )


class _Running:
    """A devnet in a thread of its own, for commands wait for what it does."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        genesis = Genesis("demo", start=datetime.now(UTC).replace(microsecond=0), slot_length=SLOT)
        self._node = Node(genesis, clock=WallClock(genesis.start, genesis.slot_length))
        self._over = asyncio.Event()
        self.url = ""
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)

    def start(self) -> None:
        """Until it listens."""
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        """Until it has gone."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()
        self._loop.close()

    def give(self, address: str, lovelace: int) -> None:
        """From the faucet, in a block."""

        def give() -> None:
            self._node.faucet(read_address(address), lovelace)
            self._node.make_block()

        self._do(give)

    def blocks(self, count: int) -> None:
        """So many more."""
        self._do(lambda: [self._node.make_block() for _ in range(count)])

    def take_back(self, slot: int, transaction: str) -> int:
        """A fork around all blocks from this slot on, one block longer; the mempool forgets the transaction. How many
        blocks it undoes."""

        def fork() -> int:
            depth = sum(block.slot is not None and block.slot >= slot for block in self._node.chain)
            self._node.fork(depth, depth + 1, drop=[bytes.fromhex(transaction)])
            return depth

        return self._do(fork)

    def holds(self, address: str) -> int:
        """Lovelace at an address."""
        where = read_address(address)
        return self._do(
            lambda: sum(output.lovelace for output in self._node.ledger.utxo.values() if output.address == where)
        )

    def _do(self, what: Callable[[], T]) -> T:
        async def do() -> T:
            return what()

        return asyncio.run_coroutine_threadsafe(do(), self._loop).result()

    async def _run(self) -> None:
        try:
            async with Devnet(self._node) as devnet:
                self.url = devnet.url
                self._ready.set()
                await self._over.wait()
        finally:
            self._ready.set()


@contextmanager
def _devnet() -> Iterator[_Running]:
    running = _Running()
    running.start()
    try:
        yield running
    finally:
        running.stop()


def _config(database: Path, folder: Path, url: str) -> Config:
    """As the daemon reads it from its file; whatever the environment says, the demo keeps to itself."""
    blueprint, key = folder / "plutus.json", folder / "keeper.skey"
    blueprint.write_text(shipped("plutus.json"))
    (folder / "config.toml").write_text(
        "\n".join(
            (
                'network = "devnet"',
                f"[database]\npath = {json.dumps(str(database))}",
                '[data]\ndirectory = "."',
                '[[contract]]\nblueprint = "plutus.json"',
                f'[ogmios]\nurl = "{url}"',
                f'[keeper]\nenabled = true\nsigning_key = "{key.name}"',
                f"[finality]\nconfirmed_depth = {DEPTH}",
                '[http]\nlisten = "127.0.0.1:0"',
                '[logging]\nformat = "json"\n',
            )
        )
    )
    return Config.model_construct(
        network="devnet",
        database=DatabaseSection(path=database),
        data=DataSection(directory=folder),
        contract=(ContractSection(blueprint=blueprint),),
        ogmios=OgmiosSection(url=url),
        keeper=KeeperSection(enabled=True, signing_key=key),
        finality=FinalitySection(confirmed_depth=DEPTH),
        http=HttpSection(listen="127.0.0.1:0"),
    )


class _Play:
    """The scenes, each by the function behind a command, beside a daemon."""

    def __init__(self, config: Config, folder: Path, devnet: _Running, say: Callable[[str], None]) -> None:
        self.config, self._folder, self._devnet, self._say = config, folder, devnet, say
        self._funder, self._keeper = self._key("funder", "funder"), self._key("keeper", "keeper")
        self._oracles = [self._key("oracle", f"oracle-{number}") for number in range(1, 4)]
        self._people = [self._key("keeper", f"beneficiary-{number}") for number in range(1, 3)]
        self._means = means_of(
            config,
            (Path(self._funder.signing_key_file),),
            None,
            yes=True,
            dry_run=False,
            out=None,
            as_json=True,
        )

    def to_the_end(self) -> str:
        """The distribution's id."""
        assert self._funder.address is not None
        assert self._keeper.address is not None
        self._devnet.give(self._funder.address, FUNDS)
        self._devnet.give(self._keeper.address, FUEL)
        self._say(f"the faucet gave the funder {ada(FUNDS)} ada, and the keeper {ada(FUEL)}")
        with self._daemon():
            self._say("run: the daemon follows the chain, and its keeper waits for something to be due")
            distribution = self._until_quorum_met()
            self._paid_taken_back_and_paid_again()
        return distribution

    def holdings(self) -> tuple[Holding, ...]:
        """Who has what, as the chain says it."""
        people = [(f"beneficiary {number}", one) for number, one in enumerate(self._people, start=1)]
        return tuple(
            Holding(whom=whom, address=one.address, lovelace=self._devnet.holds(one.address))
            for whom, one in [*people, ("keeper", self._keeper)]
            if one.address is not None
        )

    def _until_quorum_met(self) -> str:
        config, say, means = self.config, self._say, self._means
        script = deploys.deploy(config, means, forever=False, again=False)
        say(f"deploy: the script is at {script.reference}")
        created = registers.register(config, means, self._schedule(), submit=True, again=False)
        distribution = created.distribution_id
        assert distribution is not None
        say(f"register-milestone: {ada(created.lovelace_locked)} ada are locked, for distribution {distribution}")
        self._await("the distribution", "SELECT 1 FROM distributions")
        first, second = (Path(oracle.signing_key_file) for oracle in self._oracles[:2])
        matter = self._matter(distribution)
        published = publishes.attest(config, means, matter, attests.signer_of(matter, first), again=False)
        say(f"attest --publish: the first of three oracles signed {MILESTONE}, at {published.signatures[0].reference}")
        self._await("the signature", "SELECT 1 FROM attestations WHERE verdict = 'valid'")
        matter = self._matter(distribution)
        say(f"check-status: {len(matter.tally.valid)} of {matter.tally.threshold} signatures")
        words = self._folder / "m1.json"
        attests.sign(matter, attests.signer_of(matter, second), words)
        stored = asyncio.run(commits.commit(config, words, False))
        say(f"attest, commit-milestone: the second signed in a file; quorum {stored.quorum_status}")
        return distribution

    def _paid_taken_back_and_paid_again(self) -> None:
        transaction, slot = self._await(
            "the release in a block", f"{_RELEASE} WHERE state IN ('in_block', 'confirmed')"
        )
        self._say(f"the keeper released it, by itself: transaction {transaction} is in a block")
        depth = self._devnet.take_back(slot, transaction)
        self._await("the release to be taken back", "SELECT 1 FROM release_steps WHERE to_state = 'rolled_back'")
        self._say(f"a fork of {depth} blocks took it back, and the mempool forgot it")
        again, _ = self._await(
            "the release again", f"{_RELEASE} WHERE attempts > 1 AND state IN ('in_block', 'confirmed')"
        )
        same = "the same bytes" if again == transaction else f"transaction {again}"
        self._say(f"the keeper sent {same} again: in a block")
        self._devnet.blocks(DEPTH)
        self._await("the release confirmed", f"{_RELEASE} WHERE state = 'confirmed'")
        self._say(f"confirmed, {DEPTH} blocks deep")

    def _await(self, what: str, sql: str) -> tuple[Any, ...]:
        """The first row that an analyst's question has, once it has one. Raises DemoStuck."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and self._process.poll() is None:
            try:
                with closing(sqlite3.connect(f"file:{self.config.database.path}?mode=ro", uri=True)) as db:
                    row = db.execute(sql).fetchone()
            except sqlite3.OperationalError:
                row = None  # the daemon is about to make it
            if row is not None:
                return tuple(row)
            time.sleep(LOOK_EVERY_S)
        why = "the daemon ended" if self._process.poll() is not None else f"not within {PATIENCE_S:g} s"
        logged = " / ".join(self._log.read_text()[-4000:].splitlines())
        raise DemoStuck(f"{what} did not come about: {why}. It logged: {logged}")

    @contextmanager
    def _daemon(self) -> Iterator[None]:
        """`indexer run`, in a process of its own."""
        command = (sys.executable, "-m", "indexer", "--config", str(self._folder / "config.toml"), "run")
        with self._log.open("wb") as written:
            environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
            self._process = subprocess.Popen(command, stdout=written, stderr=written, env=environment)  # noqa: S603 -- ours
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()

    @property
    def _log(self) -> Path:
        return self._folder / "daemon.log"

    def _key(self, kind: str, name: str) -> KeyPair:
        return keypairs.make(kind, self._folder / f"{name}.skey", self.config.chain)

    def _matter(self, distribution: str) -> attests.Matter:
        return asyncio.run(attests.prepare(self.config, distribution, MILESTONE))

    def _schedule(self) -> Path:
        """Two milestones, for two people; the first is due at once."""
        path = self._folder / "schedule.json"
        people = [one.address for one in self._people]
        rows = [(people[0], 25, MILESTONE, 2020), (people[1], 40, MILESTONE, 2020), (people[0], 60, "m2", 2040)]
        terms = {
            "funder": self._funder.key_hash,
            "token": "ada",
            "oracles": [oracle.public_key for oracle in self._oracles],
            "quorum_threshold": 2,
            "lovelace_per_payout": 1_000_000,
            "keeper_fee_per_payout": 500_000,
            "expires_at": "2050-01-01T00:00:00Z",
            "allocations": [
                {
                    "beneficiary": whom,
                    "amount": amount * 1_000_000,
                    "milestone_id": milestone,
                    "vesting_at": f"{year}-01-01T00:00:00Z",
                }
                for whom, amount, milestone, year in rows
            ],
        }
        path.write_text(json.dumps(terms))
        return path


async def _state(config: Config, distribution: str) -> DistributionContractState:
    """As `check-status` tells it."""
    async with find.moment(config.database.path) as db:
        standing = await checkpoints.read(db)
        slot = slot_of(standing.cursor.place)
        life = await find.life_of(db, distribution)
        events = [event_of(row) for row in await status.history(db, life.id, slot)]
    return state_of(life, standing.network, slot, find.now_ms(), events, None)

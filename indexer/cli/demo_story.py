"""The demo: a promise made, attested and found complete, on a devnet in this process, by what the commands do."""

import asyncio
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from indexer import app, log
from indexer.chain.point import slot_of
from indexer.cli import attests, commits, deploys, find, keypairs, publishes, registers
from indexer.cli.checks import shipped
from indexer.cli.happened import event_of
from indexer.cli.keypairs import KeyPair
from indexer.cli.outputs import Output
from indexer.cli.spending import means_of
from indexer.cli.states import DistributionContractState, state_of
from indexer.cli.tokens import Tokens
from indexer.cli.told import ada
from indexer.cli.words import state_in_words
from indexer.config import (
    Config,
    ContractSection,
    DatabaseSection,
    DataSection,
    HttpSection,
    OgmiosSection,
)
from indexer.devnet.clock import WallClock
from indexer.devnet.genesis import Genesis
from indexer.devnet.ledger.addresses import read_address
from indexer.devnet.node import Node
from indexer.devnet.running import Devnet
from indexer.edge.files import only_writer
from indexer.store import checkpoints, status

FUNDS: Final = 300_000_000  # lovelace of the funder
SLOT: Final = timedelta(milliseconds=200)
MILESTONE: Final = "m1"


class Story(Output):
    """How the demo ended: the database, and the distribution in it."""

    database: str
    seconds: float
    distribution: DistributionContractState

    def told(self) -> str:
        """In words."""
        return "\n".join(
            (
                "",
                state_in_words(self.distribution, Tokens.of(())),
                "",
                f"All of it in {self.seconds:.1f} s. The database: {self.database}",
                "Ask it anything, for a start:",
                f"  sqlite3 -readonly {self.database} 'SELECT * FROM allocations'",  # noqa: S608 -- words
            )
        )


def tell_story(directory: Path, say: Callable[[str], None]) -> Story:
    """Play it: at the end a quorum is met, and the database holds it all."""
    log.set_up("error", "console")
    begun = time.perf_counter()
    database = directory / "indexer.sqlite"
    with only_writer(database):
        for suffix in ("", "-wal", "-shm"):
            database.with_name(database.name + suffix).unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="indexer-demo-") as name, _devnet() as devnet:
        folder = Path(name)
        config = _config(database, folder, devnet.url)
        say(f"a devnet listens at {devnet.url}")
        distribution = _Play(config, folder, devnet, say).until_quorum_met()
    found = asyncio.run(_state(config, distribution))
    return Story(database=str(database), seconds=time.perf_counter() - begun, distribution=found)


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

        async def give() -> None:
            self._node.faucet(read_address(address), lovelace)
            self._node.make_block()

        asyncio.run_coroutine_threadsafe(give(), self._loop).result()

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
    """Whatever the environment says, the demo keeps to itself."""
    blueprint = folder / "plutus.json"
    blueprint.write_text(shipped("plutus.json"))
    return Config.model_construct(
        network="devnet",
        database=DatabaseSection(path=database),
        data=DataSection(directory=folder),
        contract=(ContractSection(blueprint=blueprint),),
        ogmios=OgmiosSection(url=url),
        http=HttpSection(listen="127.0.0.1:0"),
    )


class _Play:
    """The scenes, each by the function behind a command."""

    def __init__(self, config: Config, folder: Path, devnet: _Running, say: Callable[[str], None]) -> None:
        self._config, self._folder, self._devnet, self._say = config, folder, devnet, say
        self._funder = self._key("funder", "funder")
        self._oracles = [self._key("oracle", f"oracle-{number}") for number in range(1, 4)]
        self._means = means_of(
            config,
            (Path(self._funder.signing_key_file),),
            None,
            yes=True,
            dry_run=False,
            out=None,
            as_json=True,
        )

    def until_quorum_met(self) -> str:
        """The distribution's id."""
        config, say, means = self._config, self._say, self._means
        assert self._funder.address is not None
        self._devnet.give(self._funder.address, FUNDS)
        say(f"the faucet gave the funder {ada(FUNDS)} ada")
        script = deploys.deploy(config, means, forever=False, again=False)
        say(f"deploy: the script is at {script.reference}")
        created = registers.register(config, means, self._schedule(), submit=True, again=False)
        distribution = created.distribution_id
        assert distribution is not None
        say(f"register-milestone: {ada(created.lovelace_locked)} ada are locked, for distribution {distribution}")
        self._follow()
        first, second = (Path(oracle.signing_key_file) for oracle in self._oracles[:2])
        matter = self._matter(distribution)
        published = publishes.attest(config, means, matter, attests.signer_of(matter, first), again=False)
        say(f"attest --publish: the first of three oracles signed {MILESTONE}, at {published.signatures[0].reference}")
        self._follow()
        matter = self._matter(distribution)
        say(f"check-status: {len(matter.tally.valid)} of {matter.tally.threshold} signatures")
        words = self._folder / "m1.json"
        attests.sign(matter, attests.signer_of(matter, second), words)
        stored = asyncio.run(commits.commit(config, words, False))
        say(f"attest, commit-milestone: the second signed in a file; quorum {stored.quorum_status}")
        return distribution

    def _key(self, kind: str, name: str) -> KeyPair:
        return keypairs.make(kind, self._folder / f"{name}.skey", self._config.chain)

    def _follow(self) -> None:
        asyncio.run(app.run(self._config, until="tip"))

    def _matter(self, distribution: str) -> attests.Matter:
        return asyncio.run(attests.prepare(self._config, distribution, MILESTONE))

    def _schedule(self) -> Path:
        """Two milestones, for two people; the first is due at once."""
        path = self._folder / "schedule.json"
        people = [self._key("keeper", f"beneficiary-{number}").address for number in range(1, 3)]
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

"""A devnet as a process, people with keys in files, and a configuration: where commands that spend are tried."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
from typer.testing import CliRunner

from indexer.cli.main import app
from indexer.devnet.ledger.addresses import address_text
from tests.contract.parameters import Units
from tests.contract.terms import Asset, Reference
from tests.contract.tree import Array
from tests.support.process import INDEXER, ROOT, answer
from tests.support.spending import NATIVE, Coin, Spending, Wallet, native_hash, paid, written

Json = dict[str, Any]
FREELY: Final = Array((1, Array(())))  # a native script that always agrees
TOKEN: Final = Asset(native_hash(FREELY), b"TOKEN")
ANY_PORT: Final = ("--port", "0", "--kupo-port", "0", "--control-port", "0")
ADA: Final = 1_000_000
UNITS: Final = Units(0, 0)


@dataclass(frozen=True)
class Somebody(Wallet):
    """A wallet whose address has no stake part, as commands make them of a key."""

    @property
    def address(self) -> bytes:
        return bytes([0x60 | self.network]) + self.hash

    @property
    def text(self) -> str:
        """The address as people write it."""
        return address_text(self.address)


@dataclass(frozen=True)
class Town:
    """Where everything listens, and the folder of the configuration, of keys and of files."""

    folder: Path
    facts: Json

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    def configure(self, reference: str | None = None, url: str | None = None) -> None:
        """The configuration, perhaps with the output that holds the script."""
        named = "" if reference is None else f'\nreference = "{reference}"'
        self.config.write_text(
            f'network = "devnet"\n[database]\npath = "db.sqlite"\n[data]\ndirectory = "data"\n'
            f'[[contract]]\nblueprint = "{ROOT / "plutus.json"}"{named}\n'
            f'[ogmios]\nurl = "{url or self.facts["url"]}"\ntimeout_s = 10.0\n'
            f'[http]\nlisten = "127.0.0.1:0"\n'
            f'[[token]]\npolicy = "{TOKEN.policy.hex()}"\nname = "{TOKEN.name.hex()}"\nticker = "TOK"\ndecimals = 2\n'
        )

    # The devnet.

    def control(self, request: str, **fields: Any) -> Json:
        """What a request of the control face answers."""
        found: Json = httpx.post(f"{self.facts['control']}/{request}", json=fields).raise_for_status().json()
        return found

    @property
    def state(self) -> Json:
        found: Json = httpx.get(f"{self.facts['control']}/state").raise_for_status().json()
        return found

    def asked(self, method: str, **fields: Any) -> Any:
        """What Ogmios says over HTTP."""
        request = {"jsonrpc": "2.0", "method": method, "params": fields}
        url = self.facts["url"].replace("ws:", "http:")
        said = httpx.post(url, json=request).json()
        assert "result" in said, said
        return said["result"]

    def coins(self, whom: Wallet) -> list[Json]:
        """What is unspent at somebody's address."""
        found: list[Json] = self.asked("queryLedgerState/utxo", addresses=[address_text(whom.address)])
        return found

    def unspent(self, reference: str) -> bool:
        """Whether an output is there."""
        transaction_id, _, index = reference.partition("#")
        wanted = [{"transaction": {"id": transaction_id}, "index": int(index)}]
        return bool(self.asked("queryLedgerState/utxo", outputReferences=wanted))

    def fund(self, whom: Wallet, *lovelace: int) -> list[Coin]:
        """Coins from the faucet."""
        made = []
        for each in lovelace:
            told = self.control("faucet", address=address_text(whom.address), lovelace=each)
            made.append(Coin(Reference(bytes.fromhex(told["transaction"]), 0), paid(whom.address, each)))
        return made

    def mint(self, whom: Wallet, quantity: int) -> None:
        """Tokens for somebody, in a coin of their own, and a block that has them."""
        (coin,) = self.fund(whom, 20 * ADA)
        self.send(
            Spending(
                inputs=(coin,),
                signers=(whom,),
                change=whom.address,
                outputs=(paid(whom.address, 5 * ADA, {TOKEN: quantity}),),
                mint={TOKEN: quantity},
                witnesses={NATIVE: Array((FREELY,))},
            )
        )

    def send(self, spending: Spending) -> str:
        """Submit a transaction, make the block; its id."""
        sent: str = self.asked("submitTransaction", transaction={"cbor": written(spending).hex()})["transaction"]["id"]
        self.control("blocks", count=1)
        return sent

    # People and commands.

    def key(self, whom: Wallet) -> str:
        """The file of somebody's signing key."""
        path = self.folder / f"{whom.name.replace(' ', '-')}.skey"
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(bytes(whom.key).hex())
        return str(path)

    def process(self, *arguments: str) -> Json:
        """What a command that succeeds answers, as a process of its own."""
        found: Json = answer(self.config, *arguments)
        return found

    def run(self, *arguments: str) -> tuple[int, Json]:
        """A command in this process, which is quicker: its exit code, and its answer or error."""
        done = CliRunner().invoke(app, ["--config", str(self.config), *arguments, "--json"])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.output
        return done.exit_code, json.loads(done.stdout)

    def do(self, *arguments: str) -> Json:
        """What a command that succeeds answers."""
        exit_code, said = self.run(*arguments)
        assert exit_code == 0, said
        return said

    def refused(self, code: str, *arguments: str, exit_code: int = 1) -> Json:
        """The error of a command that does not: of that code, with a sentence and a hint."""
        found, said = self.run(*arguments)
        assert (found, said["error"]["code"]) == (exit_code, code), said
        assert said["error"]["message"]
        assert said["error"]["hint"]
        return dict(said["error"])

    def follow(self) -> None:
        """The database comes as far as the chain."""
        self.process("run", "--until", "tip")

    def write(self, name: str, content: Any) -> str:
        """A file of JSON."""
        path = self.folder / name
        path.write_text(json.dumps(content))
        return str(path)


@contextmanager
def town(folder: Path, slot_s: float = 0.2) -> Iterator[Town]:
    """A devnet of its own, configured and empty."""
    process = subprocess.Popen(
        [*INDEXER, "devnet", *ANY_PORT, "--slot-length", str(slot_s), "--json"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        found = Town(folder, json.loads(process.stdout.readline()))
        found.configure()
        yield found
    finally:
        process.terminate()
        process.communicate(timeout=10)

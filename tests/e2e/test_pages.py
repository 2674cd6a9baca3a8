"""README, the receiver of alerts, and the pages for funders, oracles, keepers, walked as a newcomer does on a devnet.

Each line of their `sh` blocks is done, in the order of WALK: `indexer devnet` and `indexer run` as processes, other
commands of ours in this one, what is not ours by a stand-in. What is asked is answered with yes (`--yes`); ids,
addresses and ports are those that were printed before. What a `text` block shows must be what the command above said.
"""

import base64
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Final

import httpx
import pytest
from typer.testing import CliRunner

from indexer.cli.main import app
from indexer.edge.builder.signing import transaction_id
from indexer.edge.keys import read_key
from tests.support.pages import PAGES, ROOT, Block, blocks, edited, says, words
from tests.support.process import INDEXER, until
from tests.support.town import ANY_PORT

WALK: Final = (
    ("README.md", "On a devnet of your own"),
    ("docs/alerts.md", "Receiving a webhook"),
    ("docs/funders.md", "A key with some ada"),
    ("docs/funders.md", "The script, once a network"),
    ("docs/funders.md", "Check, then create"),
    ("docs/oracles.md", "Your key"),
    ("docs/oracles.md", "What you sign"),
    ("docs/oracles.md", "Gathered in a file"),
    ("docs/oracles.md", "On the chain"),
    ("docs/oracles.md", "A key that is never online"),
    ("docs/keepers.md", "A wallet"),
    ("docs/keepers.md", "Switching it on"),
    ("docs/keepers.md", "Pause"),
    ("docs/keepers.md", "By hand"),
    ("docs/funders.md", "What comes back"),
    ("docs/integrators.md", "For integrators"),
)
WALKED: Final = {page for page, _ in WALK} - {"README.md"}
# Those that ask before they do something, and those whose answer changes while one waits.
ASK: Final = {"deploy", "register-milestone", "attest", "withdraw-attestation", "reclaim", "submit", "submit-release"}
LOOK: Final = {"check-status", "releases", "explain"}
PATIENCE_S: Final = 60.0
PREPROD: Final = ROOT / "tests" / "data" / "preprod-babbage-913-contiguous.v6.jsonl.gz"
JUMPS: Final = 8  # of a hundred million seconds: until what expires in 2050 has expired


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Newcomer:
    """Somebody with a folder and some terminals, who remembers what was printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.terminals: dict[str, subprocess.Popen[str]] = {}
        self.environment = {"INDEXER__HTTP__LISTEN": "127.0.0.1:0", "INDEXER__LOGGING__FORMAT": "json"}
        self.control = ""
        # What stands on the pages, and what it is here.
        self.known: dict[str, str] = {"9000": str(free_port())}
        self.references: dict[str, str] = {}
        self.public_keys: list[str] = []
        self.addresses: dict[str, str] = {}
        self.funder = ""

    def reads(self, section: list[Block]) -> None:
        """Do all that it says, and compare what it shows; of addresses, each page means that of its readers."""
        self.known["addr_test1…"] = self.addresses.get(Path(section[0].page).stem, "")
        for index, block in enumerate(section):
            shown = section[index + 1] if [each.language for each in section[index + 1 :][:1]] == ["text"] else None
            for line in block.lines if block.language == "sh" else ():
                last = line == block.lines[-1]
                self.types(line, shown.text if shown is not None and last else None, section)

    def types(self, line: str, shown: str | None, section: list[Block]) -> None:
        """One line, with what the page shows of it."""
        match [self._meant(word, line) for word in words(line)]:
            case ["$EDITOR", "schedule.json"]:
                self._writes_schedule()
            case ["$EDITOR", "config.toml"]:
                self._configures(section)
            case ["indexer", "devnet"]:
                self._starts_devnet()
            case ["indexer", "run"]:
                self._starts_daemon()
            case ["curl", "-X", "POST", url, "-d", body]:
                for _ in range(JUMPS if "slots" in body else 1):
                    httpx.post(url, content=body).raise_for_status()
                self._waits_for_daemon()
            case ["echo", "whsec_$(openssl rand -base64 32)", ">", path, "&&", "chmod", "600", same] if path == same:
                Path(path).write_text(f"whsec_{base64.b64encode(os.urandom(32)).decode()}\n")
                Path(path).chmod(0o600)
            case ["python3", "receiver.py", port]:
                self._starts_receiver(section, port)
            case ["sqlite3", database, sql]:
                with closing(sqlite3.connect(database)) as db:
                    db.execute(sql)
            case ["cardano-cli", _, "transaction", "witness", *options]:
                self._witnesses(dict(zip(options[::2], options[1::2], strict=True)))
            case ["indexer", *arguments]:
                self._asks(arguments, shown, refused="refused" in line)
            case [assignment, "indexer", *arguments]:
                name, _, value = assignment.partition("=")
                self._asks(arguments, shown, more={name: value})
            case _:
                raise AssertionError(f"nobody knows how to do this: {line}")

    def stop(self) -> None:
        """Everything that goes on."""
        for name in list(self.terminals):
            self._stops(name)

    # --- words

    def _meant(self, word: str, line: str) -> str:
        """With what was printed in the place of what the page says."""
        if word == "TRANSACTION#0":
            return next(reference for option, reference in self.references.items() if option in line)
        for shown, meant in self.known.items():
            word = word.replace(shown, meant)
        return word

    def _remembers(self, said: str) -> None:
        for option in ("--take-back", "withdraw-attestation"):
            if found := re.search(rf"indexer .*{option} (\S+)$", said, re.MULTILINE):
                self.references[option] = found[1]
        if found := re.search(r"^distribution  ([0-9a-f]{8})[0-9a-f]{56}$", said, re.MULTILINE):
            self.known["5a295cd9"] = found[1]
        keys = dict(re.findall(r"^(signing key|public key|key hash|address) +(\S+)", said, re.MULTILINE))
        match keys.get("signing key", "").removesuffix(".skey").split("-"):
            case ["funder"]:
                self.funder = keys["key hash"]
                self.addresses["funders"] = self.known["addr_test1…"] = keys["address"]
            case ["keeper"]:
                self.addresses["keepers"] = self.known["addr_test1…"] = keys["address"]
            case ["oracle", _]:
                self.public_keys.append(keys["public key"])

    # --- deeds

    def _asks(
        self, arguments: list[str], shown: str | None, *, refused: bool = False, more: Mapping[str, str] | None = None
    ) -> None:
        """A command of ours; where it looks, as often as it takes until it says what is shown."""
        given = [*arguments, "--yes"] if arguments[0] in ASK else arguments
        end = time.monotonic() + PATIENCE_S
        while True:
            done = CliRunner(env={**self.environment, **(more or {})}).invoke(app, given)
            assert done.exit_code == int(refused), (arguments, done.output)
            self._remembers(done.stdout)
            if shown is None or says(shown, done.stdout):
                break
            assert arguments[0] in LOOK, f"{arguments} said:\n{done.stdout}"
            assert time.monotonic() < end, f"{arguments} said:\n{done.stdout}"
        if "in a block" in done.stdout:
            self._waits_for_daemon()

    def _starts(self, name: str, *options: str) -> Path:
        """A command that goes on; where its words go."""
        if name in self.terminals:
            self._stops(name)
        log = self.folder / f"{name}.log"
        with log.open("w") as out:
            self.terminals[name] = subprocess.Popen(
                [*INDEXER, name, *options], stdout=out, stderr=out, text=True, env=os.environ | self.environment
            )
        return log

    def _stops(self, name: str) -> None:
        process = self.terminals.pop(name)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0 or name == "receiver"  # Python's own has a traceback

    def _starts_devnet(self) -> None:
        self.control = self.known["http://127.0.0.1:1338"] = self.serves(*ANY_PORT)["control"]

    def serves(self, *options: str) -> dict[str, str]:
        """An Ogmios for all that follows: `indexer devnet` with these options; what it says of itself."""
        told = self._starts("devnet", *options, "--json")
        until(lambda: told.read_text().endswith("\n"), PATIENCE_S)
        facts: dict[str, str] = json.loads(told.read_text())
        self.environment["INDEXER__OGMIOS__URL"] = facts["url"]
        return facts

    def _starts_daemon(self) -> None:
        log = self._starts("run")
        until(lambda: "chain.following" in log.read_text(), PATIENCE_S)
        self._waits_for_daemon()

    def _starts_receiver(self, section: list[Block], port: str) -> None:
        (shown,) = [block for block in section if block.language == "python"]
        Path("receiver.py").write_text(shown.text)
        with (self.folder / "receiver.log").open("w") as out:
            command = [sys.executable, "receiver.py", port]
            self.terminals["receiver"] = subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL, text=True)

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", int(port))) == 0

        until(listens, PATIENCE_S)

    def received(self) -> set[str]:
        """The types of the messages that the receiver has verified."""
        return {json.loads(line)["type"] for line in (self.folder / "receiver.log").read_text().splitlines()}

    def _waits_for_daemon(self) -> None:
        """Until the database is where the chain is."""

        def there() -> bool:
            tip = httpx.get(f"{self.control}/state").json()["tip"]["id"]
            with closing(sqlite3.connect("file:data/indexer.sqlite?mode=ro", uri=True)) as db:
                return [(tip,)] == db.execute("SELECT block_id FROM sync_status").fetchall()

        if "run" in self.terminals and self.control:
            until(there, PATIENCE_S)

    def _writes_schedule(self) -> None:
        (shown,) = [block for block in blocks(ROOT / "docs" / "funders.md") if block.language == "json"]
        schedule = json.loads(shown.text)
        assert len(self.public_keys) == len(schedule["oracles"])
        Path("schedule.json").write_text(json.dumps(schedule | {"funder": self.funder, "oracles": self.public_keys}))

    def _configures(self, section: list[Block]) -> None:
        (shown,) = [block for block in section if block.language == "toml"]
        given = re.sub(
            r'^reference = ".*"', f'reference = "{self.references.get("--take-back")}"', shown.text, flags=re.MULTILINE
        )
        given = given.replace("9000", self.known["9000"])
        config = Path("config.toml")
        config.write_text(edited(config.read_text(), given))

    def _witnesses(self, options: dict[str, str]) -> None:
        """As `cardano-cli transaction witness` does."""
        body = bytes.fromhex(json.loads(Path(options["--tx-body-file"]).read_text())["cborHex"])
        key = read_key(Path(options["--signing-key-file"]))
        witness = f"8200825820{key.public.hex()}5840{key.sign(transaction_id(body)).hex()}"
        envelope = {"type": "TxWitness ConwayEra", "description": "Key Witness ShelleyEra", "cborHex": witness}
        Path(options["--out-file"]).write_text(json.dumps(envelope))


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Newcomer]:
    """In a folder that holds nothing."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("INDEXER")]:
        monkeypatch.delenv(name)
    found = Newcomer(tmp_path)
    try:
        yield found
    finally:
        found.stop()


def test_whoever_does_what_the_pages_say_sees_what_they_show(newcomer: Newcomer) -> None:
    """From a devnet to what comes back; at the end a beneficiary is paid, the rest is the funder's again, and the
    receiver of the webhook has heard of it all."""
    for page, heading in WALK:
        section = [block for block in blocks(ROOT / page) if block.heading == heading]
        assert section, (page, heading)
        newcomer.reads(section)
    with closing(sqlite3.connect("data/indexer.sqlite")) as db:
        (row,) = db.execute("SELECT state, amount_paid, amount_left FROM distributions")
    assert row == ("reclaimed", 25_000_000, 40_000_000)
    told = {"sink.test", "distribution.created", "milestone.quorum_met", "milestone.released", "distribution.reclaimed"}
    until(lambda: newcomer.received() >= told, PATIENCE_S)


def test_the_path_to_preprod_ends_with_a_database_of_preprod(newcomer: Newcomer) -> None:
    """Where Ogmios serves blocks of preprod (recorded ones); it is installed already."""
    newcomer.serves("--replay", str(PREPROD), "--network", "preprod", "--port", "0")
    section = [block for block in blocks(ROOT / "README.md") if block.heading == "Five minutes to preprod"]
    commands = [line for block in section for line in block.lines if line.startswith("indexer ")]
    assert len(commands) == 4
    for line in commands:
        newcomer.types(line, None, section)
    (shown,) = [line for line in Path("config.toml").read_text().splitlines() if line.startswith("network = ")]
    assert shown == 'network = "preprod"'
    with closing(sqlite3.connect("data/indexer.sqlite")) as db:
        assert db.execute("SELECT network FROM sync_status").fetchall() == [("preprod",)]


def test_nothing_on_the_pages_that_are_walked_is_left_out() -> None:
    """A command in a section that nobody walks would be one that nobody tried."""
    there = {
        (block.page, block.heading)
        for path in PAGES
        for block in blocks(path)
        if block.page in WALKED and block.language == "sh"
    }
    assert there == {(page, heading) for page, heading in WALK if page in WALKED}

"""infra/backup-restore.md, command by command: a daemon that pays, its data lost, and everything back."""

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.process import INDEXER, ROOT, answer, command, until

pytestmark = pytest.mark.clients

PAGE = (ROOT / "infra" / "backup-restore.md").read_text(encoding="utf-8")
VARIABLES, REPLICATE, ARRIVED, COPY, RESTORE = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SIGNED = "SELECT signatures_valid FROM milestones"
OUTPUTS = "SELECT transaction_id, output_index, spent_by FROM outputs ORDER BY 1, 2"
PAID = "SELECT d.state, d.allocations_claimed, m.signatures_valid FROM distributions d JOIN milestones m"
CONFIG = """
network = 42
[[contract]]
blueprint = "plutus.json"
[database]
path = "{data}/indexer.sqlite"
checkpoints = false
[data]
directory = "{data}"
[ogmios]
url = "{url}"
[kupo]
url = "{kupo}"
[keeper]
enabled = true
signing_key = "keeper.skey"
[finality]
confirmed_depth = 2
[http]
listen = "127.0.0.1:0"
[logging]
format = "json"
"""


class Host:
    """The directories of a server under one folder, a devnet, and the page's commands run as they stand."""

    def __init__(self, folder: Path, devnet: dict[str, Any]) -> None:
        self.folder, self._devnet = folder, devnet
        self.running: list[subprocess.Popen[Any]] = []
        self.data, self.backup = folder / "data", folder / "backup"
        self.config = folder / "config.toml"
        self.config.write_text(CONFIG.format(data=self.data, url=devnet["url"], kupo=devnet["kupo"]))
        shutil.copy(ROOT / "plutus.json", folder)
        self.data.mkdir()
        self.backup.mkdir()

    def shell(self, script: str) -> "subprocess.Popen[str]":
        """One of the page's commands, with its variables, in our directories."""
        script = f"{VARIABLES}\n{script}".replace("/var/lib/indexer", str(self.data))
        script = script.replace("/backup", str(self.backup)).replace("127.0.0.1:9190", "127.0.0.1:0")
        path = f"{Path(os.environ['LITESTREAM']).parent}:{os.environ['PATH']}"
        process = subprocess.Popen(["sh", "-euc", script], cwd=ROOT, text=True, env=os.environ | {"PATH": path})
        self.running.append(process)
        return process

    def do(self, script: str) -> int:
        """To its end."""
        return self.shell(script).wait(60)

    def daemon(self) -> "subprocess.Popen[bytes]":
        """`indexer run`, once its database is there."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen([*INDEXER, "--config", str(self.config), "run"], stderr=log)
        self.running.append(process)
        until(lambda: (self.data / "indexer.sqlite").exists())
        return process

    def post(self, path: str, **body: object) -> Any:
        """To the devnet's control."""
        request = urllib.request.Request(f"{self._devnet['control']}{path}", json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=30) as reply:
            return json.load(reply)

    def keys(self, kind: str, name: str) -> dict[str, str]:
        """A new pair, in NAME.skey."""
        made: dict[str, str] = answer(self.config, "keys", "new", kind, "--out", str(self.folder / f"{name}.skey"))
        return made

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """The daemon's database."""
        with closing(sqlite3.connect(f"file:{self.data}/indexer.sqlite?mode=ro", uri=True)) as db:
            return db.execute(sql).fetchall()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """With an empty data directory, and a chain with blocks of a fifth of a second."""
    ports = ("--port", "0", "--kupo-port", "0", "--control-port", "0")
    devnet = subprocess.Popen(
        [*INDEXER, "devnet", *ports, "--slot-length", "0.2", "--json"], stdout=subprocess.PIPE, text=True
    )
    assert devnet.stdout is not None
    host = Host(tmp_path, json.loads(devnet.stdout.readline()))
    host.running.append(devnet)
    yield host
    for process in host.running:
        process.kill()
        process.wait()
    devnet.stdout.close()


def stopped(process: "subprocess.Popen[Any]", number: signal.Signals = signal.SIGTERM) -> int:
    process.send_signal(number)
    return process.wait(60)


def promise(host: Host) -> str:
    """A distribution of one milestone that two oracles have to attest; its id."""
    funder, payee = host.keys("funder", "funder"), host.keys("funder", "payee")
    host.post("/faucet", address=funder["address"], lovelace=300_000_000)
    allocation = {"beneficiary": payee["address"], "amount": 25_000_000, "milestone_id": "m1"}
    schedule = {
        "funder": funder["key_hash"],
        "token": "ada",
        "oracles": [host.keys("oracle", f"oracle-{number}")["public_key"] for number in (1, 2)],
        "quorum_threshold": 2,
        "lovelace_per_payout": 1_000_000,
        "keeper_fee_per_payout": 500_000,
        "expires_at": "2090-01-01T00:00:00Z",
        "allocations": [allocation | {"vesting_at": "2026-01-01T00:00:00Z"}],
    }
    (host.folder / "schedule.json").write_text(json.dumps(schedule))
    key = ("--signing-key", str(host.folder / "funder.skey"), "--yes")
    for words in (("deploy",), ("register-milestone", str(host.folder / "schedule.json"), "--submit")):
        done = command(host.config, *words, *key)
        assert done.returncode == 0, done.stderr
    until(lambda: host.ask("SELECT 1 FROM distributions"))
    ((distribution,),) = host.ask("SELECT distribution_id FROM distributions")
    return str(distribution)


def attest(host: Host, distribution: str, number: int) -> None:
    """Off the chain: no block will ever tell of it."""
    key, out = host.folder / f"oracle-{number}.skey", host.folder / f"m1-{number}.json"
    words = ("attest", distribution, "m1", "--key", str(key), "--out", str(out), "--yes")
    for done in (command(host.config, *words), command(host.config, "commit-milestone", str(out))):
        assert done.returncode == 0, done.stderr


def test_all_that_is_lost_comes_back(host: Host) -> None:
    """Replicate, copy, lose everything, restore, go on: forked meanwhile, attested by a signature that only the copy
    had, paid by the keeper; and what is replicated after that can be restored too.
    """
    keeper = host.keys("keeper", "keeper")
    host.post("/faucet", address=keeper["address"], lovelace=100_000_000)
    daemon = host.daemon()
    litestream = host.shell(REPLICATE)
    distribution = promise(host)
    attest(host, distribution, 1)
    until(lambda: host.ask(SIGNED) == [(1,)])
    until(lambda: host.do(ARRIVED) == 0)
    before = host.ask(OUTPUTS)
    assert len(before) > 3
    assert host.do(COPY) == 0
    (given,) = (file.read_bytes() for file in host.data.glob("milestones/*/*.json"))

    assert stopped(daemon, signal.SIGKILL) < 0
    assert stopped(litestream) == 0
    shutil.rmtree(host.data)
    host.post("/fork", depth=2, blocks=4)
    host.data.mkdir()

    assert host.do(RESTORE) == 0
    assert host.ask(OUTPUTS) == before
    assert [file.read_bytes() for file in host.data.glob("milestones/*/*.json")] == [given]
    daemon, litestream = host.daemon(), host.shell(REPLICATE)
    attest(host, distribution, 2)
    until(lambda: host.ask("SELECT state FROM releases") in ([("confirmed",)], [("final",)]))
    assert answer(host.config, "audit")["differences"] == []
    until(lambda: host.do(ARRIVED) == 0)
    assert stopped(daemon) == 0
    assert stopped(litestream) == 0

    paid = host.ask(PAID)
    assert paid == [("completed", 1, 2)]
    assert host.do(RESTORE) == 0
    assert host.ask(PAID) == paid
    assert (host.data / "lost" / "indexer.sqlite").exists()

"""Alerts from a daemon on a devnet: to the receiver of docs/alerts.md as a process of its own, and to a command."""

import base64
import json
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.process import ROOT, answer, command, log_line, start, until
from tests.support.town import ADA, Somebody, Town, town

FUNDER = Somebody("funder")
SECRET = base64.b64encode(bytes(range(24))).decode()
SCHEMA = json.loads((ROOT / "schema" / "json" / "Message.json").read_text())


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def receiver(folder: Path, port: int) -> Iterator["Received"]:
    """The one of docs/alerts.md, word for word."""
    (code,) = re.findall(r"^```python\n(.+?)^```", (ROOT / "docs" / "alerts.md").read_text(), re.MULTILINE | re.DOTALL)
    private(folder / "billing.secret", f"whsec_{SECRET}\n")
    out = folder / "received.jsonl"
    with out.open("a") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(port)], cwd=folder, stdout=file, stderr=subprocess.DEVNULL
        )
    try:
        until(lambda: listens(port))
        yield Received(out)
    finally:
        process.kill()
        process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(here: Town) -> Iterator[None]:
    """`indexer run`, once it follows, until it has stopped in order."""
    daemon = start(here.config, "run")
    try:
        log_line(daemon, "chain.following")
        yield
        daemon.terminate()
        assert daemon.wait(30) == 0
    finally:
        daemon.kill()
        daemon.communicate()


class Received:
    """What a receiver has, message by message."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._path.read_text().splitlines()]

    def truth(self) -> list[tuple[str, str]]:
        """Of each event the message with the highest number: what holds, by type and finality."""
        latest: dict[str, tuple[int, dict[str, Any]]] = {}
        for message in self.messages():
            number = int(message["id"].rpartition(".")[2])
            latest[message["subject"]] = max(
                latest.get(message["subject"], (-1, {})), (number, message), key=lambda x: x[0]
            )
        return sorted((m["type"], m["subject"]) for n, m in latest.values() if n % 2 == 0)


def sinks(port: int, folder: Path, *, since: str = "") -> str:
    return f"""
[logging]
format = "json"
[[sink]]
name = "billing"
kind = "webhook"
url = "http://127.0.0.1:{port}/milestones"
secret_files = ["billing.secret"]
allow_private = true
distributions = "all"
{since}
[[sink]]
name = "diary"
kind = "exec"
command = ["{sys.executable}", "-c", "import sys; open('{folder}/diary', 'a').write(sys.stdin.read())"]
distributions = "all"
types = ["distribution.*"]
"""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Town]:
    with town(tmp_path) as found:
        found.fund(FUNDER, 500 * ADA, 100 * ADA)
        found.configure(found.do("deploy", "--signing-key", found.key(FUNDER), "--yes")["reference"])
        yield found


def schedule(here: Town, amount: int) -> str:
    return here.write(
        f"schedule-{amount}.json",
        {
            "funder": FUNDER.hash.hex(),
            "token": "ada",
            "oracles": [Somebody("oracle").public.hex()],
            "quorum_threshold": 1,
            "lovelace_per_payout": 1_500_000,
            "keeper_fee_per_payout": 500_000,
            "expires_at": None,
            "allocations": [
                {
                    "beneficiary": Somebody("beneficiary").text,
                    "amount": amount,
                    "milestone_id": "m1",
                    "vesting_at": "1970-01-01T00:00:00Z",
                }
            ],
        },
    )


def create(here: Town, amount: int) -> tuple[str, str]:
    """The distribution, and the transaction that made it."""
    words = ("--submit", "--again", "--signing-key", here.key(FUNDER), "--yes")
    found = here.do("register-milestone", schedule(here, amount), *words)
    return str(found["distribution_id"]), str(found["transaction"]["transaction_id"])


def holding(config: Path) -> list[tuple[str, str]]:
    """What the read model says, for whom all events are."""
    with sqlite3.connect(f"file:{config.parent / 'db.sqlite'}?mode=ro", uri=True) as db:
        return sorted(db.execute("SELECT type, event_id FROM events WHERE finality <> 'retracted'"))


def test_a_receiver_has_each_event_once_its_retraction_and_what_it_missed(here: Town) -> None:
    """Verified by its signature; away for a while, it gets the rest when it is back; a database that is made anew
    repeats nothing. The command beside it is never held up."""
    port, folder = free_port(), here.folder
    with here.config.open("a") as file:
        file.write(sinks(port, folder))
    with receiver(folder, port) as received:
        sent = answer(here.config, "sinks", "test", "billing")
        assert [each["arrived"] for each in sent["sinks"]] == [True]
        assert [m["id"] for m in received.messages()] == [sent["message_id"]]
    (folder / "received.jsonl").write_text("")
    with running(here):
        with receiver(folder, port) as received:
            first, transaction = create(here, 5_000_000)
            until(lambda: len(received.messages()) == 1)
            here.control("fork", depth=5, blocks=7, drop=[transaction])
            until(lambda: [m["finality"] for m in received.messages()] == ["seen", "retracted"])
            assert received.truth() == []
        here.control("blocks", count=1)  # the fork may have taken the contract's script away: it is back with the next
        second, _ = create(here, 6_000_000)  # nobody listens
        until(lambda: (folder / "diary").read_text().count("\n") == 3)
        assert answer(here.config, "deliveries", "--state", "pending")["deliveries"][0]["sink"] == "billing"
        with receiver(folder, port) as received:
            until(lambda: received.truth() == holding(here.config) != [])
            messages = received.messages()
            assert {m["data"]["distribution_id"] for m in messages} == {first, second}
            assert len({m["id"] for m in messages}) == len(messages) == 3
            for message in messages:
                Draft202012Validator(SCHEMA).validate(message)
            again = answer(here.config, "deliveries", "backfill", "billing", "--since", "origin", "--again")
            assert again == {"sink": "billing", "messages": 1}
            until(lambda: len(received.messages()) == 4)
            assert len({m["id"] for m in received.messages()}) == 3
    for path in folder.glob("db.sqlite*"):
        path.unlink()
    with receiver(folder, port) as received, running(here):
        third, _ = create(here, 7_000_000)
        until(lambda: received.messages()[-1]["data"]["distribution_id"] == third)
        assert len(received.messages()) == 5
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "billing.secret":
            assert SECRET not in path.read_bytes().decode("latin-1"), path


def test_a_dead_letter_is_retried_on_request_unless_the_event_has_turned(here: Town) -> None:
    """Without a daemon the command takes the lock."""
    port = free_port()
    with here.config.open("a") as file:
        file.write(sinks(port, here.folder))
    private(here.folder / "billing.secret", f"whsec_{SECRET}\n")
    with running(here):
        create(here, 5_000_000)
        until(lambda: len(answer(here.config, "deliveries", "--sink", "billing")["deliveries"]) == 1)
    db = sqlite3.connect(here.folder / "db.sqlite")
    with db:
        db.execute("UPDATE delivery SET state = 'dead', ended_ms = 1 WHERE sink = 'billing'")
    db.close()
    (letter,) = answer(here.config, "deliveries", "--state", "dead")["deliveries"]
    refused = command(here.config, "deliveries", "retry", letter["event_id"] + ".2", "--json")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (1, "deliveries.not_retried")
    assert answer(here.config, "deliveries", "retry", letter["message_id"]) == {"retried": 1, "outdated": 0}
    with receiver(here.folder, port) as received, running(here):
        until(lambda: [m["id"] for m in received.messages()] == [letter["message_id"]])


def test_a_sink_that_is_not_there_fails_the_test_of_sinks(here: Town) -> None:
    port = free_port()
    with here.config.open("a") as file:
        file.write(sinks(port, here.folder))
    private(here.folder / "billing.secret", f"whsec_{SECRET}\n")
    done = command(here.config, "sinks", "test", "--json")
    assert done.returncode == 3
    assert {each["sink"]: each["arrived"] for each in json.loads(done.stdout)["sinks"]} == {
        "billing": False,
        "diary": True,
    }
    unknown = command(here.config, "sinks", "test", "nobody", "--json")
    assert (unknown.returncode, json.loads(unknown.stdout)["error"]["code"]) == (1, "sink.unknown")

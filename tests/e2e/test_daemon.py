"""The daemon as systemd sees it, and the commands as a shell sees them."""

import asyncio
import json
import math
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest

from indexer.cli import demo_story
from tests.support.blocks import WATCHES, Recipe, make_chain
from tests.support.faults import Fault, Kind
from tests.support.following import outputs, replayed, select
from tests.support.ogmios import FakeOgmios
from tests.support.pages import blocks, says
from tests.support.process import INDEXER, ROOT, answer, command, configure, log_line, start

CHAIN = make_chain(Random(21), 150, Recipe(ebbs=0.0))
SAMPLE = ROOT / "indexer" / "samples" / "preview-conway-100.v7.jsonl.gz"
BUSY = "2796202ce9fbb2519a942475beba6c12dc26332c16ee4c409c76d20f"


@pytest.fixture
def replay() -> Iterator[int]:
    """`indexer devnet --replay` as a process; its port."""
    server = subprocess.Popen(
        [*INDEXER, "devnet", "--replay", str(SAMPLE), "--network", "preview", "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    facts = json.loads(server.stdout.readline())
    yield int(facts["url"].rpartition(":")[2])
    server.terminate()
    server.communicate()
    assert server.returncode == 0


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_the_tip_stops_the_daemon_with_everything_committed(
    number: signal.Signals, replay: int, tmp_path: Path
) -> None:
    """Exit 0, well within five seconds."""
    process = start(configure(tmp_path, replay, [(BUSY, None)]), "run")
    log_line(process, "blocks.applied")
    process.send_signal(number)
    process.communicate(timeout=5)
    assert process.returncode == 0
    assert len(outputs(tmp_path / "db.sqlite")) == 25


def test_a_signal_stops_a_daemon_that_cannot_connect_or_waits_for_its_node(tmp_path: Path) -> None:
    """Nothing listens there; it would try for ever."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        process = start(configure(tmp_path, nobody.getsockname()[1]), "run")
        entry = log_line(process, "session.broken")
        assert entry["code"] == "ogmios.unreachable"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=5)
        assert process.returncode == 0


def test_a_second_daemon_is_refused_and_told_of_the_first(replay: int, tmp_path: Path) -> None:
    """So are commands that would write beside it; those that ask are answered."""
    config = configure(tmp_path, replay, [(BUSY, None)])
    process = start(config, "run")
    log_line(process, "blocks.applied")
    for arguments in (("run",), ("rollback", "origin"), ("rebuild", "--yes")):
        refused = command(config, *arguments, "--json")
        assert refused.returncode == 1, refused.stderr
        error = json.loads(refused.stdout)["error"]
        assert error["code"] == "database.locked"
        assert str(process.pid) in error["message"]
    assert answer(config, "check-status")["watches"][0]["outputs"] == 25
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert answer(config, "run", "--until", "tip")["height"] == 3_319_200  # a kill leaves nothing behind that locks


def test_health_and_metrics_tell_where_the_daemon_stands(replay: int, tmp_path: Path) -> None:
    """The sample is months old: live, not ready, and the reason is the clock."""
    process = start(configure(tmp_path, replay, [(BUSY, None)]), "run")
    port = log_line(process, "daemon.started")["http_port"]
    log_line(process, "blocks.applied")
    assert get(port, "/health/live") == (200, "live\n")
    code, reason = get(port, "/health/ready")
    assert code == 503
    assert "behind the wall clock" in reason
    code, metrics = get(port, "/metrics")
    values = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
    assert (code, float(values["indexer_blocks_total"])) == (200, 100)
    assert float(values["indexer_follower_height"]) == 3_319_200
    assert float(values["indexer_follower_lag_seconds"]) > 86_400
    assert get(port, "/elsewhere")[0] == 404
    process.terminate()
    process.communicate(timeout=5)


def test_rolling_back_and_rebuilding_lead_to_the_same_rows_again(replay: int, tmp_path: Path) -> None:
    """By command, with the daemon at rest."""
    config, database = configure(tmp_path, replay, [(BUSY, None)]), tmp_path / "db.sqlite"
    answer(config, "run", "--until", "tip")
    before, where = outputs(database), select(database, "SELECT * FROM blocks ORDER BY slot LIMIT 1 OFFSET 50")[0]
    point = f"{where['slot']}.{where['block_id']}"
    told = answer(config, "rollback", point)
    assert (told["cursor"], told["height"]) == (point, where["height"])
    assert all(row["created_slot"] <= where["slot"] for row in outputs(database).values())
    assert all((row["spent_slot"] or 0) <= where["slot"] for row in outputs(database).values())
    answer(config, "run", "--until", "tip")
    assert before == outputs(database)

    unconfirmed = command(config, "rebuild", "--json")
    assert (unconfirmed.returncode, json.loads(unconfirmed.stdout)["error"]["code"]) == (1, "command.not_confirmed")
    assert before == outputs(database)
    answer(config, "rebuild", "--yes")
    assert outputs(database) == {}
    assert answer(config, "check-status")["slot"] is None
    answer(config, "run", "--until", "tip")
    assert before == outputs(database)


def test_a_second_name_for_the_database_is_no_way_around_the_lock(replay: int, tmp_path: Path) -> None:
    """A symbolic link leads to the same one writer."""
    process = start(configure(tmp_path, replay), "run")
    log_line(process, "blocks.applied")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "db.sqlite").symlink_to(tmp_path / "db.sqlite")
    refused = command(configure(tmp_path / "other", replay), "rollback", "origin", "--json")
    assert (refused.returncode, json.loads(refused.stdout)["error"]["code"]) == (1, "database.locked")
    process.terminate()
    process.communicate(timeout=5)


def test_an_idle_connection_to_the_health_port_does_not_delay_the_end(replay: int, tmp_path: Path) -> None:
    """Somebody connected and never asked."""
    process = start(configure(tmp_path, replay), "run")
    port = log_line(process, "daemon.started")["http_port"]
    log_line(process, "blocks.applied")
    with socket.create_connection(("127.0.0.1", port)):
        process.terminate()
        process.communicate(timeout=5)
    assert process.returncode == 0


def test_a_rollback_to_nowhere_is_refused(replay: int, tmp_path: Path) -> None:
    """A point that the database does not hold."""
    config = configure(tmp_path, replay)
    first = json.loads(command(config, "run", "--until", "tip", "--json").stdout)
    for slot in (82_916_704, 7):
        refused = command(config, "rollback", f"{slot}.{'ab' * 32}")
        assert refused.returncode == 1
        assert "the database does not know" in refused.stderr
        assert "hint:" in refused.stderr
    assert answer(config, "check-status")["height"] == first["height"]


REFUSED = {
    "no configuration": (("check-status",), None, 2, "config.file_unusable"),
    "an unknown key": (("check-status",), "colour = 1", 2, "config.invalid"),
    "no TOML": (("run",), "=", 2, "config.invalid"),
    "no database": (("check-status",), "", 1, "database.missing"),
    "nothing to roll back": (("rollback", "origin"), "", 1, "database.missing"),
    "nothing to rebuild": (("rebuild", "--yes"), "", 1, "database.missing"),
    "a headers file that others may read": (
        ("run",),
        '[ogmios]\nheaders_file = "config.toml"',
        2,
        "config.file_unusable",
    ),
    "nobody at the other end": (("init",), '[ogmios]\nurl = "ws://127.0.0.1:9"', 3, None),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_refused_in_a_sentence_with_a_hint(name: str, tmp_path: Path) -> None:
    """One JSON document on stdout with --json; for people on stderr; the exit code of its kind."""
    arguments, text, exit_code, code = REFUSED[name]
    config = tmp_path / "config.toml"
    if text is not None:
        config.write_text(text)
        config.chmod(0o644)
    as_json, in_words = command(config, *arguments, "--json"), command(config, *arguments)
    assert (as_json.returncode, in_words.returncode) == (exit_code, exit_code)
    document = json.loads(as_json.stdout)
    if code is not None:
        assert document["error"]["code"] == code
        assert document["error"]["hint"]
        assert in_words.stderr.startswith("error: ")
        assert "\nhint:  " in in_words.stderr
        assert "Traceback" not in in_words.stderr


@pytest.mark.parametrize(
    "arguments",
    [("run", "--since", "yesterday"), ("run", "--until", "origin"), ("rollback", "7"), ("run", "--colour"), ("fly",)],
)
def test_a_command_line_that_makes_no_sense_exits_2(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """As shells expect; with --json there is a document for programs."""
    config = configure(tmp_path, 9)
    assert command(config, *arguments).returncode == 2
    as_json = command(config, *arguments, "--json")
    assert (as_json.returncode, json.loads(as_json.stdout)["error"]["code"]) == (2, "usage")


async def test_the_daemon_exits_as_the_design_says(tmp_path: Path) -> None:
    """Another network 1, a block that cannot be understood 70, a database of another network 1, a newer schema 1."""
    async with FakeOgmios(CHAIN, faults=[Fault(Kind.UNKNOWN_ERA, height=70)], security_parameter=40) as ogmios:
        config = configure(tmp_path, ogmios.port, WATCHES)
        stopped = await run(config)
        assert (stopped.returncode, json.loads(stopped.stdout)["error"]["code"]) == (70, "chain.block_not_understood")
        assert replayed([b for b in CHAIN if b["height"] < 70], WATCHES) == outputs(tmp_path / "db.sqlite")
        for folder, network, prepare, code in (
            ("a", "preprod", None, "chain.wrong_network"),
            (".", "preprod", None, "database.another_network"),
            (".", "preview", "PRAGMA user_version = 99", "database.schema_too_new"),
        ):
            (tmp_path / folder).mkdir(exist_ok=True)
            if prepare is not None:
                db = sqlite3.connect(tmp_path / folder / "db.sqlite")
                db.execute(prepare)
                db.close()
            stopped = await run(configure(tmp_path / folder, ogmios.port, WATCHES, network))
            assert (stopped.returncode, json.loads(stopped.stdout)["error"]["code"]) == (1, code)


async def run(config: Path) -> "subprocess.CompletedProcess[str]":
    """`indexer run --until tip --json` beside a server in this process."""
    return await asyncio.to_thread(command, config, "run", "--until", "tip", "--json")


async def test_init_writes_a_configuration_once_and_checks_what_it_names(tmp_path: Path) -> None:
    """Ogmios, network, node, disk, database, wallet: ready, or what to do."""
    async with FakeOgmios(CHAIN) as ogmios:
        config = tmp_path / "new" / "config.toml"
        environment = {"INDEXER__OGMIOS__URL": ogmios.url}
        first = await asyncio.to_thread(command, config, "init", "--network", "preview", "--json", **environment)
        assert first.returncode == 0, first.stdout
        report = json.loads(first.stdout)
        assert report["written"] is True
        assert {check["name"] for check in report["checks"]} == {
            "Ogmios",
            "network",
            "node",
            "contract",
            "disk",
            "database",
            "wallet",
        }
        text = config.read_text()
        assert 'network = "preview"' in text
        again = await asyncio.to_thread(command, config, "init", "--network", "preview", "--json", **environment)
        assert (json.loads(again.stdout)["written"], config.read_text()) == (False, text)
        wrong = await asyncio.to_thread(command, config, "init", "--network", "mainnet", "--json", **environment)
        assert (wrong.returncode, config.read_text()) == (2, text)
        assert json.loads(wrong.stdout)["error"]["message"].endswith("is for preview, not mainnet")
        other = await asyncio.to_thread(command, config, "init", "--json", **environment, INDEXER__NETWORK="preprod")
        assert other.returncode == 1


def test_the_demo_tells_a_story_that_ends_with_a_payment_and_a_database(tmp_path: Path) -> None:
    """Twice in the same directory, whatever the environment says; exit 0."""
    demo = [*INDEXER, "demo", "--directory", str(tmp_path / "demo")]
    environment = os.environ | {"INDEXER__OGMIOS__URL": "ws://127.0.0.1:9"}
    told = json.loads(subprocess.run([*demo, "--json"], capture_output=True, check=True, env=environment).stdout)
    first, second = told["distribution"]["milestones"]
    assert (first["quorum_status"], first["signatures_valid"]) == ("met", 2)
    assert (second["quorum_status"], second["signatures_valid"]) == ("pending", 0)
    valid = [one["source"] for one in first["signatures"] if one["verdict"] == "valid"]
    assert sorted(valid) == ["chain", "local"]
    assert (first["amount_paid"], second["amount_paid"]) == (65_000_000, 0)
    # Each payout carries an ada; the keeper gained, after all that it paid.
    held = {one["whom"]: one["lovelace"] for one in told["holdings"]}
    assert (held["beneficiary 1"], held["beneficiary 2"]) == (26_000_000, 41_000_000)
    assert held["keeper"] > 100_000_000
    assert [step["to_state"] for step in told["release"]["steps"]] == [
        "intended",
        "built",
        "submitted",
        "in_block",
        "rolled_back",
        "submitted",
        "in_block",
        "confirmed",
    ]
    happened = [(one["type"], one["finality"]) for one in told["distribution"]["events"]]
    assert happened.count(("milestone.released", "retracted")) == 1
    assert happened[-1] == ("release.confirmed", "final")
    assert told["seconds"] < 60
    amounts = [
        row["amount"] for row in select(Path(told["database"]), "SELECT amount FROM allocations ORDER BY amount")
    ]
    assert amounts == [25_000_000, 40_000_000, 60_000_000]
    words = subprocess.run(demo, capture_output=True, check=True, text=True).stdout
    assert str(tmp_path / "demo" / "indexer.sqlite") in words
    # It says what README shows of it, and its database answers what README asks it.
    readme = blocks(ROOT / "README.md")
    (shown,) = [block.text for block in readme if block.language == "text"]
    assert says(shown.replace("demo/indexer.sqlite", told["database"]), words)
    (questions,) = [block.text for block in readme if block.language == "sql"]
    assert [len(select(Path(told["database"]), sql)) > 0 for sql in questions.split(";") if sql.strip()] == [True] * 2


def test_the_demo_whose_daemon_ends_says_so_instead_of_waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_story, "PATIENCE_S", math.inf)
    monkeypatch.setattr(demo_story, "sys", SimpleNamespace(executable=shutil.which("false")))
    with pytest.raises(
        demo_story.DemoStuck, match=r"the distribution did not come about: the daemon ended\. It logged: $"
    ):
        demo_story.tell_story(tmp_path, lambda _: None)


def test_the_demo_of_recorded_blocks_ends_with_a_database_to_query(tmp_path: Path) -> None:
    """Exit 0, figures as counted independently, the path of the database in the last lines."""
    demo = [*INDEXER, "demo", "--recorded", "--directory", str(tmp_path / "demo")]
    told = json.loads(subprocess.run([*demo, "--json"], capture_output=True, check=True).stdout)
    assert (told["blocks"], len(told["watches"])) == (100, 5)
    assert {25, 12, 37, 2, 1} == {watch["outputs"] for watch in told["watches"]}
    assert len(outputs(Path(told["database"]))) == 77
    words = subprocess.run(demo, capture_output=True, check=True, text=True).stdout
    assert str(tmp_path / "demo" / "indexer.sqlite") in words


def test_help_needs_none_of_what_is_heavy() -> None:
    """So that it is there at once; pydantic, SQLite and sockets are for the commands that need them."""
    code = "import sys; import indexer.cli.main; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"pydantic", "aiosqlite", "websockets", "structlog", "msgspec", "httpx", "prometheus_client"}

"""Commands about the keeper, on a devnet, beside a daemon and without one."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Timer
from typing import Any

import pytest
from typer.testing import CliRunner

from indexer.cli.main import app
from indexer.edge.files import only_writer
from tests.support.process import log_line, start, until
from tests.support.town import ADA, TOKEN, Json, Somebody, Town, town

FUNDER, OWNER, KEEPER = Somebody("funder"), Somebody("oracle's owner"), Somebody("keeper")
ORACLES = tuple(Somebody(f"oracle {number}") for number in range(3))
AT_ONCE, LATER = "1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """A devnet with the contract, and a keeper that releases nothing by itself."""
    with town(tmp_path_factory.mktemp("town")) as found:
        found.fund(FUNDER, 500 * ADA, 100 * ADA, 50 * ADA)
        found.mint(FUNDER, 1_000_000)
        found.fund(KEEPER, 40 * ADA, 10 * ADA)
        found.configure(found.do("deploy", "--signing-key", found.key(FUNDER), "--yes")["reference"])
        with found.config.open("a") as file:
            file.write(f'[keeper]\nenabled = false\nsigning_key = "{found.key(KEEPER)}"\n')
            file.write('[logging]\nformat = "json"\n')
        yield found


def created(here: Town, **changes: Any) -> str:
    """Two beneficiaries at m1, one at `later`, one at m2 that nobody signs; the quorum of two is met in files."""
    token = {"policy_id": TOKEN.policy.hex(), "asset_name": TOKEN.name.hex()}
    shares = [("m1", AT_ONCE), ("m1", AT_ONCE), ("later", LATER), ("m2", AT_ONCE)]
    schedule = {
        "funder": FUNDER.hash.hex(),
        "token": token,
        "oracles": [oracle.public.hex() for oracle in ORACLES],
        "quorum_threshold": 2,
        "lovelace_per_payout": 1_500_000,
        "keeper_fee_per_payout": 500_000,
        "expires_at": None,
        "allocations": [
            {
                "beneficiary": Somebody(f"beneficiary {number}").text,
                "amount": 1_000,
                "milestone_id": name,
                "vesting_at": at,
            }
            for number, (name, at) in enumerate(shares)
        ],
    } | changes
    path = here.write("schedule.json", schedule)
    found = here.do("register-milestone", path, "--submit", "--again", "--signing-key", here.key(FUNDER), "--yes")
    here.follow()
    distribution = str(found["distribution_id"])
    for name in ("m1", "later"):
        for oracle in ORACLES[:2]:
            words = here.folder / f"{distribution}-{name}-{oracle.name}.json"
            here.do("attest", distribution, name, "--key", here.key(oracle), "--out", str(words))
            here.do("commit-milestone", str(words))
    here.follow()
    return distribution


@contextmanager
def daemon(here: Town) -> Iterator["subprocess.Popen[str]"]:
    """`indexer run`, once it follows the tip."""
    process = start(here.config, "run")
    try:
        log_line(process, "chain.following")
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=30)


def words(here: Town, *arguments: str) -> str:
    """What a command that succeeds says to people."""
    done = CliRunner().invoke(app, ["--config", str(here.config), *arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def tokens_of(here: Town, number: int) -> int:
    coins = here.coins(Somebody(f"beneficiary {number}"))
    return sum(coin["value"].get(TOKEN.policy.hex(), {}).get(TOKEN.name.hex(), 0) for coin in coins)


def test_a_milestone_is_explained_paused_released_by_hand_and_found_in_the_journal(here: Town) -> None:
    held = tokens_of(here, 0), tokens_of(here, 1)
    distribution = created(here)
    with daemon(here):
        # A dry run shows what would be paid, and sends nothing.
        dry = here.do("submit-release", distribution, "m1", "--dry-run")
        assert [(one["allocation_index"], one["amount"]) for one in dry["payouts"]] == [(0, 1_000), (1, 1_000)]
        assert [one["beneficiary"] for one in dry["payouts"]] == [Somebody(f"beneficiary {n}").text for n in (0, 1)]
        assert (dry["state"], dry["release_id"], dry["left"]) == ("dry_run", None, 0)
        assert dry["cost"] == dry["fee"] - 2 * 500_000
        assert here.do("releases") == {"releases": [], "steps": []}

        told = here.do("explain", distribution, "m1")
        assert (told["conclusion"]["standing"], told["conclusion"]["sentence"]) == (
            "blocked",
            "not released: gate enabled: the keeper is off: [keeper] enabled",
        )

        assert "! gate enabled: the keeper is off" in words(here, "explain", distribution, "m1")

        # Paused, it is refused, whoever asks.
        assert here.do("pause", "--reason", "the node moves") == {
            "paused": True,
            "was": False,
            "reason": "the node moves",
            "by": "daemon",
        }
        assert here.do("pause")["reason"] == "the node moves"
        refused = here.refused("keeper.held", "submit-release", distribution, "m1", "--yes")
        assert "the node moves" in refused["message"]
        gates = {one["topic"]: one["standing"] for one in here.do("explain", distribution, "m1")["reasons"]}
        assert gates["gate not_paused"] == "blocked"
        assert here.do("resume") == {"paused": False, "was": True, "reason": None, "by": "daemon"}

        # Then it is paid.
        sent = here.do("submit-release", distribution, "m1", "--yes")
        assert sent["state"] == "submitted"

        def landed() -> Json | None:
            (row,) = here.do("releases", distribution)["releases"]
            return row if row["depth"] is not None and row["depth"] >= 1 else None

        until(landed, 60)
        one = here.do("releases", sent["release_id"])
        (row,) = one["releases"]
        assert (row["transaction_id"], row["milestone_id"]) == (sent["transaction_id"], "m1")
        assert (row["allocations"], row["attempts"], row["cost"]) == ([0, 1], 1, sent["cost"])
        assert [step["to_state"] for step in one["steps"]][:4] == ["intended", "built", "submitted", "in_block"]
        assert here.do("releases", distribution, "--state", "failed")["releases"] == []
        assert (tokens_of(here, 0), tokens_of(here, 1)) == (held[0] + 1_000, held[1] + 1_000)
        done = here.do("explain", distribution, "m1")["conclusion"]
        assert (done["standing"], done["sentence"]) == ("done", "nothing is to be released: all of it is paid")
        here.refused("keeper.not_releasable", "submit-release", distribution, "m1", "--yes")
    assert "in_block" in words(here, "releases", sent["release_id"])
    assert sent["release_id"][:16] in words(here, "releases")


def test_what_is_not_due_is_explained_and_not_released(here: Town) -> None:
    distribution = created(here)
    waiting = here.do("explain", distribution, "m2")["conclusion"]
    assert (waiting["standing"], waiting["sentence"]) == (
        "waiting",
        "nothing is to be released: 0 of 2 signatures verify",
    )
    later = here.do("explain", distribution, "later")["conclusion"]
    assert later["standing"] == "waiting"
    assert "2100-01-01T00:00:00Z" in later["sentence"]
    refused = here.refused("keeper.not_releasable", "submit-release", distribution, "later", "--dry-run")
    assert "2100-01-01T00:00:00Z" in refused["message"]
    here.refused("milestone.unknown", "explain", distribution, "m9")
    here.refused("distribution.unknown", "explain", "00" * 32, "m1")


def test_without_a_key_it_is_a_key_that_is_missing(here: Town) -> None:
    """Neither coins, nor a daemon that reads them. The node was asked."""
    distribution = created(here)
    keyless = here.folder / "keyless.toml"
    keyless.write_text(here.config.read_text().replace("signing_key = ", "# "))
    done = CliRunner().invoke(app, ["--config", str(keyless), "explain", distribution, "m1", "--json"])
    told = json.loads(done.stdout)
    hints = [one["hint"] for one in told["reasons"] if one["standing"] == "blocked"]
    assert len([hint for hint in hints if "signing_key, or signer with verification_key" in hint]) == 4
    sentences = {one["topic"]: one["sentence"] for one in told["reasons"]}
    assert sentences["gate node"] == "the node answers"
    assert sentences["transaction"] == "none was built to look at: there is no wallet to pay from"
    done = CliRunner().invoke(app, ["--config", str(keyless), "submit-release", distribution, "m1", "--json"])
    assert "signer with verification_key" in json.loads(done.stdout)["error"]["hint"]


def test_who_cannot_read_the_key_has_the_wallet_from_the_database(here: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential of systemd's is for the daemon alone. To explain, or to show what would be sent, signs nothing."""
    distribution = created(here)
    explained = here.do("explain", distribution, "m1")
    shown = here.do("submit-release", distribution, "m1", "--dry-run")
    monkeypatch.setenv("INDEXER__KEEPER__SIGNING_KEY", "/run/credentials/indexer.service/keeper.skey")
    assert here.do("explain", distribution, "m1")["reasons"] == explained["reasons"]
    assert KEEPER.text in next(one["sentence"] for one in explained["reasons"] if one["topic"] == "gate reserve")
    assert here.do("submit-release", distribution, "m1", "--dry-run")["cost"] == shown["cost"]


def test_without_a_daemon_a_pause_is_made_and_ended_by_the_command(here: Town) -> None:
    here.follow()
    assert here.do("resume") == {"paused": False, "was": False, "reason": None, "by": "command"}
    assert here.do("pause") == {"paused": True, "was": False, "reason": None, "by": "command"}
    assert words(here, "pause") == "the keeper was paused already: nothing is sent until `resume`\n"
    assert json.loads((here.folder / "data" / "paused").read_text())["reason"] is None
    assert words(here, "resume") == "the keeper goes on\n"
    assert not (here.folder / "data" / "paused").exists()


def test_a_daemon_that_does_not_answer_leaves_it_paused_all_the_same(
    here: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.edge.requests.answer_to.__defaults__", (0.1,))
    with only_writer(here.folder / "db.sqlite"):
        refused = here.refused("daemon.unanswered", "pause", exit_code=3)
    assert refused["message"].startswith("it is paused, but the daemon did not answer")
    assert here.do("resume")["was"] is True
    assert list((here.folder / "data" / "requests").iterdir()) == []


def test_a_daemon_that_ends_while_it_is_asked_leaves_it_to_the_command(
    here: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    here.do("pause")
    monkeypatch.setattr("indexer.edge.requests.answer_to.__defaults__", (0.5,))
    with ExitStack() as stack:
        stack.enter_context(only_writer(here.folder / "db.sqlite"))
        ends = Timer(0.1, stack.pop_all().close)
        ends.start()
        assert here.do("resume") == {"paused": False, "was": True, "reason": None, "by": "command"}
        ends.join()
    assert not (here.folder / "data" / "paused").exists()


def test_a_release_is_sent_by_a_daemon_alone_and_agreed_to(here: Town) -> None:
    distribution = created(here)
    here.refused("daemon.not_running", "submit-release", distribution, "m1", "--yes")
    with only_writer(here.folder / "db.sqlite"):
        here.refused("command.not_confirmed", "submit-release", distribution, "m1")
    shown = words(here, "submit-release", distribution, "m1", "--dry-run")
    assert "10.00" in shown
    assert "TOK" in shown
    assert shown.endswith("not sent: a dry run\n")


def test_a_journal_is_asked_for_what_it_has(here: Town) -> None:
    here.follow()
    here.refused("release.unknown", "releases", "00" * 16)
    here.refused("distribution.unknown", "releases", "00" * 32)
    here.refused("release.state_unknown", "releases", "--state", "lost", exit_code=2)

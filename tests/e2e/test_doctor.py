"""`indexer doctor`: whatever is wrong, one document says so, and none of the secrets is in it."""

import asyncio
import base64
import json
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest
from typer.testing import CliRunner

from indexer.chain.network import network_of
from indexer.cli.findings import Examination
from indexer.cli.main import app
from indexer.edge.files import only_writer
from indexer.edge.keys import Key, write_key
from indexer.store import checkpoints
from indexer.store.db import migrations, opened
from tests.support.process import log_line, start, until
from tests.support.town import town

NOBODY: Final = "127.0.0.1:9"  # nobody listens there
SEED: Final = bytes(range(100, 132))
WORDS: Final = {
    name: f"{name}-s3cret/0f~doctor"
    for name in (
        *("user", "password", "query", "path", "header", "token", "hook", "hookquery", "argument", "signer"),
        *("nats", "apprise", "credential", "told"),
    )
}
WHSEC: Final = base64.b64encode(b"w" * 32).decode()


def in_url(name: str) -> str:
    return quote(WORDS[name], safe="")


def forms(text: str) -> Iterator[str]:
    yield text
    yield quote(text, safe="")
    yield base64.b64encode(text.encode()).decode().rstrip("=")
    yield text.encode().hex()


def private(path: Path, text: str) -> str:
    path.touch(mode=0o600)
    path.write_text(text)
    return str(path)


def configured(folder: Path, more: str = "") -> Path:
    """Everything that may hold a secret holds one."""
    headers = private(folder / "headers", f"api-key: {WORDS['header']}\n")
    hook = private(folder / "hook.secret", f"whsec_{WHSEC}\n")
    chat = private(folder / "chat.secret", f"tgram://{in_url('apprise')}/{in_url('told')}\n")
    creds = private(folder / "nats.creds", f"-----BEGIN-----\n{WORDS['credential']}\n")
    write_key(Key(SEED), folder / "keeper.skey", "keeper")
    path = folder / "config.toml"
    path.write_text(
        f"""
network = "preview"
[database]
path = "db.sqlite"
[ogmios]
url = "ws://{in_url("user")}:{in_url("password")}@{NOBODY}/{in_url("path")}?key={in_url("query")}"
headers_file = "{headers}"
[kupo]
url = "http://{in_url("user")}:{in_url("password")}@{NOBODY}/{in_url("path")}"
headers_file = "{headers}"
[http]
listen = "{NOBODY}"
[heartbeat]
url = "http://127.0.0.1:9/ping/{in_url("token")}"
[keeper]
signing_key = "keeper.skey"
[[sink]]
name = "hook"
kind = "webhook"
url = "https://127.0.0.1:9/{in_url("hook")}?a={in_url("hookquery")}"
secret_files = ["{hook}"]
distributions = "all"
[[sink]]
name = "run"
kind = "exec"
command = ["/bin/true", "--token={WORDS["argument"]}"]
distributions = "all"
[[sink]]
name = "chat"
kind = "apprise"
secret_files = ["{chat}"]
distributions = "all"
[[sink]]
name = "stream"
kind = "nats"
url = "nats://127.0.0.1:9/{in_url("nats")}"
secret_files = ["{creds}"]
distributions = "all"
{more}"""
    )
    return path


def asked(config: Path, *arguments: str, **environment: str) -> str:
    done = CliRunner().invoke(app, ["--config", str(config), "doctor", *arguments], env=environment)
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return str(done.stdout)


def examined(config: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(asked(config, "--json", *arguments, **environment))
    Examination.model_validate(found)
    return found


async def database(folder: Path) -> Path:
    path = folder / "db.sqlite"
    async with opened(path) as db:
        await checkpoints.claim(db, network_of("preview"))
        await db.execute("UPDATE chain SET cursor_slot = 1000, cursor_id = ?, cursor_height = 50", ("ab" * 32,))
        row = (
            "INSERT INTO delivery (sink, event_id, turn, lane, state, ready, last_error) VALUES (?, ?, 0, '-', ?, 1, ?)"
        )
        await db.execute(row, ("hook", "01" * 16, "pending", "answers 500"))
        await db.execute(row, ("hook", "02" * 16, "dead", f"said {WORDS['header']} and {SEED.hex()}"))
        await db.execute(row, ("run", "03" * 16, "delivered", None))
        await db.execute("INSERT INTO rejected_output VALUES ('aa', 0, 1, 'no datum')")
    return path


def planted(text: str) -> set[str]:
    """The secrets that are in a text, in whichever form."""
    wanted = WORDS | {"whsec": WHSEC, "seed": SEED.hex(), "seed64": base64.b64encode(SEED).decode()}
    return {name for name, word in wanted.items() if any(form in text for form in forms(word))}


def test_it_tells_versions_configuration_database_and_what_went_wrong(tmp_path: Path) -> None:
    """Of a database that is well, without daemon, Ogmios and Kupo."""
    config = configured(tmp_path)
    asyncio.run(database(tmp_path))
    found = examined(config)
    assert set(found["versions"]) == {"indexer", "python", "sqlite", "system", "packages"}
    assert found["versions"]["sqlite"] == sqlite3.sqlite_version
    values = found["configuration"]["values"]
    assert values["ogmios"]["url"] == f"ws://{NOBODY}/[more]"
    assert values["heartbeat"]["url"] == "http://127.0.0.1:9/[more]"
    assert [each["url"] for each in values["sink"]] == [
        "https://127.0.0.1:9/[more]",
        None,
        None,
        "nats://127.0.0.1:9/[more]",
    ]
    assert values["sink"][1]["command"] == ["/bin/true", "[1 more]"]
    assert values["retention"] == {"deliveries_days": 90, "dead_letters_days": 0}
    held = found["database"]
    assert (held["there"], held["pages"], held["errors"]) == (True, ["ok"], {})
    assert held["schema_version"] == held["schema_known"] == len(migrations())
    assert held["sync_status"]["slot"] == 1000
    assert held["views"]["deliveries"] == 3
    assert held["views"]["sync_status"] == 1
    assert held["deliveries"] == {"hook": {"dead": 1, "pending": 1}, "run": {"delivered": 1}}
    assert held["rejected_outputs"] == {"no datum": 1}
    assert [each["error"] for each in held["recent_errors"]] == ["said [secret] and [secret]", "answers 500"]
    daemon = found["daemon"]
    assert (daemon["runs"], daemon["pid"], daemon["requests_waiting"]) == (False, None, 0)
    assert NOBODY in daemon["error"]
    assert NOBODY in found["node"]["ogmios_error"]
    assert NOBODY in found["node"]["kupo_error"]
    assert "the clock is ahead" in found["clock"]["hint"]
    assert not (tmp_path / "db.sqlite.lock").exists()


@pytest.mark.parametrize("state", ["well", "missing", "damaged", "no database", "locked", "newer"])
def test_no_secret_is_told_whatever_the_database_is_like(tmp_path: Path, state: str) -> None:
    """To people, to programs, and in the file, which its owner alone may read."""
    config, path = configured(tmp_path), tmp_path / "db.sqlite"
    if state != "missing":
        asyncio.run(database(tmp_path))
    with closing(sqlite3.connect(path if state in ("locked", "newer") else ":memory:")) as db:
        match state:
            case "damaged":  # all pages but the first, which holds the schema's beginning
                raw = path.read_bytes()
                path.write_bytes(raw[:4096] + b"\x5a" * (len(raw) - 4096))
            case "no database":
                path.write_bytes(b"not a database at all" * 1000)
            case "locked":
                db.execute("PRAGMA locking_mode = EXCLUSIVE")
                db.execute("BEGIN EXCLUSIVE")
            case "newer":
                db.execute("PRAGMA user_version = 99")
        out = tmp_path / "report.json"
        said = asked(config, "--out", str(out))
        found = examined(config, "--check-s", "0")
    wrong = found["database"]["errors"]
    assert bool(wrong) == (state != "well")
    assert found["database"]["pages"] is None
    assert found["database"]["there"] == (state != "missing")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert [planted(text) for text in (said, json.dumps(found), out.read_text())] == [set(), set(), set()]
    assert planted(config.read_text() + (tmp_path / "headers").read_text()) > {"password", "header", "token"}


def test_a_configuration_that_cannot_be_read_is_said_and_versions_are_told(tmp_path: Path) -> None:
    """Without what it holds."""
    broken = configured(tmp_path, f"[colour]\nred = '{WORDS['told']}'")
    for found in (examined(broken), examined(tmp_path / "none.toml")):
        assert found["configuration"]["error"]
        assert found["versions"]["indexer"]
        assert (found["configuration"]["values"], found["database"], found["node"]) == (None, None, None)
        assert planted(json.dumps(found)) == set()
    assert "broken" not in asked(broken)


def test_secrets_of_the_environment_are_not_told_but_who_overrides_what_is(tmp_path: Path) -> None:
    """By the names of the variables."""
    config = configured(tmp_path)
    found = examined(config, INDEXER__OGMIOS__URL=f"ws://me:{WORDS['signer'].replace('/', '%2F')}@{NOBODY}/")
    assert found["configuration"]["environment"] == ["INDEXER__OGMIOS__URL"]
    assert planted(json.dumps(found)) == set()


def test_a_running_daemon_is_named_a_pause_is_told_and_open_files_are(tmp_path: Path) -> None:
    """The lock stays as it is."""
    config = configured(tmp_path)
    path = asyncio.run(database(tmp_path))
    (tmp_path / "hook.secret").chmod(0o644)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "paused").write_text('{"since_ms": 0, "reason": "a look"}')
    (tmp_path / "data" / "requests").mkdir()
    (tmp_path / "data" / "requests" / f"{'0' * 13}-{'a' * 16}.json").write_text("{}")
    with only_writer(path):
        found = examined(config)
        assert (tmp_path / "db.sqlite.lock").read_text() == f"{os.getpid()}\n"
    daemon = found["daemon"]
    assert (daemon["runs"], daemon["pid"], daemon["requests_waiting"]) == (True, os.getpid(), 1)
    assert daemon["paused"] == "paused since 1970-01-01T00:00:00Z: a look"
    open_to_others = [each["path"] for each in found["files"] if each["others_may_read"] and "secret" in each["path"]]
    assert open_to_others == [str(tmp_path / "hook.secret")]
    assert examined(config)["daemon"]["runs"] is False


def test_of_a_daemon_that_follows_its_gates_its_lag_and_its_ogmios_are_told(tmp_path: Path) -> None:
    """A keeper without a wallet's worth; Ogmios says of which version it is. Then the daemon is gone."""
    with town(tmp_path) as here:
        here.configure()
        write_key(Key(SEED), tmp_path / "keeper.skey", "keeper")
        here.config.write_text(here.config.read_text() + '[keeper]\nenabled = true\nsigning_key = "keeper.skey"\n')
        here.control("blocks", count=3)
        process = start(here.config, "run")
        try:
            listen = f"127.0.0.1:{log_line(process, 'daemon.started')['http_port']}"
            until(
                lambda: not examined(here.config, INDEXER__HTTP__LISTEN=listen)["daemon"]["gates"].get("reserve", True)
            )
            found = examined(here.config, INDEXER__HTTP__LISTEN=listen)
        finally:
            process.terminate()
            process.communicate(timeout=30)
        daemon = found["daemon"]
        assert (daemon["runs"], daemon["pid"], daemon["error"]) == (True, process.pid, None)
        assert daemon["ready"]
        assert daemon["gates"]["enabled"]
        assert daemon["metrics"]["indexer_follower_height"] >= 3
        assert "indexer_follower_lag_seconds" in daemon["metrics"]
        assert found["node"]["ogmios"]["version"].startswith("v")
        assert found["node"]["ogmios_error"] is None
        assert found["clock"]["database_age_s"] is not None
        after = examined(here.config)["daemon"]
    assert (after["runs"], after["pid"]) == (False, None)
    assert "any free port" in after["error"]

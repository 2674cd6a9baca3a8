"""Secrets stay where they are: a daemon and commands do all they can, then everything they wrote is searched.

Keys, the headers of a hosted Ogmios, user, password and query of its URL, the URLs of a heartbeat and a webhook and the
secret that signs for it are in the files that the operator keeps them in, and nowhere else: not in logs, answers,
errors, metrics, requests, the database, or what systemd is told. The same run shows that nothing it wrote can be read
by others.
"""

import base64
import json
import os
import socket
import stat
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from indexer.cli.main import app
from tests.e2e.test_releases import FUNDER, KEEPER, ORACLES, created
from tests.support.process import INDEXER, until
from tests.support.town import ADA, Somebody, Town, town

TOKEN: Final = "t0ken-of-a-h0sted-0gmios"
PASSWORD: Final = "hunter2-hunter2"
QUERY: Final = "query-key-31337"
BEAT: Final = "t0ken-of-a-heartbeat"
HOOK: Final = "t0ken-of-a-webhook"
WEBHOOK: Final = b"what a webhook is signed with"
STRANGER: Final = Somebody("somebody whose file is open to all")


def forms(secret: bytes) -> Iterator[bytes]:
    """Ways to write one down."""
    yield secret
    yield secret.hex().encode()
    yield secret.hex().upper().encode()
    yield base64.b64encode(secret).rstrip(b"=")
    yield base64.urlsafe_b64encode(secret).rstrip(b"=")
    yield repr(secret).encode()[2:-1]


KEYS: Final = {who.name: bytes(who.key) for who in (FUNDER, KEEPER, STRANGER, *ORACLES)}
SECRETS: Final = KEYS | {name: name.encode() for name in (TOKEN, PASSWORD, QUERY, BEAT, HOOK)} | {"webhook": WEBHOOK}


def found(text: bytes) -> set[str]:
    return {name for name, secret in SECRETS.items() if any(form in text for form in forms(secret))}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Town]:
    """A town whose Ogmios is reached as a hosted one is."""
    with town(tmp_path) as place:
        place.fund(FUNDER, 500 * ADA, 100 * ADA, 50 * ADA)
        place.mint(FUNDER, 1_000_000)
        place.fund(KEEPER, 40 * ADA, 10 * ADA)
        place.configure(place.do("deploy", "--signing-key", place.key(FUNDER), "--yes")["reference"])
        headers = place.folder / "ogmios.headers"
        headers.touch(mode=0o600)
        headers.write_text(f"dmtr-api-key: {TOKEN}\n")
        text = place.config.read_text()
        url = place.facts["url"]
        text = text.replace(url, f"{url.replace('//', f'//operator:{PASSWORD}@')}/?key={QUERY}")
        text = text.replace("[ogmios]\n", f'[ogmios]\nheaders_file = "{headers}"\n')
        text += f'[keeper]\nenabled = true\nsigning_key = "{place.key(KEEPER)}"\n'
        text += f'[heartbeat]\nurl = "http://127.0.0.1:9/{BEAT}"\ninterval_s = 1\n'
        text += f'[[sink]]\nname = "billing"\nkind = "webhook"\nurl = "http://127.0.0.1:9/{HOOK}?{HOOK}"\n'
        text += 'secret_files = ["webhook.secret"]\nallow_private = true\ndistributions = "all"\n'
        secret = place.folder / "webhook.secret"
        secret.touch(mode=0o600)
        secret.write_text(f"whsec_{base64.b64encode(WEBHOOK).decode()}\n")
        text += '[logging]\nformat = "json"\nlevel = "debug"\n'
        place.config.write_text(text)
        yield place


def kept(here: Town) -> set[Path]:
    """The files that secrets are kept in."""
    return {
        here.config,
        here.folder / "ogmios.headers",
        here.folder / "webhook.secret",
        *here.folder.glob("*.skey"),
        here.folder / "broken",
    }


def test_no_secret_leaves_the_file_that_it_is_kept_in(here: Town) -> None:
    """Through a release, a pause, refusals of every kind, and a node that goes away."""
    said: list[bytes] = []
    distribution = created(here)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(here.folder / "notify"))
        systemd.setblocking(False)
        log = here.folder / "log"
        environment = os.environ | {
            "NOTIFY_SOCKET": str(here.folder / "notify"),
            "WATCHDOG_USEC": "300000",
        }
        before = os.umask(0)
        try:
            with log.open("wb") as file:
                process = subprocess.Popen(
                    [*INDEXER, "--config", str(here.config), "run"], stdout=file, stderr=file, env=environment
                )
        finally:
            os.umask(before)
        try:
            until(lambda: b"chain.following" in log.read_bytes())
            (started,) = [json.loads(line) for line in log.read_text().splitlines() if "daemon.started" in line]
            # What works.
            until(lambda: here.do("releases")["releases"])
            until(
                lambda: (here.control("blocks", count=1), here.do("releases")["releases"][0]["state"])[1] != "submitted"
            )
            said += tell(here, "pause", "--reason", "a look")
            said += tell(here, "resume")
            for arguments in (
                ("check-status",),
                ("check-status", distribution),
                ("explain", distribution, "m1"),
                ("explain", distribution, "m2"),
                ("releases",),
                ("submit-release", distribution, "m2"),
                ("init",),
                ("doctor",),
                ("sinks", "test"),
                ("deliveries",),
                ("deploy", "--signing-key", here.key(FUNDER), "--yes"),
                ("attest", distribution, "m2", "--key", here.key(ORACLES[2]), "--out", str(here.folder / "words.json")),
                # What does not.
                ("attest", distribution, "m2", "--key", here.key(FUNDER), "--yes"),
                ("attest", distribution, "m2", "--key", open_to_all(here), "--yes"),
                ("attest", distribution, "m2", "--key", broken(here), "--yes"),
                ("keys", "new", "keeper", "--out", here.key(KEEPER)),
                ("run",),
            ):
                said += tell(here, *arguments)
            for overridden in (
                {"INDEXER__OGMIOS__URL": f"ws://operator:{PASSWORD}@127.0.0.1:9/?key={QUERY}"},
                {"INDEXER__OGMIOS__URL": f"ws://operator:{PASSWORD}/{QUERY}@127.0.0.1:9"},
                {"INDEXER__OGMIOS__URL": f"wss://operator:{PASSWORD}@127.0.0.1:{here.facts['url'].rpartition(':')[2]}"},
                {"INDEXER__OGMIOS__URL": f"{PASSWORD}"},
                {"INDEXER__OGMIOS__HEADERS_FILE": broken(here)},
                {"INDEXER__KEEPER__SIGNING_KEY": broken(here)},
                {"INDEXER__KUPO__URL": f"http://operator:{PASSWORD}@127.0.0.1:9"},
                {"INDEXER__KUPO__URL": f"http://operator:{PASSWORD}@127.0.0.1:9/?key={QUERY}"},
                {"HTTPS_PROXY": f"http://me:{PASSWORD}@127.0.0.1:bad", "INDEXER__OGMIOS__URL": "wss://ogmios.invalid"},
            ):
                for arguments in (("init",), ("doctor",), ("deploy", "--signing-key", here.key(FUNDER), "--yes")):
                    said += tell(here, *arguments, **overridden)
            # What is seen from outside.
            for page in ("metrics", "health/ready", "health/live"):
                said.append(page_of(started["http_port"], page))
            for part in ("cmdline", "comm"):
                said.append(Path(f"/proc/{process.pid}/{part}").read_bytes())
            # The node goes away for a while.
            here.control("disconnect")
            here.control("stall", seconds=1)
            until(lambda: b"session.broken" in log.read_bytes())
            until(lambda: heard(systemd, said) > 2)
        finally:
            process.terminate()
            process.wait(30)
    files = [path for path in here.folder.rglob("*") if path.is_file() and path not in kept(here)]
    assert {"log", "db.sqlite", "db.sqlite-wal"} <= {path.name for path in files} | {"db.sqlite-wal"}
    assert {str(path): found(path.read_bytes()) for path in files if found(path.read_bytes())} == {}
    assert [(text, found(text)) for text in said if found(text)] == []
    assert sum(b"error" in text for text in said) > 10

    mine = [here.folder / "data", *(here.folder / "data").rglob("*"), *here.folder.glob("db.sqlite*")]
    assert {str(path): oct(mode) for path in mine if (mode := stat.S_IMODE(path.stat().st_mode)) & 0o027} == {}


def tell(here: Town, *arguments: str, **environment: str) -> list[bytes]:
    """What a command says, to people and to programs."""
    said = []
    for more in ((), ("--json",)):
        done = CliRunner().invoke(app, ["--config", str(here.config), *arguments, *more], env=environment)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.output
        said += [done.stdout.encode(), done.stderr.encode()]
    return said


def page_of(port: int, path: str) -> bytes:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=5) as reply:
            return bytes(reply.read())
    except urllib.error.HTTPError as error:
        return error.read()


def open_to_all(here: Town) -> str:
    path = Path(here.key(STRANGER))
    path.chmod(0o644)
    return str(path)


def broken(here: Town) -> str:
    """A key, cut short; for a header it is no line either."""
    path = here.folder / "broken"
    path.touch(mode=0o600)
    path.write_text(KEYS["keeper"].hex() + "\n" + TOKEN + "\n")
    return str(path)


def heard(systemd: socket.socket, said: list[bytes]) -> int:
    try:
        while True:
            said.append(systemd.recv(65_536))
    except BlockingIOError:
        return sum(text.startswith(b"WATCHDOG=1") for text in said)


def test_the_search_finds_what_is_there() -> None:
    """Else it would prove nothing."""
    seed = KEYS["keeper"]
    for form in forms(seed):
        assert found(b"before " + form + b" after") == {"keeper"}
    assert found(PASSWORD.encode()) == {PASSWORD}
    assert found(b"nothing") == set()

"""config.toml: what it may say, and what is said of one that may not."""

from pathlib import Path

import pytest

from indexer import config, errors
from indexer.chain.point import ORIGIN, Point

KEY = "55" * 28


def load(folder: Path, text: str) -> config.Config:
    path = folder / "config.toml"
    path.write_text(text)
    return config.load(path)


def test_an_empty_file_is_a_configuration_of_defaults(tmp_path: Path) -> None:
    """For the devnet, on loopback; paths are relative to the file."""
    found = load(tmp_path, "")
    assert (found.network, found.ogmios.url, found.http.listen) == ("devnet", "ws://127.0.0.1:1337", "127.0.0.1:9180")
    assert found.database.path == tmp_path / "data" / "indexer.sqlite"
    assert (found.since, found.watches()) == (ORIGIN, [])


def test_a_starting_point_is_a_word_or_a_point(tmp_path: Path) -> None:
    """`origin`, `tip`, or SLOT.ID."""
    assert load(tmp_path, '[follow]\nsince = "tip"').since == "tip"
    assert load(tmp_path, f'[follow]\nsince = "7.{"ab" * 32}"').since == Point(7, b"\xab" * 32)


def test_the_environment_comes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Section by section, key by key; lists as JSON."""
    monkeypatch.setenv("INDEXER__OGMIOS__URL", "wss://elsewhere")
    monkeypatch.setenv("INDEXER__NETWORK", "preprod")
    monkeypatch.setenv("INDEXER__WATCH", f'[{{"credential": "{KEY}", "kind": "key"}}]')
    found = load(tmp_path, 'network = "preview"\n[ogmios]\nurl = "ws://here"\ntimeout_s = 5')
    assert (found.network, found.ogmios.url, found.ogmios.timeout_s) == ("preprod", "wss://elsewhere", 5)
    assert [str(watch) for watch in found.watches()] == [KEY]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("network = ", "is not TOML"),
        ("colour = 1", "colour: unknown key"),
        ("[ogmios]\nurI = 'ws://x'", "ogmios.urI: unknown key"),
        ("[[watch]]\ncredential = 'ab'\nknd = 'key'", "watch.0.knd: unknown key"),
        ("network = 'testnet'", "unknown network"),
        ("[ogmios]\nurl = 'http://x'", "begins with ws:// or wss://"),
        ("[ogmios]\nurl = 'ws://'", "names a host"),
        ("[kupo]\nurl = 'ws://x'", "begins with http:// or https://"),
        ("[heartbeat]\nurl = 'ping.example'", "heartbeat.url: a heartbeat URL begins with"),
        ("[heartbeat]\nurl = 'http://x:secret/'", "heartbeat.url: a heartbeat URL begins with"),
        ("[heartbeat]\nurl = 'http://[x/'", "heartbeat.url: a heartbeat URL begins with"),
        ("[heartbeat]\nurl = 'http://x/\u202e'", "heartbeat.url: a heartbeat URL begins with"),
        ("[heartbeat]\ninterval_s = 0", "heartbeat.interval_s: "),
        ("[follow]\nstalled_after_s = 0", "follow.stalled_after_s: "),
        ("[kupo]\nurl = 'http://'", "names a host"),
        ("[kupo]\nurl = 'http://x/?key=secret'", "headers_file"),
        ("[ogmios]\nurl = 'ws://me:pa/ss@x'", "ogmios.url: not a URL"),
        ("[ogmios]\nurl = 'ws://me:1/ss@x'", "ogmios.url: not a URL"),
        ("[ogmios]\nurl = 'ws://me:pa#ss@x'", "ogmios.url: not a URL"),
        ("[ogmios]\nurl = 'ws://x:99999'", "ogmios.url: not a URL"),
        ("[ogmios]\nurl = 'ws://x/\u202e'", "ogmios.url: not a URL"),
        ("[kupo]\nurl = 'http://me:pa/ss@x'", "kupo.url: not a URL"),
        ("[database]\npath = ''", "path of a file"),
        ("network = true", "network"),
        ("[[token]]\npolicy = 'ab'\nticker = 'T'", "token.0.policy"),
        (f"[[token]]\npolicy = '{KEY}'\nticker = 'two words'", "token.0.ticker"),
        (f"[[token]]\npolicy = '{KEY}'\nticker = 'T'\ndecimals = -1", "token.0.decimals"),
        ("[http]\nlisten = '9180'", "HOST:PORT"),
        ("[keeper]\nenabled = true", "enabled = true needs signing_key, or signer and verification_key"),
        ("[keeper]\nsigning_key = 'k'\nsigner = ['s']\nverification_key = 'v'", "not both"),
        ("[keeper]\nsigner = ['s']", "belong together"),
        ("[keeper]\nverification_key = 'v'", "belong together"),
        ("[keeper]\nsigner = ['']\nverification_key = 'v'", "keeper.signer.0"),
        ("[keeper]\nreserve_lovelace = -1", "keeper.reserve_lovelace"),
        ("[keeper]\nmax_loss_lovelace_per_day = 0.5", "keeper.max_loss_lovelace_per_day"),
        ("[keeper]\nsponsor = ['everybody']", "keeper.sponsor.0"),
        ("[keeper]\nsponsor = 'all'", "keeper.sponsor"),
        ("[follow]\nsince = 'yesterday'", "neither `origin` nor SLOT.ID"),
        ("[follow]\nsince = 5", "neither `origin` nor SLOT.ID"),
        ("[[watch]]\ncredential = 'ab'", "number 1: a payment credential is a 28-byte hash"),
        (f"[[watch]]\ncredential = '{KEY}'\nkind = 'wallet'", "watch.0.kind"),
        (
            "network = 'preview'\n[[watch]]\ncredential = 'addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl8'",
            "number 1: the address belongs to another network",
        ),
    ],
)
def test_what_a_configuration_may_not_say_is_refused_by_key(text: str, reason: str, tmp_path: Path) -> None:
    """With the exit code of a wrong configuration."""
    with pytest.raises(errors.ConfigInvalid, match=reason) as caught:
        load(tmp_path, text)
    assert caught.value.exit_code == 2
    assert "pa/ss" not in str(caught.value)


def test_the_keeper_is_off_and_bears_no_loss_unless_it_is_told_to(tmp_path: Path) -> None:
    """Its key is in a file, or with a command whose words are not touched; files are relative to the configuration."""
    plain = load(tmp_path, "").keeper
    assert (plain.enabled, plain.has_key, plain.sponsor) == (False, False, ())
    assert (plain.reserve_lovelace, plain.max_loss_lovelace_per_day) == (5_000_000, 5_000_000)
    own = load(tmp_path, "[keeper]\nenabled = true\nsigning_key = 'keys/keeper.skey'").keeper
    assert (own.enabled, own.has_key, own.signing_key) == (True, True, tmp_path / "keys" / "keeper.skey")
    text = f"[keeper]\nsigner = ['sign', '--for', 'x y']\nverification_key = '/k.vkey'\nsponsor = ['all', '{KEY}']"
    other = load(tmp_path, text).keeper
    assert (other.signer, other.verification_key) == (("sign", "--for", "x y"), Path("/k.vkey"))
    assert (other.enabled, other.has_key, other.sponsor) == (False, True, ("all", KEY))


def test_a_misspelt_override_is_not_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in its section nor in its key."""
    monkeypatch.setenv("INDEXER__OGMIOS__URI", "ws://x")
    with pytest.raises(errors.ConfigInvalid, match="unknown key"):
        load(tmp_path, "")
    monkeypatch.delenv("INDEXER__OGMIOS__URI")
    monkeypatch.setenv("INDEXER__OGMIOSS__URL", "ws://x")
    with pytest.raises(errors.ConfigInvalid, match="INDEXER__OGMIOSS__URL"):
        load(tmp_path, "")


def test_an_override_that_is_no_json_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole section or list is given as JSON."""
    monkeypatch.setenv("INDEXER__WATCH", "abc")
    with pytest.raises(errors.ConfigInvalid, match="environment variable"):
        load(tmp_path, "")


def test_values_are_not_repeated_in_errors(tmp_path: Path) -> None:
    """A key may name a secret, or hold one by mistake."""
    with pytest.raises(errors.ConfigInvalid) as caught:
        load(tmp_path, "[ogmios]\ntimeout_s = 'hunter2'")
    assert "hunter2" not in str(caught.value)


def test_a_configuration_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    """Missing, a directory, or not text."""
    with pytest.raises(errors.FileUnusable, match="there is no configuration"):
        config.load(tmp_path / "none.toml")
    with pytest.raises(errors.FileUnusable, match="cannot read"):
        config.load(tmp_path)
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(errors.FileUnusable, match="cannot read"):
        config.load(tmp_path / "bytes.toml")

"""[[sink]] of config.toml: what it may say, whether it comes from the file or from the environment."""

import json
from pathlib import Path
from typing import Any

import pytest

from indexer import config, errors

WEBHOOK = {
    "name": "billing",
    "kind": "webhook",
    "url": "https://billing.example.org/hook?token=hush",
    "secret_files": ["billing.secret"],
    "distributions": "all",
}


def load(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> config.Config:
    """From the environment, as JSON: what is checked is the same."""
    path = folder / "config.toml"
    path.write_text("")
    monkeypatch.setenv("INDEXER__SINK", json.dumps([{**WEBHOOK, **changes}]))
    return config.load(path)


def test_a_sink_may_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are relative to the file all the same."""
    (sink,) = load(tmp_path, monkeypatch).sink
    assert (sink.url, sink.secret_files) == (WEBHOOK["url"], (tmp_path / "billing.secret",))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"url": "https://bücher.example/hush"}, "in ASCII"),
        ({"url": "https://billing.example/hush/é"}, "in ASCII"),
        ({"url": "https://me:hush@billing.example/"}, "leave out user"),
        ({"url": "https://@billing.example/hush"}, "leave out user"),
        ({"url": "https:///hush"}, "names a host"),
        ({"url": "https://x:0/hush"}, "names a host"),
        ({"url": "https://x/hush y"}, "names a host"),
        ({"url": "https://[hush/"}, "names a host"),
        ({"url": "http://billing.example/hush"}, "allow_private"),
        ({"url": "file:///etc/hush"}, "names a host"),
        ({"url": "nats://hush/"}, "begins with http or https"),
        ({"secret_files": []}, "takes 1 or 2 secret_files"),
        ({"distributions": []}, "say whose events"),
        ({"since": "2026-01-31T12:00:00"}, "needs a zone"),
        ({"since": -1}, "give a slot"),
        ({"timeout_s": 0}, "greater than 0"),
    ],
)
def test_what_a_sink_cannot_mean_is_refused_without_telling_its_url(
    changes: dict[str, Any], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(errors.ConfigInvalid, match=reason) as refused:
        load(tmp_path, monkeypatch, **changes)
    assert "hush" not in str(refused.value)

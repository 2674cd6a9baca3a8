"""What is common to all commands: how they end, and what makes no sense to any of them."""

import json
import sys
from pathlib import Path

import pytest
import typer

from indexer.cli import main as commands
from indexer.cli.delivered import parse_since

TOO_LARGE = "9" * 30


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("raised", [KeyboardInterrupt, typer.Abort])
def test_what_is_interrupted_says_so_in_words_or_in_one_document(
    raised: type[BaseException],
    as_json: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In the middle of a command, or at a question; exit code 130, as shells have it."""

    def interrupted(*_arguments: object) -> None:
        raise raised

    monkeypatch.setattr("indexer.config.load", interrupted)
    monkeypatch.setattr(sys, "argv", ["indexer", "--config", str(tmp_path), "releases", *(["--json"] * as_json)])
    with pytest.raises(SystemExit) as ended:
        commands.main()
    said = capsys.readouterr()
    assert ended.value.code == 130
    if as_json:
        assert json.loads(said.out)["error"]["code"] == "interrupted"
    else:
        assert (said.out, said.err.strip()) == ("", "interrupted")


@pytest.mark.parametrize("command", ["releases", "deliveries", "check-status"])
def test_more_than_a_database_can_count_is_no_limit(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Usage, exit code 2."""
    for limit in ("0", "1000001", TOO_LARGE):
        monkeypatch.setattr(sys, "argv", ["indexer", command, "--limit", limit, "--json"])
        with pytest.raises(SystemExit) as ended:
            commands.main()
        assert ended.value.code == 2
        assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"


def test_a_slot_that_cannot_be_is_none() -> None:
    """Neither is it a time."""
    assert parse_since("123456789012345678").slot == 123456789012345678
    with pytest.raises(ValueError, match=r"isoformat|must be"):
        parse_since(TOO_LARGE)

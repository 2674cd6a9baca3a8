"""What lies in infra/ says nothing that the program does not know."""

import configparser
from pathlib import Path

from typer.testing import CliRunner

from indexer.cli.main import app

ROOT = Path(__file__).parents[1]
UNIT = ROOT / "infra" / "systemd" / "indexer.service"


def unit() -> configparser.ConfigParser:
    found = configparser.ConfigParser(strict=False, interpolation=None)
    found.optionxform = str  # type: ignore[assignment,method-assign]  # systemd tells upper case from lower
    found.read_string(UNIT.read_text())
    return found


def test_the_service_starts_a_command_that_there_is() -> None:
    words = unit()["Service"]["ExecStart"].split()
    assert words[0].endswith("/indexer")
    assert CliRunner().invoke(app, [*words[1:], "--help"]).exit_code == 0


def test_the_service_waits_longer_for_a_stop_than_a_stop_takes() -> None:
    """SIGTERM finishes the batch, and exits within five seconds."""
    assert int(unit()["Service"]["TimeoutStopSec"]) > 5

"""What lies in infra/ says nothing that the program does not know."""

import configparser
import re
from pathlib import Path

from typer.testing import CliRunner

from indexer.cli.main import app
from indexer.edge.metrics import FollowerMetrics, KeeperMetrics
from indexer.status import FollowerStatus, KeeperStatus

ROOT = Path(__file__).parents[1]
ALERTS = (ROOT / "infra" / "prometheus" / "alerts.yml").read_text()
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


def test_alerts_are_about_metrics_that_there_are() -> None:
    """Under the names that Prometheus reads; `up` is its own."""
    collectors = FollowerMetrics(FollowerStatus(), lambda: 0, lambda: None), KeeperMetrics(KeeperStatus())
    known = {family.name for collector in collectors for family in collector.collect()}
    known |= {"indexer_follower_lag_seconds"}  # is not told before the first block
    asked = set(re.findall(r"indexer_\w+", " ".join(re.findall(r"expr: (.*)", ALERTS))))
    assert asked
    assert asked <= known


def test_each_alert_has_an_entry_in_the_runbook() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    alerts = re.findall(r"alert: (\w+)", ALERTS)
    assert re.findall(r"runbook: docs/runbook.md#(\w+)", ALERTS) == [name.lower() for name in alerts]
    assert all(f"### {name}\n" in runbook for name in alerts)

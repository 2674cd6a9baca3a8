"""What lies in infra/ says nothing that the program does not know, and is understood by those it is for."""

import configparser
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import ProcessCollector
from typer.testing import CliRunner

from indexer.cli.main import app
from indexer.domain.gates import Gate
from indexer.domain.life import State
from indexer.domain.quorum import QuorumStatus
from indexer.domain.submission import ReleaseState
from tests.support.process import until
from tests.support.watching import Watched, furnished, running

ROOT = Path(__file__).parents[1]
ALERTS = (ROOT / "infra" / "prometheus" / "alerts.yml").read_text()
DASHBOARD: dict[str, Any] = json.loads((ROOT / "infra" / "grafana" / "indexer.json").read_text())
UNIT = ROOT / "infra" / "systemd" / "indexer.service"

NAME = re.compile(r"\b(?:indexer|process)_[a-z0-9_]+\b")
SELECTOR = re.compile(r"\b((?:indexer|process)_[a-z0-9_]+)\{([^}]*)\}")
LABEL = re.compile(r'(\w+)(=~|!=|=)"([^"]*)"')
OF_PROMETHEUS = {"instance", "job"}  # labels that it adds itself
VALUES = {
    "gate": set(Gate),
    "state": {*ReleaseState, *State},
    "quorum": set(QuorumStatus),
    "outcome": {"answered", "failed", "delivered"},
}


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


def test_the_service_sees_of_proc_what_its_metrics_are_read_from(tmp_path: Path) -> None:
    """Prometheus' client asks when the machine started, and where it cannot, as in ProcSubset=pid, it tells nothing."""
    (tmp_path / "self").symlink_to("/proc/self")
    assert list(ProcessCollector(proc=str(tmp_path), registry=None).collect()) == []
    (tmp_path / "stat").symlink_to("/proc/stat")
    assert list(ProcessCollector(proc=str(tmp_path), registry=None).collect()) != []
    assert unit()["Service"].get("ProcSubset", "all") == "all"


# --- metrics


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A daemon with a keeper and a sink that follows a devnet, all of whose metrics are known."""
    with furnished(tmp_path_factory.mktemp("town")) as here:
        with here.config.open("a") as file:
            file.write('[[sink]]\nname = "diary"\nkind = "exec"\ncommand = ["true"]\ndistributions = "all"\n')
        with running(here) as daemon:
            until(lambda: daemon.ready and "indexer_milestones_due 0" in daemon.metrics)
            until(lambda: "indexer_wallet_lovelace" in daemon.metrics)
            yield daemon


def in_alerts() -> list[str]:
    """The expressions of the alerts: on the line, or on those that follow."""
    return [" ".join(each.split()) for each in re.findall(r"expr: (?:>-)?(.*?)\n +(?:for|labels):", ALERTS, re.DOTALL)]


def panels() -> list[dict[str, Any]]:
    return list(DASHBOARD["panels"])


def in_dashboard() -> list[str]:
    return [target["expr"] for panel in panels() for target in panel.get("targets", ())]


def named(expressions: Iterable[str]) -> set[str]:
    return {name for each in expressions for name in NAME.findall(each)}


def test_alerts_and_dashboard_are_about_metrics_that_a_running_daemon_has(live: Watched) -> None:
    """By the names of samples, as Prometheus' own parser finds them. Of releases there is none, nor of their turns."""
    families = live.families()
    known = {sample.name for family in families.values() for sample in family.samples}
    known |= {"indexer_releases", "indexer_release_turns_total"}
    assert {"indexer_releases", "indexer_release_turns"} <= families.keys()
    assert len(in_alerts()) == ALERTS.count("alert:")
    assert named(in_alerts()) <= known
    assert named(in_dashboard()) <= known


def test_the_dashboard_shows_every_metric_that_a_running_daemon_has(live: Watched) -> None:
    """Of ours."""
    shown = named(in_dashboard()) | {name.rpartition("_")[0] for name in named(in_dashboard())}
    ours = {name for name in live.families() if name.startswith("indexer_")}
    assert ours - shown - {f"{name}_info" for name in shown} == set()


def test_alerts_and_dashboard_select_by_labels_that_there_are(live: Watched) -> None:
    """And by values that these can have: `le` those of the buckets."""
    labels: dict[str, set[str]] = {"indexer_releases": {"state"}, "indexer_release_turns_total": {"state"}}
    bounds = set()
    for family in live.families().values():
        for sample in family.samples:
            labels.setdefault(sample.name, set()).update(sample.labels)
            bounds |= {sample.labels["le"]} if sample.name == "indexer_rollback_depth_blocks_bucket" else set()
    values: dict[str, set[str]] = {
        **{key: {str(each) for each in found} for key, found in VALUES.items()},
        "le": bounds,
    }
    selected = [each for expression in (*in_alerts(), *in_dashboard()) for each in SELECTOR.findall(expression)]
    assert len(selected) > 20
    for name, condition in selected:
        for label, _, value in LABEL.findall(condition):
            assert label in labels[name] | OF_PROMETHEUS, (name, label)
            assert label in OF_PROMETHEUS or set(value.split("|")) <= values[label], (name, label, value)


def test_bounds_of_histograms_are_written_as_prometheus_keeps_them(live: Watched) -> None:
    """Prometheus 3 makes 10.0 of 10 as it takes it in, and a rule about `le="10"` finds nothing there, for ever."""
    bounds = re.findall(r'le="([^"]*)"', live.metrics)
    assert len(bounds) > 10
    assert [each for each in bounds if not re.fullmatch(r"\d+\.\d+|\+Inf", each)] == []


def test_the_panels_of_the_dashboard_are_laid_out_beside_each_other() -> None:
    """Each with an id, a title, what it shows, a unit; none over another."""
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        place = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not place & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= place
        if panel["type"] != "row":
            assert panel["title"]
            assert panel["description"]
            assert panel["fieldConfig"]["defaults"]["unit"]
            assert panel["datasource"]["uid"] == "${datasource}"
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_each_alert_has_an_entry_in_the_runbook_and_a_story_that_is_told_by_promtool() -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    stories = (ROOT / "infra" / "prometheus" / "alerts.test.yml").read_text()
    alerts = re.findall(r"alert: (\w+)", ALERTS)
    assert re.findall(r"runbook: docs/runbook.md#(\w+)", ALERTS) == [name.lower() for name in alerts]
    assert all(f"### {name}\n" in runbook for name in alerts)
    fires = re.findall(r"alertname: (\w+)\n +exp_alerts:\n", stories)
    assert sorted(set(fires)) == sorted(alerts)


def test_alerts_ask_litestream_for_what_it_tells() -> None:
    """Of the metrics of Litestream 0.5.18, as its db.go and internal/internal.go name them."""
    asked = {name for each in in_alerts() for name in re.findall(r"\blitestream_\w+", each)}
    of_database = {"litestream_sync_count", "litestream_sync_error_count", "litestream_txid"}
    assert asked == of_database | {"litestream_l0_retention_files_total"}
    settings = (ROOT / "infra" / "litestream.yml").read_text()
    assert not re.search(r"^ *l0-retention:", settings, re.MULTILINE)


# --- what lies on the disk of a server


def blocks(page: str) -> list[str]:
    """The page's commands."""
    return re.findall(r"^```sh\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


class Server:
    """/var/lib/indexer as systemd makes it, a link to the folder of a user that is not root, and /backup."""

    OWNER = 64_123

    def __init__(self, root: Path) -> None:
        self.root, self.data, self.backup = root, root / "private" / "indexer", root / "backup"
        for folder in (self.data, self.backup, root / "bin"):
            folder.mkdir(parents=True)
        (root / "indexer").symlink_to(self.data)
        (root / "bin" / "litestream").write_text('#!/bin/sh\nfor last; do :; done; echo restored > "$last"\n')
        (root / "bin" / "litestream").chmod(0o755)

    def do(self, script: str) -> None:
        """As they stand, but for where things lie, and a Litestream that writes one line."""
        script = script.replace("/var/lib/indexer", f"{self.root}/indexer").replace("/backup/", f"{self.backup}/")
        path = f"{self.root / 'bin'}:{os.environ['PATH']}"
        subprocess.run(["sh", "-euc", script], cwd=ROOT, env=os.environ | {"PATH": path}, check=True)

    def hand_over(self) -> None:
        """All of it to the user of the service."""
        for path in (self.data, *self.data.rglob("*")):
            os.chown(path, self.OWNER, self.OWNER)

    def owners(self) -> set[int]:
        return {path.lstat().st_uid for path in (self.data, *self.data.rglob("*"))}


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


VARIABLES, *_, COPY, RESTORE = blocks("infra/backup-restore.md")
(BACK,) = (block for block in blocks("docs/install.md") if "mv /var/lib/indexer/before.sqlite" in block)
as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root gives files to others")


@as_root
def test_what_is_restored_belongs_to_the_user_of_the_service(server: Server) -> None:
    """Litestream run by root makes files of root's, below a folder that has the right owner already."""
    (server.backup / "milestones" / "aa").mkdir(parents=True)
    (server.backup / "milestones" / "aa" / "6d31.json").write_text("{}")
    (server.data / "indexer.sqlite").write_text("damaged")
    server.hand_over()
    server.do(f"{VARIABLES}\n{RESTORE}")
    assert (server.data / "indexer.sqlite").read_text() == "restored\n"
    assert (server.data / "lost" / "indexer.sqlite").read_text() == "damaged"
    assert (server.data / "milestones" / "aa" / "6d31.json").exists()
    assert server.owners() == {Server.OWNER}


@as_root
def test_an_older_version_can_write_the_copy_that_was_put_in_place(server: Server) -> None:
    (server.data / "indexer.sqlite").write_text("of the newer version")
    (server.data / "indexer.sqlite-wal").write_text("of the newer version")
    server.hand_over()
    (server.data / "before.sqlite").write_text("copy")
    commands = [line for line in BACK.splitlines() if "/var/lib/indexer" in line]
    server.do("\n".join(commands))
    assert {path.name: path.read_text() for path in server.data.iterdir()} == {"indexer.sqlite": "copy"}
    assert server.owners() == {Server.OWNER}


def test_a_pause_that_was_lifted_does_not_come_back_from_the_copy(server: Server) -> None:
    """It goes from the copy, and what is only ever added to stays; where all is lost, the pause stays too."""
    (server.data / "milestones").mkdir()
    (server.data / "milestones" / "one").write_text("signed")
    (server.data / "indexer.sqlite").touch()
    (server.data / "paused").write_text("{}")
    server.do(COPY)
    assert {path.name for path in server.backup.iterdir()} == {"milestones", "paused"}
    shutil.rmtree(server.data)
    server.data.mkdir()
    server.do(COPY)
    assert {path.name for path in server.backup.iterdir()} == {"milestones", "paused"}
    (server.data / "indexer.sqlite").touch()
    server.do(COPY)
    assert {path.name for path in server.backup.iterdir()} == {"milestones"}


def test_the_page_replicates_to_where_the_service_may_write() -> None:
    """The same replica in both, below a folder of StateDirectory."""
    (replica,) = re.findall(r"REPLICA=file://(\S+)", VARIABLES)
    service = (ROOT / "infra" / "systemd" / "litestream.service").read_text()
    assert re.findall(r"^Environment=REPLICA=file://(\S+)$", service, re.MULTILINE) == [replica]
    (folders,) = re.findall(r"^StateDirectory=(.+)$", service, re.MULTILINE)
    assert replica in [f"/var/lib/{name}" for name in folders.split()]


# --- as Prometheus itself reads it


@pytest.mark.promtool
def test_promtool_finds_nothing_to_say_of_the_metrics(live: Watched) -> None:
    """Names, units, types and help."""
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=live.metrics, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.promtool
def test_promtool_can_read_what_the_dashboard_asks_for(tmp_path: Path) -> None:
    """With what Grafana puts in."""
    asked = [each.replace("$__rate_interval", "1m") for each in in_dashboard()]
    rules = [{"record": f"r{number}", "expr": each} for number, each in enumerate(asked)]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    done = subprocess.run(["promtool", "check", "rules", str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

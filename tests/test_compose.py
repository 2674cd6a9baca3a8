"""What compose.yaml starts is closed to others, pinned, and configured with keys and commands that there are.

Whether Compose can read it is checked with Compose's own library: infra/composecheck, which .ci/run runs.
"""

import asyncio
import gzip
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from typer.testing import CliRunner

from indexer import config
from indexer.chain.point import parse_place
from indexer.cli.main import app
from indexer.edge import http

ROOT = Path(__file__).parents[1]
INFRA = ROOT / "infra"
NETWORKS = ("mainnet", "preprod", "preview")
VARIABLE = re.compile(r"\$\{(\w+)")


def read(name: str) -> Any:
    return yaml.safe_load((INFRA / name).read_text())


def values(network: str) -> dict[str, str]:
    """An env file, as Compose reads it: no more than NAME=VALUE and quotes is used."""
    lines = (INFRA / "env" / f"{network}.env").read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if line and not line.startswith("#"))
    return {name: value.strip('"') for name, value in pairs}


def filled(text: str, given: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)[^}]*\}", lambda found: given[found[1]], text)


SERVICES: dict[str, dict[str, Any]] = read("compose.yaml")["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_closed_to_others_and_bounded(name: str) -> None:
    """Ports on loopback; a root that is not written to, no privileges, limits, a health check, patience at a stop."""
    service = SERVICES[name]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "network_mode", "cap_add", "pid", "devices"}
    assert service["restart"] == "unless-stopped"
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert service["healthcheck"].keys() == {"test", "interval", "timeout", "retries", "start_period"}
    assert "stop_grace_period" in service


def test_images_are_pinned_to_the_versions_that_belong_together() -> None:
    """The node, Ogmios and Kupo of protocol version 11; no image floats."""
    images = {name: service["image"] for name, service in SERVICES.items()}
    assert images["cardano-node"] == "ghcr.io/intersectmbo/cardano-node:11.0.1"
    assert images["ogmios"] == "cardanosolutions/ogmios:v7.0.0"
    assert images["kupo"] == "cardanosolutions/kupo:v2.12.0"
    assert {images[name] for name in OURS} == {"milestone-indexer:local"}
    assert all(re.search(r":v?\d+\.\d+\.\d+$", image) for name, image in images.items() if name not in OURS)


@pytest.mark.parametrize("network", NETWORKS)
def test_each_network_says_all_that_is_asked_and_nothing_else(network: str) -> None:
    """Except where the key lies, which compose.keeper.yaml demands by itself. Compose itself asks for its files."""
    asked = set(VARIABLE.findall((INFRA / "compose.yaml").read_text()))
    said = values(network)
    assert {name for name in said if not name.startswith(config.PREFIX)} == asked | {"COMPOSE_FILE"}
    assert said["COMPOSE_FILE"] == "infra/compose.yaml"
    assert said["NETWORK"] == network
    assert set(VARIABLE.findall((INFRA / "compose.keeper.yaml").read_text())) == {"KEEPER_KEY"}


@pytest.mark.parametrize("network", NETWORKS)
def test_nothing_may_take_more_processors_than_a_machine_is_asked_to_have(network: str) -> None:
    """Docker refuses to start what may: so no more than one is fixed, and the env files and the page say the rest."""
    limits = {name: str(service["deploy"]["resources"]["limits"]["cpus"]) for name, service in SERVICES.items()}
    assert all(limit.startswith("${") or float(limit) <= 1 for limit in limits.values())
    most = max(float(filled(limit, values(network))) for limit in limits.values())
    assert most == (4 if network == "mainnet" else 2)
    assert "and two processors (mainnet: four;" in (INFRA / "README.md").read_text()


def test_once_there_is_a_keeper_every_command_has_it(tmp_path: Path) -> None:
    """The page's command writes it into the env file, which all commands of the pages read, and none overrides."""
    pages = [(INFRA / name).read_text() for name in ("README.md", "backup-restore.md")]
    commands = [line for page in pages for line in page.splitlines() if "docker compose --env-file" in line]
    assert len(commands) > 3
    assert not [command for command in commands if " -f " in command]
    (edit,) = (line for line in pages[0].splitlines() if line.startswith("sed -i"))
    (tmp_path / "infra" / "env").mkdir(parents=True)
    file = shutil.copy(INFRA / "env" / "preprod.env", tmp_path / "infra" / "env")
    subprocess.run(["sh", "-euc", edit], cwd=tmp_path, check=True)
    after = dict(line.split("=", 1) for line in Path(file).read_text().splitlines() if re.match(r"[A-Z_]+=", line))
    assert [(ROOT / name).exists() for name in after["COMPOSE_FILE"].split(":")] == [True, True]
    assert after["COMPOSE_FILE"].endswith("/compose.keeper.yaml")
    assert after["KEEPER_KEY"] == f"{tmp_path}/keeper.skey"
    changed = {name for name, value in values("preprod").items() if after[name].strip('"') != value}
    assert changed == {"COMPOSE_FILE"}


@pytest.mark.parametrize("network", NETWORKS)
def test_the_indexer_can_be_configured_so(network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the shipped config.toml, the image's environment, the network's, the keeper's; unknown keys are refused."""
    given = values(network)
    environment = dict(re.findall(r"(INDEXER__\w+)=([^ \n]+)", (INFRA / "docker" / "Dockerfile").read_text()))
    environment |= {name: value for name, value in given.items() if name.startswith(config.PREFIX)}
    for source in (SERVICES["indexer"], read("compose.keeper.yaml")["services"]["indexer"]):
        environment |= {name: filled(value, given) for name, value in source["environment"].items()}
    monkeypatch.setattr("os.environ", environment)
    for name in ("config.toml", "plutus.json"):
        shutil.copy(ROOT / name, tmp_path)
    loaded = config.load(tmp_path / "config.toml")
    assert loaded.chain.name == network
    assert loaded.since == parse_place(given["SINCE"])
    assert loaded.ogmios.url == f"ws://ogmios:{SERVICES['ogmios']['ports'][0].split(':')[2]}"
    assert loaded.kupo.url == f"http://kupo:{SERVICES['kupo']['ports'][0].split(':')[2]}"
    assert loaded.http.address == ("0.0.0.0", 9180)
    assert loaded.database.path == Path("/data/indexer.sqlite")
    assert loaded.keeper.enabled
    assert loaded.keeper.signing_key == Path("/run/secrets/keeper.skey")


def test_kupo_indexes_the_contract_and_keeps_what_is_spent() -> None:
    """What `indexer audit` compares with."""
    (contract,) = {each["hash"] for each in json.loads((ROOT / "plutus.json").read_text())["validators"]}
    for network in NETWORKS:
        given = values(network)
        words = filled(SERVICES["kupo"]["command"], given).split()
        assert words[words.index("--match") + 1] == f"{contract}/*"
        assert words[words.index("--since") + 1] == given["SINCE"]
        assert "--prune-utxo" not in words


def test_the_history_of_preview_begins_at_a_block_that_there_is() -> None:
    """The first of the recorded ones."""
    with gzip.open(ROOT / "indexer" / "samples" / "preview-conway-100.v7.jsonl.gz", "rt") as lines:
        first = json.loads(next(lines))["result"]["block"]
    assert values("preview")["SINCE"] == f"{first['slot']}.{first['id']}"


@pytest.mark.parametrize("name", OURS)
def test_our_services_start_commands_that_there_are(name: str) -> None:
    """The image's own where the service names none."""
    dockerfile = (INFRA / "docker" / "Dockerfile").read_text()
    assert 'ENTRYPOINT ["indexer"]' in dockerfile
    (own,) = re.findall(r"^CMD (\[.*\])$", dockerfile, re.MULTILINE)
    words = [str(word) for word in SERVICES[name].get("command", json.loads(own))]
    assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0


async def run(words: list[str]) -> int:
    process = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.DEVNULL)
    return await process.wait()


async def test_the_indexer_is_healthy_when_it_is_ready() -> None:
    """The check as it stands, but for the port, against the daemon's own pages."""
    how, *words = SERVICES["indexer"]["healthcheck"]["test"]
    reason: str | None = "catching up"
    async with http.serving("127.0.0.1", 0, CollectorRegistry(), lambda: reason) as port:
        command = [word.replace(":9180/", f":{port}/") for word in words]
        assert how == "CMD"
        assert command != words
        assert await run(command) != 0
        reason = None
        assert await run(command) == 0
    assert await run(command) != 0


def test_what_is_mounted_lies_here() -> None:
    """What an operator has to bring is named by a variable."""
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (INFRA / source).exists()
                assert volume.endswith(":ro")
            else:
                assert source.startswith("${") or source in read("compose.yaml")["volumes"]


def test_prometheus_asks_what_is_started() -> None:
    """Each target is a service; the job that alerts are about is called as they call it."""
    scraped = read("prometheus/prometheus.yml")
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in scraped["scrape_configs"]}
    assert targets["indexer"] == ["indexer:9180"]
    metrics = SERVICES["litestream"]["environment"]["METRICS"].split(":")[1]
    assert targets["litestream"] == [f"litestream:{metrics}"]
    assert all(target.split(":")[0] == job in SERVICES for job, (target,) in targets.items())
    assert all((INFRA / "prometheus" / name).exists() for name in scraped["rule_files"])


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    """Where the mounts of compose.yaml put them."""
    mounts = {where: what for what, where, _ in (v.split(":") for v in SERVICES["grafana"]["volumes"] if v[0] == ".")}
    (provider,) = read("grafana/provisioning/dashboards/indexer.yml")["providers"]
    assert mounts[provider["options"]["path"]] == "./grafana"
    (source,) = read("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"


def test_litestream_is_told_what_its_configuration_asks() -> None:
    """Its checkpoints are its own only where the indexer leaves them to it: the default is that it does not."""
    asked = set(VARIABLE.findall((INFRA / "litestream.yml").read_text()))
    assert asked == SERVICES["litestream"]["environment"].keys()
    unit = (INFRA / "systemd" / "litestream.service").read_text()
    assert asked == set(re.findall(r"^Environment=(\w+)=", unit, re.MULTILINE))
    assert all(values(network)["INDEXER__DATABASE__CHECKPOINTS"] == "true" for network in NETWORKS)


def test_litestream_is_of_the_version_that_is_tried() -> None:
    """The one that `make test-backup` builds, and that the page names."""
    (tried,) = re.findall(r"^LITESTREAM_VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert SERVICES["litestream"]["image"] == f"litestream/litestream:{tried}"
    assert f"Litestream](https://litestream.io) {tried} " in " ".join((INFRA / "backup-restore.md").read_text().split())


def test_each_directory_and_file_here_is_named_in_the_table() -> None:
    """And none that is not here."""
    table = [line.split("|")[1] for line in (INFRA / "README.md").read_text().splitlines() if line.startswith("| [")]
    named = {name for cell in table for name in re.findall(r"\]\(([^)]+)\)", cell)}
    assert named == {path.name for path in INFRA.iterdir()} - {"README.md", "config", "replica"}


def test_the_image_is_given_all_that_the_package_is_made_of() -> None:
    """.dockerignore lets nothing through but what it names."""
    let_through = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = [
        *project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"],
        "indexer",
        "requirements/image.lock",
    ]
    assert [path for path in needed if path not in let_through] == []


def test_the_image_has_the_locked_packages_and_those_of_the_extras() -> None:
    """In the very versions that the tests use."""
    runtime, dev, image = (
        dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements" / f"{name}.lock").read_text(), re.MULTILINE))
        for name in ("runtime", "dev", "image")
    )
    assert runtime.items() <= image.items()
    assert image.items() <= dev.items()
    assert {"datasette", "nats-py", "apprise"} <= image.keys()

"""The package without the repository: built from a clean copy, installed into an empty environment, used elsewhere.

Of what it needs there is what requirements/runtime.lock names, in these versions and nothing more, copied out of the
environment of the tests, which was installed from a lock with hashes. The package itself comes from the wheel alone.
"""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

import pytest
from packaging.requirements import Requirement

from tests.support.process import ROOT
from tests.support.town import ANY_PORT

EXTRAS: Final = {"nats": "nats-py", "dashboard": "datasette", "apprise": "apprise", "parquet": "pyarrow"}
CARRIED: Final = (
    "config.toml",
    "plutus.json",
    "py.typed",
    "docs/analysts.md",
    "infra/grafana/indexer.json",
    "infra/prometheus/alerts.yml",
    "devnet/ledger/mainnet-parameters.json",
    "devnet/ledger/sentences.json",
)
FOLDERS: Final = ("schema", "infra/datasette")  # everything in them


@dataclass(frozen=True)
class Built:
    """The clean copy, and what was made of it."""

    tree: Path
    wheel: Path
    source: Path


def run(command: Sequence[str | Path], folder: Path, **environment: str) -> str:
    """What a command says that succeeds; nothing of ours is in its environment."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("INDEXER", "PYTHON", "VIRTUAL"))}
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, env=clean | environment, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Wheel and source distribution, of the files that git knows of or would take, and of no others."""
    tree = tmp_path_factory.mktemp("clean") / "tree"
    for name in filter(None, run(["git", "ls-files", "-z", "-co", "--exclude-standard"], ROOT).split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    run([sys.executable, "-m", "hatchling", "build", "-d", tree / "dist"], tree)
    (wheel,), (source,) = (tree / "dist").glob("*.whl"), (tree / "dist").glob("*.tar.gz")
    return Built(tree, wheel, source)


@pytest.fixture(scope="module")
def environment(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of an environment that has what the lock names, and the wheel."""
    place = tmp_path_factory.mktemp("elsewhere") / "venv"
    venv.create(place, symlinks=True)
    programs = place / "bin"
    site = Path(
        run([programs / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], place).strip()
    )
    for line in (ROOT / "requirements" / "runtime.lock").read_text().splitlines():
        if line and not line.startswith((" ", "#")):
            _copy(Requirement(line.removesuffix("\\")), site)
    # Without an index it fails where anything that it declares is not there.
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--python", programs / "python"]
    run([*pip, "install", "--no-index", "--quiet", built.wheel], place)
    run([*pip, "check"], place)
    return programs


def _copy(wanted: Requirement, site: Path) -> None:
    if wanted.marker is not None and not wanted.marker.evaluate():
        return
    found = distribution(wanted.name)
    assert wanted.specifier.contains(found.version), f"the lock says {wanted}, here is {found.version}"
    for file in found.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(str(file.locate()), site / file)


def test_the_wheel_carries_all_that_the_program_and_its_operator_read(built: Built) -> None:
    """And nothing of the tests, nor anything that was left lying about."""
    inside = names(built.wheel)
    wanted = {f"indexer/{name}" for name in CARRIED}
    for folder in FOLDERS:
        files = [path.relative_to(built.tree) for path in (built.tree / folder).rglob("*") if path.is_file()]
        assert files
        wanted |= {f"indexer/{file}" for file in files}
    wanted |= {str(path.relative_to(built.tree)) for path in (built.tree / "indexer" / "samples").glob("*.gz")}
    assert wanted - inside == set()
    assert {name.split("/")[0] for name in inside if ".dist-info/" not in name} == {"indexer"}
    assert not [name for name in inside if re.search(r"\.sqlite|\.skey|__pycache__", name)]


def test_the_wheel_names_its_extras_and_its_program(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        (metadata,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("/METADATA"))
        (program,) = (archive.read(name).decode() for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert [name for name in archive.namelist() if name.endswith("licenses/LICENSE")]
    assert set(re.findall(r"^Provides-Extra: (.+)$", metadata, re.MULTILINE)) == set(EXTRAS)
    for extra, package in EXTRAS.items():
        assert re.search(rf"^Requires-Dist: {package}\b.*; extra == '{extra}'$", metadata, re.MULTILINE), extra
    assert "indexer = indexer.cli.main:main" in program


def test_the_source_distribution_builds_the_same_wheel_again(built: Built, tmp_path: Path) -> None:
    """Where there is neither git nor the repository."""
    with tarfile.open(built.source) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (tree,) = (tmp_path / "unpacked").iterdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text("#!/bin/sh\nexit 127\n")
    (tmp_path / "bin" / "git").chmod(0o755)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-index",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        "made",
        ".",
    ]
    run(command, tree, PATH=f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    (wheel,) = (tree / "made").glob("*.whl")
    assert names(wheel) == names(built.wheel)


def test_the_package_is_the_wheels_and_nothing_of_the_repository_is_in_reach(environment: Path, tmp_path: Path) -> None:
    code = "import indexer, json, sys; print(json.dumps([indexer.__file__, indexer.__version__, sys.path]))"
    file, version, path = json.loads(run([environment / "python", "-c", code], tmp_path))
    assert Path(file).is_relative_to(environment.parent)
    assert not [each for each in path if Path(each or tmp_path).is_relative_to(ROOT)]
    assert version in run([environment / "indexer", "--version"], tmp_path)


def test_the_demo_runs_where_the_wheel_is_installed(environment: Path, tmp_path: Path) -> None:
    """Both of them: the promise on a devnet, and the sample of real blocks."""
    story = json.loads(run([environment / "indexer", "demo", "--json"], tmp_path))
    recorded = json.loads(run([environment / "indexer", "demo", "--recorded", "--json"], tmp_path))
    assert story
    assert recorded


@contextmanager
def devnet(indexer: Path, folder: Path) -> Iterator[dict[str, Any]]:
    process = subprocess.Popen([indexer, "devnet", *ANY_PORT, "--json"], cwd=folder, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_a_daemon_is_set_up_and_asked_where_the_wheel_is_installed(environment: Path, tmp_path: Path) -> None:
    """Init, devnet, run, check-status, export, and the help of the dashboard, whose extra is not installed."""
    indexer = environment / "indexer"
    with devnet(indexer, tmp_path) as facts:
        url = {"INDEXER__OGMIOS__URL": facts["url"]}
        run([indexer, "init", "--json"], tmp_path, **url)
        assert (tmp_path / "config.toml").read_text() == (ROOT / "config.toml").read_text()
        assert (tmp_path / "plutus.json").read_text() == (ROOT / "plutus.json").read_text()
        run([indexer, "run", "--until", "tip"], tmp_path, **url)
        status = json.loads(run([indexer, "check-status", "--json"], tmp_path, **url))
        exported = run([indexer, "export", "distributions", "--format", "csv"], tmp_path, **url)
    assert status["network"] == "devnet"
    (header,) = csv.reader(io.StringIO(exported))
    assert header[0] == "distribution_id"
    assert "--port" in run([indexer, "dashboard", "--help"], tmp_path, COLUMNS="120")

"""The pages say what the code does: each check fails where one of the two moves on alone."""

import ast
import importlib
import pkgutil
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import BaseModel

import indexer
from indexer import config
from indexer.chain.point import Point, Tip
from indexer.cli import schemas
from indexer.cli.main import app
from indexer.edge import metrics
from indexer.errors import IndexerError
from indexer.status import DeliveryStatus, FollowerStatus, HeartbeatStatus, KeeperStatus, ModelStatus
from indexer.store import describe
from tests.support.pages import PAGES, blocks, ours

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "indexer"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def errors_of(kind: type[IndexerError]) -> Iterator[type[IndexerError]]:
    for error in kind.__subclasses__():
        yield error
        yield from errors_of(error)


def test_every_error_has_an_entry_in_the_runbook_and_no_other() -> None:
    """A heading with its code, for every error of the package."""
    for module in pkgutil.walk_packages(indexer.__path__, "indexer."):
        if module.name != "indexer.__main__":
            importlib.import_module(module.name)
    codes = sorted(error.code for error in errors_of(IndexerError) if error.__module__.startswith("indexer."))
    assert codes == sorted(re.findall(r"^### `(.+)`$", page("runbook.md"), re.MULTILINE))


def test_every_metric_is_described_as_it_is_exposed_and_no_other(tmp_path: Path) -> None:
    """With the names that Prometheus sees, in the order of the page, and their types, once everything is known."""
    here = Point(1, bytes(32))
    status = FollowerStatus(cursor=here, height=1, cursor_time_ms=1000, tip=Tip(here, 1))
    counted = ModelStatus({"pending": 1}, {"open": 1}, 0)
    keeping = KeeperStatus({"enabled": True}, 5, 5, 10, {"built": 1}, Counter(built=1), 1000, 1000)
    registry = CollectorRegistry()
    for collector in (
        metrics.BuildMetrics("1"),
        metrics.FollowerMetrics(status, lambda: 2000, lambda: None),
        metrics.ModelMetrics(counted),
        metrics.KeeperMetrics(keeping, lambda: 2000),
        metrics.FileMetrics(tmp_path / "db.sqlite"),
        metrics.DeliveryMetrics(DeliveryStatus(), lambda: 2000),
        metrics.HeartbeatMetrics(HeartbeatStatus()),
    ):
        registry.register(collector)
    exposed = re.findall(r"^# TYPE (\S+) (\S+)$", generate_latest(registry).decode(), re.MULTILINE)
    assert len(exposed) > 10
    rows = re.findall(r"^\| `(indexer_\w+)` \| (\w+) \|", page("operations.md"), re.MULTILINE)
    assert exposed == rows


def test_every_log_event_is_described_and_no_other() -> None:
    """With its level."""
    found = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(
                    func=ast.Attribute(
                        value=ast.Name("log"), attr="debug" | "info" | "warning" | "error" | "exception" as way
                    ),
                    args=[event, *_],
                ):
                    level = "error" if way == "exception" else way
                    texts = [part.value for part in ast.walk(event) if isinstance(part, ast.Constant)]
                    found |= {(text, level) for text in texts if isinstance(text, str)}
    rows = re.findall(r"^\| `(\w+\.\w+)` \| (\w+) \|", page("operations.md"), re.MULTILINE)
    assert found == set(rows)


def test_every_module_is_named_in_the_architecture() -> None:
    """A line each."""
    lines = [line.split(maxsplit=1)[0] for line in page("architecture.md").splitlines() if line.startswith("  ")]
    files = [str(path.relative_to(PACKAGE)) for path in MODULES]
    assert sorted(files) == sorted(name for name in lines if name.endswith(".py"))


def test_the_page_for_analysts_is_what_the_schema_says() -> None:
    """`make docs` writes it."""
    assert describe.markdown() == (ROOT / "schema" / "README.md").read_text(encoding="utf-8")


def test_the_schemas_of_answers_are_those_of_the_models() -> None:
    """`make docs` writes them."""
    there = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "schema" / "json").iterdir()}
    assert schemas.documents() == there


def test_schemas_are_written_one_file_a_model(tmp_path: Path) -> None:
    """Into a directory that need not exist."""
    schemas.write(tmp_path / "json")
    assert {path.name for path in (tmp_path / "json").iterdir()} == schemas.documents().keys()


def keys_of(model: type[BaseModel]) -> Iterator[str]:
    """Every key that a configuration may hold, sections dotted."""
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        section = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
        if section is None:
            yield name
        else:
            yield from (f"{name}.{key}" for key in keys_of(section))


def keys_in(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        section = value[0] if isinstance(value, list) and value else value
        if isinstance(section, dict):
            yield from (f"{name}.{key}" for key in keys_in(section))
        else:
            yield name


def test_the_shipped_configuration_shows_every_key() -> None:
    """Those that have no default to show stand in comments."""
    text = (ROOT / "config.toml").read_text(encoding="utf-8")
    uncommented = re.sub(r"^# (?=\[\[\w+\]\]$|\w+ = )", "", text, flags=re.MULTILINE)
    assert sorted(keys_of(config.Config)) == sorted(keys_in(tomllib.loads(uncommented)))


def test_the_shipped_configuration_holds_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It loads, and says what an empty file says; and what stands in its comments can be used."""
    monkeypatch.setattr("os.environ", {})
    text = (ROOT / "config.toml").read_text(encoding="utf-8")
    (tmp_path / "empty.toml").write_text("")
    (tmp_path / "shipped.toml").write_text(text)
    shipped = config.load(tmp_path / "shipped.toml")
    assert [contract.blueprint.name for contract in shipped.contract] == ["plutus.json"]  # beside it, so no default
    assert config.load(tmp_path / "empty.toml") == shipped.model_copy(update={"contract": ()})
    uncommented = re.sub(r"^# (?=\[\[\w+\]\]$|\w+ = )", "", text, flags=re.MULTILINE)
    either = re.sub(r"^signing_key = .*$", "", uncommented, flags=re.MULTILINE)  # that, or a signer
    (tmp_path / "all.toml").write_text(either)
    assert len(config.load(tmp_path / "all.toml").watches()) == 1


# --- commands and links on the pages


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def understood(arguments: Sequence[str]) -> None:
    """Read a command line as `indexer` does, and do nothing. Raises where it would exit with 2."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("indexer", list(arguments))
    while hasattr(command, "resolve_command") and (rest := [*context._protected_args, *context.args]):
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_every_command_line_of_a_page_can_be_typed(path: Path) -> None:
    """Commands, options and arguments are there, and values are of their kind."""
    for block in blocks(path):
        for line in block.lines if block.language in ("", "sh") else ():
            for arguments in ours(line):
                if arguments != ["--version"]:
                    understood(arguments)


def named(words: Sequence[str]) -> tuple[str, ...]:
    """The command that words begin with, by its full name. Raises KeyError where there is none, or not that option."""
    command: Any = typer.main.get_command(app)
    path: list[str] = []
    rest = [word for each in words for word in each.strip("[]").split("|")]
    while rest and rest[0] in getattr(command, "commands", {}):
        path.append(rest.pop(0))
        command = command.commands[path[-1]]
    options = {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help"}
    wrong = {word for word in rest if word.startswith("--")} - options
    if wrong or not path:
        raise KeyError(*words)
    return tuple(path)


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_every_command_that_a_page_mentions_is_there_with_its_options(path: Path) -> None:
    """In the midst of a sentence or a table too."""
    text = path.read_text(encoding="utf-8").replace("\\|", "|")
    for mentioned in re.findall(r"`indexer ([a-z][^`]*)`", text):
        named(mentioned.split())


def test_the_readme_names_every_command_and_no_other() -> None:
    """In its table."""
    commands: Any = typer.main.get_command(app)

    def names(command: Any, *path: str) -> Iterator[tuple[str, ...]]:
        inner = getattr(command, "commands", {})
        if not inner or command.invoke_without_command:
            yield path
        for name, each in inner.items():
            yield from names(each, *path, name)

    rows = re.findall(r"^\| (`indexer .+?`) \| ", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    told = {named(each.split()) for row in rows for each in re.findall(r"`indexer ([^`]+)`", row)}
    assert told == set(names(commands))


def anchor(heading: str) -> str:
    """As GitHub makes it of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_every_link_of_a_page_leads_somewhere(path: Path) -> None:
    """To a file of ours, and to a heading in it."""
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", path.read_text(encoding="utf-8")):
        name, _, heading = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        assert there.exists(), target
        if heading:
            headings = re.findall(r"^#+ (.+)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert heading in {anchor(each) for each in headings}, target


@pytest.mark.parametrize("path", PAGES, ids=shown)
def test_every_configuration_that_a_page_shows_can_be_used(path: Path, tmp_path: Path) -> None:
    """By itself: what it leaves out has a default."""
    for number, block in enumerate(each for each in blocks(path) if each.language == "toml"):
        file = tmp_path / f"{number}.toml"
        file.write_text(block.text)
        config.load(file)


def test_every_invariant_has_tests_that_there_are() -> None:
    """Nine rows, each with a test or several, as `path::name`."""
    rows = re.findall(r"^\| (\d) \| .+? \| (.+) \|$", page("architecture.md"), re.MULTILINE)
    assert [number for number, _ in rows] == [str(number) for number in range(1, 10)]
    for number, cell in rows:
        tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", cell)
        assert tests, number
        for file, name in tests:
            assert re.search(rf"^(?:(?:async )?def {name}\(|{name} = )", (ROOT / file).read_text(), re.MULTILINE), name

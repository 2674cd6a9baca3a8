"""Who may import whom. Told in words in docs/architecture.md; this is what enforces it."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "indexer"

# A module may import the modules and packages it names; a folder speaks for the files in it.
OURS = {
    "__init__": "",
    "__main__": "cli",
    "chain": "chain",
    "errors": "chain",
    "step": "",
    "status": "chain",
    "log": "",
    "config": "chain errors log config_sinks",
    "config_sinks": "",
    "ogmios": "chain errors step ogmios",
    "plutus": "chain errors plutus",
    "documents": "chain errors plutus",
    "domain": "chain errors plutus domain",
    "store": "chain errors plutus domain store",
    "edge": "chain errors status ogmios plutus documents edge",
    "workers": "chain errors step status ogmios plutus documents domain store edge workers",
    "posts": "config config_sinks domain edge errors workers __init__",
    "app": "chain config edge errors plutus posts status store workers __init__",
    "devnet": "chain errors devnet",
    "dashboard": "errors store dashboard",
    "cli": "chain errors status log config plutus documents domain store edge workers posts app devnet dashboard cli"
    " __init__",
}
THEIRS = {
    "chain": "",
    "errors": "",
    "step": "",
    "status": "",
    "log": "structlog",
    "config": "pydantic pydantic_settings",
    "config_sinks": "pydantic",
    "ogmios": "msgspec ahocorasick_rs",
    "plutus": "pydantic",
    "documents": "pydantic",
    "domain": "nacl",
    "store": "aiosqlite",
    "edge": "websockets httpx httpcore msgspec prometheus_client nacl pycardano apprise nats",
    "workers": "aiosqlite structlog",
    "posts": "",
    "app": "structlog prometheus_client aiosqlite",
    "devnet": "websockets nacl cometa",
    "dashboard": "datasette uvicorn",
    "cli": "typer pydantic aiosqlite nacl",
    "__init__": "",
    "__main__": "",
}
# No sockets, clocks, loops, files, loggers.
PURE = ("chain", "errors", "step", "ogmios", "plutus", "documents", "domain")
IMPURE = {"asyncio", "socket", "sqlite3", "time", "logging", "random", "os", "pathlib", "threading"}

FILES = sorted(PACKAGE.rglob("*.py"))


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """Every module that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides the layer it comes from"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def ours(names: set[str]) -> set[str]:
    """The layers of ours among imported names."""
    inside = {name.split(".")[1] for name in names if name.startswith("indexer.")}
    layers = {layer(path) for path in FILES}
    return {name if name in layers else "__init__" for name in inside}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_what_its_layer_may(path: Path) -> None:
    """A new layer has to be entered above before anything can be put into it."""
    here, names = layer(path), imports(path)
    allowed = set(OURS[here].split()) | {here}
    assert ours(names) <= allowed

    tops = {name.split(".")[0] for name in names} - {"indexer"}
    foreign = {top for top in tops if top not in sys.stdlib_module_names}
    assert foreign <= set(THEIRS[here].split())


@pytest.mark.parametrize("path", [p for p in FILES if layer(p) in PURE], ids=lambda p: str(p.relative_to(PACKAGE)))
def test_rules_and_protocols_are_pure(path: Path) -> None:
    """Time comes in as an argument; nothing below the store knows of loops, sockets, files or loggers."""
    assert not {name.split(".")[0] for name in imports(path)} & IMPURE


def test_no_module_outgrows_a_screenful_of_screens() -> None:
    """Past 400 lines a file does two things."""
    long = {path: n for path in FILES if (n := len(path.read_text().splitlines())) > 400}
    assert long == {}

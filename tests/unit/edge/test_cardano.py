"""How pycardano is loaded: late, and without what we must not load."""

import subprocess
import sys

import pytest


def run(code: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=120).stdout


def test_it_is_loaded_without_the_packages_we_do_not_use() -> None:
    """No file of theirs, and no trace of the empty ones; it works all the same."""
    code = """
import sys
from indexer.edge.cardano import pycardano
unwanted = ("ogmios", "blockfrost", "docker")
library = pycardano()
assert library is pycardano()
print(sorted(name for name in sys.modules if name.partition(".")[0] in unwanted))
files = [getattr(module, "__file__", None) or "" for module in sys.modules.values()]
print([file for file in files if any(f"/site-packages/{name}/" in file for name in unwanted)])
print(library.Value(5).to_cbor_hex())
"""
    assert run(code).split("\n") == ["[]", "[]", "05", ""]


def test_what_is_loaded_already_stays() -> None:
    """Somebody else's module of that name is theirs."""
    code = """
import sys, types
sys.modules["docker"] = theirs = types.ModuleType("docker")
theirs.errors = types.ModuleType("docker.errors")
theirs.errors.APIError = Exception
sys.modules["docker.errors"] = theirs.errors
from indexer.edge.cardano import pycardano
pycardano()
print(sys.modules["docker"] is theirs)
"""
    assert run(code) == "True\n"


@pytest.mark.parametrize("module", ["indexer.cli.main", "indexer.app", "indexer.edge.builder.build"])
def test_nobody_loads_it_by_being_imported(module: str) -> None:
    """`indexer --help` starts in a third of a second, and `run` without a keeper never needs it."""
    assert run(f"import sys, {module}; print('pycardano' in sys.modules)") == "False\n"

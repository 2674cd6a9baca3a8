"""docs/security.md: each threat has its test."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
TEXT: Final = (ROOT / "docs" / "security.md").read_text()
TABLE: Final = TEXT[TEXT.index("## Threats") :].splitlines()
ROWS: Final = [row for row in TABLE if row.startswith("| ")][2:]
NAMED: Final = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)))


@pytest.mark.parametrize("row", ROWS)
def test_each_threat_names_a_test(row: str) -> None:
    """In its last column."""
    assert re.search(r"\| `tests/[\w/]+\.py::test_\w+` \|$", row)


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_each_test_that_is_named_is_there(path: str, name: str) -> None:
    """A function of that file, which pytest finds."""
    tree = ast.parse((ROOT / path).read_text())
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}

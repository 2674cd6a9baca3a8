"""The table of rules in the docs is complete, and every test that it names is there."""

import re
from pathlib import Path

from indexer.devnet.ledger.judge import RANK

HERE = Path(__file__).parent
TABLE = (HERE.parents[3] / "docs" / "devnet-rules.md").read_text(encoding="utf-8")


def test_every_code_has_a_row_with_its_rank() -> None:
    """And no row is of a code that the ledger does not rank."""
    rows = {int(code): int(rank) for rank, code in re.findall(r"^\| (\d+) \| (\d{4}) \|", TABLE, re.MULTILINE)}
    assert {code: rank for code, rank in RANK.items() if code != 3136} == rows


def test_every_test_that_the_table_names_exists() -> None:
    """In one of the files beside this one."""
    defined = {
        name
        for file in HERE.glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", TABLE))
    assert named
    assert named <= defined

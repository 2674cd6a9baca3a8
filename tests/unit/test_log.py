"""Logs: one event a line, whatever is in it."""

import io
import json
import sys

import pytest
import structlog

from indexer import log
from indexer.log import Format

SLY = '\x1b[2J\r\n{"event": "all.well"}\n\u202elive\u2066\x00\x9b31m\u2028\ud800'


@pytest.mark.parametrize("fmt", ["json", "console"])
def test_what_strangers_say_stays_in_its_line_and_moves_no_cursor(fmt: Format, monkeypatch: pytest.MonkeyPatch) -> None:
    """New lines, escapes of terminals, and what turns the direction of writing are written out."""
    before, out = structlog.get_config(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    log.set_up("info", fmt)
    try:
        structlog.get_logger("x").info("outputs.rejected", why=SLY, count=1, some=[SLY], of={"a": SLY})
    finally:
        structlog.configure(**before)
    (line,) = out.getvalue().splitlines()
    assert line.isprintable()
    assert "all.well" in line
    if fmt == "json":
        found = json.loads(line)
        assert (found["event"], found["why"], found["some"]) == ("outputs.rejected", SLY, [SLY])

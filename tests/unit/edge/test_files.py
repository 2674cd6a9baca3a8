"""Secrets in files: who may read them, and what is said of them."""

from pathlib import Path

import pytest

from indexer import errors
from indexer.edge.ogmios import read_headers, shown_url


def private(folder: Path, text: str) -> Path:
    path = folder / "headers"
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_headers_are_read_line_by_line(tmp_path: Path) -> None:
    """Comments and empty lines are left out; a value may hold colons."""
    path = private(tmp_path, "# hosted\n\nAuthorization: Bearer a:b\nx-key:k\n")
    assert read_headers(path) == {"Authorization": "Bearer a:b", "x-key": "k"}
    assert read_headers(None) == {}


@pytest.mark.parametrize(
    "line",
    ["no colon", ": no name", "no-value:", "key: curly\N{RIGHT SINGLE QUOTATION MARK}s", "key: bell\a", "sp ace: x"],
)
def test_a_line_that_is_no_header_is_refused_without_repeating_it(line: str, tmp_path: Path) -> None:
    """It may hold a secret."""
    with pytest.raises(errors.FileUnusable, match="line 1") as caught:
        read_headers(private(tmp_path, line))
    assert line not in str(caught.value)


def test_a_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """With the command that mends it."""
    path = private(tmp_path, "x-key: k")
    path.chmod(0o640)
    with pytest.raises(errors.FileUnusable, match="0640") as caught:
        read_headers(path)
    assert caught.value.hint == f"chmod 600 {path}"


def test_a_url_is_shown_without_what_may_be_secret() -> None:
    """User, password and query."""
    assert shown_url("wss://me:secret@host:1/path?key=secret") == "wss://host:1/path"

"""Secrets in files: who may read them, and what is said of them."""

import fcntl
import os
import stat
import time
from pathlib import Path
from threading import Timer

import pytest

from indexer import errors
from indexer.edge.files import FILE_MODE, holder, make_folder, only_writer, read_plain, replaced
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


def test_a_credential_of_systemds_may_show_the_mode_of_its_access_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is that of a group that has no part in it. Beside the folder, and where there is none, it is a group's."""
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    path = private(credentials, "x-key: k")
    path.chmod(0o440)
    for folder in (None, "", str(tmp_path / "cred"), str(credentials / "deeper")):
        monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
        if folder is not None:
            monkeypatch.setenv("CREDENTIALS_DIRECTORY", folder)
        with pytest.raises(errors.FileUnusable, match="0440"):
            read_headers(path)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert read_headers(path) == {"x-key": "k"}
    outside = private(tmp_path, "x-key: k")
    outside.chmod(0o440)
    (credentials / "link").symlink_to(outside)
    for other in (outside, credentials / "link"):
        with pytest.raises(errors.FileUnusable, match="0440"):
            read_headers(other)


@pytest.mark.parametrize("mode", [0o444, 0o404, 0o460, 0o450, 0o442])
def test_a_credential_that_everybody_may_read_or_others_may_change_is_refused(
    mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An access list gives no more than the service has to have."""
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    path = private(tmp_path, "x-key: k")
    path.chmod(mode)
    with pytest.raises(errors.FileUnusable, match=f"{mode:04o}"):
        read_headers(path)


def test_a_url_is_shown_without_what_may_be_secret() -> None:
    """User, password and query."""
    assert shown_url("wss://me:secret@host:1/path?key=secret") == "wss://host:1/path"


def test_what_the_daemon_makes_is_for_its_group_to_read_and_for_nobody_else(tmp_path: Path) -> None:
    """Whatever the umask, and however many folders are missing."""
    before = os.umask(0)
    try:
        make_folder(tmp_path / "a" / "b")
        make_folder(tmp_path / "a" / "b")
        with replaced(tmp_path / "a" / "b" / "file", FILE_MODE) as file:
            file.write(b"x")
        with only_writer(tmp_path / "a" / "db"):
            pass
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a").rglob("*")}
    assert modes == {"b": 0o750, "file": 0o640, "db.lock": 0o640}


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    for path in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(OSError):
            make_folder(path)


def test_a_lock_that_is_a_link_is_refused_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    """Taking the lock empties the file."""
    (tmp_path / "precious").write_text("years of work")
    (tmp_path / "db.lock").symlink_to(tmp_path / "precious")
    with pytest.raises(errors.DatabaseUnusable, match=r"db\.lock"), only_writer(tmp_path / "db"):
        pass
    assert (tmp_path / "precious").read_text() == "years of work"


def test_who_looks_whether_somebody_writes_makes_nothing_and_sees_nobody_else_who_looks(tmp_path: Path) -> None:
    """Else a command would take another one for the daemon."""
    assert holder(tmp_path / "nowhere" / "db") is None
    assert list(tmp_path.iterdir()) == []
    with only_writer(tmp_path / "db"):
        assert holder(tmp_path / "db") == str(os.getpid())
    with (tmp_path / "db.lock").open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert holder(tmp_path / "db") is None


def test_who_looks_whether_somebody_writes_keeps_nobody_from_it(tmp_path: Path) -> None:
    """A daemon that starts just then waits a moment; one that another has come before does not wait for ever."""
    with (tmp_path / "db.lock").open("w") as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        ended = Timer(0.2, fcntl.flock, (look, fcntl.LOCK_UN))
        ended.start()
        with only_writer(tmp_path / "db"):
            begun = time.monotonic()
            with pytest.raises(errors.AlreadyRunning, match=f"process {os.getpid()} "), only_writer(tmp_path / "db"):
                pass
            assert 0.9 < time.monotonic() - begun < 5
        ended.join()


def test_a_link_or_a_pipe_in_a_folder_of_ours_is_not_read(tmp_path: Path) -> None:
    """The one might lead anywhere, the other holds up whoever reads it."""
    (tmp_path / "plain").write_bytes(b"12345")
    (tmp_path / "link").symlink_to(tmp_path / "plain")
    os.mkfifo(tmp_path / "pipe")
    assert (read_plain(tmp_path / "plain", 9), read_plain(tmp_path / "plain", 3)) == (b"12345", b"1234")
    for name in ("link", "pipe", "nothing"):
        with pytest.raises(OSError):
            read_plain(tmp_path / name, 9)

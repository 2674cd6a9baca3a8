"""How a command finds out whether a daemon runs."""

import fcntl
from pathlib import Path

from indexer.cli.pauses import daemon_runs
from indexer.config import load
from indexer.edge.files import only_writer


def test_to_ask_whether_a_daemon_runs_neither_makes_files_nor_looks_like_one(tmp_path: Path) -> None:
    """Two commands that ask at once find none; a daemon they find."""
    (tmp_path / "config.toml").write_text('[database]\npath = "deeper/db.sqlite"\n')
    config = load(tmp_path / "config.toml")
    assert not daemon_runs(config)
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]
    with only_writer(config.database.path):
        assert daemon_runs(config)
    with (tmp_path / "deeper" / "db.sqlite.lock").open() as another:
        fcntl.flock(another, fcntl.LOCK_SH)
        assert not daemon_runs(config)

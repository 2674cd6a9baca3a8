"""What systemd hears, and when."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.edge.systemd import Notifier


@pytest.fixture
def heard(tmp_path: Path) -> Iterator[socket.socket]:
    """systemd's end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.bind(str(tmp_path / "notify"))
        there.settimeout(1)
        yield there


def notifier(heard: socket.socket, **more: str) -> Notifier:
    return Notifier({"NOTIFY_SOCKET": str(heard.getsockname()), **more})


def test_it_is_ready_alive_and_stopping(heard: socket.socket) -> None:
    """A status is one line, whatever is in it."""
    told = notifier(heard)
    told.starting("locked by\nanother process")
    told.ready()
    told.alive("height 7,\n3 s behind")
    told.stopping()
    assert [heard.recv(1000) for _ in range(4)] == [
        b"EXTEND_TIMEOUT_USEC=60000000\nSTATUS=locked by another process",
        b"READY=1",
        b"WATCHDOG=1\nSTATUS=height 7, 3 s behind",
        b"STOPPING=1",
    ]


def test_a_name_in_the_abstract_namespace_begins_with_an_at() -> None:
    name = f"indexer-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as there:
        there.bind(f"\0{name}")
        there.settimeout(1)
        Notifier({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert there.recv(100) == b"READY=1"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_signs_of_life_come_three_times_in_the_time_that_systemd_waits(
    heard: socket.socket, environment: dict[str, str], expected: float | None
) -> None:
    assert notifier(heard, **environment).interval_s == expected


def test_without_systemd_nobody_is_told_and_nothing_is_due(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        told = Notifier({**environment, "WATCHDOG_USEC": "30000000"})
        told.ready()
        assert (told.interval_s is None) == (environment == {})

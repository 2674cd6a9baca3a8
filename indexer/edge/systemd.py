"""What systemd is told of a service of `Type=notify`: that it is ready, how it is, that it is alive, that it stops.

The protocol is a datagram to the socket that NOTIFY_SOCKET names (sd_notify(3)); without one, nobody is told anything.
"""

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

_SHARE: Final = 3  # signs of life within the time after which systemd gives up


class Notifier:
    """Tells systemd, if it listens."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """NOTIFY_SOCKET is a path, or a name in the abstract namespace behind an @."""
        name = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self._interval_s = _interval_s(environment)

    @property
    def interval_s(self) -> float | None:
        """How often a sign of life is due, in seconds; None: nobody waits for one."""
        return self._interval_s if self._address else None

    def starting(self, status: str) -> None:
        """It is not ready, for this reason, and asks for a minute more."""
        self._send(f"EXTEND_TIMEOUT_USEC=60000000\nSTATUS={' '.join(status.split())}")

    def ready(self) -> None:
        """It works: what is to be started after it may start."""
        self._send("READY=1")

    def alive(self, status: str) -> None:
        """A sign of life, with a line for `systemctl status`."""
        self._send(f"WATCHDOG=1\nSTATUS={' '.join(status.split())}")

    def stopping(self) -> None:
        """It was told to stop, and does."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if self._address:
            # Whoever started us may be gone, or slow: the daemon goes on.
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as there:
                there.setblocking(False)
                there.sendto(message.encode(), self._address)


def _interval_s(environment: Mapping[str, str]) -> float | None:
    """A third of what systemd waits, if it is us that it waits for."""
    try:
        pid = int(environment.get("WATCHDOG_PID", os.getpid()))
        microseconds = int(environment.get("WATCHDOG_USEC", "0"))
    except ValueError:
        return None
    return microseconds / 1_000_000 / _SHARE if microseconds > 0 and pid == os.getpid() else None

"""The command line of `indexer` on a machine that is not well: its clock is off, or names do not resolve.

`python -m tests.support.tampered FOLDER …` runs `indexer …`. While it runs, `FOLDER/clock` says by how many seconds the
wall clock is off (the other clocks go on as they do), and while `FOLDER/no-names` exists no name resolves; any other
than an address is that of this machine otherwise.
"""

import socket
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

NOT_FOUND = socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def tamper(folder: Path) -> None:
    """From now on."""
    time_ns, getaddrinfo = time.time_ns, socket.getaddrinfo

    def off_ns() -> int:
        with suppress(FileNotFoundError, ValueError):  # a file that is being written is empty for a moment
            return int((folder / "clock").read_text()) * 1_000_000_000
        return 0

    def resolved(host: Any, *arguments: Any, **more: Any) -> Any:
        if str(host).replace(".", "").isdigit():
            return getaddrinfo(host, *arguments, **more)
        if (folder / "no-names").exists():
            raise NOT_FOUND
        return getaddrinfo("127.0.0.1", *arguments, **more)

    time.time_ns = lambda: time_ns() + off_ns()
    time.time = lambda: time.time_ns() / 1e9
    socket.getaddrinfo = resolved


if __name__ == "__main__":
    tamper(Path(sys.argv.pop(1)))
    from indexer.cli.main import main

    main()

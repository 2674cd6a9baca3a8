"""`indexer run` as a process that is stopped, killed and started again, and looked at all the while."""

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.soak.figures import Sample, take
from tests.support.process import start
from tests.support.town import Town
from tests.support.watching import Watched

EVERY_S = 0.5


class Daemon:
    """One at a time, on the configuration of a town."""

    def __init__(self, here: Town) -> None:
        self._here = here
        self.starts = 0
        self.troubles: list[str] = []  # what was logged as an error
        self.begin()

    def begin(self) -> None:
        """Start it; it is there when this returns."""
        self._process: subprocess.Popen[str] = start(self._here.config, "run")
        self._watched = Watched(self._process)
        self._watched.begin()
        self.starts += 1

    def end(self, how: signal.Signals) -> None:
        """Stop it: in order, or as it comes."""
        self._process.send_signal(how)
        self._process.wait(timeout=30)
        self._watched.ended()
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        self.troubles += [str(each) for each in self._watched.logged if each["level"] == "error"]
        assert self._process.returncode == (0 if how is signal.SIGTERM else -how)

    def again(self, how: signal.Signals) -> None:
        """Stop it, and start it anew."""
        self.end(how)
        self.begin()

    def gone(self) -> None:
        """It does not go on, whatever became of the test."""
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid


@contextmanager
def sampled(daemon: Daemon, here: Town) -> Iterator[list[Sample]]:
    """Samples of whichever process it is, as they are taken."""
    ended, begun, samples = threading.Event(), time.monotonic(), list[Sample]()

    def look() -> None:
        while not ended.wait(EVERY_S):
            found = take(daemon.pid, here.folder / "db.sqlite", time.monotonic() - begun)
            if found is not None:
                samples.append(found)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()

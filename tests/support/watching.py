"""A daemon with a keeper beside a devnet, as processes, and what it says to those who watch over it."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.support.process import start, until
from tests.support.town import ADA, Somebody, Town, town

KEEPER = Somebody("keeper")


class Watched:
    """A daemon that runs: where it answers, and what it logs, in whatever order."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.logged: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, args=(process,))
        self._reader.start()
        self.url = ""

    def begin(self) -> None:
        """It has started."""
        self.url = f"http://127.0.0.1:{self.logs('daemon.started')['http_port']}"

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        self.logged.extend(json.loads(line) for line in process.stderr)

    def logs(self, event: str) -> dict[str, Any]:
        """The first line of that event; it is waited for."""
        until(lambda: any(each["event"] == event for each in self.logged), 60)
        return next(each for each in self.logged if each["event"] == event)

    def ended(self) -> None:
        """Its log is read to the end."""
        self._reader.join()

    @property
    def ready(self) -> bool:
        return httpx.get(f"{self.url}/health/ready").status_code == 200

    @property
    def metrics(self) -> str:
        return httpx.get(f"{self.url}/metrics").raise_for_status().text

    def families(self) -> dict[str, Metric]:
        """The metrics as Prometheus' own parser reads them, by name."""
        return {family.name: family for family in text_string_to_metric_families(self.metrics)}

    def value(self, name: str, **labels: str) -> float:
        """Of one sample."""
        (found,) = (
            sample.value
            for family in self.families().values()
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )
        return float(found)


@contextmanager
def running(here: Town) -> Iterator[Watched]:
    """`indexer run` until the context ends, in order."""
    process = start(here.config, "run")
    daemon = Watched(process)
    try:
        daemon.begin()
        yield daemon
    finally:
        process.terminate()
        process.wait(timeout=30)
        daemon.ended()
        for stream in (process.stdout, process.stderr):
            assert stream is not None
            stream.close()
    assert process.returncode == 0


@contextmanager
def furnished(folder: Path, more: str = "") -> Iterator[Town]:
    """A devnet, and the configuration of a keeper that has some ada."""
    with town(folder) as here:
        here.fund(KEEPER, 40 * ADA, 10 * ADA)
        with here.config.open("a") as file:
            file.write(f'[keeper]\nenabled = true\nsigning_key = "{here.key(KEEPER)}"\n')
            file.write(f'[logging]\nformat = "json"\n{more}\n')
        yield here

"""A whole soak: what is done, what is measured, and what must hold in the end."""

import json
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from tests.soak.daemon import Daemon, sampled
from tests.soak.figures import MIB, PENDING, Sample, grown, told
from tests.soak.life import SLOT_S, Life, believed, furnish, written
from tests.soak.neighbours import receiver, slow_reader
from tests.support.following import select
from tests.support.process import command, until
from tests.support.town import Town, town

RESTARTS: Final = 4  # or one for each minute: before the time that is measured, in which it is one process
PAUSE_S: Final = 0.5  # between two acts, so that the daemon also has nothing to do


@dataclass(frozen=True)
class Soaked:
    """What came of it."""

    samples: tuple[Sample, ...]
    lasting_s: float
    summary: str

    @property
    def grown(self) -> list[str]:
        """What is not flat."""
        return grown(self.samples, self.lasting_s)

    def told(self) -> str:
        """Figures, and what happened meanwhile."""
        return f"{told(self.samples, self.lasting_s)}\n{self.summary}"


def soak(folder: Path, minutes: float, seed: int, say: Callable[[str], None]) -> Soaked:
    """Live for so long; then what is promised is paid, what happened is told, what is held is the chain's."""
    lasting_s, random = 60 * minutes, Random(seed)
    with ExitStack() as stack:
        here = stack.enter_context(town(folder, SLOT_S))
        diary = stack.enter_context(receiver(Random(seed)))
        furnish(here, diary.url)
        life, daemon = Life(here, random), Daemon(here)
        stack.callback(daemon.gone)
        until(lambda: select(here.folder / "db.sqlite", "SELECT 1 FROM sync_status WHERE slot IS NOT NULL"), 60)
        with slow_reader(here.folder / "db.sqlite", min(20.0, lasting_s / 15)) as counted:
            for number in range(max(RESTARTS, int(minutes))):
                life.act()
                daemon.again((signal.SIGTERM, signal.SIGKILL)[number % 2])
            life.pay_one()
            with sampled(daemon, here) as samples:
                _live(life, samples, lasting_s, say)
        # The last process goes as the others did, and one comes that has all to itself.
        daemon.again(signal.SIGKILL)
        life.settle()
        diary.mended = True
        until(lambda: select(here.folder / "db.sqlite", PENDING) == [{"count(*)": 0}], 240)
        daemon.end(signal.SIGTERM)
        assert daemon.troubles == []
        assert counted
        assert all(before == after for before, after in counted), "a reader saw two moments in one transaction"
        assert min(diary.answers[500], diary.answers[422]) > 0
        assert diary.believes == believed(here)
        _agrees_with_the_chain(here)
    acts = ", ".join(f"{count} {name}" for name, count in sorted(life.done.items()))
    summary = (
        f"{life.days:.1f} virtual days: {acts}\n"
        f"{life.made} promises made, and all {life.paid} paid that no fork took away for good\n"
        f"{daemon.starts} starts, {len(counted)} long reads, {len(samples)} samples; "
        f"the sink answered {', '.join(f'{code}: {count}' for code, count in sorted(diary.answers.items()))}"
    )
    return Soaked(tuple(samples), lasting_s, summary)


def _live(life: Life, samples: Sequence[Sample], lasting_s: float, say: Callable[[str], None]) -> None:
    begun, minute = time.monotonic(), 0
    while (passed := time.monotonic() - begun) < lasting_s:
        life.act()
        if passed // 60 > minute:
            minute = int(passed // 60)
            now = samples[-1]
            say(
                f"minute {minute}: {sum(life.done.values())} acts, {life.paid} of {life.known} paid; "
                f"{now.memory / MIB:.1f} MiB, {now.files} files, log of {now.wal / MIB:.1f} MiB"
            )
        time.sleep(PAUSE_S)  # the pace is the experiment; nothing waits for this


def _agrees_with_the_chain(here: Town) -> None:
    """Output by output as Kupo has it; and as a database that has read only the chain that survived."""
    audit = command(here.config, "audit", "--json")
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert json.loads(audit.stdout)["differences"] == []
    anew = {"INDEXER__DATABASE__PATH": "anew.sqlite", "INDEXER__KEEPER__ENABLED": "false"}
    done = command(here.config, "run", "--until", "tip", **anew)
    assert done.returncode == 0, done.stderr
    tip = "SELECT block_id FROM sync_status"
    until(lambda: select(here.folder / "anew.sqlite", tip) != [])
    assert written(here.folder / "anew.sqlite") == written(here.folder / "db.sqlite")

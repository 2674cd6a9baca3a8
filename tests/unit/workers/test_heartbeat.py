"""When there is a heartbeat, and when there is not."""

import pytest
from structlog.testing import capture_logs

from indexer.status import HeartbeatStatus, KeeperStatus
from indexer.workers.heartbeat import Heartbeat, keeper_trouble

NOON_MS = 1_700_000_000_000


class Heart:
    """What the worker is given, and what it did with it."""

    def __init__(self) -> None:
        self.status = HeartbeatStatus()
        self.trouble: str | None = None
        self.answers: list[str | None] = []
        self.beats = 0
        self.worker = Heartbeat(self.beat, lambda: self.trouble, self.status, 60.0)

    async def beat(self) -> str | None:
        self.beats += 1
        return self.answers.pop(0) if self.answers else None


@pytest.fixture
def heart() -> Heart:
    return Heart()


async def test_it_beats_while_all_is_well_and_never_when_not(heart: Heart) -> None:
    """Silence is said once, and so is its end."""
    with capture_logs() as logs:
        for trouble in ("not connected", "301 s behind", None, None, "302 s behind", None):
            heart.trouble = trouble
            before = heart.beats
            await heart.worker.once()
            assert (heart.beats > before) == (trouble is None)
    assert [each["event"] for each in logs] == ["heartbeat.silent", "heartbeat.resumed"] * 2
    assert (heart.status.sent, heart.status.failed) == (3, 0)


async def test_a_failure_is_said_once_until_it_changes(heart: Heart) -> None:
    """Each is counted, and the next heartbeat is sent all the same."""
    heart.answers = ["no connection", "no connection", "it answers 500", None, None, "it answers 500"]
    with capture_logs() as logs:
        for _ in range(6):
            await heart.worker.once()
    assert [(each["event"], each.get("reason")) for each in logs] == [
        ("heartbeat.failed", "no connection"),
        ("heartbeat.failed", "it answers 500"),
        ("heartbeat.answered", None),
        ("heartbeat.failed", "it answers 500"),
    ]
    assert (heart.status.sent, heart.status.failed) == (2, 4)


def test_rounds_of_the_keeper_have_to_go_on() -> None:
    """Five minutes without one that went well are too long; a clock that was set back is none of it."""
    status = KeeperStatus()
    assert keeper_trouble(status, NOON_MS) is not None
    status.round_ms = NOON_MS
    assert keeper_trouble(status, NOON_MS + 300_000) is None
    assert keeper_trouble(status, NOON_MS + 301_000) == "the keeper's last round that went well ended 301 s ago"
    assert keeper_trouble(status, NOON_MS - 3_600_000) is None

"""A rebuild whose history starts later than it did: what the chain cannot show again has not been undone."""

from pathlib import Path
from typing import Any, Final

from indexer.chain.point import Checkpoint, Point
from indexer.domain.observe import Delta
from indexer.store import checkpoints, goback
from indexer.store.db import opened, transaction
from tests.support.crowd import Crowd, begin, network_from, tell, terms_of, write
from tests.support.following import select

START_MS: Final = 1_700_000_000_000
NETWORK: Final = network_from(START_MS)


def place_of(block: Delta) -> Checkpoint:
    assert block.header.slot is not None
    return Checkpoint(Point(block.header.slot, block.header.id), block.header.height)


def told(path: Path) -> list[dict[str, Any]]:
    return select(path, "SELECT event_id, type, finality FROM events ORDER BY event_id")


async def test_events_before_a_later_start_stay_as_they_were_told(tmp_path: Path) -> None:
    """Of blocks that are not read again, and of distributions created in them, whatever comes later; the others come
    back. Nothing is retracted, but what a fork takes away later."""
    path, crowd = tmp_path / "db.sqlite", Crowd(NETWORK)
    async with opened(path) as db:
        await begin(db, NETWORK)
        early = crowd.found(terms_of([("m1", 0, 5, START_MS)]))
        crowd.attest(early, "m1", 0, good=False)
        since = crowd.block()
        late = crowd.found(terms_of([("m1", 1, 7, START_MS)], funder=1))
        crowd.attest(early, "m1", 0, 1)
        crowd.attest(late, "m1", 0)
        after = [crowd.block(), crowd.block()]
        await write(db, [since, *after], NETWORK)
        before = told(path)
        assert {"seen"} == {event["finality"] for event in before}
        await goback.rebuild(db)
        async with transaction(db):
            await checkpoints.begin(db, place_of(since))
        await write(db, after, NETWORK)
        assert before == told(path)

        crowd.attest(early, "m1", 2)
        await write(db, [crowd.block()], NETWORK)
        await tell(db, NETWORK, early, "m1", 1, crowd.slot)
        assert before == told(path)

        await goback.rewind(db, place_of(since), NETWORK)
        await write(db, [crowd.block() for _ in range(4)], NETWORK)
    gone = {event["event_id"] for event in told(path) if event["finality"] == "retracted"}
    of_late = select(path, f"SELECT event_id FROM events WHERE distribution_id = '{late.id.hex()}'")
    assert gone == {event["event_id"] for event in of_late}
    assert len(gone) == 2

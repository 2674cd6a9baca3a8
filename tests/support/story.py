"""A small database whose every figure can be told by heart, for the analysts' page."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from indexer.chain.network import Network
from indexer.plutus.datum import AssetClass
from indexer.store.db import opened
from tests.support.crowd import ADA, TOKEN, Crowd, begin, network_from, terms_of, write

DAY: Final = 86_400
START: Final = datetime(2025, 1, 1, tzinfo=UTC)
NOW: Final = datetime(2025, 4, 1, 12, tzinfo=UTC)
NETWORK: Final[Network] = network_from(int(START.timestamp()) * 1000)
HOSTILE: Final = "<script>alert('1')</script>"
MEAN: Final = AssetClass(bytes([0x44] * 28), HOSTILE.encode())


def at(year: int, month: int, day: int) -> int:
    """Its midnight, in POSIX milliseconds."""
    return int(datetime(year, month, day, tzinfo=UTC).timestamp()) * 1000


async def write_story(path: Path) -> Crowd:
    """Three distributions of three weeks; the caller may go on.

    Funder 0 promises 350 TOKEN on day 0. "design" is attested by a first oracle after a day and by a second an hour
    later, and 100 are paid on day 12. Of "build", attested by two oracles at once on day 21, 200 vest in March 2025 and
    50 in June 2027. Funder 1 promises 7 ada on day 12, vested, which nobody attests; and 1,000 TOKEN, which it takes
    back on day 20.
    """
    crowd = Crowd(NETWORK)
    async with opened(path) as db:
        await begin(db, NETWORK)

        async def block(slots: int) -> None:
            """Into the database; the next one comes so many slots later."""
            await write(db, [crowd.block(slots)], NETWORK)

        promise = crowd.found(
            terms_of(
                [
                    ("design", 0, 100, at(2025, 1, 10)),
                    ("build", 1, 200, at(2025, 3, 15)),
                    ("build", 2, 50, at(2027, 6, 1)),
                ]
            )
        )
        await block(DAY)
        crowd.attest(promise, "design", 0)
        await block(3_600)
        crowd.attest(promise, "design", 1)
        await block(11 * DAY - 3_600)
        crowd.release(promise, "design", (), (0, 1))
        await block(100)
        crowd.found(terms_of([("m", 3, 7_000_000, at(2025, 1, 1))], token=ADA, funder=1))
        gone = crowd.found(terms_of([("x", 4, 1_000, at(2025, 1, 1))], token=TOKEN, funder=1))
        await block(8 * DAY - 100)
        crowd.reclaim(gone)
        await block(DAY)
        crowd.attest(promise, "build", 0, 1)
        await block(1)
    return crowd

"""Which chain the database follows, how far it got, and where a rollback can lead."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aiosqlite import Connection

from indexer import errors
from indexer.chain.network import Network
from indexer.chain.point import (
    ORIGIN,
    BlockHeight,
    Checkpoint,
    Origin,
    Place,
    Point,
    Slot,
    Tip,
    slot_of,
)
from indexer.chain.time import Era
from indexer.store import events
from indexer.store.db import transaction

MARGIN: Final = 100  # blocks kept beyond k, so that the deepest honest fork still finds its point
SPARSE: Final = 1000  # below that, one block in so many is kept

CLAIM: Final = "INSERT INTO chain (only_row, magic, network, security_parameter) VALUES (1, ?, ?, ?)"
STANDING: Final = """
    SELECT magic, network, security_parameter, started, since_slot, since_id, since_height, cursor_slot, cursor_id,
        cursor_height
    FROM chain"""
ERAS: Final = "SELECT start_slot, start_ms, slot_ms FROM era ORDER BY start_slot"
BEGIN_AT: Final = """
    UPDATE chain SET started = 1, since_slot = ?1, since_id = ?2, since_height = ?3, cursor_slot = ?1,
        cursor_id = ?2, cursor_height = ?3"""
ADD_BLOCK: Final = "INSERT INTO block (slot, block_id, height) VALUES (?, ?, ?)"
MOVE_CURSOR: Final = "UPDATE chain SET cursor_slot = ?, cursor_id = ?, cursor_height = ?"
SEE_TIP: Final = "UPDATE chain SET tip_slot = ?, tip_height = ?"
BLOCKS: Final = "SELECT slot, block_id, height FROM block ORDER BY slot DESC"
THIN_OUT: Final = "DELETE FROM block WHERE height < ? AND height % 1000 <> 0"
FIND_BLOCK: Final = "SELECT height FROM block WHERE slot = ? AND block_id = ?"
FORGET_BLOCKS: Final = "DELETE FROM block WHERE slot > ?"
START_EARLIER: Final = """
    UPDATE chain SET since_slot = ?1, since_id = ?2, since_height = NULL WHERE since_slot > coalesce(?1, -1)"""
MEASURE_START: Final = """
    UPDATE chain SET since_height = ? WHERE since_height IS NULL AND since_slot = cursor_slot"""
WATCH_EARLIER: Final = "UPDATE watch SET since_slot = ?1, since_id = ?2 WHERE since_slot > coalesce(?1, -1)"


@dataclass(frozen=True, slots=True)
class Standing:
    """The chain we follow, the place our history starts at (None: nowhere yet), and the cursor."""

    network: Network
    since: Place | None
    since_height: BlockHeight | None
    cursor: Checkpoint


async def claim(db: Connection, network: Network) -> Standing:
    """This database is for this network from now on. Raises AnotherNetworkInDatabase."""
    try:
        standing = await read(db)
    except errors.NoDatabase:
        async with transaction(db):
            await db.execute(CLAIM, (network.magic, network.name, network.security_parameter))
            await learn(db, network)
        standing = await read(db)
    if standing.network.magic != network.magic:
        raise errors.AnotherNetworkInDatabase(
            f"the database holds {standing.network.name} (magic {standing.network.magic}), "
            f"the configuration says {network.name} (magic {network.magic})"
        )
    return standing


async def read(db: Connection) -> Standing:
    """Where the database stands. Raises NoDatabase where nobody has claimed it yet."""
    rows = list(await db.execute_fetchall(STANDING))
    if not rows:
        raise errors.NoDatabase("the database is empty: nothing was followed into it yet")
    magic, name, k, started, since_slot, since_id, since_height, slot, block_id, height = rows[0]
    eras = tuple(Era(*row) for row in await db.execute_fetchall(ERAS))
    return Standing(
        Network(name, magic, k, eras),
        _place(since_slot, since_id) if started else None,
        since_height,
        Checkpoint(_place(slot, block_id), height),
    )


async def learn(db: Connection, network: Network) -> None:
    """Keep what the node said of its network: k, and how slots turn into time."""
    await db.execute("UPDATE chain SET security_parameter = ?", (network.security_parameter,))
    await db.execute("DELETE FROM era")
    await db.executemany(
        "INSERT INTO era VALUES (?, ?, ?)", [(e.start_slot, e.start_ms, e.slot_ms) for e in network.eras]
    )


async def begin(db: Connection, since: Checkpoint) -> None:
    """History starts here."""
    await db.execute(BEGIN_AT, (*_columns(since.place), since.height))
    await events.start(db, slot_of(since.place))


async def advance(
    db: Connection,
    blocks: Iterable[tuple[Slot, bytes, BlockHeight]],
    first: BlockHeight,
    cursor: Checkpoint,
    keep: int,
) -> None:
    """Move the cursor, remember blocks on the way, and thin out those that lie `keep` below.

    `first` is the height of the first block on the way; it tells how high the start lies.
    """
    await db.execute(MEASURE_START, (first - 1,))
    await db.executemany(ADD_BLOCK, [(slot, block_id.hex(), height) for slot, block_id, height in blocks])
    await db.execute(MOVE_CURSOR, (*_columns(cursor.place), cursor.height))
    if cursor.height is not None:
        await db.execute(THIN_OUT, (cursor.height - keep,))


async def tip(db: Connection) -> BlockHeight | None:
    """The height of the node's tip, as it was told last."""
    height: BlockHeight | None = next(iter(await db.execute_fetchall("SELECT tip_height FROM chain")))[0]
    return height


async def see_tip(db: Connection, tip: Tip | Origin) -> None:
    """Remember how far the node is."""
    await db.execute(SEE_TIP, (tip.point.slot, tip.height) if isinstance(tip, Tip) else (None, None))


async def height_of(db: Connection, place: Place, standing: Standing) -> BlockHeight | None:
    """The height of a place that a rollback can lead to; None where only the next block will tell.

    Raises PointNotKept.
    """
    if place == standing.cursor.place:
        return standing.cursor.height
    if isinstance(place, Point):
        for (height,) in await db.execute_fetchall(FIND_BLOCK, (place.slot, place.id.hex())):
            return int(height)
    if standing.since is not None and place == standing.since:
        return standing.since_height
    raise errors.PointNotKept(f"the database does not know {place}")


async def rewind(db: Connection, to: Checkpoint) -> None:
    """Put the cursor back. What was watched from a later point on is now watched from here on."""
    columns = _columns(to.place)
    await db.execute(FORGET_BLOCKS, (slot_of(to.place),))
    await db.execute(MOVE_CURSOR, (*columns, to.height))
    await db.execute(START_EARLIER, columns)
    await db.execute(WATCH_EARLIER, columns)


async def remembered(db: Connection, standing: Standing) -> tuple[Checkpoint, ...]:
    """Points to offer to a node, newest first: dense down to k, then ever sparser, the start last.

    Never the origin, unless nothing was read yet: a node that knows none of our points must not be taken for
    one to start over with.
    """
    kept = [Checkpoint(Point(slot, bytes.fromhex(i)), height) for slot, i, height in await db.execute_fetchall(BLOCKS)]
    k, height = standing.network.security_parameter or 0, standing.cursor.height
    reachable = [point for point in kept if height is not None and height - (point.height or 0) <= k]
    # The last of them lies k below: without it, an honest fork of that depth would look like a deeper one.
    offered = [*reachable[:10], *reachable[10::8], *reachable[-1:]]
    older = kept[len(reachable) :]
    step = 1
    while step <= len(older):
        offered.append(older[step - 1])
        step *= 2
    points = [standing.cursor, *offered, *older[-1:]]
    if isinstance(standing.since, Point):
        points.append(Checkpoint(standing.since, standing.since_height))
    unique = {point.place: point for point in reversed(points)}
    ordered = sorted(unique.values(), key=lambda point: slot_of(point.place), reverse=True)
    return tuple(point for point in ordered if len(ordered) == 1 or isinstance(point.place, Point))


def _place(slot: int | None, block_id: str | None) -> Place:
    return ORIGIN if slot is None or block_id is None else Point(slot, bytes.fromhex(block_id))


def _columns(place: Place) -> tuple[Slot | None, str | None]:
    return (place.slot, place.id.hex()) if isinstance(place, Point) else (None, None)

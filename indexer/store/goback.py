"""Going back: to a point that the database knows, or to nothing, so that the chain is read anew.

The keeper's journal and what was told of it stay as they are.
"""

from typing import Final

from aiosqlite import Connection

from indexer.chain.network import Network
from indexer.chain.point import Checkpoint, slot_of
from indexer.store import checkpoints, coins, contracts, events, milestones, projection
from indexer.store.db import transaction

DROP: Final = (
    "DELETE FROM output",
    "DELETE FROM asset",
    "DELETE FROM datum",
    "DELETE FROM block",
    "DELETE FROM watch",
    "DELETE FROM contract",
    "DELETE FROM distribution",
    "DELETE FROM state_output",
    "DELETE FROM allocation",
    "DELETE FROM milestone",
    "DELETE FROM rejected_output",
    "DELETE FROM event_delayed",
    "DELETE FROM wallet_reading",
    # What came off the chain. What did not, the chain cannot give back: it only loses its worth for now.
    "DELETE FROM signature WHERE source <> 'local'",
    "UPDATE signature SET verdict = 'unknown_distribution', verifies = NULL",
    # Events are matched by their ids when the chain is read again, and retracted if they do not come back.
    events.FALL_BACK,
    """UPDATE event SET gone = 1
        WHERE type LIKE 'distribution.%' OR type LIKE 'milestone.%' OR type LIKE 'attestation.%'""",
    """UPDATE chain SET started = 0, since_slot = NULL, since_id = NULL, cursor_slot = NULL, cursor_id = NULL,
        cursor_height = NULL""",
)


async def rewind(db: Connection, to: Checkpoint, network: Network) -> None:
    """Rows and cursor back to a place that the database knows, in one transaction."""
    async with transaction(db):
        await projection.rollback(db, slot_of(to.place))
        await milestones.rollback(db, slot_of(to.place), network)
        await coins.rollback(db, slot_of(to.place))
        await checkpoints.rewind(db, to)
        await contracts.start_earlier(db, to.place)


async def rebuild(db: Connection) -> None:
    """Forget every row that came off the chain, the cursor and the watches with them; keep what did not."""
    async with transaction(db):
        for statement in DROP:
            await db.execute(statement)

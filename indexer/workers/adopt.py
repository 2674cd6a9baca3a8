"""The keeper's coins from before our history begins: read once, as of a block that we hold, while the follower stands
there.

Read at any other moment, a coin could be spent between what was read and what is followed, and nobody would see it.
"""

from dataclasses import dataclass

import structlog
from aiosqlite import Connection

from indexer.chain.address import payment_credential
from indexer.chain.point import Point
from indexer.domain.created import Created
from indexer.errors import IndexerError
from indexer.store import coins, projection
from indexer.store.db import transaction
from indexer.workers.sending import Connect, text_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Adopt:
    """Reads what lies at the wallet's address (in bytes), if that was not done yet. `db` is the follower's."""

    db: Connection
    connect: Connect
    address: bytes

    async def __call__(self, cursor: Point) -> bool:
        """The follower stands at the cursor, and the node has it; whether outputs were added.

        Nothing here stops the follower: what does not work now is tried again with another session.
        """
        key_hash = self.address[1:29]
        if not (await coins.watched(self.db, key_hash) and await coins.unread(self.db, key_hash)):
            return False
        try:
            async with self.connect() as node:
                if not await node.acquire(cursor):
                    reason = "the node does not keep the ledger of that block"
                    log.warning("wallet.not_read", at=str(cursor), reason=reason)
                    return False
                found = await node.utxo_at([text_of(self.address)])
        except IndexerError as error:
            log.warning("wallet.not_read", at=str(cursor), reason=str(error))
            return False
        outputs = [Created(each.reference, each.output, payment_credential(each.output.address)) for each in found]
        async with transaction(self.db):
            count = await projection.adopt(self.db, outputs, cursor)
            await coins.has_read(self.db, key_hash, cursor)
        log.info("wallet.read", at=str(cursor), coins=len(found), new=count)
        return count > 0

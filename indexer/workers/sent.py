"""What was sent, in files: the exact bytes of each signed transaction, kept before it is handed over.

Whoever runs the same command again learns from them that it is under way, or done. They hold nothing secret. A file may
be deleted once its transaction is in a block.
"""

import asyncio
import re
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

from indexer.chain.block import OutputReference
from indexer.edge.builder.signing import transaction_id
from indexer.edge.envelopes import SIGNED, read_transaction, write_transaction
from indexer.edge.files import FILE_MODE
from indexer.errors import IndexerError, SessionBroken
from indexer.ogmios.rulings import Verdict
from indexer.ogmios.submission import SubmissionRefused
from indexer.workers.sending import Connect, Delivery, Expired, OutcomeUnknown, Say, Superseded

_NAME: Final = re.compile(r"[a-z]+-[0-9a-f]{16}\.[0-9a-f]{64}\.json")


class UnderWay(IndexerError):
    """The same was sent by an earlier command, and may be in a block yet."""

    code = "transaction.under_way"


class DoneBefore(IndexerError):
    """The same was done by an earlier command."""

    code = "transaction.done_before"
    hint = "nothing is to be done; --again does it once more"


def purpose(kind: str, *facts: bytes) -> str:
    """A name for what a transaction is for: the same command with the same arguments has the same."""
    digest = blake2b(digest_size=8)
    for fact in facts:
        digest.update(len(fact).to_bytes(4, "big") + fact)
    return f"{kind}-{digest.hexdigest()}"


class Sent:
    """A folder of transactions that were sent."""

    def __init__(self, data: Path) -> None:
        """`data`: the directory of local data."""
        self._folder = data / "transactions"

    def keep(self, wanted: str, transaction: bytes) -> Path:
        """Write it down; where. Raises FileUnusable."""
        path = self._folder / f"{wanted}.{transaction_id(transaction).hex()}.json"
        write_transaction(path, transaction, SIGNED, f"sent by indexer: {wanted}", FILE_MODE)
        return path

    async def refuse_twice(self, connect: Connect, wanted: str, *, again: bool) -> None:
        """Look what became of those sent for the same purpose; files of those that never will be are deleted.

        Raises UnderWay; DoneBefore, unless it is wanted `again`.
        """
        for path in self._of(wanted):
            delivery = Delivery(connect, read_transaction(path), lambda _: None)
            async with connect() as node:
                try:
                    done = await delivery.is_there(node)
                except (Expired, Superseded):
                    path.unlink(missing_ok=True)
                    continue
                # Its first output is what it was for: where that is spent, there is nothing left to be done twice.
                if done and not await node.utxo([OutputReference(delivery.id, 0)]):
                    path.unlink(missing_ok=True)
                    continue
            if not done:
                raise UnderWay(
                    f"transaction {delivery.id.hex()} was signed for the same, and is in no block yet",
                    hint=f"`indexer submit {path}` sends the same bytes again, and waits for the block",
                )
            if not again:
                raise DoneBefore(f"transaction {delivery.id.hex()} did the same, and is in a block")

    def _of(self, wanted: str) -> Iterator[Path]:
        if self._folder.is_dir():
            for path in sorted(self._folder.iterdir()):
                if _NAME.fullmatch(path.name) and path.name.startswith(f"{wanted}."):
                    yield path


async def deliver(connect: Connect, signed: bytes, path: Path, say: Say) -> None:
    """Send what the file at `path` holds, and wait for the block.

    Raises what `Delivery.run` raises; where it is open what becomes of it, the hint says how to send the same again (a
    file that we did not write ourselves may lack the signatures). Where the node refuses it for good, a file that we
    wrote ourselves is deleted.
    """
    delivery, ours = Delivery(connect, signed, say), _NAME.fullmatch(path.name) is not None
    try:
        await delivery.run()
    except IndexerError as error:
        waits = isinstance(error, SubmissionRefused) and error.verdict is Verdict.WAIT
        if waits or isinstance(error, SessionBroken | OutcomeUnknown):
            again = f"`indexer submit {path}`" if ours else "the same command"
            error.hint = f"{again} looks for it, sends the same again, and waits for the block"
        elif isinstance(error, SubmissionRefused) and ours:
            await asyncio.to_thread(path.unlink, missing_ok=True)
        raise

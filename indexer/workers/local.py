"""Signatures received off the chain: from files into the database, while the daemon runs and before it does.

File and database are a union. A file that somebody drops in is found within seconds; a damaged one is rebuilt from what
the database holds of it; one that is gone is written anew.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import structlog
from aiosqlite import Connection

from indexer import errors
from indexer.chain.network import Network
from indexer.chain.point import Slot
from indexer.documents import OracleSignature
from indexer.domain.life import Life, assess
from indexer.domain.quorum import Signature, Source
from indexer.edge import milestones as files
from indexer.edge.milestones import Key, Merged, QuorumNote, Stamp
from indexer.store import lives, milestones
from indexer.store.db import named_errors, transaction

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 1.0
SHARE: Final = 20  # looking takes at most one part in so many of the time


class LocalSignatures:
    """The directory of milestone files, kept in step with the database."""

    def __init__(
        self,
        db: Connection,
        data: Path,
        network: Network,
        slot: Callable[[], Slot],
        now_ms: Callable[[], int],
    ) -> None:
        """`slot`: where the cursor stands; what is new gets it. `now_ms`: POSIX milliseconds."""
        self._db, self._data, self._network, self._slot, self._now_ms = db, data, network, slot, now_ms
        self._stamps: Mapping[Key, Stamp] = {}
        self._pending: set[Key] = set()  # to be looked at, whatever the directory says of them
        self._begun = False

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            await self.look()
            await asyncio.sleep(max(LOOK_EVERY_S, SHARE * (loop.time() - begun)))

    async def look(self) -> int:
        """Take in what changed since the last look; the number of signatures that were new to the database."""
        try:
            found = await asyncio.to_thread(files.scan, self._data, self._stamps, now_ms=self._now_ms())
        except errors.MilestoneDataUnusable as error:
            _tell_trouble(error)
            return 0
        self._stamps = found.stamps
        for trouble in found.troubles:
            _tell_trouble(trouble)
        self._pending.update(found.changed, found.gone)
        if not self._begun:  # a first look at the directory cannot tell what is missing from it
            self._pending.update(Key(*key) for key in await lives.local_milestones(self._db))
            self._begun = True
        count = 0
        for key in sorted(self._pending):
            try:
                count += await self._take(key)
            except (errors.MilestoneFileUnfinished, errors.MilestoneDataBusy) as error:
                log.debug("milestone.left_for_later", file=str(files.path_of(self._data, key)), reason=str(error))
            except (errors.MilestoneDataUnusable, errors.DatabaseBusy) as error:
                _tell_trouble(error)
            else:
                self._pending.remove(key)
        return count

    async def _take(self, key: Key) -> int:
        """One file and what the database holds of it become the same."""
        life = (await lives.load(self._db, [key.distribution_id]))[key.distribution_id]
        held = held_locally(life, key.milestone_id)
        merged = await asyncio.to_thread(
            files.merge,
            self._data,
            key,
            held,
            now_ms=self._now_ms(),
            slot=max(0, self._slot()),
            quorum=quorum_note(life, key),
        )
        self._tell(key, merged)
        signatures = [(key.distribution_id, local_signature(key, one)) for one in merged.signatures]
        with named_errors():
            async with transaction(self._db):
                new = await milestones.add_local(self._db, signatures, self._network)
        if new:
            log.info("milestone.signatures_added", distribution=key.distribution_id.hex(), count=len(new))
        return len(new)

    def _tell(self, key: Key, merged: Merged) -> None:
        if merged.set_aside is not None:
            log.error(
                "milestone.file_set_aside",
                file=str(files.path_of(self._data, key)),
                moved_to=str(merged.set_aside.path),
                reason=merged.set_aside.reason,
                rebuilt_with=len(merged.signatures),
            )


def _tell_trouble(error: errors.IndexerError) -> None:
    log.error("milestones.unreadable", code=error.code, reason=str(error), hint=error.hint)


def held_locally(life: Life, milestone_id: bytes) -> list[OracleSignature]:
    """What the database holds of a milestone's file."""
    return [
        OracleSignature(oracle=one.oracle, signature=one.signature, slot=one.slot)
        for one in life.signatures
        if one.source is Source.LOCAL and one.milestone_id == milestone_id
    ]


def local_signature(key: Key, one: OracleSignature) -> Signature:
    """A signature of a file, as it counts. It has been stored, so it has a slot."""
    assert one.slot is not None
    return Signature(key.milestone_id, one.oracle, one.signature, Source.LOCAL, one.slot)


def quorum_note(life: Life, key: Key) -> QuorumNote | None:
    """What a milestone's file says of its quorum; None where the distribution or the milestone is not known."""
    tally = assess(life)[0].get(key.milestone_id)
    if tally is None:
        return None
    return QuorumNote(tally.status.value, tally.threshold, len(life.terms.oracles))

"""What `commit-milestone` does: verify each signature of a file, store the good ones, and see them into the database.

Good is what verifies: also a signature whose oracle counts already, for what the chain shows of it may be rolled back,
and what a file holds stays.
"""

import asyncio
import time
from pathlib import Path
from typing import Final, Literal

from indexer import errors
from indexer.chain.point import Slot, slot_of
from indexer.cli import find, refusals
from indexer.cli.outputs import Output
from indexer.cli.told import table
from indexer.config import Config
from indexer.documents import MAX_BYTES, MilestoneCompletionData, OracleSignature, parse
from indexer.domain.life import Life, assess
from indexer.domain.quorum import Signature, Source, Verdict
from indexer.edge import milestones as files
from indexer.edge.files import only_writer, read_up_to
from indexer.edge.milestones import Key
from indexer.plutus.identity import shown_milestone
from indexer.store import checkpoints, lives, milestones
from indexer.store.db import opened, transaction
from indexer.workers.local import held_locally, local_signature, quorum_note

PATIENCE_S: Final = 10.0
LOOK_EVERY_S: Final = 0.1
GOOD: Final = frozenset((Verdict.VALID, Verdict.DUPLICATE))


class Committed(Output):
    """A signature of the file: what it is worth, and whether it is stored, or was before."""

    oracle: str
    verdict: str
    stored: Literal["now", "before", "no"]


class Commit(Output):
    """What became of a file's signatures. `in_database` is false while a running daemon has yet to take them.

    `quorum_status` is null for a distribution that is not known.
    """

    distribution_id: str
    milestone_id: str
    file: str
    slot: int
    signatures: tuple[Committed, ...]
    set_aside: str | None
    in_database: bool
    quorum_status: str | None

    def told(self) -> str:
        """In words."""
        words = {"now": "stored", "before": "was stored before", "no": "not stored"}
        rows = [(one.oracle, one.verdict.replace("_", " "), words[one.stored]) for one in self.signatures]
        lines = [
            f"milestone {self.milestone_id} of distribution {self.distribution_id}",
            "",
            table(("oracle", "verdict", ""), rows),
            "",
            f"stored in {self.file}",
        ]
        if self.set_aside is not None:
            lines.append(f"the file that was there was damaged: it is kept as {self.set_aside}")
        if not self.in_database:
            return "\n".join([*lines, "the daemon takes them into the database with its next look at the files"])
        status = self.quorum_status or "not known: the distribution has yet to be seen, and then they are verified"
        return "\n".join([*lines, f"the database has them; quorum: {status}"])


async def commit(config: Config, path: Path, force: bool) -> Commit:
    """Take the signatures of a file.

    Raises FileUnusable, DocumentInvalid, NothingValid, DistributionUnknown (unless `force`), and what
    `edge.milestones.merge` raises.
    """
    document = read_document(path)
    key = Key(document.distribution_id, document.milestone_id)
    async with find.moment(config.database.path) as db:
        standing = await checkpoints.read(db)
        life = (await lives.load(db, [key.distribution_id]))[key.distribution_id]
    slot = max(0, slot_of(standing.cursor.place))
    if life.origin is None and not force:
        raise refusals.DistributionUnknown(
            f"the database holds no distribution {key.distribution_id.hex()}, so nothing can be verified",
            hint="let the follower come as far as its creation first; or --force stores the signatures as they are, "
            "and they are verified when it is seen",
        )
    verdicts = verdicts_on(life, document, slot)
    good = [one for one, verdict in verdicts if verdict in GOOD or life.origin is None]
    if not good:
        told = ", ".join(f"{one.oracle.hex()[:16]}… {verdict}" for one, verdict in verdicts)
        raise refusals.NothingValid(f"{path} holds no signature that verifies: {told or 'none at all'}")
    data = config.data.directory
    merged = files.merge(
        data,
        key,
        [*held_locally(life, key.milestone_id), *good],
        now_ms=find.now_ms(),
        slot=slot,
        quorum=quorum_note(life, key),
    )
    entered = [(key.distribution_id, local_signature(key, one)) for one in merged.signatures]
    taken = await _enter(config, entered) or await _wait(config, key, entered)
    new = {(one.oracle, one.signature) for one in merged.added} - _held(life, key.milestone_id)
    return Commit(
        distribution_id=key.distribution_id.hex(),
        milestone_id=shown_milestone(key.milestone_id),
        file=str(files.path_of(data, key)),
        slot=slot,
        signatures=tuple(
            Committed(
                oracle=one.oracle.hex(),
                verdict=str(verdict),
                stored="no" if one not in good else "now" if (one.oracle, one.signature) in new else "before",
            )
            for one, verdict in verdicts
        ),
        set_aside=None if merged.set_aside is None else str(merged.set_aside.path),
        in_database=taken,
        quorum_status=await _status(config.database.path, key),
    )


def read_document(path: Path) -> MilestoneCompletionData:
    """The document in a file. Raises FileUnusable, DocumentGarbled or DocumentInvalid."""
    return parse(MilestoneCompletionData, read_up_to(path, MAX_BYTES), str(path))


def verdicts_on(life: Life, document: MilestoneCompletionData, slot: Slot) -> list[tuple[OracleSignature, Verdict]]:
    """Each signature of the file, as given but for the slot, which is ours to tell, with what it is worth beside all
    that is known already."""
    held = _held(life, document.milestone_id)
    given = [OracleSignature(oracle=one.oracle, signature=one.signature) for one in document.oracle_signatures]
    then = Life(life.id, life.origin, life.payments, life.end, list(life.signatures))
    then.add(
        Signature(document.milestone_id, one.oracle, one.signature, Source.LOCAL, slot)
        for one in given
        if (one.oracle, one.signature) not in held
    )
    _, verdicts = assess(then)
    known = {
        (one.oracle, one.signature): verdict
        for one, verdict in zip(then.signatures, verdicts, strict=True)
        if one.source is Source.LOCAL and one.milestone_id == document.milestone_id
    }
    return [(one, known[one.oracle, one.signature]) for one in given]


def _held(life: Life, milestone_id: bytes) -> set[tuple[bytes, bytes]]:
    return {(one.oracle, one.signature) for one in held_locally(life, milestone_id)}


async def _enter(config: Config, signatures: list[tuple[bytes, Signature]]) -> bool:
    """Into the database, if nobody else writes to it."""
    path = config.database.path
    try:
        with only_writer(path, patience_s=0):
            async with opened(path) as db:
                standing = await checkpoints.read(db)
                async with transaction(db):
                    await milestones.add_local(db, signatures, standing.network)
    except errors.AlreadyRunning:
        return False
    return True


async def _wait(config: Config, key: Key, signatures: list[tuple[bytes, Signature]]) -> bool:
    """Wait for the daemon to take them, for a while; or for whoever it was that wrote just then to be done."""
    wanted = {(one.oracle, one.signature) for _, one in signatures}
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        async with find.moment(config.database.path) as db:
            life = (await lives.load(db, [key.distribution_id]))[key.distribution_id]
        if wanted <= _held(life, key.milestone_id) or await _enter(config, signatures):
            return True
        await asyncio.sleep(LOOK_EVERY_S)
    return False


async def _status(path: Path, key: Key) -> str | None:
    async with find.moment(path) as db:
        tally = assess((await lives.load(db, [key.distribution_id]))[key.distribution_id])[0].get(key.milestone_id)
    return None if tally is None else str(tally.status)

"""What `audit` does: the read model and Kupo side by side, at one block, however the chain moves meanwhile.

Both hold outputs with the slots at which they were created and spent, so both can say how things stood at any block
that is on their chain. The database is read in one snapshot. Kupo answers each question out of one of its own: where
the block is on its chain before the first and after the last, it was for each of them.
"""

import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from aiosqlite import Connection

from indexer import errors
from indexer.chain.address import CredentialKind
from indexer.chain.point import Point, Slot, slot_of
from indexer.chain.seen import Seen
from indexer.chain.watch import ByronWatch, CredentialWatch, Watch, Watches
from indexer.cli.outputs import Output
from indexer.cli.told import shortened, table
from indexer.config import Config
from indexer.domain.audit import Comparison, Difference, Held, TooDifferent, within
from indexer.edge.kupo import Kupo, Limits, connected
from indexer.edge.ogmios import read_headers
from indexer.store import audit as store
from indexer.store import checkpoints, watches
from indexer.store.db import opened_for_reading

# At each attempt, so many blocks below the newest common one: where the chain moves, deep blocks are the steady ones.
BELOW: Final = (0, 1, 10, 100, 1000)
STEPS: Final = 40  # on the way to a common block, ever longer ones
SHOWN: Final = 100  # differences; --json has all
EVERY_S: Final = 1.0  # progress
WIDEST: Final = 60  # characters of what either side holds, in the table


class AuditDifference(Output):
    """One difference: what the database holds (`ours`) and what Kupo holds (`theirs`)."""

    kind: str
    credential: str
    transaction_id: str
    output_index: int
    ours: str
    theirs: str


class AuditedWatch(Output):
    """What was compared of one credential or Byron address.

    `kind` is `key`, `script`, `any` or `byron`. `since`: history begins after this slot; null: at the origin.
    `complete` is false where there were so many differences that the rest was not looked at. `datums_only_kupo`: Kupo
    knows the preimage of a datum hash, and no transaction of ours has shown it to us, which is no difference.
    """

    credential: str
    kind: str
    since: int | None
    outputs: int
    unspent: int
    differences: int
    datums_only_kupo: int
    complete: bool


class Audit(Output):
    """The comparison of the read model with Kupo, as of a block that both have on their chains."""

    network: str
    slot: int
    block_id: str
    kupo_version: str
    watches: tuple[AuditedWatch, ...]
    differences: tuple[AuditDifference, ...]

    def told(self) -> str:
        """In words."""
        rows = [
            (
                shortened(w.credential),
                w.kind,
                "complete" if w.since is None else f"after {w.since}",
                w.outputs,
                w.unspent,
                f"{w.differences}{'' if w.complete else ' and more'}",
            )
            for w in self.watches
        ]
        lines = [
            f"compared with Kupo {self.kupo_version} as of slot {self.slot}, block {self.block_id}",
            "",
            table(("watch", "kind", "history", "outputs", "unspent", "differences"), rows, frozenset((3, 4, 5))),
            "",
        ]
        if not self.watches:
            return "\n".join([*lines[:2], "nothing is watched, so nothing was compared"])
        if not self.differences:
            return "\n".join([*lines, "no difference"])
        found = [
            (d.kind, f"{d.transaction_id}#{d.output_index}", _cut(d.ours), _cut(d.theirs))
            for d in self.differences[:SHOWN]
        ]
        lines.append(table(("difference", "output", "database", "Kupo"), found))
        if len(self.differences) > SHOWN:
            lines.append(f"… and {len(self.differences) - SHOWN:,} more: --json has them all")
        return "\n".join(lines)


@dataclass(slots=True)
class _Target:
    """A credential or Byron address that is watched; `since` by kind (None: Byron): the slot its history follows."""

    watch: Watch
    since: dict[CredentialKind | None, Slot] = field(default_factory=dict)

    @property
    def pattern(self) -> str:
        """For Kupo, which does not tell keys from scripts."""
        return str(self.watch) if isinstance(self.watch, ByronWatch) else f"{self.watch}/*"

    @property
    def kind(self) -> str:
        """As a watch has it."""
        kinds = sorted(kind for kind in self.since if kind is not None)
        return "byron" if not kinds else "any" if len(kinds) > 1 else str(kinds[0])


class _Progress:
    """Tells how far it is, once it takes longer than a second."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell, self._next, self._count = tell, time.monotonic() + EVERY_S, 0

    def one_more(self, target: _Target, slot: Slot, at: Slot) -> None:
        """One more output was read, created at `slot`; it ends with `at`."""
        self._count += 1
        if self._count % 100 == 0 and (now := time.monotonic()) >= self._next:
            self._next = now + EVERY_S
            self._tell(f"read {self._count:,} outputs; {shortened(str(target.watch))} up to slot {slot:,} of {at:,}")


async def compare_with_kupo(loaded: Config, progress: Callable[[str], None], limits: Limits | None = None) -> Audit:
    """Compare all that the database holds with Kupo.

    Raises KupoNotConfigured, a KupoFailed, NoCommonPoint, PatternNotIndexed, NoDatabase, DatabaseUnusable.
    """
    if loaded.kupo.url is None:
        raise errors.KupoNotConfigured("the configuration names no Kupo to compare with")
    headers = read_headers(loaded.kupo.headers_file)
    told = _Progress(progress)
    async with (
        opened_for_reading(loaded.database.path) as db,
        connected(loaded.kupo.url, headers, limits) as kupo,
    ):
        version = (await kupo.health()).version
        for below in BELOW:
            await db.execute("BEGIN")  # one moment of the database, until ROLLBACK
            try:
                found = await _compared(db, kupo, below, version, told)
            finally:
                await db.execute("ROLLBACK")
            if found is not None:
                return found
    raise errors.KupoUnsteady(f"a rollback undid the block at which we compared, {len(BELOW)} times")


async def check_patterns(kupo: Kupo, watched: Iterable[Watch]) -> None:
    """Raises PatternNotIndexed where Kupo does not index all that is watched."""
    for target in _targets((watch, -1) for watch in watched):
        if not await kupo.patterns(including=target.pattern):
            raise errors.PatternNotIndexed(f"Kupo has no pattern that includes {target.pattern}")


async def _compared(db: Connection, kupo: Kupo, below: int, version: str, told: _Progress) -> Audit | None:
    """One attempt; None where a rollback spoilt it."""
    standing = await checkpoints.read(db)
    watched = await watches.read(db)
    await check_patterns(kupo, (entry.watch for entry in watched))
    at = await _common_point(db, kupo, slot_of(standing.cursor.place), below)
    compared, differences = [], []
    for target in _targets((entry.watch, slot_of(entry.since)) for entry in watched):
        result, is_complete = await _side_by_side(db, kupo, target, at.slot, told)
        found = result.differences()
        since = min(target.since.values())
        compared.append(
            AuditedWatch(
                credential=str(target.watch),
                kind=target.kind,
                since=None if since < 0 else since,
                outputs=result.outputs,
                unspent=result.unspent,
                differences=len(found),
                datums_only_kupo=result.datums_only_theirs,
                complete=is_complete,
            )
        )
        differences += [_told(target, difference) for difference in found]
    if await kupo.checkpoint(at.slot, strict=True) != at:
        return None
    return Audit(
        network=standing.network.name,
        slot=at.slot,
        block_id=at.id.hex(),
        kupo_version=version,
        watches=tuple(compared),
        differences=tuple(differences),
    )


async def _common_point(db: Connection, kupo: Kupo, cursor: Slot, below: int) -> Point:
    """A block that the database keeps and that is on Kupo's chain: the newest, or one somewhat older."""
    head = await kupo.head()
    slot, skip = min(cursor, -1 if head is None else head.slot), below
    for step in range(STEPS):
        ours = await store.block_below(db, slot, skip) or await store.block_below(db, slot)
        if ours is None:
            break
        theirs = await kupo.checkpoint(ours.slot)
        if theirs == ours:
            return ours
        if theirs is None:
            break
        # Another branch, or a block that one of the two does not keep: go on below both.
        slot, skip = min(theirs.slot, ours.slot - (theirs.slot == ours.slot)), step and 2 ** (step - 1)
    raise errors.NoCommonPoint(
        f"no block that the database keeps up to slot {max(cursor, 0)} is one of Kupo's "
        f"({'which has none' if head is None else f'newest {head}'})"
    )


async def _side_by_side(
    db: Connection, kupo: Kupo, target: _Target, at: Slot, told: _Progress
) -> tuple[Comparison, bool]:
    """One credential as of a slot, and whether all of it was looked at."""
    # Of a watch for keys alone, Kupo names outputs of scripts with the same hash, too.
    matched = Watches.of([CredentialWatch(w.hash) if isinstance(w := target.watch, CredentialWatch) else w]).match

    async def consume(rows: AsyncIterator[Seen]) -> tuple[Comparison, bool]:
        comparison = Comparison(at)
        async with aclosing(store.outputs(db, target.watch, at)) as ours:
            try:
                await _lockstep(ours, _counted(rows), comparison)
            except TooDifferent:
                return comparison, False
        return comparison, True

    async def _counted(rows: AsyncIterator[Seen]) -> AsyncIterator[Seen]:
        async for row in rows:
            if row.created.slot > at:
                raise errors.KupoGarbled(f"asked for what was created up to slot {at}, it names {row.reference}")
            try:
                is_meant, is_within = matched(row.address), within(row, target.since)
            except ValueError as error:
                raise errors.KupoGarbled(f"an output at no address: {row.reference}") from error
            if not is_meant:
                raise errors.KupoGarbled(f"asked for {target.pattern}, it names an output at {row.address}")
            told.one_more(target, row.created.slot, at)
            if is_within:
                yield row

    after = min(target.since.values()) + 1
    if after > at:  # its history begins later
        return await consume(_none())
    return await kupo.matches(target.pattern, consume, created_after=after, created_before=at)


async def _lockstep(ours: AsyncIterator[Held], theirs: AsyncIterator[Seen], comparison: Comparison) -> None:
    """Both in the order of the chain, so that neither is ahead by more than a block. Raises TooDifferent."""
    held, seen = await anext(ours, None), await anext(theirs, None)
    while held is not None or seen is not None:
        if seen is None or (held is not None and held.seen.created.slot <= seen.created.slot):
            assert held is not None, "one of the two is there"
            comparison.ours(held)
            held = await anext(ours, None)
        else:
            comparison.theirs(seen)
            seen = await anext(theirs, None)


async def _none() -> AsyncIterator[Seen]:
    return
    yield


def _targets(watched: Iterable[tuple[Watch, Slot]]) -> list[_Target]:
    """Each credential once, with the earliest beginning of each kind."""
    targets: dict[str, _Target] = {}
    for watch, slot in watched:
        kinds: Iterable[CredentialKind | None] = (None,)
        if not isinstance(watch, ByronWatch):
            kinds = CredentialKind if watch.kind is None else (watch.kind,)
        since = targets.setdefault(str(watch), _Target(watch)).since
        for kind in kinds:
            since[kind] = min(slot, since.get(kind, slot))
    return list(targets.values())


def _told(target: _Target, difference: Difference) -> AuditDifference:
    return AuditDifference(
        kind=str(difference.kind),
        credential=str(target.watch),
        transaction_id=difference.reference.transaction_id.hex(),
        output_index=difference.reference.index,
        ours=difference.ours,
        theirs=difference.theirs,
    )


def _cut(text: str) -> str:
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"

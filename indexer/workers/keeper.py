"""The keeper: a met quorum becomes a payment in a block, once, with nobody watching.

It goes in rounds, awakened by each block. A round looks at what became of the releases that are under way, sends those
that need it once more, and makes new ones of what is due. What it needs to know is in the database and on the chain, so
it may die between any two steps: whatever is sent was written down before, as the very bytes, and all transactions of
one release spend one output, so that one of them at most is ever in a block.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

import structlog

from indexer import errors
from indexer.chain.time import iso
from indexer.domain import gates as gating
from indexer.domain.gates import Gate, Stands
from indexer.domain.judge import SPONSOR_ALL
from indexer.domain.submission import TO_BE_BUILT, UNDER_WAY, ReleaseState, Sight, behold, rests
from indexer.edge import pause
from indexer.errors import SessionBroken
from indexer.store import events, releases
from indexer.store.db import named_errors, snapshot
from indexer.store.due import Due, due_milestones
from indexer.workers.clerk import Clerk
from indexer.workers.deliver import Deliverer
from indexer.workers.journal import course_of
from indexer.workers.pocket import coins_there
from indexer.workers.premises import Position, Premises
from indexer.workers.releaser import Releaser
from indexer.workers.sender import Sender
from indexer.workers.sending import Connect, on_network

log = structlog.get_logger(__name__)

TICK_S: Final = 0.5  # a request, a pause or an expiry is noticed within
NODE_TRIED_AFTER_S: Final = 5.0
NODE_ASKED_AFTER_MS: Final = 60_000
WALLET_ASKED_AFTER_MS: Final = 30_000  # twice as long each time: nothing is followed while the node looks
WALLET_ASKED_AT_LEAST_EVERY_MS: Final = 3_600_000
_BLIND: Final = frozenset({Gate.CAUGHT_UP, Gate.NO_ROLLBACK})  # too little is known to conclude anything
_TOLD_BY_THE_NODE: Final = frozenset({Gate.PROTOCOL, Gate.COLLATERAL})  # known once it was asked
_NOTHING_IS_SENT: Final = _BLIND | {Gate.NOT_PAUSED}
_WALLET_UNKNOWN: Final = _BLIND | {Gate.WALLET_READ}  # what lies in it now is anybody's guess
_OF_COINS: Final = frozenset({Gate.RESERVE, Gate.COLLATERAL})


class Keeper:
    """Pays what is due."""

    def __init__(
        self, at: Premises, connect: Connect, deliverer: Deliverer, read_wallet: Callable[[], None] = lambda: None
    ) -> None:
        """`read_wallet` is called where coins of the wallet from before our history are to be read. What commands ask
        of the `deliverer` comes through here too."""
        self._at, self._connect, self._read_wallet = at, on_network(connect, at.network), read_wallet
        self._ask_ms, self._ask_after_ms = 0, WALLET_ASKED_AFTER_MS
        self._sender = Sender(at)
        self._releaser = Releaser(at, self._sender)
        self._clerk = Clerk(at, self._connect, self._releaser, deliverer)
        self._awake = asyncio.Event()
        self._stopping = False
        self._looked_ms = 0
        # Where all was done that could be, for what was due (a file may add to that, without a block), and until when.
        self._rests: tuple[tuple[Position, list[Due]], int] | None = None
        self._found_shut: list[Stands] = []
        self._shut_since: dict[Gate, int] = {}
        self._told: set[tuple[str, int]] = set()

    def wake(self) -> None:
        """Something changed: look soon."""
        self._awake.set()

    def stop(self) -> None:
        """Finish what is being done, and return from `run`."""
        self._stopping = self._releaser.stopping = True
        self._awake.set()

    async def run(self) -> None:
        """Go in rounds until stopped. Raises WrongNetwork where the node follows another network than ours."""
        while not self._stopping:
            self._awake.clear()
            wait = TICK_S
            try:
                with named_errors():
                    await self._clerk.work()
                    await self.round()
                self._at.status.round_ms = self._at.now_ms()
            except errors.DatabaseBusy as error:
                log.warning("keeper.database_busy", reason=str(error), retry_in_s=wait)
            except SessionBroken as error:
                self._at.node_trouble, wait = str(error), NODE_TRIED_AFTER_S
                log.warning("keeper.node_lost", code=error.code, reason=str(error), retry_in_s=wait)
            if not self._stopping:
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await self._awake.wait()

    async def gates(self) -> list[Stands]:
        """How each gate stands now."""
        return await self._at.gates(await self._at.position())

    async def round(self) -> None:
        """One round. Raises SessionBroken where the node is lost on the way: the next round goes on from there."""
        if self._is_far_behind() and self._at.now_ms() < self._looked_ms + 1000:
            return  # while it catches up, each block wakes us, and nothing is to be done
        self._looked_ms = self._at.now_ms()
        where = await self._at.position()
        stands = await self._at.gates(where)
        if where is None:
            return
        shut = gating.shut(stands, but=_TOLD_BY_THE_NODE)
        names = {each.gate for each in shut}
        if not names & _BLIND:
            await self._behold()
            if Gate.WALLET_READ in names and self._at.address is not None:
                self._ask_for_wallet()
        due = await self._due(where)
        self._releaser.aside.keep_only(due)
        rests = self._rests is not None and self._rests[0] == (where, due) and self._at.now_ms() < self._rests[1]
        may = due and not rests and Gate.ENABLED not in names
        # The node is asked once before anything is due, whenever there is no coin to stake, and after it was lost.
        told = {each.gate for each in stands if not each.open} & {*_TOLD_BY_THE_NODE, Gate.NODE}
        prepares = bool(told) and not rests and Gate.ENABLED not in names
        if not names & _NOTHING_IS_SENT and (may or prepares or await self._sender.has_to_send(where)):
            try:
                async with self._connect() as node:
                    self._at.node_trouble = None
                    await self._sender.send_again(node, where)
                    if may and not names - {Gate.NODE}:
                        outcome = await self._releaser.release(node, where, due)
                        shut, until_ms = outcome.shut, outcome.rests_until_ms
                        self._rests = None if until_ms is None else ((where, due), until_ms)
                    elif prepares:
                        await self._releaser.prepare(node, where, may_split=not names - {Gate.NODE})
                        self._rests = (where, due), self._at.now_ms() + NODE_ASKED_AFTER_MS
            except SessionBroken as error:
                self._at.node_trouble = str(error)
                if due and Gate.ENABLED not in names:
                    others = [each for each in shut if each.gate is not Gate.NODE]
                    await self._held([*others, Stands(Gate.NODE, False, str(error))], where)
                raise
        if rests:
            shut = shut or self._found_shut
        self._found_shut = shut
        if due and Gate.ENABLED not in names:
            await self._held(shut, where)
        else:
            self._shut_since.clear()
            self._told.clear()

    def _ask_for_wallet(self) -> None:
        now_ms = self._at.now_ms()
        if not rests(self._ask_ms, now_ms):
            self._ask_ms = now_ms + self._ask_after_ms
            self._ask_after_ms = min(2 * self._ask_after_ms, WALLET_ASKED_AT_LEAST_EVERY_MS)
            self._read_wallet()

    def _is_far_behind(self) -> bool:
        behind = self._at.follower.seconds_behind(self._at.now_ms())
        return behind is None or behind > self._at.rules.ready_within_s

    async def _due(self, where: Position) -> list[Due]:
        """What is due and may be worth it: what pays nobody anything costs us no more than this look."""
        found = await due_milestones(self._at.db, where.time_ms)
        return [each for each in found if each.keeper_fee > 0 or self._sponsors(each)]

    def _sponsors(self, due: Due) -> bool:
        return not {SPONSOR_ALL, due.distribution_id, due.funder}.isdisjoint(self._at.rules.sponsors)

    async def _held(self, shut: list[Stands], where: Position) -> None:
        """Gates hold something that is due: after a while, people are told. Not where the keeper is off:
        that was decided by somebody, who may have no wallet at all."""
        now_ms = self._at.now_ms()
        if not _WALLET_UNKNOWN.isdisjoint(each.gate for each in shut):
            shut = [each for each in shut if each.gate not in _OF_COINS]
        self._shut_since = {each.gate: self._shut_since.get(each.gate, now_ms) for each in shut}
        self._told = {(kind, onset) for kind, onset in self._told if onset in self._shut_since.values()}
        for each in shut:
            onset = self._shut_since[each.gate]
            data = {"gate": str(each.gate), "reason": each.reason}
            if each.gate is Gate.RESERVE:
                await self._tell("wallet.low", onset, where, data)
            if now_ms >= onset + gating.HELD_TOO_LONG_MS:
                await self._tell("keeper.paused", onset, where, data)

    async def _tell(self, kind: str, onset: int, where: Position, data: dict[str, str]) -> None:
        if (kind, onset) not in self._told:
            self._told.add((kind, onset))
            await self._at.journal.tell(kind, onset, where.slot, data)
            log.warning("keeper.held", since=iso(onset), **data)

    async def _stop_all(self, release: str, reason: str) -> None:
        """A block took collateral, which no honest node lets happen: the next release may lose more."""
        told = f"release {release}: {reason}. Look at it, and at the node, before `indexer resume`"
        await asyncio.to_thread(pause.pause, self._at.data, self._at.now_ms(), told)
        log.error("collateral.lost", release=release, reason=reason, hint="all is paused")

    # --- what became of those that are under way

    async def _behold(self) -> None:
        """Each release that is not settled takes the turn that follows from what the chain shows."""
        db = self._at.db
        async with snapshot(db):  # between two looks the follower may have moved
            where = await self._at.position()
            unsettled = await releases.unsettled(db)
            self._count(unsettled)
            if not unsettled or where is None or await events.recovering(db):
                return
            sights = await releases.sights(db)
            splits = await releases.splits(db, where.slot)
            there = await releases.there(db, {at for each in unsettled if each.latest for at in each.latest.named})
            spenders = await releases.spenders(db, {each.latest.collateral for each in unsettled if each.latest})
        coming = [each.latest.id for each in unsettled if each.state in UNDER_WAY and each.latest is not None]
        coming += [each.id for each in splits]
        turns = []
        for release in unsettled:
            whole = release.latest is None or coins_there(release.latest, there, coming)
            taker = None if release.latest is None else spenders.get(release.latest.collateral)
            lost = taker in {each.id for each in release.transactions}
            sight = Sight(where.slot, where.height, sights[release.id], whole, lost)
            turn = behold(course_of(release), sight, where.k, where.confirmed_depth)
            if turn is not None and turn.course.state is ReleaseState.FAILED:
                await self._stop_all(release.id, turn.reason)
            if turn is not None:
                turns.append((release, turn))
        after = {each.id: each for each in unsettled}
        after.update((each.id, each) for each in await self._at.journal.turns(turns, where.slot))
        self._count(after.values())

    def _count(self, unsettled: Collection[releases.Release]) -> None:
        """What metrics tell of them."""
        status = self._at.status
        status.releases = Counter(str(each.state) for each in unsettled)
        on_their_way = (each.intended_ms for each in unsettled if each.state in UNDER_WAY | TO_BE_BUILT)
        status.oldest_ms = min(on_their_way, default=0)

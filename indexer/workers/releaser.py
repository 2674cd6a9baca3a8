"""Releases of what is due: which, whether they are worth their cost, and made, one after the other."""

import asyncio
from dataclasses import dataclass
from typing import Final

import aiosqlite
import structlog

from indexer.chain.coin import Coin
from indexer.chain.parameters import MOST_STAKED, Parameters
from indexer.chain.time import Timeline
from indexer.domain import gates as gating
from indexer.domain.gates import Gate, Stands
from indexer.domain.judge import Unwanted, Wanted, judge, sponsored, surely_costs
from indexer.domain.submission import (
    LONGEST_MS,
    TO_BE_BUILT,
    UNDER_WAY,
    Answer,
    Never,
    ReleaseState,
    answered,
    built,
    rests,
)
from indexer.edge.builder.errors import CollateralMissing, FundsMissing, NotAsIntended, NotDue, NotPossible
from indexer.edge.builder.intents import Surroundings
from indexer.edge.node import Node
from indexer.errors import IndexerError, SessionBroken
from indexer.ogmios.submission import EvaluationFailed
from indexer.plutus.datum import MILESTONE_DATUM
from indexer.plutus.identity import parse_milestone, shown_milestone
from indexer.store import coins, contracts, lives, releases
from indexer.store.due import Due
from indexer.store.releases import Release
from indexer.workers.aside import Aside
from indexer.workers.journal import course_of, new
from indexer.workers.making import Drawn, draw, journaled, sign, split
from indexer.workers.pocket import Pocket, collateral_needed
from indexer.workers.premises import DAY_MS, Position, Premises
from indexer.workers.sender import Sender, answer_of
from indexer.workers.sending import ReferenceSpent, Search, find_reference

log = structlog.get_logger(__name__)

MOST_UNDER_WAY: Final = 40  # releases that wait for a block at a time: about what a block can hold
ROUND_S: Final = 5.0  # a round ends after so long, for others wait: what is under way, a pause
MOST_FOR_A_SPLIT: Final = 1_000_000  # lovelace; about 170,000 on mainnet. The node tells the price, and may be wrong
_JUDGED_AT_ONCE: Final = 100


class Held(IndexerError):
    """A gate of the keeper's is shut."""

    code = "keeper.held"
    hint = "`indexer explain` names every gate, and what opens it"


class Costly(IndexerError):
    """A release would cost the wallet more than was agreed to."""

    code = "keeper.costly"
    hint = "look at it again with --dry-run"


@dataclass(frozen=True)
class Chain:
    """What the node says, asked once a round: parameters, timeline, and where each contract's script lies."""

    node: Node
    parameters: Parameters
    timeline: Timeline
    references: dict[bytes, Coin | None]


@dataclass(frozen=True)
class Outcome:
    """The gates that hold what is due, and until when nothing more is to be done unless a block comes (POSIX
    milliseconds); None: there is more to do at once."""

    shut: list[Stands]
    rests_until_ms: int | None


class Releaser:
    """Makes releases of what is due, and sends them."""

    def __init__(self, at: Premises, sender: Sender) -> None:
        self._at, self._sender = at, sender
        self.aside = Aside(at.now_ms)
        self._more = False  # whether something of a round is to be done once more at once
        self.stopping = False

    async def release(self, node: Node, where: Position, due: list[Due]) -> Outcome:
        """Make and send releases of what is due, the oldest first, as long as there is room.

        Those that could not be made before come after the others.
        """
        unsettled = await releases.unsettled(self._at.db)
        room = MOST_UNDER_WAY - sum(each.state in UNDER_WAY for each in unsettled)
        ready, chain, pocket = self.aside.ready(due), None, None
        ends = asyncio.get_running_loop().time() + ROUND_S
        self._more = False
        while ready and room > 0:
            some, ready = ready[:_JUDGED_AT_ONCE], ready[_JUDGED_AT_ONCE:]
            for wanted in await self._wanted(unsettled, where, some):
                if chain is None or pocket is None:
                    chain, pocket = await self._ask(node), await self._at.pocket(where)
                    if shut := gating.shut(await self._at.gates(where)):
                        if [each.gate for each in shut] == [Gate.COLLATERAL]:
                            await self._split(chain, pocket, where)
                        return Outcome(shut, rests_until_ms=await self._next_ms())
                if asyncio.get_running_loop().time() >= ends or self.stopping or self._at.paused is not None:
                    return Outcome([], rests_until_ms=None)
                if room > 0:
                    room -= await self._try(chain, pocket, wanted, where)
        return Outcome([], rests_until_ms=None if self._more else await self._next_ms())

    async def _next_ms(self) -> int:
        """When something is to be tried again, should no block come before (POSIX milliseconds)."""
        now_ms = self._at.now_ms()
        times = self.aside.times_ms
        times += [each.retry_ms for each in await releases.unsettled(self._at.db) if each.retry_ms is not None]
        return min((time for time in times if rests(time, now_ms)), default=now_ms + LONGEST_MS)

    async def release_by_hand(self, node: Node, where: Position, one: Wanted, most: int) -> Release:
        """One release that somebody asks for, whatever it was left alone for; it may cost the wallet up to `most`
        lovelace. As it is after it was sent.

        Raises Held where gates are shut, Costly, and what building and signing raise.
        """
        if self._at.rules.dry_run:
            raise Held("it is a dry run: nothing is signed or sent", hint="`indexer submit-release --dry-run` shows it")
        for release in await releases.unsettled(self._at.db):
            if release.state_output == one.state and release.state in UNDER_WAY:
                return await self._under_way(release, one, most)
        chain = await self._ask(node)
        if shut := gating.shut(await self._at.gates(where), but=(Gate.ENABLED,)):
            if [each.gate for each in shut] == [Gate.COLLATERAL] and self._at.address is not None:
                await self._split(chain, await self._at.pocket(where), where, by_hand=True)
            raise Held(shut[0].reason)
        pocket = await self._at.pocket(where)
        drawn = await self._drawn(chain, pocket, one, where)
        if drawn.built.loss > most:
            raise Costly(f"it would cost {drawn.built.loss} lovelace: {most} were agreed to")
        return await self._make(chain, pocket, drawn, where, by_hand=True)

    async def _under_way(self, release: Release, one: Wanted, most: int) -> Release:
        """What somebody asks for is under way already. Raises Held where it is another milestone's, Costly."""
        if release.milestone_id != one.milestone_id:
            shown = shown_milestone(release.milestone_id)
            raise Held(
                f"release {release.id}, of milestone {shown}, is under way: this one spends what that one leaves"
            )
        # Where it is sent anyway, nobody is asked.
        asked = not (self._at.rules.enabled or release.by_hand)
        if asked and release.latest is not None and release.latest.loss > most:
            raise Costly(
                f"release {release.id} was signed, and costs {release.latest.loss} lovelace: {most} were agreed to",
                hint="it expires within half an hour; ask again after that",
            )
        return await self._at.journal.by_hand(release)

    async def propose(self, node: Node, where: Position, one: Wanted) -> tuple[Drawn, int]:
        """The transaction that would be sent, unsigned, and what it may cost. Nothing is written. Raises what building
        raises."""
        chain, pocket = await self._ask(node), await self._at.pocket(where)
        drawn = await self._drawn(chain, pocket, one, where)
        return drawn, await self._allowed(one, pocket, where)

    async def prepare(self, node: Node, where: Position, *, may_split: bool) -> None:
        """Learn what the node has to tell, and make the coin that backs scripts, before anything is due."""
        pocket = await self._at.pocket(where)
        wants = may_split and pocket.to_split is not None and not await releases.splits(self._at.db, where.slot)
        if self._at.major is None or wants:
            chain, pocket = await self._ask(node), await self._at.pocket(where)
            await self._at.gates(where)
            if may_split and pocket.collateral is None:
                await self._split(chain, pocket, where)

    async def _wanted(self, unsettled: list[Release], where: Position, due: list[Due]) -> list[Wanted]:
        """What may be released of these and is not under way; of each distribution one release at a time."""
        now_ms = self._at.now_ms()
        busy = {each.state_output for each in unsettled if each.state in UNDER_WAY}
        resting = {
            (each.state_output, each.milestone_id)
            for each in unsettled
            if each.state is ReleaseState.FAILED or (each.state in TO_BE_BUILT and rests(each.retry_ms, now_ms))
        }
        known = await lives.load_counting(self._at.db, {bytes.fromhex(each.distribution_id) for each in due})
        found: list[Wanted] = []
        for each in due:
            life = known[bytes.fromhex(each.distribution_id)]
            one = judge(life, parse_milestone(each.milestone_id), where.time_ms)
            if isinstance(one, Unwanted):
                log.info("release.unwanted", distribution=each.distribution_id, reason=one.reason)
                self.aside.put(each.key, None)
            elif one.state not in busy and (one.state, one.milestone_id) not in resting:
                busy.add(one.state)
                found.append(one)
        return found

    async def _ask(self, node: Node) -> Chain:
        parameters, timeline = await node.parameters(), await node.timeline()
        self._at.major, self._at.needed = parameters.major, collateral_needed(parameters)
        references: dict[bytes, Coin | None] = {}
        for policy, script in self._at.scripts.items():
            followed = await contracts.published(self._at.db, policy)
            try:
                references[policy] = await find_reference(node, script.contract, Search(script.named, followed), ())
            except ReferenceSpent as error:
                log.warning("reference.spent", contract=policy.hex(), reason=str(error), hint=error.hint)
                search = Search(None, followed)
                references[policy] = await find_reference(node, script.contract, search, ())
        return Chain(node, parameters, timeline, references)

    async def _split(self, chain: Chain, pocket: Pocket, where: Position, *, by_hand: bool = False) -> None:
        """Make the coin that backs scripts out of a larger one, once. Until a block has it, the gate is shut."""
        coin, policy = pocket.to_split, next(iter(self._at.scripts), None)
        if self._at.rules.dry_run or self._at.needed > MOST_STAKED:
            return
        if waiting := await releases.splits(self._at.db, where.slot):
            for sent in waiting if by_hand else ():  # who is not enabled sends again only what somebody asks for
                await self._sender.send_split(chain.node, sent, where)
            return
        if coin is None or policy is None:
            return
        assert self._at.signer is not None
        around = self._around(chain, policy, where)
        try:
            drawn = await split(self._at.needed, coin, around, pocket.address, chain.node.evaluate)
            if drawn.fee > MOST_FOR_A_SPLIT:
                raise Costly(f"splitting a coin would cost {drawn.fee} lovelace: {MOST_FOR_A_SPLIT} are allowed")
            sent = journaled(drawn, await sign(drawn, self._at.signer, drawn.fee), 1)
        except SessionBroken:
            raise
        except IndexerError as error:
            log.warning("collateral.not_made", code=error.code, reason=str(error))
            return
        await self._at.journal.write_split(sent)
        await self._sender.send_split(chain.node, sent, where)

    def _around(self, chain: Chain, policy: bytes, where: Position) -> Surroundings:
        return Surroundings(
            self._at.scripts[policy].contract,
            chain.references.get(policy),
            self._at.network.id,
            chain.parameters,
            chain.timeline,
            where.slot,
        )

    async def _try(self, chain: Chain, pocket: Pocket, wanted: Wanted, where: Position) -> bool:
        """One release, as far as it goes; whether it was sent. Whatever is wrong with it is its own matter: others go
        on."""
        try:
            drawn = await self._draw(chain, pocket, wanted, where)
            if drawn is not None and self._at.rules.dry_run:
                self._leave_alone(wanted, f"a dry run: {drawn.built.id.hex()} would be sent")
            elif drawn is not None:
                made = await self._make(chain, pocket, drawn, where)
                # Refused, and to be built anew at once: the network may have other parameters now.
                again = made.state is ReleaseState.REFUSED and not rests(made.retry_ms, self._at.now_ms())
                self._more = self._more or again
                return True
        except SessionBroken as error:
            # Perhaps it is this one that breaks them: then others come first.
            self._leave_alone(wanted, str(error))
            raise
        except aiosqlite.Error:
            raise
        except (NotDue, FundsMissing, CollateralMissing) as error:
            # The next block, or the next coin, will do: nothing is wrong with the release.
            log.info("release.waits", distribution=wanted.distribution_id.hex(), reason=str(error))
        except EvaluationFailed as failed:
            answer = answer_of(failed, None)
            if isinstance(answer, Never) and await self._has_moved_on(chain, wanted):
                log.info("release.waits", distribution=wanted.distribution_id.hex(), reason="its state output is spent")
            else:
                await self._not_made(wanted, where, failed, answer)
        except NotAsIntended as error:
            await self._not_made(wanted, where, error, Never(str(error)))
        except IndexerError as error:
            self._leave_alone(wanted, str(error))
        except Exception:
            # Whatever a stranger's distribution makes of our code, it is not to stop those of others.
            log.exception("release.bug", distribution=wanted.distribution_id.hex())
            self._leave_alone(wanted, "a bug: the log has more")
        return False

    async def _has_moved_on(self, chain: Chain, wanted: Wanted) -> bool:
        """Whether the node's ledger holds no more what a release rests on: a block that we have not read yet explains
        whatever it says."""
        script = chain.references.get(wanted.policy)
        needed = [wanted.state] if script is None else [wanted.state, script.reference]
        return len(await chain.node.utxo(needed)) < len(needed)

    async def _draw(self, chain: Chain, pocket: Pocket, wanted: Wanted, where: Position) -> Drawn | None:
        """An unsigned transaction that is worth its cost; None, and it is left alone, where there is none."""
        bears = sponsored(wanted, self._at.rules.sponsors)
        script = self._at.scripts.get(wanted.policy)
        if script is not None and not bears:
            datum = MILESTONE_DATUM.encode(wanted.terms)
            least = surely_costs(wanted, len(datum), len(script.contract.script), chain.parameters)
            if least > 0:
                self._leave_alone(wanted, f"it would cost at least {least} lovelace, and nobody sponsors it")
                return None
        drawn = await self._drawn(chain, pocket, wanted, where)
        allowed = await self._allowed(wanted, pocket, where)
        if drawn.built.loss > allowed:
            reason = f"it would cost {drawn.built.loss} lovelace: {allowed} are allowed"
            self._leave_alone(wanted, reason if bears else f"{reason}, for nobody sponsors it")
            return None
        return drawn

    async def _drawn(self, chain: Chain, pocket: Pocket, wanted: Wanted, where: Position) -> Drawn:
        """An unsigned transaction, whatever it costs."""
        state = (await coins.named(self._at.db, [wanted.state])).get(wanted.state)
        if state is None or wanted.policy not in self._at.scripts:
            raise NotPossible(f"the output {wanted.state}, or its contract, is not followed")
        around = self._around(chain, wanted.policy, where)
        return await draw(wanted, state, around, pocket.purse, chain.node.evaluate)

    async def _allowed(self, wanted: Wanted, pocket: Pocket, where: Position) -> int:
        """Lovelace that a release may cost: none, unless it is sponsored; then what is left of the day's limit, and
        what lies above the reserve."""
        if not sponsored(wanted, self._at.rules.sponsors):
            return 0
        at_stake = await releases.at_stake(self._at.db, wanted.state, self._at.now_ms() - DAY_MS)
        lost = await self._lost(pocket, where)
        balance = sum(coin.output.lovelace for coin in pocket.plain)
        return max(0, min(self._at.rules.max_loss_per_day - lost, balance - self._at.rules.reserve) - at_stake)

    async def _lost(self, pocket: Pocket, where: Position) -> int:
        """Lovelace that left the wallet within 24 hours, by its own transactions in blocks."""
        return await coins.lost_since(self._at.db, pocket.key_hash, where.day_ago)

    async def _make(
        self, chain: Chain, pocket: Pocket, drawn: Drawn, where: Position, *, by_hand: bool = False
    ) -> Release:
        """Sign, look once more, write down, send."""
        assert self._at.signer is not None
        signed = await sign(drawn.built, self._at.signer, max(0, drawn.built.loss))
        release = await self._begun(drawn.wanted, where, by_hand=by_hand)
        course = built(course_of(release), drawn.built.upper)
        sent = journaled(drawn.built, signed, course.course.attempts)
        release = await self._at.journal.write(release, course, sent, where.slot)
        pocket.keep(sent)
        self.aside.drop((drawn.wanted.distribution_id.hex(), shown_milestone(drawn.wanted.milestone_id)))
        log.info(
            "release.built",
            release=release.id,
            distribution=release.distribution_id.hex(),
            transaction=sent.id.hex(),
            payouts=len(release.allocations),
            cost=sent.loss,
        )
        release = await self._sender.send(chain.node, release, where)
        if release.state is ReleaseState.SUBMITTED:
            pocket.expect(sent)
        return release

    async def _begun(self, wanted: Wanted, where: Position, *, by_hand: bool = False) -> Release:
        """The release as the journal has it; begun, if it is new."""
        release = await releases.one(self._at.db, wanted.id)
        if release is None:
            release = new(wanted, self._at.now_ms(), by_hand=by_hand)
            reason = "somebody asked for it" if by_hand else "due, and all gates are open"
            await self._at.journal.intend(release, where.slot, reason)
        return await self._at.journal.by_hand(release) if by_hand else release

    async def _not_made(self, wanted: Wanted, where: Position, error: IndexerError, answer: Answer) -> None:
        """It could not be built. Where trying again may help, it is left alone for a while; else a person is told."""
        if not isinstance(answer, Never):
            self._leave_alone(wanted, str(error))
            return
        release = await self._begun(wanted, where)
        turn = answered(course_of(release), answer)
        assert turn is not None
        await self._at.journal.turn(release, turn, where.slot)
        log.error("release.failed", release=release.id, code=error.code, reason=str(error), hint=error.hint)

    def _leave_alone(self, wanted: Wanted, reason: str) -> None:
        key = (wanted.distribution_id.hex(), shown_milestone(wanted.milestone_id))
        self.aside.put(key, wanted.state)
        log.info("release.left_alone", distribution=key[0], milestone=key[1], reason=reason)

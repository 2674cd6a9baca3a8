"""What `explain` answers, and what it gathers for that: from the database, and from the node if it can be reached."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiosqlite import Connection

from indexer import app
from indexer.chain.point import Tip
from indexer.chain.time import iso, slot_to_ms
from indexer.cli import find
from indexer.cli.outputs import Output
from indexer.cli.reaching import connector
from indexer.cli.wallets import wallet_of
from indexer.config import Config
from indexer.domain import explaining
from indexer.domain.explaining import Facts, Journaled, Proposal, Reason
from indexer.domain.gates import Stands
from indexer.domain.judge import Wanted, judge, sponsored
from indexer.domain.life import Life
from indexer.domain.submission import IN_THE_CHAIN, UNDER_WAY
from indexer.errors import IndexerError, SessionBroken, WrongNetwork
from indexer.plutus.identity import shown_milestone
from indexer.status import FollowerStatus, KeeperStatus
from indexer.store import checkpoints, releases
from indexer.store.releases import Release
from indexer.workers.making import Drawn
from indexer.workers.premises import Position, Premises
from indexer.workers.releaser import Releaser
from indexer.workers.sender import Sender
from indexer.workers.sending import Connect, on_network


class ReasonTold(Output):
    """A link of the chain: `ok`, `done`, `waiting` (nothing to do), or `blocked` (with a hint)."""

    topic: str
    standing: str
    sentence: str
    hint: str | None


class Explanation(Output):
    """Why a milestone is released or not, as of the database's cursor. `conclusion` is the last of the reasons."""

    distribution_id: str
    milestone_id: str
    as_of: str
    reasons: tuple[ReasonTold, ...]
    conclusion: ReasonTold

    def told(self) -> str:
        """In words."""
        lines = [f"milestone {self.milestone_id} of distribution {self.distribution_id}, as of {self.as_of}", ""]
        marks = {"ok": "+", "done": "=", "waiting": "…", "blocked": "!"}
        for one in (*self.reasons, self.conclusion):
            if one is self.conclusion:
                lines.append("")
            lines.append(f"{marks[one.standing]} {one.topic}: {one.sentence}")
            if one.hint is not None and one.standing != "ok":
                lines.append(f"    {one.hint}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Matter:
    """A milestone, and what the keeper would work with."""

    premises: Premises
    where: Position
    life: Life
    milestone_id: bytes

    @property
    def found(self) -> object:
        """What the judge says."""
        return judge(self.life, self.milestone_id, self.where.time_ms)


@asynccontextmanager
async def matter_of(config: Config, distribution: str, milestone: str) -> AsyncIterator[Matter]:
    """A milestone as one moment of the database has it; nothing is written.

    Raises DistributionUnknown, MilestoneUnknown, NoDatabase, and what keys and blueprints raise.
    """
    async with find.moment(config.database.path) as db:
        life = await find.life_of(db, distribution)
        milestone_id = find.milestone_of(life, milestone)
        address = await wallet_of(config, db)
        premises = app.premises_of(config, db, None, await _follower(db), KeeperStatus(), address=address)
        where = await premises.position()
        assert where is not None  # a distribution was read
        yield Matter(premises, where, life, milestone_id)


async def _follower(db: Connection) -> FollowerStatus:
    """Where the follower stands, as the database tells it."""
    standing = await checkpoints.read(db)
    status = FollowerStatus(cursor=standing.cursor.place, height=standing.cursor.height)
    slot = getattr(standing.cursor.place, "slot", None)
    if slot is not None:
        status.cursor_time_ms = slot_to_ms(standing.network.eras, slot)
    tip = await checkpoints.tip(db)
    if tip is not None and slot is not None:
        status.tip = Tip(standing.cursor.place, tip)  # type: ignore[arg-type]  # a point, for it has a slot
    return status


async def explain(config: Config, distribution: str, milestone: str) -> Explanation:
    """The chain of reasons. The node is asked where something could be released; what it says is then part of it."""
    async with matter_of(config, distribution, milestone) as matter:
        reasons = await reasons_of(matter, connector(config))
        told = [
            ReasonTold(topic=each.topic, standing=str(each.standing), sentence=each.sentence, hint=each.hint)
            for each in reasons
        ]
        return Explanation(
            distribution_id=matter.life.id.hex(),
            milestone_id=shown_milestone(matter.milestone_id),
            as_of=iso(matter.where.time_ms),
            reasons=tuple(told[:-1]),
            conclusion=told[-1],
        )


async def reasons_of(matter: Matter, connect: Connect) -> list[Reason]:
    """The chain of reasons, gathered."""
    journal = await releases.by_distribution(matter.premises.db, matter.life.id)
    under_way = [each for each in journal if each.state in UNDER_WAY and each.state_output == matter.life.reference]
    others = [(each.id, each.milestone_id) for each in under_way if each.milestone_id != matter.milestone_id]
    gates, proposal = await _looked_at(connect, matter, proposes=not under_way)
    return explaining.explain(
        Facts(
            matter.life,
            matter.milestone_id,
            matter.where.time_ms,
            gates,
            [_journaled(each, matter) for each in journal if each.milestone_id == matter.milestone_id],
            proposal,
            matter.life.origin is not None and matter.life.origin.policy in matter.premises.scripts,
            others[0] if others else None,
        )
    )


async def _looked_at(connect: Connect, matter: Matter, *, proposes: bool) -> tuple[list[Stands], Proposal | str | None]:
    """The gates, and the transaction that would be sent; the node is asked only where something is due."""
    premises, found = matter.premises, matter.found
    if not isinstance(found, Wanted):
        return await premises.gates(matter.where), None
    proposal: Proposal | str | None = None
    try:
        async with on_network(connect, premises.network)() as node:
            premises.major = (await node.parameters()).major
            if proposes and premises.address is not None and found.policy in premises.scripts:
                try:
                    releaser = Releaser(premises, Sender(premises))
                    proposal = _proposal(*await releaser.propose(node, matter.where, found), premises)
                except SessionBroken:
                    raise
                except IndexerError as error:
                    proposal = str(error)
    except (SessionBroken, WrongNetwork) as error:
        premises.node_trouble = str(error)
    return await premises.gates(matter.where), proposal


def _proposal(drawn: Drawn, allowed: int, premises: Premises) -> Proposal:
    built = drawn.built
    return Proposal(
        built.id.hex(),
        len(drawn.wanted.allocations),
        built.loss,
        allowed,
        sponsored(drawn.wanted, premises.rules.sponsors),
        built.size,
    )


def _journaled(one: Release, matter: Matter) -> Journaled:
    transaction = one.landed.transaction_id if one.landed is not None else None
    if transaction is None and one.latest is not None:
        transaction = one.latest.id
    depth = None
    if one.landed is not None and one.landed.height is not None:
        depth = matter.where.height - one.landed.height
    return Journaled(
        one.id,
        one.state,
        one.attempts,
        None if transaction is None else transaction.hex(),
        depth,
        one.last_error,
        one.retry_ms,
        one.state not in IN_THE_CHAIN and one.state_output != matter.life.reference,
    )

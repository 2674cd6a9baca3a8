"""What `explain` says, beside what chain, wallet and journal say by themselves (`tests/chaos/reasons.py`).

It is asked as the command asks: with a database that it only reads, a connection of its own, and no memory.
"""

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Final

from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from indexer.cli import explains, find
from indexer.cli.explains import Matter, reasons_of
from indexer.domain.explaining import Reason
from indexer.edge.node import Node
from indexer.edge.node import node as node_session
from indexer.status import KeeperStatus
from indexer.store import lives
from indexer.workers.premises import Premises
from tests.chaos.house import NETWORK, PATIENCE_S, House
from tests.chaos.reading import Surviving
from tests.chaos.reasons import Case, Expected, cost_of, counted, expected
from tests.contract.terms import message
from tests.support.promises import Plan

_COST: Final = re.compile(r"it costs the wallet (\d+) lovelace|the wallet gains (\d+) lovelace")


def cases(house: House, plans: Iterable[Plan], found: Surviving) -> list[Case]:
    """Each milestone of each distribution on the chain."""
    plans = [plan for plan in plans if plan.id in found.began]
    local = told(house, plans)
    return [
        Case(
            house,
            found,
            plan,
            milestone,
            frozenset(found.signed.get((plan.id, milestone), set()) | local.get((plan.id, milestone), set())),
            house.bears(plan),
        )
        for plan in plans
        for milestone in dict.fromkeys(each.milestone for each in plan.terms.allocations)
    ]


def some(random: Random, of: Sequence[Case]) -> list[Case]:
    """One of them. Where something could be paid, a transaction is built to tell what it costs, which takes ten times
    as long as all else: of these one is chosen more seldom."""
    quiet = [case for case in of if not case.ripe]
    chosen = quiet if quiet and random.random() < 0.6 else of
    return [random.choice(chosen)] if chosen else []


async def explained(house: House, of: Iterable[Case]) -> None:
    """Of each of these, `explain` says what is so."""
    for case in of:
        async with _asked(house, case) as reasons:
            _compare(case, reasons)


@asynccontextmanager
async def _asked(house: House, case: Case) -> AsyncIterator[list[Reason]]:
    async with find.moment(house.path) as db:
        premises = Premises(
            db,
            NETWORK,
            house.at.scripts,
            house.rules,
            house.at.signer,
            house.wallet.address,
            await explains._follower(db),
            house.folder,
            house.now_ms,
            KeeperStatus(),
        )
        where = await premises.position()
        assert where is not None
        life = (await lives.load(db, [case.plan.id]))[case.plan.id]
        yield await reasons_of(Matter(premises, where, life, case.milestone), lambda: _node(house))


@asynccontextmanager
async def _node(house: House) -> AsyncIterator[Node]:
    """The node itself: what is to go wrong with the daemon's words to it does not with those of a command."""
    async with node_session(house._url, {}, PATIENCE_S) as node:
        yield node


def _compare(case: Case, reasons: Sequence[Reason]) -> None:
    last, may = reasons[-1], expected(case)
    said = Expected(str(last.standing), last.sentence)
    name = f"keeper {case.house.number}, {case.plan.id.hex()[:8]} {case.milestone!r}: {said}"
    fits = [one for one in may if one.standing == said.standing and one.words in said.words]
    assert fits, f"{name}, and may be {may}"
    sentences = "\n".join(each.sentence for each in reasons)
    for told in counted(case):
        assert told in sentences, f"{name}: it does not say {told!r} but {sentences}"
    if cost := _COST.search(sentences):
        low, high = cost_of(case)
        assert low <= int(cost[1] or 0) - int(cost[2] or 0) <= high, f"{name}: it is between {low} and {high}"
    gates = {each.topic.removeprefix("gate "): str(each.standing) == "ok" for each in reasons if "gate " in each.topic}
    if fits[0].gates is not None:
        right = dict.fromkeys(gates, True) | dict(fits[0].gates)  # of the others none is ever shut here
        assert gates == right, f"{name}: gates {gates}, and should be {right}"


def told(house: House, plans: Iterable[Plan]) -> dict[tuple[bytes, bytes], set[bytes]]:
    """Who signed what in files, verified here."""
    found: dict[tuple[bytes, bytes], set[bytes]] = {}
    by_id = {plan.id: plan for plan in plans}
    for row in house.rows("SELECT * FROM signature WHERE source = 'local'"):
        plan = by_id.get(bytes.fromhex(row["distribution_id"]))
        if plan is not None:
            milestone, oracle = row["milestone_id"].encode(), bytes.fromhex(row["oracle"])
            signed = message(plan.contract.hash, plan.id, milestone)
            try:
                VerifyKey(oracle).verify(signed, bytes.fromhex(row["signature"]))
            except (BadSignatureError, ValueError):
                continue
            found.setdefault((plan.id, milestone), set()).add(oracle)
    return found

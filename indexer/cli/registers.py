"""What `register-milestone` does: check a schedule in full, say what it takes, and create the distribution."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from indexer import errors
from indexer.cli import find, refusals, schedules
from indexer.cli.outputs import Output
from indexer.cli.reaching import connector, contract_of, search
from indexer.cli.spending import Desk, Means, Transaction, conclude, prepare, say
from indexer.cli.tokens import Tokens, Worded
from indexer.cli.told import ada, table
from indexer.config import Config
from indexer.documents import MAX_BYTES, MilestoneSchedule, parse
from indexer.edge.builder.build import Built
from indexer.edge.builder.coins import usable
from indexer.edge.builder.funding import seed_for
from indexer.edge.builder.intents import Create, Surroundings
from indexer.edge.files import read_up_to
from indexer.plutus.address import address_text
from indexer.plutus.blueprint import Blueprint
from indexer.plutus.datum import MILESTONE_DATUM, Distribution
from indexer.plutus.identity import distribution_id, shown_milestone
from indexer.plutus.ledger import OutputReference as Seed
from indexer.store import lives
from indexer.store.db import opened_for_reading
from indexer.workers.payable import MilestoneCost, Payable, Unpayable, payable
from indexer.workers.sending import look
from indexer.workers.sent import purpose

_TELL = 5  # of many objections


class Cost(Output):
    """What a transaction takes: bytes, units of scripts, lovelace of fee."""

    size: int
    memory: int
    steps: int
    fee: int

    @classmethod
    def of(cls, built: Built) -> "Cost":
        """Of one that was built."""
        return cls(size=built.size, memory=built.units.memory, steps=built.units.steps, fee=built.fee)


class MilestoneCheck(Output):
    """A milestone: what it pays, how many transactions that takes, and the largest of them.

    `keeper_gain`: lovelace that the least rewarding of them brings whoever submits it; negative where it costs.
    """

    milestone_id: str
    allocations: int
    amount: int
    transactions: int
    largest: Cost
    keeper_gain: int


class Registration(Worded):
    """A schedule that can be kept. Amounts are in the smallest unit, `lovelace_*` of ada.

    `distribution_id` and `reference` (of the output that holds it) are null while the coin that seeds it is not
    chosen, for nobody is named who pays; `transaction` where none was asked for.
    """

    network: str
    contract: str
    address: str
    datum: str
    distribution_id: str | None
    reference: str | None
    funder: str
    token_policy: str
    token_name: str
    amount_total: int
    beneficiaries: int
    allocations: int
    milestones: tuple[MilestoneCheck, ...]
    lovelace_promised: int
    lovelace_reserve: int
    lovelace_locked: int
    creation: Cost
    warnings: tuple[str, ...]
    transaction: Transaction | None

    def words(self, tokens: Tokens) -> str:
        """For people."""
        token = self.token_policy, self.token_name
        rows = [
            (
                one.milestone_id,
                one.allocations,
                tokens.number(*token, one.amount),
                one.transactions,
                f"{one.largest.size:,}",
                ada(one.largest.fee),
                ada(one.keeper_gain) if one.keeper_gain >= 0 else f"-{ada(-one.keeper_gain)}",
            )
            for one in self.milestones
        ]
        heads = ("milestone", "allocations", "amount", "transactions", "bytes", "fee", "its keeper gains")
        lines = [
            f"token         {tokens.unit(*token)}{f' (policy {token[0]}, name {token[1]})' if token[0] else ''}",
            f"promised      {tokens.amount(*token, self.amount_total)} to {self.beneficiaries} beneficiaries",
            f"locked        {ada(self.lovelace_locked)} ada",
            f"  promised    {ada(self.lovelace_promised)} ada",
            f"  reserve     {ada(self.lovelace_reserve)} ada, which comes back with `reclaim`",
            f"address       {self.address} ({self.network})",
            f"datum         {self.datum}",
            f"creation      {self.creation.size:,} bytes, fee {ada(self.creation.fee)} ada",
            "",
            table(heads, rows, frozenset((1, 2, 3, 4, 5, 6))),
            *(["", *(f"warning: {one}" for one in self.warnings)] if self.warnings else []),
            "",
        ]
        if self.transaction is not None:
            lines += self.transaction.lines()
        lines.append(f"distribution  {self.distribution_id or 'its id is known once it is known who pays'}")
        return "\n".join(lines)


def register(config: Config, means: Means, path: Path, *, submit: bool, again: bool) -> Registration:
    """Check a schedule; with `submit`, or where the unsigned transaction is wanted, create it.

    Raises FileUnusable, DocumentGarbled, DocumentInvalid, ScheduleRefused, SameTermsOpen, and what `prepare` and
    `conclude` raise.
    """
    schedule = parse(MilestoneSchedule, read_up_to(path, MAX_BYTES), str(path))
    contract = contract_of(config)
    terms = schedule.terms()
    _refuse(path, schedules.against(schedule, config.chain, contract.policy_id, find.now_ms()))
    wanted = submit or means.out is not None or means.dry_run
    if wanted:
        payer = means.payer
        if payer[1:29] != terms.funder and terms.funder not in [key.hash for key in means.keys] and means.out is None:
            _refuse(
                path,
                [f"funder is {terms.funder.hex()}: the key that signs is {payer[1:29].hex()}, and both have to be one"],
            )
        if not again:
            asyncio.run(_refuse_same(config, terms))
    try:
        around, found = asyncio.run(_examine(config, contract, terms))
    except Unpayable as unpayable:
        _refuse(path, list(unpayable.reasons))
        raise
    built, made = None, None
    if means.address is not None:
        name = purpose("register", contract.hash, MILESTONE_DATUM.encode(terms))
        built = asyncio.run(prepare(config, means, contract, name, _intent(terms, found), again=again or not wanted))
        if wanted:
            for warning in _warnings(terms, found):  # before anybody agrees
                say(f"warning: {warning}")
            token = terms.token.policy_id.hex(), terms.token.asset_name.hex()
            total = Tokens.of(config.token).amount(*token, sum(each.token_amount for each in terms.allocations))
            title = (
                f"Create a distribution that promises {total} in {len(terms.allocations)} allocations,\n"
                f"  and locks {ada(found.locked.total)} ada"
            )
            made = conclude(config, means, built, name, title)
    return _told(config, schedule, contract, around, found, built, made)


def _refuse(path: Path, reasons: list[str]) -> None:
    if reasons:
        more = [f"and {len(reasons) - _TELL} more"] if len(reasons) > _TELL else []
        raise refusals.ScheduleRefused(f"{path}: {'; '.join([*reasons[:_TELL], *more])}")


async def _refuse_same(config: Config, terms: Distribution) -> None:
    """A second run of the same command, or of the same schedule in another file."""
    try:
        async with opened_for_reading(config.database.path) as db:
            same = await lives.open_with(db, terms.funder, MILESTONE_DATUM.encode(terms))
    except errors.NoDatabase:
        return
    if same:
        raise refusals.SameTermsOpen(f"distribution {same[0].hex()} has these very terms, and is open")


async def _examine(config: Config, contract: Blueprint, terms: Distribution) -> tuple[Surroundings, Payable]:
    say("building the creation and every release, for the node to evaluate")
    async with connector(config)() as there:
        around, _ = await look(there, config.chain, contract, await search(config, contract), None)
        return around, await payable(terms, around, there.evaluate)


def _intent(terms: Distribution, found: Payable) -> Callable[[Desk], Awaitable[Create]]:
    async def make(desk: Desk) -> Create:
        return Create(terms, seed_for(terms, usable(desk.purse)), found.locked.total)

    return make


def _told(
    config: Config,
    schedule: MilestoneSchedule,
    contract: Blueprint,
    around: Surroundings,
    found: Payable,
    built: Built | None,
    made: Transaction | None,
) -> Registration:
    terms = schedule.terms()
    name = None
    if built is not None:
        assert isinstance(built.intent, Create)
        seed = built.intent.seed.reference
        name = distribution_id(Seed(seed.transaction_id, seed.index), terms)
    return Registration(
        network=config.chain.name,
        contract=contract.hash.hex(),
        address=address_text(contract.address(), around.network_id),
        datum=MILESTONE_DATUM.encode(terms).hex(),
        distribution_id=None if name is None else name.hex(),
        reference=None if built is None else f"{built.id.hex()}#0",
        funder=terms.funder.hex(),
        token_policy=terms.token.policy_id.hex(),
        token_name=terms.token.asset_name.hex(),
        amount_total=sum(each.token_amount for each in terms.allocations),
        beneficiaries=schedules.beneficiaries(schedule),
        allocations=len(terms.allocations),
        milestones=tuple(_milestone(terms, one) for one in found.milestones),
        lovelace_promised=found.locked.promise,
        lovelace_reserve=found.locked.reserve,
        lovelace_locked=found.locked.total,
        creation=Cost.of(found.creation if built is None else built),
        warnings=_warnings(terms, found),
        transaction=made,
    )


def _warnings(terms: Distribution, found: Payable) -> tuple[str, ...]:
    checks = [_milestone(terms, one) for one in found.milestones]
    worth = [
        f"a release of {one.milestone_id} costs its keeper more than it gets (keeper_fee_per_payout is "
        f"{terms.keeper_fee_per_payout}): only a keeper who sponsors it will send it"
        for one in checks
        if one.keeper_gain < 0
    ]
    return *schedules.warnings(terms), *worth


def _milestone(terms: Distribution, one: MilestoneCost) -> MilestoneCheck:
    return MilestoneCheck(
        milestone_id=shown_milestone(one.milestone_id),
        allocations=len(one.allocations),
        amount=sum(terms.allocations[index].token_amount for index in one.allocations),
        transactions=len(one.releases),
        largest=Cost.of(max(one.releases, key=lambda built: built.size)),
        keeper_gain=min(-built.loss for built in one.releases),
    )

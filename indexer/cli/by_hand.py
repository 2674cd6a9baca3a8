"""What `submit-release` does: show what would be paid and what it costs, ask, and have the daemon send it."""

import asyncio
from typing import Literal

import typer

from indexer.chain.time import iso, slot_to_ms
from indexer.cli.explains import Matter, matter_of
from indexer.cli.outputs import Output
from indexer.cli.pauses import ask_daemon, daemon_runs
from indexer.cli.reaching import connector
from indexer.cli.refusals import PayerMissing
from indexer.cli.tokens import Tokens, Worded, worded
from indexer.cli.told import Told, ada, confirm, table
from indexer.config import Config
from indexer.domain.judge import Unwanted, Wanted
from indexer.edge.requests import Kind
from indexer.errors import IndexerError
from indexer.plutus.address import address_text
from indexer.plutus.identity import shown_milestone
from indexer.workers.clerk import NotReleasable
from indexer.workers.making import Drawn
from indexer.workers.releaser import Releaser
from indexer.workers.sender import Sender
from indexer.workers.sending import on_network


class NoDaemon(IndexerError):
    """A release is sent by the daemon, which stays with it; none is running."""

    code = "daemon.not_running"
    hint = "start `indexer run`, with [keeper] signing_key; it may have enabled = false"


class Payout(Output):
    """What a beneficiary gets."""

    allocation_index: int
    beneficiary: str
    amount: int


class SubmittedRelease(Worded):
    """A release by hand. Amounts in the token's smallest unit, the rest in lovelace; `cost` is less than 0 where the
    wallet gains. `state` and `release_id` are the journal's; a dry run has none."""

    distribution_id: str
    milestone_id: str
    token_policy: str
    token_name: str
    payouts: tuple[Payout, ...]
    left: int
    fee: int
    cost: int
    size: int
    memory: int
    steps: int
    valid_until: str
    state: str
    transaction_id: str
    release_id: str | None

    def words(self, tokens: Tokens) -> str:
        """In words."""
        match self.state:
            case "dry_run":
                return "\n".join([*self.shown(tokens), "", "not sent: a dry run"])
            case state:
                return f"release {self.release_id}: transaction {self.transaction_id} is {state}; `indexer releases`"

    def shown(self, tokens: Tokens) -> list[str]:
        """What it pays, and what it costs."""
        rows = [
            (one.allocation_index, one.beneficiary, tokens.number(self.token_policy, self.token_name, one.amount))
            for one in self.payouts
        ]
        cost = f"costs the wallet {ada(self.cost)} ada" if self.cost > 0 else f"brings the wallet {ada(-self.cost)} ada"
        lines = [
            f"milestone {self.milestone_id} of distribution {self.distribution_id}",
            "",
            table(("", "beneficiary", tokens.unit(self.token_policy, self.token_name)), rows, frozenset((0, 2))),
            "",
            f"{cost}, the fee of {ada(self.fee)} ada reckoned in; {self.size:,} bytes, valid until {self.valid_until}",
        ]
        if self.left:
            lines.append(f"{self.left} allocations that are due do not fit, and take another release")
        return lines


def submit(config: Config, distribution: str, milestone: str, *, yes: bool, dry_run: bool, as_json: bool) -> Told:
    """Show, ask, have it sent.

    Raises NotReleasable, NoDaemon, NotConfirmed, what building raises, and what the daemon refuses.
    """
    shown = asyncio.run(_look(config, distribution, milestone))
    if dry_run:
        return worded(shown, config)
    if not daemon_runs(config):
        raise NoDaemon(f"nobody writes to {config.database.path}")
    if not as_json:
        typer.echo("\n".join(shown.shown(Tokens.of(config.token))) + "\n")
    confirm("Release this?", "nothing was sent", go_ahead=yes, may_ask=not as_json)
    arguments = {
        "distribution_id": shown.distribution_id,
        "milestone_id": shown.milestone_id,
        "most": max(0, shown.cost),
    }
    answer = asyncio.run(ask_daemon(config, Kind.RELEASE, arguments))
    update = {
        "state": str(answer.get("state")),
        "release_id": str(answer.get("release_id")),
        "transaction_id": str(answer.get("transaction_id")),
    }
    return worded(shown.model_copy(update=update), config)


async def _look(config: Config, distribution: str, milestone: str) -> SubmittedRelease:
    async with matter_of(config, distribution, milestone) as matter:
        premises, found = matter.premises, matter.found
        if isinstance(found, Unwanted):
            raise NotReleasable(found)
        assert isinstance(found, Wanted)
        if premises.address is None:
            raise PayerMissing(
                "the keeper has no key", hint="set [keeper] signing_key, or signer with verification_key"
            )
        async with on_network(connector(config), config.chain)() as node:
            drawn, _ = await Releaser(premises, Sender(premises)).propose(node, matter.where, found)
        return _shown(matter, found, drawn, "dry_run")


def _shown(matter: Matter, wanted: Wanted, drawn: Drawn, state: Literal["dry_run"]) -> SubmittedRelease:
    terms, built = drawn.wanted.terms, drawn.built
    network = matter.premises.network
    paid = [(index, terms.allocations[index]) for index in drawn.wanted.allocations]
    return SubmittedRelease(
        distribution_id=matter.life.id.hex(),
        milestone_id=shown_milestone(matter.milestone_id),
        token_policy=terms.token.policy_id.hex(),
        token_name=terms.token.asset_name.hex(),
        payouts=tuple(
            Payout(
                allocation_index=index,
                beneficiary=address_text(each.beneficiary, network.id),
                amount=each.token_amount,
            )
            for index, each in paid
        ),
        left=len(wanted.allocations) - len(paid),
        fee=built.fee,
        cost=built.loss,
        size=built.size,
        memory=built.units.memory,
        steps=built.units.steps,
        valid_until=iso(slot_to_ms(built.around.timeline.eras, built.upper)),
        state=state,
        transaction_id=built.id.hex(),
        release_id=None,
    )

"""Distributions for people: answers as tables, amounts in the token's decimals. Whatever came from the chain is escaped
by `table`, or is a word, hex or bech32."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from indexer.cli.tokens import Tokens
from indexer.cli.told import ada, shortened, table

# Each command loads the models of its own answer: making those of all of them takes longer than most questions.
if TYPE_CHECKING:
    from indexer.cli.claims import Calculation
    from indexer.cli.happened import AnyEvent
    from indexer.cli.outputs import Status
    from indexer.cli.states import DistributionContractState, MilestoneState, SignatureState

_MOST: Final = 50  # rows of a table that has no natural end; --json has all
_LONGEST_ID: Final = 130  # as it is shown: 0x and 64 bytes; an attestation may name anything


def status_in_words(status: "Status", tokens: Tokens) -> str:
    """Where the follower stands, how many distributions there are, and what is due."""
    counts = status.distributions
    when = "" if status.as_of_slot is None else f" as of slot {status.as_of_slot}"
    lines = [
        status.told(),
        "",
        f"distributions{when}: {', '.join(f'{count:,} {name}' for name, count in counts)}",
        "",
    ]
    if not status.due:
        return "\n".join([*lines, f"nothing is due{when}"])
    rows = [
        (
            shortened(one.distribution_id),
            one.milestone_id,
            one.allocations,
            tokens.number(one.token_policy, one.token_name, one.amount),
            tokens.unit(one.token_policy, one.token_name),
            one.vested_at,
        )
        for one in status.due
    ]
    heads = ("distribution", "milestone", "allocations", "amount", "of", "vested since")
    lines += [f"due{when}: quorum met, vested, not paid", "", table(heads, rows, frozenset((2, 3)))]
    if (more := status.due_total - len(status.due)) > 0:
        lines.append(f"and {more:,} more: --all lists them, --limit N the first N")
    return "\n".join(lines)


def state_in_words(state: "DistributionContractState", tokens: Tokens) -> str:
    """A distribution's terms and how far it is, milestone by milestone."""
    token = state.token_policy, state.token_name
    promised, paid, left = (
        tokens.number(*token, amount) for amount in (state.amount_total, state.amount_paid, state.amount_left)
    )
    carried, fee = ada(state.lovelace_per_payout), ada(state.keeper_fee_per_payout)
    lines = [
        f"distribution  {state.distribution_id}",
        f"state         {state.state}, as of slot {state.as_of_slot} ({state.as_of_time})",
        f"token         {tokens.unit(*token)}{f' (policy {token[0]})' if token[0] else ''}",
        f"amounts       {promised} promised, {paid} paid, {left} left",
        f"allocations   {state.allocations_claimed} of {state.allocations_total} paid",
        f"quorum        {state.quorum_threshold} of {len(state.oracles)} oracles",
        *(f"oracle        {oracle}" for oracle in state.oracles),
        f"funder        {state.funder}",
        f"a payout      carries {carried} ada, and pays its keeper {fee} ada",
        f"expires       {state.expires_at or 'never'}",
        f"created       {state.created_at}, slot {state.created_slot}, from {state.seed}",
        f"output        {state.output_reference}",
    ]
    if state.ended_by is not None:
        lines.append(f"ended         {state.updated_at}, slot {state.ended_slot}, by {state.ended_by}")
    for milestone in state.milestones:
        lines += ["", *_milestone_in_words(milestone, token, tokens)]
    if state.other_signatures:
        lines += ["", "signatures for milestones that it does not have", "", *_signatures(state.other_signatures)]
    if state.events:
        lines += ["", "what happened", "", _events(state.events)]
    return "\n".join(lines)


def calculation_in_words(found: "Calculation", tokens: Tokens) -> str:
    """Each allocation with its reason, then the totals."""
    token = found.token_policy, found.token_name
    rows = [
        (
            one.allocation_index,
            one.milestone_id,
            one.beneficiary,
            tokens.number(*token, one.amount),
            one.vesting_at,
            _plain(one.reason),
        )
        for one in found.allocations
    ]
    totals = [(_plain(one.reason), one.allocations, tokens.number(*token, one.amount)) for one in found.totals]
    return "\n".join(
        (
            f"distribution {found.distribution_id}, {found.state}, at {found.at}; amounts in {tokens.unit(*token)}",
            "",
            table(("", "milestone", "beneficiary", "amount", "vesting", "reason"), rows, frozenset((0, 3))),
            "",
            table(("total", "allocations", "amount"), totals, frozenset((1, 2))),
        )
    )


def _milestone_in_words(one: "MilestoneState", token: tuple[str, str], tokens: Tokens) -> Iterable[str]:
    met = "" if one.quorum_met_at is None else f" since {one.quorum_met_at}, slot {one.quorum_met_slot}"
    yield (
        f"milestone {one.milestone_id}: quorum {one.quorum_status}{met} "
        f"({one.signatures_valid} of {one.quorum_threshold} signatures)"
    )
    vesting = "" if one.next_vesting_at is None else f"; next vesting {one.next_vesting_at}"
    yield (
        f"  {tokens.amount(*token, one.amount_total)}: {tokens.number(*token, one.amount_vested)} vested, "
        f"{tokens.number(*token, one.amount_paid)} paid{vesting}"
    )
    rows = [
        (
            a.allocation_index,
            a.beneficiary,
            tokens.number(*token, a.amount),
            a.vesting_at,
            f"paid at slot {a.paid_slot}" if a.claimed else "vested" if a.vested else "not vested",
        )
        for a in one.allocations
    ]
    yield _indented(table(("", "beneficiary", "amount", "vesting", ""), rows, frozenset((0, 2))))
    if one.signatures:
        yield _indented("\n".join(_signatures(one.signatures)))


def _signatures(signatures: "Sequence[SignatureState]") -> Iterable[str]:
    """All that count; of the others, of which strangers may publish any amount, the latest."""
    others = sum(one.verdict != "valid" for one in signatures)
    skip = iter(range(others - _MOST))
    rows = [
        (shortened(one.oracle), _named(one.milestone_id), _plain(one.verdict), one.source, one.slot, one.seen_at)
        for one in signatures
        if one.verdict == "valid" or next(skip, None) is None
    ]
    yield table(("signature of", "milestone", "verdict", "source", "slot", "seen"), rows, frozenset((4,)))
    yield from _and_more(others)


def _events(events: "tuple[AnyEvent, ...]") -> str:
    rows = [
        (one.time, one.slot, one.type, None if one.milestone_id is None else _named(one.milestone_id), one.finality)
        for one in events[-_MOST:]
    ]
    return table(("time", "slot", "event", "milestone", ""), rows, frozenset((1,)))


def _named(milestone_id: str) -> str:
    """A milestone's id where it can be one, else the beginning of what an attestation names instead."""
    if len(milestone_id) <= _LONGEST_ID:
        return milestone_id
    return f"{shortened(milestone_id)} ({len(milestone_id) // 2 - 1:,} bytes)"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _plain(reason: str) -> str:
    return reason.replace("_", " ")


def _and_more(count: int) -> list[str]:
    return [f"and {count - _MOST:,} more: --json lists all"] if count > _MOST else []

"""Why a milestone is paid or not, found out a second time: from the chain's bytes, the wallet's coins and the journal.

What `explain` says is compared with it. Of the product nothing is used but the rows that it keeps: which releases are
written down, and their bytes. Whether these are true is told elsewhere (`checks.agree`); here they are taken for what
they say.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.chaos import people
from tests.chaos.house import House
from tests.chaos.reading import Surviving, opened
from tests.contract.parts import value_of
from tests.contract.terms import ADA, Allocation, Reference
from tests.support.promises import Plan, least, raw
from tests.support.spending import paid

UNDER_WAY: Final = {"built", "submitted", "rolled_back"}
TO_BE_BUILT: Final = {"intended", "expired", "refused"}
STAKED: Final = 6_000_000  # 150 % of the highest fee that mainnet's parameters make possible, and an ada; whole ada
FEES: Final = (150_000, 1_500_000)  # lovelace: no release has a lower fee, or a higher one
ROUGHLY: Final = 50_000  # lovelace that a shorter amount saves an output: min-ada goes by length
SPARE: Final = 6_000_000  # lovelace for change, which has to stand by itself
SHOWN: Final = 5  # releases of a milestone that are told, the newest
DAY_SLOTS: Final = 86_400


@dataclass(frozen=True)
class Expected:
    """How the last reason stands, and what its sentence has in it. `gates`: which are open, where that is told."""

    standing: str
    words: str
    gates: Mapping[str, bool] | None = None


@dataclass(frozen=True)
class Purse:
    """What a keeper may spend, and what it may lose. `free`: what no release keeps; `staked`: whether a coin can be."""

    plain: int
    free: int
    staked: bool
    allowed: int  # by the limit of a day and the reserve, where it bears costs


@dataclass(frozen=True)
class Case:
    """A milestone of a distribution, on a chain, beside one keeper. `signed`: the oracles that did; `sponsored`:
    whether the keeper bears the cost."""

    house: House
    found: Surviving
    plan: Plan
    milestone: bytes
    signed: frozenset[bytes]
    sponsored: bool

    @property
    def mine(self) -> dict[int, Allocation]:
        """Its allocations that are not paid."""
        return {
            n: each
            for n, each in enumerate(self.plan.terms.allocations)
            if each.milestone == self.milestone and (self.plan.id, n) not in self.found.claims
        }

    @property
    def due(self) -> list[int]:
        """Those whose time has come."""
        return [n for n, each in self.mine.items() if each.vesting <= self.found.now_ms]

    @property
    def late(self) -> bool:
        """Whether the chain's tip is old: a fork may have no block instead of the one it takes."""
        return self.house.now_ms() - self.found.now_ms > 1000 * self.house.rules.ready_within_s

    @property
    def ripe(self) -> bool:
        """Whether something of it can be paid."""
        met = len(self.signed & set(self.plan.terms.oracles)) >= self.plan.terms.threshold
        return met and self.plan.id in self.found.states and bool(self.due)


def expected(case: Case) -> list[Expected]:
    """What may be said. It is more than one thing only where nothing determines which: see `_whatever_it_costs`."""
    found, terms = case.found, case.plan.terms
    count = len(case.signed & set(terms.oracles))
    if case.plan.id not in found.states:
        return [Expected("done", "the funder had back what was left")]
    if not case.mine:
        return [Expected("done", "all of it is paid")]
    if count < terms.threshold:
        return [Expected("waiting", f"{count} of {terms.threshold} signatures verify")]
    if not case.due:
        return [Expected("waiting", "it is released with the first block after")]
    return _due(case)


def _due(case: Case) -> list[Expected]:
    at = case.found.states[case.plan.id]
    rows = [
        row
        for row in case.house.rows("SELECT * FROM release ORDER BY intended_ms DESC, release_id DESC")
        if Reference(bytes.fromhex(row["state_transaction_id"]), row["state_index"]) == at
    ]
    name = case.milestone.decode()  # all of them are plain words
    mine = [row for row in rows if row["milestone_id"] == name]
    watch = {
        "not_paused": not (case.house.folder / "paused").exists(),
        "caught_up": not case.late,
        "no_rollback": case.house.stands_high,
    }
    if under_way := next((row for row in mine if row["state"] in UNDER_WAY), None):
        return [_under_way(under_way["state"], watch)]
    if any(row["state"] in UNDER_WAY for row in rows):
        return [Expected("waiting", "this one spends what that one leaves")]
    purse = purse_of(case)
    gates = watch | {
        "reserve": purse.plain >= case.house.rules.reserve,
        "collateral": purse.staked,
    }
    if any(row["state"] == "failed" for row in mine[:SHOWN]):
        return [Expected("blocked", "not released: journal: ", gates)]
    if shut := [gate for gate in ("not_paused", "caught_up", "reserve", "collateral") if not gates[gate]]:
        return [Expected("blocked", f"not released: gate {shut[0]}: ", gates)]
    if not gates["no_rollback"]:
        rest = Expected("waiting", "not released yet: gate no_rollback", gates)
    elif any(row["state"] in TO_BE_BUILT and (row["retry_ms"] or 0) > case.found.now_ms for row in mine):
        rest = Expected("waiting", "it is tried again at", gates)
    else:
        # Whether the keeper has looked at it already, and leaves it alone for a while, nobody knows but its process.
        rest = Expected("ok", "it is released with the keeper's next round", gates)
    return _whatever_it_costs(case, purse, rest)


def _under_way(state: str, watch: Mapping[str, bool]) -> Expected:
    shut = [gate for gate, stands_open in watch.items() if not stands_open]
    if not shut:
        return Expected("waiting", "is under way: a block has to take it")
    if state == "submitted":
        return Expected("waiting", f"a block may take it; until then it is not sent again: gate {shut[0]}")
    standing = "waiting" if shut == ["no_rollback"] else "blocked"
    return Expected(standing, f"waits: it is not sent again: gate {shut[0]}")


def _whatever_it_costs(case: Case, purse: Purse, rest: Expected) -> list[Expected]:
    """Two things are not determined here. Whether few coins suffice goes by what a builder makes of them, and of change
    that a node may have forgotten; and what a release costs is known within an ada or two, which decides nothing
    unless the allowance lies in between."""
    terms = case.plan.terms
    low, high = cost_of(case)
    may: list[Expected] = []
    if purse.free < max(0, high) + SPARE:
        may.append(Expected("blocked", "not released: transaction: none can be built", rest.gates))
    if people.pays(terms):
        return [rest, *may]
    if not case.sponsored:
        return [Expected("blocked", "0 are allowed: nobody sponsors it", rest.gates), *may]
    told = f" lovelace, and {purse.allowed} are allowed"
    if low <= purse.allowed:
        may.append(rest)
    if high > purse.allowed:
        may.append(Expected("blocked", told, rest.gates))
    return may


def cost_of(case: Case) -> tuple[int, int]:
    """Lovelace that leave the wallet with a release of what is due, at least and at most."""
    terms, state = case.plan.terms, case.found.coins[case.found.states[case.plan.id]]
    left = value_of(state)[ADA] - len(case.due) * (terms.lovelace_per_payout + terms.keeper_fee_per_payout)
    left -= sum(terms.allocations[n].amount for n in case.due) if terms.token == ADA else 0
    added = max(0, least(state) - left)  # without a reserve, what is left cannot stand
    for n in case.due:
        allocation = terms.allocations[n]
        is_ada = terms.token == ADA
        given = terms.lovelace_per_payout + (allocation.amount if is_ada else 0)
        tokens = {} if is_ada else {terms.token: allocation.amount}
        added += max(0, least(paid(raw(allocation.beneficiary), given, tokens)) - given)
    added -= len(case.due) * terms.keeper_fee_per_payout
    return added + FEES[0] - ROUGHLY * (len(case.due) + 1), added + FEES[1]


def purse_of(case: Case) -> Purse:
    """The coins of ada alone; what the journal's transactions keep; what was lost within a day, and is at stake."""
    house, found = case.house, case.found
    plain = {
        at: coin[1]
        for at, coin in found.wallet(house.wallet.hash).items()
        if isinstance(coin[1], int) and coin.get(2) is None and coin.get(3) is None
    }
    latest: dict[str, dict[str, Any]] = {}
    kept: set[Reference] = set()
    for row in house.rows(
        "SELECT t.*, r.state FROM release_transaction t LEFT JOIN release r USING (release_id) ORDER BY t.attempt"
    ):
        waits = row["valid_until"] > found.slot and bytes.fromhex(row["transaction_id"]) not in found.transactions
        if row["release_id"] is None:
            kept |= set(opened(row["cbor"]).spent) if waits else set()
        elif row["state"] in UNDER_WAY:
            latest[row["release_id"]] = row
            kept |= set(opened(row["cbor"]).spent) if waits else set()
    for row in latest.values():
        kept |= set(opened(row["cbor"]).spent)
    free = {at: coin for at, coin in plain.items() if at not in kept and isinstance(coin, int)}
    stakes = [coin for coin in free.values() if STAKED <= coin <= 3 * STAKED]
    since = found.slot - DAY_SLOTS
    lost = sum(max(0, move.loss) for move in found.moves[house.wallet.hash] if move.slot >= since)
    at_stake = sum(_at_stake(case).values())
    balance = sum(coin for coin in plain.values() if isinstance(coin, int))
    left = min(house.rules.max_loss_per_day - lost, balance - house.rules.reserve) - at_stake
    return Purse(balance, sum(free.values()) - min(stakes, default=0), bool(stakes), max(0, left))


def _at_stake(case: Case) -> dict[str, int]:
    """What releases of other distributions may yet take, and no block tells of: those under way, and what was signed
    within a day and is said to have come to nothing."""
    since_ms, most = case.house.now_ms() - 1000 * DAY_SLOTS, dict[str, int]()
    for row in case.house.rows("SELECT t.*, r.* FROM release_transaction t JOIN release r USING (release_id)"):
        here = (
            Reference(bytes.fromhex(row["state_transaction_id"]), row["state_index"]) == case.found.states[case.plan.id]
        )
        counts = row["state"] in UNDER_WAY or (row["state"] in TO_BE_BUILT | {"failed"} and row["built_ms"] >= since_ms)
        if counts and not row["settled"] and not here:
            most[row["release_id"]] = max(most.get(row["release_id"], 0), row["loss"])
    return most


def counted(case: Case) -> list[str]:
    """What has to be said of signatures and allocations, each the beginning of a sentence."""
    terms, found = case.plan.terms, case.found
    whole = [n for n, each in enumerate(terms.allocations) if each.milestone == case.milestone]
    count, due = len(case.signed & set(terms.oracles)), len(case.due)
    already, later = len(whole) - len(case.mine), len(case.mine) - due
    told = [f"{count} of {terms.threshold} signatures that it takes verify"]
    if already:
        told.append(f"{already} of {len(whole)} allocations are paid, by ")
        told += sorted({found.claims[case.plan.id, n].transaction.hex() for n in whole if n not in case.mine})
    if due:
        told.append(f"{due} of {len(whole)} allocations are vested and not paid")
    if later:
        told.append(f"{later} of {len(whole)} allocations vest later")
    return told

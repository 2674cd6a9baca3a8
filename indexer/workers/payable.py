"""Whether what is to be promised can be created and paid: each transaction it takes is built on outputs that do not
exist yet, and its scripts are evaluated by the node, with the parameters of today.

The oracles' signatures do not exist yet either: other keys stand in for theirs, and times to come are taken as come.
Neither changes the length of anything.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from indexer.chain.block import Output, OutputReference, Script
from indexer.chain.coin import Coin
from indexer.chain.parameters import Units
from indexer.chain.time import slot_to_ms
from indexer.edge.builder.build import Built, build
from indexer.edge.builder.errors import LimitExceeded
from indexer.edge.builder.funding import Locked, home, lovelace_to_lock
from indexer.edge.builder.intents import Create, Planned, Purse, Release, Surroundings
from indexer.edge.builder.written import least_lovelace
from indexer.edge.keys import Key, generate
from indexer.errors import IndexerError
from indexer.ogmios.ledger_state import shown_coin
from indexer.ogmios.submission import EvaluationFailed, Pointer
from indexer.plutus.address import address_bytes, address_of, address_text
from indexer.plutus.datum import MILESTONE_DATUM, Distribution
from indexer.plutus.identity import message_to_sign
from indexer.plutus.ledger import Address, VerificationKey

_NOWHERE: Final = bytes.fromhex("ff" * 32)  # of no transaction: outputs that do not exist
_PLENTY: Final = 10_000_000_000  # lovelace
_NAME: Final = bytes(32)  # a state token's

EvaluateWith = Callable[[bytes, Sequence[Mapping[str, Any]]], Awaitable[Mapping[Pointer, Units]]]


@dataclass(frozen=True, slots=True)
class MilestoneCost:
    """The releases that a milestone takes if all of it is paid as soon as possible after all of it has vested."""

    milestone_id: bytes
    allocations: tuple[int, ...]
    releases: tuple[Built, ...]


@dataclass(frozen=True, slots=True)
class Payable:
    """What it takes to create a distribution and to pay it."""

    locked: Locked
    creation: Built
    milestones: tuple[MilestoneCost, ...]


class Unpayable(Exception):
    """Why terms cannot be created or paid, each reason by the field that it is about."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


async def payable(terms: Distribution, around: Surroundings, evaluate: EvaluateWith) -> Payable:
    """What it takes. Raises Unpayable, and what `evaluate` raises where the node cannot be asked."""
    if short := _too_little(terms, around):
        raise Unpayable(*short)
    there = [] if around.reference is not None else [_script_coin(around)]
    shown = [shown_coin(coin, around.contract.script) for coin in there]
    if there:
        around = replace(around, reference=there[0])
    locked = lovelace_to_lock(terms, around)
    try:
        creation = await _creation(terms, locked, around, evaluate, shown)
    except (LimitExceeded, EvaluationFailed) as error:
        _reraise_where_nothing_was_judged(error)
        count = len(terms.allocations)
        raise Unpayable(f"allocations are {count}: a distribution of so many cannot be created: {error}") from error
    trial = _Trial(terms, locked, around, evaluate, shown)
    milestones = list(dict.fromkeys(each.milestone_id for each in terms.allocations))
    return Payable(locked, creation, tuple([await trial.milestone(each) for each in milestones]))


def _reraise_where_nothing_was_judged(error: IndexerError) -> None:
    """A node that cannot evaluate at all says nothing about the terms."""
    if isinstance(error, EvaluationFailed) and not error.failures:
        raise error


def _too_little(terms: Distribution, around: Surroundings) -> list[str]:
    """Payouts that would hold less ada than the network asks for."""
    found, least_of_all = [], 0
    for index, each in enumerate(terms.allocations):
        assets: dict[tuple[bytes, bytes], int] = {}
        lovelace = terms.lovelace_per_payout
        if terms.token.is_ada:
            lovelace += each.token_amount
        else:
            assets[terms.token.policy_id, terms.token.asset_name] = each.token_amount
        payout = Planned(address_bytes(each.beneficiary, around.network_id), lovelace, assets)
        least = least_lovelace(payout, around.parameters)
        if lovelace < least and terms.token.is_ada:
            found.append(
                f"allocations[{index}].amount is {each.token_amount}: with lovelace_per_payout, which is "
                f"{terms.lovelace_per_payout}, its payout has to hold {least} lovelace at least"
            )
        elif lovelace < least:
            least_of_all = max(least_of_all, least)
    if least_of_all:
        found.append(
            f"lovelace_per_payout is {terms.lovelace_per_payout}: the network asks for {least_of_all} at least in a "
            "payout of these"
        )
    return found


def _coin(index: int, address: bytes, lovelace: int, assets: Mapping[tuple[bytes, bytes], int], **more: Any) -> Coin:
    held = tuple((policy, name, quantity) for (policy, name), quantity in assets.items())
    output = Output(address_text(*address_of(address)), lovelace, held, **more)
    return Coin(OutputReference(_NOWHERE, index), output)


def _script_coin(around: Surroundings) -> Coin:
    """The contract's script as if it were published."""
    script = Script("plutus:v3", around.contract.hash)
    found = _coin(0, home(around, None), _PLENTY, {}, script=script)
    return replace(found, script_size=len(around.contract.script))


def _somebody(around: Surroundings, key_hash: bytes) -> bytes:
    return address_bytes(Address(VerificationKey(key_hash), None), around.network_id)


def _token(terms: Distribution) -> dict[tuple[bytes, bytes], int]:
    if terms.token.is_ada:
        return {}
    return {(terms.token.policy_id, terms.token.asset_name): sum(each.token_amount for each in terms.allocations)}


async def _creation(
    terms: Distribution,
    locked: Locked,
    around: Surroundings,
    evaluate: EvaluateWith,
    shown: Sequence[Mapping[str, Any]],
) -> Built:
    """By its funder, out of a coin that holds all it takes."""
    address = _somebody(around, terms.funder)
    seed = _coin(1, address, locked.total + _PLENTY, _token(terms))
    coins = (seed, _coin(2, address, _PLENTY, {}))
    given = [*shown, *map(shown_coin, coins)]

    async def evaluated(raw: bytes) -> Mapping[Pointer, Units]:
        return await evaluate(raw, given)

    return await build(Create(terms, seed, locked.total), around, Purse(address, coins), evaluated)


class _Trial:
    """A distribution as if it had been created and its oracles had signed."""

    def __init__(
        self,
        terms: Distribution,
        locked: Locked,
        around: Surroundings,
        evaluate: EvaluateWith,
        shown: Sequence[Mapping[str, Any]],
    ) -> None:
        self._around, self._evaluate, self._contract = around, evaluate, around.contract
        self._hands: list[Key] = [generate() for _ in terms.oracles]
        now_ms = slot_to_ms(around.timeline.eras, around.tip)
        self._terms = replace(
            terms,
            oracles=tuple(hand.public for hand in self._hands),
            allocations=tuple(
                replace(each, vesting_timestamp=min(each.vesting_timestamp, now_ms)) for each in terms.allocations
            ),
        )
        assets = {(self._contract.policy_id, _NAME): 1, **_token(terms)}
        datum = MILESTONE_DATUM.encode(self._terms)
        self._state = _coin(3, home(around, None), locked.total, assets, datum=datum)
        keeper = _somebody(around, generate().hash)
        self._purse = Purse(keeper, (_coin(4, keeper, _PLENTY, {}), _coin(5, keeper, _PLENTY, {})))
        self._shown = [*shown, *map(shown_coin, (self._state, *self._purse.coins))]

    async def milestone(self, milestone_id: bytes) -> MilestoneCost:
        """As few releases as it can be paid with. Raises Unpayable."""
        indices = tuple(i for i, each in enumerate(self._terms.allocations) if each.milestone_id == milestone_id)
        left, releases = indices, list[Built]()
        while left:
            count, built = await self._most(milestone_id, left)
            releases.append(built)
            left = left[count:]
        return MilestoneCost(milestone_id, indices, tuple(releases))

    async def _most(self, milestone_id: bytes, indices: tuple[int, ...]) -> tuple[int, Built]:
        """How many of these, from the first on, one transaction can pay, and that one."""
        found: tuple[int, Built] | None = None
        few, many = 1, len(indices)
        count = many  # usually all of them
        reason: Exception | None = None
        while few <= many:
            try:
                found = count, await self._release(milestone_id, indices[:count])
                few = count + 1
            except (LimitExceeded, EvaluationFailed) as error:
                _reraise_where_nothing_was_judged(error)
                many, reason = count - 1, error
            count = (few + many) // 2
        if found is None:
            raise Unpayable(f"allocations[{indices[0]}] cannot be paid: its own release does not fit: {reason}")
        return found

    async def _release(self, milestone_id: bytes, indices: tuple[int, ...]) -> Built:
        message = message_to_sign(self._contract.policy_id, _NAME, milestone_id)
        # The last oracles: their positions take the most bytes.
        quorum = range(len(self._hands))[-self._terms.quorum_threshold :]
        signatures = tuple((index, self._hands[index].sign(message)) for index in quorum)
        intent = Release(self._state, milestone_id, indices, signatures)
        return await build(intent, self._around, self._purse, self._evaluated)

    async def _evaluated(self, raw: bytes) -> Mapping[Pointer, Units]:
        return await self._evaluate(raw, self._shown)

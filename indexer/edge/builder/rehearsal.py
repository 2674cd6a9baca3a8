"""Releases rehearsed: can everything that is about to be promised be paid, at the network's limits of today?

A distribution is made up that differs from the one to be created in nothing that takes room or time: same terms, but
oracles whose keys are ours, and vesting times that have come, written as long. Its releases are built, and evaluated by
the node on outputs that we tell it of.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Final, TypeAlias

from nacl.signing import SigningKey

from indexer.chain.block import Output, OutputReference
from indexer.chain.coin import Coin
from indexer.chain.parameters import Units
from indexer.chain.time import slot_to_ms
from indexer.edge.builder.build import Built, build
from indexer.edge.builder.errors import LimitExceeded, Unpayable
from indexer.edge.builder.intents import Purse, Release, Surroundings
from indexer.ogmios.ledger_state import shown
from indexer.ogmios.submission import Pointer
from indexer.plutus.address import address_bytes, address_text
from indexer.plutus.datum import MILESTONE_DATUM, Distribution
from indexer.plutus.identity import message_to_sign
from indexer.plutus.ledger import Address, Credential, VerificationKey

EvaluateWith: TypeAlias = Callable[[bytes, Sequence[Mapping[str, Any]]], Awaitable[Mapping[Pointer, Units]]]
"""What scripts use, with outputs that the node does not know: `Node.evaluate`."""

_NAME: Final = blake2b(b"a state token for rehearsals", digest_size=32).digest()
_KEEPER: Final = blake2b(b"a keeper for rehearsals", digest_size=28).digest()
_STATE: Final = OutputReference(blake2b(b"a distribution for rehearsals", digest_size=32).digest(), 0)
_FUEL: Final = OutputReference(blake2b(b"a coin for rehearsals", digest_size=32).digest(), 0)
_RICH: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A milestone's releases, each with the positions that it pays; in all they pay all of it."""

    milestone_id: bytes
    releases: tuple[tuple[tuple[int, ...], Built], ...]


async def rehearse(
    terms: Distribution, lovelace: int, around: Surroundings, evaluate: EvaluateWith, stake: Credential | None = None
) -> list[Rehearsed]:
    """The releases of every milestone, in the fewest transactions that fit, largest first.

    `lovelace` is what will be locked, `stake` the stake part of the distribution's address. Raises Unpayable where one
    allocation alone does not fit, and what `build` raises for other reasons.
    """
    keys = [SigningKey(blake2b(b"%d" % number, digest_size=32).digest()) for number in range(len(terms.oracles))]
    now = slot_to_ms(around.timeline.eras, around.tip)
    stand_in = replace(
        terms,
        oracles=tuple(bytes(key.verify_key) for key in keys),
        allocations=tuple(
            # Both take 9 bytes where the time is still to come: it is after 1970 plus fifty days.
            replace(each, vesting_timestamp=min(each.vesting_timestamp, now))
            for each in terms.allocations
        ),
    )
    state, purse = _state(stand_in, lovelace, around, stake), _purse(around)
    told = [shown(coin) for coin in (state, *purse.coins)]

    async def evaluated(raw: bytes) -> Mapping[Pointer, Units]:
        return await evaluate(raw, told)

    async def released(milestone: bytes, indices: Sequence[int]) -> Built:
        message = message_to_sign(around.contract.policy_id, _NAME, milestone)
        signatures = [(n, key.sign(message).signature) for n, key in enumerate(keys[: terms.quorum_threshold])]
        intent = Release(state, milestone, tuple(indices), tuple(signatures))
        return await build(intent, around, purse, evaluated)

    found = []
    for milestone in dict.fromkeys(each.milestone_id for each in terms.allocations):
        left = [index for index, each in enumerate(terms.allocations) if each.milestone_id == milestone]
        releases = []
        while left:
            count, built = await _most(milestone, left, released)
            releases.append((tuple(left[:count]), built))
            left = left[count:]
        found.append(Rehearsed(milestone, tuple(releases)))
    return found


async def _most(
    milestone: bytes, indices: Sequence[int], released: Callable[[bytes, Sequence[int]], Awaitable[Built]]
) -> tuple[int, Built]:
    """How many of these, from the first on, one transaction can pay; and it."""
    try:
        return len(indices), await released(milestone, indices)
    except LimitExceeded as error:
        if len(indices) == 1:
            raise Unpayable(indices[0], error) from error
    fits, best, too_many = 0, None, len(indices)
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        try:
            best = await released(milestone, indices[:middle])
        except LimitExceeded as error:
            too_many = middle
            if middle == 1:
                raise Unpayable(indices[0], error) from error
        else:
            fits = middle
    assert best is not None
    return fits, best


def _state(terms: Distribution, lovelace: int, around: Surroundings, stake: Credential | None) -> Coin:
    assets = [(around.contract.policy_id, _NAME, 1)]
    if not terms.token.is_ada:
        amount = sum(each.token_amount for each in terms.allocations)
        assets.append((terms.token.policy_id, terms.token.asset_name, amount))
    datum = MILESTONE_DATUM.encode(terms)
    address = address_text(around.contract.address(stake), around.network_id)
    digest = blake2b(datum, digest_size=32).digest()
    return Coin(_STATE, Output(address, lovelace, tuple(assets), digest, datum))


def _purse(around: Surroundings) -> Purse:
    address = Address(VerificationKey(_KEEPER))
    coin = Coin(_FUEL, Output(address_text(address, around.network_id), _RICH))
    return Purse(address_bytes(address, around.network_id), (coin,))

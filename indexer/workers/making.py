"""From a release that is wanted to bytes that may be sent: built, fitted to the network's limits, signed, looked at
once more.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from indexer.chain.block import OutputReference
from indexer.chain.coin import Coin
from indexer.domain.judge import Wanted
from indexer.edge.builder.build import Built, Evaluate, build
from indexer.edge.builder.check import check
from indexer.edge.builder.errors import FundsMissing, LimitExceeded, NotPossible
from indexer.edge.builder.intents import Purse, Release, Split, Surroundings
from indexer.edge.builder.signing import Witness, complete
from indexer.errors import MalformedDatum
from indexer.plutus.datum import MILESTONE_DATUM
from indexer.store.releases import Journaled


class Signs(Protocol):
    """The keeper's key, at hand or elsewhere."""

    @property
    def public(self) -> bytes:
        """The Ed25519 public key, 32 bytes."""
        ...

    async def sign(self, transaction: bytes, /) -> Witness:
        """Its witness of a transaction (CBOR)."""
        ...


@dataclass(frozen=True, slots=True)
class Drawn:
    """An unsigned transaction for a release, which may pay less than was wanted: what fits."""

    wanted: Wanted
    built: Built


async def draw(
    wanted: Wanted,
    state: Coin,
    around: Surroundings,
    purse: Callable[[OutputReference, bool], Purse],
    evaluate: Evaluate,
) -> Drawn:
    """The release of as many of the allocations as fit into one transaction, the first ones.

    `purse`: what a release of a state output may spend; with True also change that no block has yet, which is tried
    only where the other does not suffice.

    Raises what `build` raises; NotPossible where the state output does not say what is known of the distribution.
    """
    _same_terms(wanted, state)
    try:
        return await _draw(wanted, state, around, purse, evaluate)
    except LimitExceeded as error:
        if len(wanted.allocations) == 1:
            raise
        found, too_large = None, error
    fits, fails = 0, len(wanted.allocations)
    while fails - fits > 1:
        middle = (fits + fails) // 2
        try:
            found, fits = await _draw(wanted.only(middle), state, around, purse, evaluate), middle
        except LimitExceeded as error:
            too_large, fails = error, middle
    if found is None:
        raise too_large
    return found


async def _draw(
    wanted: Wanted,
    state: Coin,
    around: Surroundings,
    purse: Callable[[OutputReference, bool], Purse],
    evaluate: Evaluate,
) -> Drawn:
    intent = Release(state, wanted.milestone_id, wanted.allocations, wanted.signatures, wanted.since)
    try:
        return Drawn(wanted, await build(intent, around, purse(wanted.state, False), evaluate))
    except FundsMissing:
        return Drawn(wanted, await build(intent, around, purse(wanted.state, True), evaluate))


def _same_terms(wanted: Wanted, state: Coin) -> None:
    """The output that is spent says what the oracles signed, but for what is claimed. A contract that lets anything
    else be written there gets nothing paid by us."""
    try:
        said = None if state.output.datum is None else MILESTONE_DATUM.decode(state.output.datum).value
    except MalformedDatum:
        said = None
    if said != wanted.terms:
        raise NotPossible(f"{state.reference} does not say what is known of the distribution's terms")


async def sign(drawn: Built, signer: Signs, max_loss: int) -> bytes:
    """The signed transaction, read again from its bytes and compared with what it is for.

    Raises NotAsIntended, LossTooLarge, SignatureMissing, and what the signer raises.
    """
    witness = await signer.sign(drawn.transaction)
    signed = complete(drawn.transaction, [witness], drawn.signers)
    check(signed, drawn.intent, drawn.around, drawn.purse, drawn.resolved, max_loss=max_loss)
    return signed


def journaled(built: Built, signed: bytes, attempt: int) -> Journaled:
    """As it is written down before it is sent."""
    state = built.intent.state.reference if isinstance(built.intent, Release) else None
    return Journaled(
        id=built.id,
        raw=signed,
        inputs=tuple(coin.reference for coin in built.inputs),
        state=state,
        collateral=None if built.collateral is None else built.collateral.reference,
        attempt=attempt,
        valid_from=built.lower,
        valid_until=built.upper,
        fee=built.fee,
        loss=built.fee if isinstance(built.intent, Split) else built.loss,
        units=built.units,
        sent_ms=None,
        sent_height=None,
    )


async def split(lovelace: int, coin: Coin, around: Surroundings, address: bytes, evaluate: Evaluate) -> Built:
    """An unsigned transaction that makes a coin of so much out of a larger one."""
    return await build(Split(lovelace), around, Purse(address, (coin,)), evaluate)

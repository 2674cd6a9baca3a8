"""What a transaction is for, who pays, and what the chain says: all that a builder is told.

Each intent names the outputs that it is about by coin, so nothing of it can mean something else later.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from indexer.chain.coin import Coin
from indexer.chain.parameters import Parameters
from indexer.chain.point import Slot
from indexer.chain.time import Timeline
from indexer.plutus.blueprint import Blueprint
from indexer.plutus.datum import Attestation, Distribution
from indexer.plutus.ledger import Credential

Asset: TypeAlias = tuple[bytes, bytes]  # policy id (28 bytes), asset name (up to 32 bytes)
Assets: TypeAlias = Mapping[Asset, int]

VALIDITY_S: Final = 30 * 60  # from the tip on


@dataclass(frozen=True, slots=True)
class Create:
    """Lock what `terms` promise, under a new state token.

    `seed` is spent, and makes the id (see `plutus.identity`). `lovelace` is all that is locked: the promise, and a
    reserve that keeps the output above min-ada as it is paid out (see `funding.lovelace_to_lock`). `stake` becomes the
    stake part of the distribution's address: its rewards are the funder's.
    """

    terms: Distribution
    seed: Coin
    lovelace: int
    stake: Credential | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """Pay allocations of a milestone out of a distribution: `state` is the output that holds its state token.

    `allocations` are positions in the terms, ascending; `signatures` pairs (position in the oracles, signature of 64
    bytes), ascending. `since`: the slot of the block that made `state`; the release is not valid before it, so that no
    fork can put it into an earlier block.
    """

    state: Coin
    milestone_id: bytes
    allocations: tuple[int, ...]
    signatures: tuple[tuple[int, bytes], ...]
    since: Slot = 0


@dataclass(frozen=True, slots=True)
class Reclaim:
    """Take back a distribution that is complete or has expired (its state token is burnt), or a Distribution that was
    sent to the contract without a state token. Either way its funder signs, and it goes to the wallet."""

    held: Coin


@dataclass(frozen=True, slots=True)
class Publish:
    """Put a signature on the chain, with the smallest deposit that the network allows."""

    attestation: Attestation
    stake: Credential | None = None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Take back the deposit of a published signature: whom it names `refund_to` signs, and it goes to the wallet."""

    deposit: Coin


@dataclass(frozen=True, slots=True)
class Deploy:
    """Publish the contract's script, for transactions to refer to.

    At the wallet's own address, where its ada can be had back; `forever`: where nobody can ever spend it.
    """

    forever: bool = False


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Spend an output of the wallet's own key that carries the contract's script: its ada become ordinary coins. Who
    refers to it cannot any more."""

    published: Coin


@dataclass(frozen=True, slots=True)
class Split:
    """Make a coin of ada alone with so much lovelace, at the wallet's own address: something to stake for scripts."""

    lovelace: int


Intent: TypeAlias = Create | Release | Reclaim | Publish | Withdraw | Deploy | TakeBack | Split


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the chain says. `tip` is the slot of the newest block that was read; `reference` the output that holds the
    contract's script, None where it travels in the transaction. `network_id`: 1 mainnet, 0 any other."""

    contract: Blueprint
    reference: Coin | None
    network_id: int
    parameters: Parameters
    timeline: Timeline
    tip: Slot


@dataclass(frozen=True, slots=True)
class Purse:
    """Who pays. Change goes to `address` (bytes, CIP-19), whose payment credential is the key hash.

    Of `coins` only those of that key are spent, and of those none with tokens (unless it is the token to be locked),
    scripts or datums. `collateral` is kept for that, and never spent; None: one is chosen among the coins.
    """

    address: bytes
    coins: tuple[Coin, ...]
    collateral: Coin | None = None

    @property
    def key_hash(self) -> bytes:
        """Of the key that its coins are locked by (28 bytes)."""
        return self.address[1:29]


@dataclass(frozen=True, slots=True)
class Planned:
    """An output that is to be made. `address` in bytes, `datum` inline and as CBOR, `script` a Plutus V3 script."""

    address: bytes
    lovelace: int
    assets: Assets
    datum: bytes | None = None
    script: bytes | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """An intent in terms of a transaction: what has to be in it. Coins for the rest, and change, come on top.

    `spends` are coins with their redeemers, None for a key's. `minting` is the mint with its redeemer; all of it is
    of the contract's policy. `signers` are key hashes that have to sign and to be named as such.
    """

    spends: tuple[tuple[Coin, bytes | None], ...] = ()
    outputs: tuple[Planned, ...] = ()
    mint: tuple[tuple[bytes, int], ...] = ()  # asset name, quantity
    mint_redeemer: bytes | None = None
    signers: tuple[bytes, ...] = ()
    lower: Slot | None = None

    @property
    def runs_scripts(self) -> bool:
        """Whether there is a redeemer at all."""
        return self.mint_redeemer is not None or any(redeemer is not None for _, redeemer in self.spends)

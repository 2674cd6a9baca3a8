"""What a devnet begins with: its facts, its keys, and a faucet that owns nearly everything.

The same genesis always makes the same chain: every key comes from `seed`, every block id from what is in the block.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import blake2b
from typing import Final

from nacl.signing import SigningKey

from indexer.chain.block import OutputReference
from indexer.devnet import cbor
from indexer.devnet.ledger.timeline import Timeline
from indexer.devnet.ledger.transaction import Output
from indexer.devnet.networks import MAINNET, Network

SUPPLY: Final = 45_000_000_000_000_000  # lovelace that can ever be
FUNDS: Final = 30_000_000_000_000_000  # lovelace of the faucet; the rest is reserve
START: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Genesis:
    """The facts that make one chain and no other."""

    seed: str = "devnet"
    magic: int = 42
    k: int = 40  # blocks that a fork can be deep
    start: datetime = START
    slot_length: timedelta = timedelta(seconds=1)
    incarnation: int = 0  # how many other chains were here before, with the same facts

    @cached_property
    def network(self) -> Network:
        """The same, as queries tell of it."""
        length = self.slot_length // timedelta(milliseconds=1)
        return Network(self.magic, self.k, self.start, None, slots_per_block=5, slot_milliseconds=length)

    @property
    def timeline(self) -> Timeline:
        """The same, as scripts are told the time."""
        epoch, safe_zone = self.network.epoch_length, self.network.safe_zone
        start = (self.start - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
        return Timeline(start, self.network.slot_milliseconds, 0, epoch, safe_zone)

    @property
    def network_id(self) -> int:
        """As in addresses: 1 for mainnet, 0 for every other."""
        return int(self.magic == MAINNET)

    @cached_property
    def hash(self) -> bytes:
        """What tells this chain from others, 32 bytes."""
        facts = (self.seed, self.magic, self.k, self.start.isoformat(), self.slot_length, self.incarnation)
        return blake2b(repr(facts).encode(), digest_size=32).digest()

    @cached_property
    def faucet_key(self) -> SigningKey:
        """The key of the faucet's address. It depends on the seed alone."""
        return self.key("faucet")

    @cached_property
    def faucet_address(self) -> bytes:
        """An enterprise address (CIP-19), 29 bytes: header, blake2b-224 of the key."""
        return bytes((0x60 | self.network_id,)) + blake2b(bytes(self.faucet_key.verify_key), digest_size=28).digest()

    @cached_property
    def utxo(self) -> dict[OutputReference, Output]:
        """The outputs before the first block.

        The ledger names an initial fund by blake2b-256 of its address (Shelley's `initialFundsPseudoTxIn`).
        """
        address, value = self.faucet_address, cbor.integer(FUNDS)
        raw = cbor.mapping({cbor.integer(0): cbor.byte_string(address), cbor.integer(1): value})
        reference = OutputReference(blake2b(address, digest_size=32).digest(), 0)
        return {reference: Output(raw, address, FUNDS, {}, len(value))}

    def key(self, purpose: str) -> SigningKey:
        """A key of this devnet, by what it is for."""
        return SigningKey(blake2b(f"{self.seed}/{purpose}".encode(), digest_size=32, person=b"indexer devnet").digest())

    def again(self, start: datetime | None = None) -> "Genesis":
        """Another chain with the same keys, from another start if one is given."""
        return replace(self, start=start or self.start, incarnation=self.incarnation + 1)

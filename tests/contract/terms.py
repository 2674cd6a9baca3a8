"""What a distribution and an attestation say, and how it is written: datums, redeemers, ids, signatures.

Each datum and redeemer is a CBOR tree in the ledger's own form. Amounts in the token's smallest unit, times in POSIX
milliseconds, hashes and keys as bytes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Final, NamedTuple

from tests.contract.keys import hash28, signer
from tests.contract.plutus import boolean, constr, integer, octets, option, sequence
from tests.contract.tree import Array, Node, encode

MAINNET: Final = 1  # in the header of an address
TAG: Final = b"cardano-milestone-attestation:v1"


class Asset(NamedTuple):
    policy: bytes
    name: bytes

    def __str__(self) -> str:
        return f"{self.policy.hex()}.{self.name.hex()}" if self.policy else "ada"


ADA: Final = Asset(b"", b"")
TOKEN: Final = Asset(bytes([0x33] * 28), b"TOKEN")


class Reference(NamedTuple):
    """Where an output was made. Sorts as the ledger sorts inputs."""

    transaction: bytes
    output_index: int

    def __str__(self) -> str:
        return f"{self.transaction.hex()}#{self.output_index}"

    def node(self) -> Array:
        return Array(tuple(self))

    def data(self) -> Node:
        return constr(0, octets(self.transaction), self.output_index)


class Credential(NamedTuple):
    hash: bytes
    is_script: bool = False

    def data(self) -> Node:
        return constr(int(self.is_script), octets(self.hash))


class Address(NamedTuple):
    payment: Credential
    stake: Credential | None = None

    def data(self) -> Node:
        return constr(0, self.payment.data(), option(None if self.stake is None else constr(0, self.stake.data())))

    def raw(self) -> bytes:
        """As in an output: CIP-19, type and network in four bits each."""
        kind = self.payment.is_script | (6 if self.stake is None else self.stake.is_script << 1)
        return bytes([kind << 4 | MAINNET]) + self.payment.hash + (b"" if self.stake is None else self.stake.hash)


def somebody(name: str, *, script: bool = False, stake: str | None = None) -> Address:
    """An address of a made-up hash. `stake`: None, "key" or "script"."""
    staking = None if stake is None else Credential(hash28(b"stake of " + name.encode()), stake == "script")
    return Address(Credential(hash28(name.encode()), script), staking)


@dataclass(frozen=True)
class Allocation:
    beneficiary: Address
    amount: int = 1_000
    milestone: bytes = b"m1"
    vesting: int = 1_700_000_000_000
    claimed: bool = False

    def data(self) -> Node:
        return constr(
            0,
            self.beneficiary.data(),
            integer(self.amount),
            octets(self.milestone),
            integer(self.vesting),
            boolean(self.claimed),
        )


@dataclass(frozen=True)
class Terms:
    """A Distribution."""

    funder: bytes
    oracles: tuple[bytes, ...]
    threshold: int
    allocations: tuple[Allocation, ...]
    token: Asset = TOKEN
    lovelace_per_payout: int = 1_500_000
    keeper_fee_per_payout: int = 500_000
    expires_at: int | None = None

    def data(self) -> Node:
        return constr(
            0,
            octets(self.funder),
            constr(0, octets(self.token.policy), octets(self.token.name)),
            sequence(*map(octets, self.oracles)),
            integer(self.threshold),
            sequence(*(allocation.data() for allocation in self.allocations)),
            integer(self.lovelace_per_payout),
            integer(self.keeper_fee_per_payout),
            option(None if self.expires_at is None else integer(self.expires_at)),
        )

    def claim(self, indices: Iterable[int]) -> "Terms":
        """The same with those allocations claimed."""
        taken = set(indices)
        changed = (replace(a, claimed=a.claimed or i in taken) for i, a in enumerate(self.allocations))
        return replace(self, allocations=tuple(changed))

    def as_created(self) -> "Terms":
        """The same with nothing claimed."""
        return replace(self, allocations=tuple(replace(a, claimed=False) for a in self.allocations))

    def unclaimed(self, milestone: bytes) -> tuple[int, ...]:
        """Positions of what a milestone has yet to pay."""
        open_ones = (i for i, a in enumerate(self.allocations) if a.milestone == milestone and not a.claimed)
        return tuple(open_ones)

    def promised(self) -> dict[Asset, int]:
        """What it takes to pay the unclaimed allocations."""
        owed = [allocation.amount for allocation in self.allocations if not allocation.claimed]
        value = {ADA: len(owed) * (self.lovelace_per_payout + self.keeper_fee_per_payout)}
        value[self.token] = value.get(self.token, 0) + sum(owed)
        return value


@dataclass(frozen=True)
class Attestation:
    distribution: bytes
    milestone: bytes
    oracle: bytes
    signature: bytes
    refund_to: bytes

    def data(self) -> Node:
        return constr(
            1,
            octets(self.distribution),
            octets(self.milestone),
            octets(self.oracle),
            octets(self.signature),
            octets(self.refund_to),
        )


def identity(seed: Reference, terms: Terms) -> bytes:
    """A distribution's id, 32 bytes: the name of its state token."""
    return blake2b(encode(sequence(seed.data(), terms.data())), digest_size=32).digest()


def message(policy: bytes, distribution: bytes, milestone: bytes) -> bytes:
    """What an oracle signs."""
    return blake2b(TAG + policy + distribution + milestone, digest_size=32).digest()


def signature(oracle: bytes, content: bytes) -> bytes:
    """Of an oracle of ours, by its public key."""
    return signer(oracle).sign(content).signature


def create_redeemer(seed: Reference) -> Node:
    return constr(0, seed.data())


def release_redeemer(milestone: bytes, indices: Iterable[int], signatures: Iterable[tuple[int, bytes]]) -> Node:
    signed = (sequence(integer(oracle), octets(proof)) for oracle, proof in signatures)
    return constr(0, octets(milestone), sequence(*map(integer, indices)), sequence(*signed))


BURN: Final = constr(1)
RECLAIM: Final = constr(1)
WITHDRAW: Final = constr(2)

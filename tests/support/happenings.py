"""What happened on a chain, as whoever made the transactions knows it: nothing here was read out of bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tests.contract.terms import Attestation, Reference, Terms


@dataclass(frozen=True)
class Founded:
    """A distribution was created; its state token lies at `output`."""

    policy: bytes
    distribution: bytes
    seed: Reference
    terms: Terms
    output: Reference


@dataclass(frozen=True)
class Released:
    """Allocations of a milestone were paid, on these signatures; each the position of its oracle, and its bytes."""

    distribution: bytes
    milestone: bytes
    paid: tuple[int, ...]
    signatures: tuple[tuple[int, bytes], ...]
    output: Reference


@dataclass(frozen=True)
class Ended:
    """The funder took back what was left at `output`."""

    distribution: bytes
    output: Reference


@dataclass(frozen=True)
class Attested:
    """A signature was published. `sound`: its oracle made it, over what the attestation says and under the policy of
    the distribution that it names."""

    attestation: Attestation
    sound: bool
    output: Reference


@dataclass(frozen=True)
class Refused:
    """An output came to a contract's address that is none of the above. `datum`: CBOR, None where none is inline."""

    reason: str  # how it begins
    datum: bytes | None
    output: Reference


Happening: TypeAlias = Founded | Released | Ended | Attested | Refused


@dataclass(frozen=True)
class Block:
    """A block, and what happened in each of its transactions, in order."""

    id: bytes
    height: int
    slot: int
    time: int  # POSIX milliseconds
    transactions: Sequence[Sequence[Happening]]


@dataclass(frozen=True)
class Told:
    """A signature that came in a file, and the slot at which it was stored."""

    distribution: bytes
    milestone: bytes
    oracle: bytes
    signature: bytes
    sound: bool
    slot: int

    @property
    def subject(self) -> tuple[bytes, bytes, bytes, bytes]:
        """What tells it from others: it counts once, with the slot that it came with first."""
        return self.distribution, self.milestone, self.oracle, self.signature

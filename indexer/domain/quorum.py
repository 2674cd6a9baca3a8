"""Oracles' signatures: whether they verify, what each is worth, and when a quorum is met."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nacl.bindings import crypto_sign_open
from nacl.exceptions import CryptoError

from indexer.chain.block import OutputReference
from indexer.chain.point import BlockHeight, Slot

KEY_LENGTH: Final = 32
SIGNATURE_LENGTH: Final = 64


class Source(StrEnum):
    """Where a signature was seen."""

    CHAIN = "chain"  # the datum of an attestation output
    RELEASE = "release"  # the redeemer of a release
    LOCAL = "local"  # a file: no block shows it, and no rollback takes it away


class Verdict(StrEnum):
    """What a signature is worth."""

    VALID = "valid"
    DUPLICATE = "duplicate"  # another one of the same oracle is valid already
    UNAUTHORISED = "unauthorised"
    BAD_SIGNATURE = "bad_signature"
    UNKNOWN_DISTRIBUTION = "unknown_distribution"
    UNKNOWN_MILESTONE = "unknown_milestone"


class QuorumStatus(StrEnum):
    """How many of the oracles it takes have spoken."""

    PENDING = "pending"
    MET = "met"  # exactly as many as it takes
    EXCEEDED = "exceeded"

    @classmethod
    def of(cls, valid: int, threshold: int) -> "QuorumStatus":
        """The status of so many valid signatures."""
        return cls.EXCEEDED if valid > threshold else cls.MET if valid == threshold else cls.PENDING


@dataclass(frozen=True, slots=True)
class Seen:
    """Where in the chain something stands: the block, and the transaction's position in it."""

    slot: Slot
    height: BlockHeight
    block_id: bytes
    position: int


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature, wherever it came from. On the chain anyone may write any bytes, of any length.

    `seen` and `reference` are None for a local one. `slot`: of its block, or that at which it was first stored.
    `place`: output index, or place in the redeemer. `verifies` is None until its distribution is known.
    """

    milestone_id: bytes
    oracle: bytes
    signature: bytes
    source: Source
    slot: Slot
    place: int = 0
    seen: Seen | None = None
    reference: OutputReference | None = None
    verifies: bool | None = None

    @property
    def order(self) -> tuple[Slot, bool, int, int, bytes]:
        """Which counts first: slot, transaction, output, then what is local."""
        position = 0 if self.seen is None else self.seen.position
        return self.slot, self.seen is None, position, self.place, self.signature if self.seen is None else b""


def verifies(oracle: bytes, signature: bytes, message: bytes) -> bool:
    """Whether an Ed25519 signature is the oracle's, by libsodium's rules, which are the ledger's."""
    if len(oracle) != KEY_LENGTH or len(signature) != SIGNATURE_LENGTH:
        return False
    try:
        crypto_sign_open(signature + message, oracle)
    except CryptoError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Tally:
    """The verdict on each signature of a milestone, in order; those that count; and which of them met the quorum."""

    verdicts: tuple[Verdict, ...]
    valid: tuple[Signature, ...]
    threshold: int

    @property
    def completing(self) -> Signature | None:
        """The signature that met the quorum; None while it is pending."""
        return self.valid[self.threshold - 1] if len(self.valid) >= self.threshold else None

    @property
    def status(self) -> QuorumStatus:
        """Pending, met or exceeded."""
        return QuorumStatus.of(len(self.valid), self.threshold)


def tally(oracles: frozenset[bytes], threshold: int, signatures: Iterable[Signature]) -> Tally:
    """Count each authorised oracle at most once, and say of every other signature why it does not count.

    `signatures` are all of one milestone, each with `verifies` known, in their order.
    """
    verdicts, valid, counted = [], [], set()
    for signature in signatures:
        if signature.oracle not in oracles:
            verdict = Verdict.UNAUTHORISED
        elif not signature.verifies:
            verdict = Verdict.BAD_SIGNATURE
        elif signature.oracle in counted:
            verdict = Verdict.DUPLICATE
        else:
            verdict = Verdict.VALID
            counted.add(signature.oracle)
            valid.append(signature)
        verdicts.append(verdict)
    return Tally(tuple(verdicts), tuple(valid), threshold)

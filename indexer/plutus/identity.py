"""What names a distribution and a milestone, and what an oracle signs."""

import re
from hashlib import blake2b
from typing import Final

from indexer.plutus.datum import Distribution
from indexer.plutus.ledger import OutputReference
from indexer.plutus.record import Codec

_DOMAIN: Final = b"cardano-milestone-attestation:v1"
_SEED_AND_TERMS: Final = Codec[tuple[OutputReference, Distribution]](tuple[OutputReference, Distribution])
_PLAIN: Final = re.compile(rb"(?!0x)[A-Za-z0-9._-]{1,64}")
_HEX: Final = re.compile(r"0x((?:[0-9a-fA-F]{2})*)")


def distribution_id(seed: OutputReference, distribution: Distribution) -> bytes:
    """The 32-byte name of the state token: it commits to the seed and to the terms.

    `distribution` is as created, nothing claimed: claims change the datum and not the id.
    """
    return _blake2b_256(_SEED_AND_TERMS.encode((seed, distribution)))


def message_to_sign(policy_id: bytes, distribution_id: bytes, milestone_id: bytes) -> bytes:
    """The 32 bytes that an oracle signs to say that a milestone is complete.

    `policy_id` has 28 bytes, `distribution_id` 32: lengths are fixed but for the last part, so no two triples make one
    message. Raises ValueError for other lengths.
    """
    if len(policy_id) != 28 or len(distribution_id) != 32:
        raise ValueError("a policy id has 28 bytes, a distribution id 32")
    return _blake2b_256(_DOMAIN + policy_id + distribution_id + milestone_id)


def shown_milestone(milestone_id: bytes) -> str:
    """A milestone id for people and files: as it is where it is a plain word, else 0x and lowercase hex."""
    return milestone_id.decode() if _PLAIN.fullmatch(milestone_id) else f"0x{milestone_id.hex()}"


def parse_milestone(text: str) -> bytes:
    """The milestone id that a text shows. Raises ValueError where it shows none."""
    if found := _HEX.fullmatch(text):
        return bytes.fromhex(found[1])
    raw = text.encode(errors="replace")
    if not _PLAIN.fullmatch(raw):
        raise ValueError(
            "a milestone id is up to 64 of the characters A-Z a-z 0-9 . _ - (not beginning with 0x), or 0x and hex"
        )
    return raw


def _blake2b_256(message: bytes) -> bytes:
    return blake2b(message, digest_size=32).digest()

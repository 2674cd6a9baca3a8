"""Keys of everybody in the stories, the same in every run: a name is the seed."""

from hashlib import blake2b
from typing import Final

from nacl.signing import SigningKey

ORACLES: Final = 20
NAMES: Final = ("funder", "keeper", "oracle's owner", "stranger", *(f"oracle {n}" for n in range(ORACLES)))


def hash28(content: bytes) -> bytes:
    """blake2b-224, the hash of keys and scripts."""
    return blake2b(content, digest_size=28).digest()


def signing_key(name: str) -> SigningKey:
    return SigningKey(blake2b(name.encode(), digest_size=32).digest())


def public(name: str) -> bytes:
    """32 bytes."""
    return bytes(signing_key(name).verify_key)


def key_hash(name: str) -> bytes:
    """28 bytes. Of any name: who signs nothing needs no key."""
    return hash28(public(name))


def signer(key_or_hash: bytes) -> SigningKey:
    """Whose public key or key hash this is. KeyError: none of `NAMES`."""
    return SIGNERS[key_or_hash]


SIGNERS: Final = {known: signing_key(name) for name in NAMES for known in (public(name), key_hash(name))}

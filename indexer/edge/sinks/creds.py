"""Credentials of NATS: a .creds file, which holds a token and the seed of the key that signs for it.

nats-py would need another package to sign, and looks for ever in a file that holds none.
https://docs.nats.io/using-nats/developer/connecting/creds
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nacl.signing import SigningKey

from indexer.edge.files import read_private
from indexer.errors import FileUnusable

_PART: Final = r"-+BEGIN {0}-+\s+(\S+)\s+-+END {0}-+"
_TOKEN: Final = re.compile(_PART.format("NATS USER JWT"))
_SEED: Final = re.compile(_PART.format("USER NKEY SEED"))
_OF_A_USER: Final = bytes([0x95, 0x00])  # `SU` in base32, and the bits after it


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who we are: a token that the server has to be shown, and the key that it names."""

    token: str = field(repr=False)
    key: SigningKey = field(repr=False)

    def sign(self, nonce: str) -> bytes:
        """What the server gave, signed; base64."""
        return base64.b64encode(self.key.sign(nonce.encode()).signature)


def read_credentials(path: Path) -> Credentials:
    """Raises FileUnusable."""
    text = read_private(path)
    token, seed = _TOKEN.search(text), _SEED.search(text)
    key = None if seed is None else _key(seed[1])
    if token is None or key is None:
        raise FileUnusable(
            f"{path} holds no credentials of a user of NATS", hint="a .creds file, as `nsc generate creds` has it"
        )
    return Credentials(token[1], key)


def _key(seed: str) -> SigningKey | None:
    """Two bytes that say what it is, 32 of a seed, a checksum of them; in base32 without padding."""
    try:
        raw = base64.b32decode(seed + "=" * (-len(seed) % 8))
    except (binascii.Error, ValueError):
        return None
    said, checksum = raw[:-2], int.from_bytes(raw[-2:], "little")
    if len(said) != 34 or said[:2] != _OF_A_USER or binascii.crc_hqx(said, 0) != checksum:
        return None
    return SigningKey(said[2:])

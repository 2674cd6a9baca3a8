"""Signing keys in files: as cardano-cli writes them, or raw.

The secret is never in an error, a log or a representation.
"""

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Final

from nacl.signing import SigningKey

from indexer import errors
from indexer.edge.files import read_private_bytes
from indexer.errors import IndexerError

SEED_LENGTH: Final = 32
_SIGNING: Final = "PaymentSigningKeyShelley_ed25519"
_VERIFYING: Final = "PaymentVerificationKeyShelley_ed25519"
_ANY_SIGNING: Final = re.compile(r"\w*SigningKey\w*_ed25519", re.ASCII)
_PUBLIC_HINT: Final = "give the .vkey that stands beside the signing key, or its 32 bytes in hex"
_MOST: Final = 4096  # bytes of a file
_BYTES_32: Final = "5820"  # CBOR: a string of 32 bytes
_CBOR: Final = re.compile(rf"{_BYTES_32}([0-9a-fA-F]{{64}})")
_HEX: Final = re.compile(rb"\s*([0-9a-fA-F]{64})\s*")


class KeyUnusable(IndexerError):
    """A file does not hold a signing key that we can use."""

    code = "keys.unusable"
    hint = "give a cardano-cli text envelope of an ordinary Ed25519 signing key, or its 32 bytes, raw or in hex"
    exit_code = 2


class KeyExists(IndexerError):
    """A new key would take the name of a file that is there already."""

    code = "keys.exists"
    hint = "a key is never overwritten: give another name with --out"


@dataclass(frozen=True, slots=True)
class Key:
    """An Ed25519 key pair. `secret` is the seed that all follows from."""

    secret: bytes = field(repr=False)

    @property
    def public(self) -> bytes:
        """32 bytes."""
        return bytes(SigningKey(self.secret).verify_key)

    @property
    def hash(self) -> bytes:
        """What addresses and datums name it by: blake2b-224 of the public key, 28 bytes."""
        return blake2b(self.public, digest_size=28).digest()

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes."""
        return SigningKey(self.secret).sign(message).signature


def generate() -> Key:
    """A key pair that nobody had before."""
    return Key(os.urandom(SEED_LENGTH))


def read_key(path: Path) -> Key:
    """The key that a file holds: a text envelope (JSON), 32 bytes, or 64 hex digits.

    Raises FileUnusable where the file cannot be read, or others can read it too; KeyUnusable for anything else in it.
    """
    raw = read_private_bytes(path)
    if len(raw) == SEED_LENGTH:
        return Key(raw)
    if found := _HEX.fullmatch(raw):
        return Key(bytes.fromhex(found[1].decode()))
    # Without the causes from here on: what they hold may be a secret.
    try:
        envelope = json.loads(raw)
        kind, content = envelope["type"], envelope["cborHex"]
    except (ValueError, RecursionError, TypeError, KeyError):
        raise KeyUnusable(f"{path} holds no signing key") from None
    if not isinstance(kind, str) or not _ANY_SIGNING.fullmatch(kind):
        shown = kind[:60] if isinstance(kind, str) and kind.isascii() and kind.isprintable() else "no type"
        raise KeyUnusable(f"{path} holds something else than an ordinary signing key: {shown}")
    if not isinstance(content, str) or not (cbor := _CBOR.fullmatch(content)):
        raise KeyUnusable(f"{path} holds a key that has not {SEED_LENGTH} bytes")
    return Key(bytes.fromhex(cbor[1]))


def read_public_key(path: Path) -> bytes:
    """The verification key (32 bytes) that a file holds: a text envelope, or hex. Raises FileUnusable, KeyUnusable."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST)
    except OSError as error:
        raise errors.FileUnusable(f"cannot read {path}: {error.strerror}") from error
    if found := _HEX.fullmatch(raw):
        return bytes.fromhex(found[1].decode())
    try:
        envelope = json.loads(raw)
        kind, content = envelope["type"], envelope["cborHex"]
        cbor = _CBOR.fullmatch(content)
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        raise KeyUnusable(f"{path} holds no verification key", hint=_PUBLIC_HINT) from error
    if cbor is None or not isinstance(kind, str) or "VerificationKey" not in kind:
        raise KeyUnusable(f"{path} holds something else than a verification key", hint=_PUBLIC_HINT)
    return bytes.fromhex(cbor[1])


def verification_path(path: Path) -> Path:
    """Where the public half of a key goes: beside it."""
    return path.with_suffix(".vkey")


def write_key(key: Key, path: Path, name: str) -> None:
    """Write a key pair as text envelopes: the secret half at `path`, for its owner only, the public half beside it.

    `name` describes it in both. Raises KeyExists where either file is there, FileUnusable where they cannot be
    written; nothing is left behind then.
    """
    files = (
        (path, _envelope(_SIGNING, f"{name} signing key", key.secret), 0o600),
        (verification_path(path), _envelope(_VERIFYING, f"{name} verification key", key.public), 0o644),
    )
    written: list[Path] = []
    try:
        for file, content, mode in files:
            _write_new(file, content, mode, written)
    except BaseException:
        for file in written:
            with suppress(OSError):
                file.unlink()
        raise


def _envelope(kind: str, description: str, content: bytes) -> bytes:
    envelope = {"type": kind, "description": description, "cborHex": _BYTES_32 + content.hex()}
    return json.dumps(envelope, indent=4).encode() + b"\n"


def _write_new(path: Path, content: bytes, mode: int, written: list[Path]) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        written.append(path)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)  # whatever the umask
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except FileExistsError as error:
        raise KeyExists(f"there is a file at {path} already") from error
    except OSError as error:
        raise errors.FileUnusable(f"cannot write {path}: {error.strerror}") from error

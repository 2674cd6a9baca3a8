"""Signatures on a transaction, from keys at hand or from elsewhere.

What is signed is the transaction's id, so who signs needs the 32 bytes only; signatures change neither body nor id.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Protocol

from nacl.bindings import crypto_sign_open
from nacl.exceptions import CryptoError

from indexer.edge.builder import reader
from indexer.edge.builder.errors import NotAsIntended, SignatureMissing, SignatureWrong

KEY_LENGTH: Final = 32
SIGNATURE_LENGTH: Final = 64
_SET: Final = b"\xd9\x01\x02"  # tag 258, which Conway writes before sets


class Signer(Protocol):
    """Somebody with a key: a file's (`edge.keys`), or a command that keeps it elsewhere."""

    @property
    def public(self) -> bytes:
        """The Ed25519 public key, 32 bytes."""
        ...

    def sign(self, message: bytes, /) -> bytes:
        """Its signature, 64 bytes, of a transaction's id."""
        ...


@dataclass(frozen=True, slots=True, order=True)
class Witness:
    """A signature: the key (32 bytes) and its Ed25519 signature (64 bytes) of a transaction's id."""

    key: bytes
    signature: bytes

    @property
    def key_hash(self) -> bytes:
        """How transactions and addresses name the key: blake2b-224, 28 bytes."""
        return key_hash(self.key)


def key_hash(key: bytes) -> bytes:
    """blake2b-224 of a public key."""
    return blake2b(key, digest_size=28).digest()


def verifies(witness: Witness, transaction_id: bytes) -> bool:
    """By libsodium's rules, which are the ledger's."""
    if len(witness.key) != KEY_LENGTH or len(witness.signature) != SIGNATURE_LENGTH:
        return False
    try:
        crypto_sign_open(witness.signature + transaction_id, witness.key)
    except CryptoError:
        return False
    return True


def sign(transaction: bytes, signer: Signer) -> Witness:
    """A signer's witness. Raises SignatureWrong where it gives something else, NotAsIntended for other bytes."""
    made = Witness(signer.public, signer.sign(transaction_id(transaction)))
    if not verifies(made, transaction_id(transaction)):
        raise SignatureWrong(f"the signer of key {made.key_hash.hex()} gave no signature of this transaction")
    return made


def transaction_id(transaction: bytes) -> bytes:
    """blake2b-256 of the body, 32 bytes. Raises NotAsIntended for what is no transaction."""
    try:
        return blake2b(reader.parts(transaction)[0], digest_size=32).digest()
    except reader.Unreadable as error:
        raise NotAsIntended(f"these bytes are no transaction: {error}") from error


def attach(transaction: bytes, witnesses: Iterable[Witness]) -> bytes:
    """The transaction with these signatures beside those that it has. Its other bytes stay as they are.

    Raises SignatureWrong for one that does not verify, NotAsIntended for what is no transaction.
    """
    of = transaction_id(transaction)
    given = list(witnesses)
    for witness in given:
        if not verifies(witness, of):
            raise SignatureWrong(f"the witness of key {witness.key_hash.hex()} is no signature of this transaction")
    try:
        body, witness_set, tail = reader.parts(transaction)
        fields = reader.fields(witness_set)
        found = [_pair(item) for item in reader.members(fields.pop(0))] if 0 in fields else []
    except reader.Unreadable as error:
        raise NotAsIntended(f"these bytes are no transaction: {error}") from error
    signatures = {witness.key: witness.signature for witness in (*found, *given)}
    if signatures:
        fields[0] = _written(sorted(signatures.items()))
    rows = b"".join(bytes([key]) + value for key, value in sorted(fields.items()))
    return b"\x84" + body + bytes([0xA0 + len(fields)]) + rows + tail


def missing(transaction: bytes, signers: Iterable[bytes]) -> list[bytes]:
    """Those of these key hashes whose signature the transaction lacks. Raises NotAsIntended."""
    try:
        fields = reader.fields(reader.parts(transaction)[1])
        keys = [_pair(item).key for item in reader.members(fields[0])] if 0 in fields else []
    except reader.Unreadable as error:
        raise NotAsIntended(f"these bytes are no transaction: {error}") from error
    there = {key_hash(key) for key in keys}
    return [signer for signer in signers if signer not in there]


def complete(transaction: bytes, witnesses: Iterable[Witness], signers: Iterable[bytes]) -> bytes:
    """The transaction with all signatures that it needs, and no others: the fee is reckoned for these.

    Raises SignatureMissing, and what `attach` raises.
    """
    needed = frozenset(signers)
    signed = attach(transaction, [witness for witness in witnesses if witness.key_hash in needed])
    if lacking := missing(signed, sorted(needed)):
        raise SignatureMissing(f"signatures are missing of {', '.join(each.hex() for each in lacking)}")
    return signed


def _pair(raw: bytes) -> Witness:
    key, signature = reader.members(raw)
    return Witness(_content(key), _content(signature))


def _content(raw: bytes) -> bytes:
    # Keys and signatures are strings of 32 and 64 bytes, behind two bytes of head each.
    if raw[:1] != b"\x58":
        raise reader.Unreadable("a key or signature is no byte string")
    return raw[2:]


def _written(signatures: list[tuple[bytes, bytes]]) -> bytes:
    rows = [
        b"\x82\x58" + bytes([KEY_LENGTH]) + key + b"\x58" + bytes([SIGNATURE_LENGTH]) + signature
        for key, signature in signatures
    ]
    count = len(rows)
    return _SET + (bytes([0x80 + count]) if count < 24 else bytes([0x98, count])) + b"".join(rows)

"""Whose credentials are: the hashes of keys, and the order of the ledger, in which scripts come before keys."""

from hashlib import blake2b, sha3_256
from typing import Final, TypeAlias

from indexer.devnet.ledger.addresses import BYRON, byron, network_of, payment_credential
from indexer.devnet.ledger.cbor import EMBEDDED, Reader
from indexer.devnet.ledger.transaction import BootstrapWitness, Credential

_HASH: Final = 28
_DERIVATION_PATH, _NETWORK_MAGIC = 1, 2  # attributes of a Byron address

Order: TypeAlias = tuple[int | bytes | None, ...]


def key_hash(key: bytes) -> bytes:
    """The hash by which credentials name an Ed25519 key: blake2b-224 (28 bytes)."""
    return blake2b(key, digest_size=_HASH).digest()


def bootstrap_hash(witness: BootstrapWitness) -> bytes:
    """The root of the Byron address that a bootstrap witness speaks for (28 bytes; `bootstrapWitKeyHash`)."""
    extended = b"\x83\x00\x82\x00\x58\x40" + witness.key + witness.chain_code + witness.attributes
    return key_hash(sha3_256(extended).digest())


def spender(address: bytes) -> Credential:
    """Who may spend an output at an address. Of a Byron address it is the key behind its root."""
    return payment_credential(address) or Credential(byron(address).root, is_script=False)


def is_byron(address: bytes) -> bool:
    return address[0] == BYRON


def attributes_size(address: bytes) -> int:
    """Bytes of what may be of any length in a Byron address: the derivation path, and attributes nobody knows."""
    outer = Reader(address)
    outer.open()
    outer.expect_tag(EMBEDDED)
    inner = Reader(outer.octets())
    inner.open()
    inner.octets(_HASH)
    attributes = {inner.unsigned(): inner.octets() for _ in inner.map()}
    attributes.pop(_NETWORK_MAGIC, None)
    path = attributes.pop(_DERIVATION_PATH, None)
    return (len(Reader(path).octets()) if path else 0) + sum(map(len, attributes.values()))


def address_order(address: bytes) -> Order:
    """The key by which the ledger sorts addresses, as far as payment parts decide; Byron's are the last."""
    credential = spender(address)
    return (is_byron(address), network_of(address), not credential.is_script, credential.hash, address)

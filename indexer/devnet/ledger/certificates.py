"""Certificates as a transaction's bytes say them (conway.cddl: certificate)."""

from typing import Final

from indexer.devnet.ledger.cbor import Malformed, Reader
from indexer.devnet.ledger.transaction import (
    Certificate,
    Credential,
    Deregistration,
    Registration,
    UnknownCertificate,
    VoteDelegation,
)

LAST_KIND: Final = 18
_GONE: Final = (5, 6)  # delegation of a genesis key; move instantaneous rewards
_DREP_BY_HASH: Final = (0, 1)  # the other two, abstain and no confidence, stand alone


def read_certificate(reader: Reader) -> Certificate:
    """The certificate that comes next; of those the devnet does not model only the kind. Raises Malformed."""
    start = reader.position
    length = reader.open()
    kind = reader.unsigned()
    certificate: Certificate
    match kind:
        case 0:
            certificate, read = Registration(_credential(reader), None), 2
        case 1:
            certificate, read = Deregistration(_credential(reader), None), 2
        case 7:
            certificate, read = Registration(_credential(reader), reader.unsigned()), 3
        case 8:
            certificate, read = Deregistration(_credential(reader), reader.unsigned()), 3
        case 9:
            certificate, read = VoteDelegation(_credential(reader), _drep(reader)), 3
        case _:
            if kind > LAST_KIND or kind in _GONE:
                raise Malformed(f"a certificate of kind {kind}")
            reader.position = start
            reader.skip()
            return UnknownCertificate(kind)
    reader.close(length, read)
    return certificate


def _credential(reader: Reader) -> Credential:
    length = reader.open()
    is_script = reader.unsigned(1) == 1
    credential = Credential(reader.octets(28), is_script)
    reader.close(length, 2)
    return credential


def _drep(reader: Reader) -> bytes:
    start = reader.position
    length = reader.open()
    by_hash = reader.unsigned(3) in _DREP_BY_HASH
    if by_hash:
        reader.octets(28)
    reader.close(length, 1 + by_hash)
    return reader.since(start)


def drep_credential(raw: bytes) -> Credential | None:
    """To whom a vote is delegated, out of the bytes of a DRep. None: to abstain or to have no confidence."""
    reader = Reader(raw)
    reader.open()
    kind = reader.unsigned()
    return Credential(reader.octets(28), kind == 1) if kind in _DREP_BY_HASH else None


def abstains(raw: bytes) -> bool:
    """Whether a DRep is the one that always abstains."""
    reader = Reader(raw)
    reader.open()
    return reader.unsigned() == 2

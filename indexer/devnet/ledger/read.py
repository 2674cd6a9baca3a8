"""A transaction from its bytes, as a node of the Conway era takes it (conway.cddl: transaction)."""

from hashlib import blake2b
from typing import Final

from indexer.devnet.ledger.body import read_body
from indexer.devnet.ledger.cbor import Malformed, Reader
from indexer.devnet.ledger.metadata import read_auxiliary_data
from indexer.devnet.ledger.transaction import Transaction
from indexer.devnet.ledger.witnesses import read_witnesses

LARGEST: Final = 131_072  # bytes: eight times what mainnet's parameters allow a transaction


class Undecodable(Exception):
    """The bytes are no transaction of the Conway era. `reason` says why, in the words of Ogmios around our own."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def data(self) -> dict[str, str]:
        """What Ogmios puts beside -32602: the reason by era, and the devnet knows one."""
        return {"conway": self.reason}


def read_transaction(raw: bytes) -> Transaction:
    """What the bytes of a whole transaction say. Raises Undecodable.

    Only what the ledger's decoder asks for is checked (protocol versions 9 to 11); the rules come after. A few things
    that it takes are refused, by name: more than `LARGEST` bytes, and metadata or native scripts of many levels.
    """
    if len(raw) > LARGEST:
        raise Undecodable(f"{len(raw)} bytes, where the devnet reads {LARGEST} at most")
    reader = Reader(raw)
    try:
        return _transaction(reader)
    except Malformed as malformed:
        raise Undecodable(_told(malformed, reader)) from malformed


def _told(malformed: Malformed, reader: Reader) -> str:
    if reader.position == len(reader.data):
        return f"invalid or incomplete value of type 'Transaction': {malformed}"
    offset = reader.position
    return f"invalid CBOR found at offset [{offset}] while decoding a value of type 'Transaction': {malformed}"


def _transaction(reader: Reader) -> Transaction:
    length = reader.open()
    begin = reader.position
    fields = read_body(reader)
    body = reader.since(begin)
    witnesses = read_witnesses(reader)
    size = 1 + reader.position - begin  # the ledger counts an array of three: head, body, witnesses ...
    is_valid = reader.boolean()
    begin = reader.position
    auxiliary = None if reader.null() else read_auxiliary_data(reader)
    auxiliary_bytes = reader.since(begin)
    reader.close(length, 4)
    if left := len(reader.data) - reader.position:
        raise Undecodable(f"unexpected {left} bytes found left after successfully deserialising a/an 'Transaction'")
    return Transaction(
        raw=reader.data,
        size=size + len(auxiliary_bytes),  # ... auxiliary data (toCBORForSizeComputation)
        id=blake2b(body, digest_size=32).digest(),
        is_valid=is_valid,
        witnesses=witnesses,
        auxiliary_data=auxiliary_bytes if auxiliary else None,
        auxiliary_scripts=auxiliary.scripts if auxiliary else (),
        **fields,
    )

"""What the index holds of an output."""

from dataclasses import dataclass

from indexer.chain.block import OutputReference
from indexer.chain.point import Point
from indexer.devnet.ledger.transaction import Output


@dataclass(frozen=True, slots=True)
class Spending:
    """How an output was spent."""

    at: Point
    transaction_id: bytes
    input_index: int  # among the inputs in the ledger's order
    redeemer: bytes | None  # CBOR


@dataclass(slots=True)
class Row:
    """An output that a pattern matched, from the block that made it until that is undone."""

    reference: OutputReference
    transaction_index: int  # in its block
    output: Output
    datum_hash: bytes | None
    script_hash: bytes | None
    labels: frozenset[int]  # of the metadata of the transaction that made it
    created_at: Point
    spent: Spending | None = None

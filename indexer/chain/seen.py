"""An output and what became of it, as an index of the chain holds it: ours, or another to compare it with."""

from dataclasses import dataclass

from indexer.chain.block import OutputReference
from indexer.chain.point import Point, Slot


@dataclass(frozen=True, slots=True)
class Spending:
    """How an output was spent. What an index does not know, or does not keep, is None."""

    slot: Slot
    by: bytes | None  # id of the transaction, 32 bytes
    block_id: bytes | None = None
    input_index: int | None = None  # among the inputs in the ledger's order
    redeemer: bytes | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """An output. `assets` are sorted (policy id, asset name, quantity).

    `datum` is that of an inline datum, or of a hash whose preimage is known. A script may be known by its language
    alone or by its hash alone; without a script both are None.
    """

    reference: OutputReference
    address: str
    lovelace: int
    assets: tuple[tuple[bytes, bytes, int], ...]
    datum_hash: bytes | None
    is_inline: bool
    datum: bytes | None
    script_hash: bytes | None
    script_language: str | None
    created: Point
    spent: Spending | None

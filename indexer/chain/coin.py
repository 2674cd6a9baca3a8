"""Unspent outputs, as whoever builds a transaction needs them."""

from dataclasses import dataclass

from indexer.chain.block import Output, OutputReference


@dataclass(frozen=True, slots=True)
class Coin:
    """An unspent output. `script_size`: bytes of the reference script that it carries, for they cost a fee."""

    reference: OutputReference
    output: Output
    script_size: int = 0

"""A new output of ours."""

from dataclasses import dataclass

from indexer.chain.address import Credential
from indexer.chain.block import Output, OutputReference


@dataclass(frozen=True, slots=True)
class Created:
    """A new output of ours. `credential` is None at a Byron address."""

    reference: OutputReference
    output: Output
    credential: Credential | None

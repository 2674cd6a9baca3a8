"""The redeemers of the contract (contracts/lib/types.ak)."""

from typing import Final, TypeAlias

from indexer.plutus.ledger import OutputReference
from indexer.plutus.record import Codec, record


@record(0)
class Create:
    """Mint the state token of a new distribution."""

    seed: OutputReference  # an input of the transaction: it makes the distribution's id unique


@record(1)
class Burn:
    """Burn state tokens of distributions that are reclaimed."""


@record(0)
class Release:
    """Pay allocations of a milestone to their beneficiaries."""

    milestone_id: bytes
    allocations: tuple[int, ...]  # positions in the datum's allocations, ascending
    signatures: tuple[tuple[int, bytes], ...]  # positions in the datum's oracles, ascending, each with its signature


@record(1)
class Reclaim:
    """Give back to the funder what is left."""


@record(2)
class Withdraw:
    """Give back the deposit of an attestation."""


MintRedeemer: TypeAlias = Create | Burn
SpendRedeemer: TypeAlias = Release | Reclaim | Withdraw

MINT_REDEEMER: Final = Codec[MintRedeemer](MintRedeemer)
SPEND_REDEEMER: Final = Codec[SpendRedeemer](SpendRedeemer)

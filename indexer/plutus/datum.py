"""The datums at the contract's address (contracts/lib/types.ak)."""

from typing import Final, TypeAlias

from indexer.plutus.ledger import Address
from indexer.plutus.record import Codec, record


@record(0)
class AssetClass:
    """A native token, or ada: both names empty."""

    policy_id: bytes  # 28 bytes
    asset_name: bytes  # up to 32 bytes

    @property
    def is_ada(self) -> bool:
        """Whether this is ada, in lovelace."""
        return not self.policy_id and not self.asset_name


@record(0)
class Allocation:
    """Tokens for one beneficiary, for one milestone."""

    beneficiary: Address
    token_amount: int  # in the token's smallest unit
    milestone_id: bytes  # 1 to 64 bytes
    vesting_timestamp: int  # POSIX milliseconds: not paid before
    claimed: bool  # False at first, True once paid


@record(0)
class Distribution:
    """One funded promise. Genuine only where the output holds the state token."""

    funder: bytes  # key hash (28 bytes) of who may have back what is left
    token: AssetClass
    oracles: tuple[bytes, ...]  # Ed25519 public keys (32 bytes)
    quorum_threshold: int  # how many of them it takes
    allocations: tuple[Allocation, ...]
    lovelace_per_payout: int  # carried by each payout beside its tokens
    keeper_fee_per_payout: int  # lovelace, for whoever submits the release
    expires_at: int | None  # POSIX milliseconds: from then on the funder may have back what was not released


@record(1)
class Attestation:
    """One oracle's signature that a milestone is complete, published with a deposit."""

    distribution_id: bytes  # 32 bytes
    milestone_id: bytes  # 1 to 64 bytes
    oracle: bytes  # Ed25519 public key (32 bytes)
    signature: bytes  # Ed25519 (64 bytes), over `identity.message_to_sign`
    refund_to: bytes  # key hash (28 bytes) of who may have the deposit back


MilestoneDatum: TypeAlias = Distribution | Attestation

MILESTONE_DATUM: Final = Codec[MilestoneDatum](MilestoneDatum)

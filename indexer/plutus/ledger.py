"""Addresses and output references, as the ledger shows them to a V3 script (contracts/lib/ledger.ak).

On the chain anyone may write anything: a decoded hash can have any length, a decoded integer any size.
"""

from typing import TypeAlias

from indexer.plutus.record import record


@record(0, titled=False)
class VerificationKey:
    """Whoever holds the key with this hash (28 bytes, blake2b-224)."""

    hash: bytes


@record(1, titled=False)
class Script:
    """Whoever satisfies the script with this hash (28 bytes, blake2b-224)."""

    hash: bytes


Credential: TypeAlias = VerificationKey | Script


@record(0)
class Inline:
    """Staking rights lie with a credential."""

    credential: Credential


@record(1)
class Pointer:
    """Staking rights lie with the credential registered there: a form from before Conway."""

    slot_number: int
    transaction_index: int
    certificate_index: int


StakeCredential: TypeAlias = Inline | Pointer


@record(0)
class Address:
    """Who may spend, and who has the staking rights."""

    payment_credential: Credential
    stake_credential: StakeCredential | None = None


@record(0)
class OutputReference:
    """Which output: the id of its transaction (32 bytes), and its index there."""

    transaction_id: bytes
    output_index: int

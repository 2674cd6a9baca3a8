"""Whether a distribution's terms can be kept: what Create asks of them (contracts/lib/logic/create.ak, rule 5).

A decoded distribution has the right constructors and kinds, and nothing else is known of it.
"""

from collections.abc import Iterator
from typing import Final

from indexer.plutus.datum import Allocation, Distribution
from indexer.plutus.ledger import Credential, Inline, Pointer, Script

ORACLE_KEY_LENGTH: Final = 32
CREDENTIAL_LENGTH: Final = 28
MILESTONE_ID_LENGTHS: Final = range(1, 65)
TIMES: Final = range(1 << 63)
SUMS: Final = range(1 << 63)  # every total fits a signed integer of 64 bits


def objections(distribution: Distribution, script_hash: bytes) -> list[str]:
    """Why Create would refuse these terms, in people's words; nothing where they are well formed.

    `script_hash` (28 bytes) is that of the contract: nobody can be paid there. What the rest of the transaction has to
    satisfy (who signs, what the output holds) is not looked at.
    """
    return [
        *_about_oracles(distribution),
        *_about_the_whole(distribution),
        *(
            f"allocations[{i}].{reason}"
            for i, allocation in enumerate(distribution.allocations)
            for reason in _about_allocation(allocation, script_hash)
        ),
    ]


def _about_oracles(distribution: Distribution) -> Iterator[str]:
    oracles, threshold = distribution.oracles, distribution.quorum_threshold
    for i, oracle in enumerate(oracles):
        if len(oracle) != ORACLE_KEY_LENGTH:
            yield f"oracles[{i}] has {len(oracle)} bytes: a key has {ORACLE_KEY_LENGTH}"
        if oracle in oracles[:i]:
            yield f"oracles[{i}] is oracles[{oracles.index(oracle)}] again"
    if threshold < 1:
        yield f"quorum_threshold is {_shown(threshold)}: it takes at least one oracle"
    elif threshold > len(oracles):
        yield f"quorum_threshold is {_shown(threshold)}, and there are {len(oracles)} oracles"


def _about_the_whole(distribution: Distribution) -> Iterator[str]:
    token, allocations, expires_at = distribution.token, distribution.allocations, distribution.expires_at
    if token.asset_name and not token.policy_id:
        yield "token has a name and no policy"
    if not allocations:
        yield "allocations are missing"
    elif (total := sum(allocation.token_amount for allocation in allocations)) not in SUMS and total > 0:
        yield f"allocations sum up to {_shown(total)}: it has to be less than 2^63"
    for name in ("lovelace_per_payout", "keeper_fee_per_payout"):
        if (amount := getattr(distribution, name)) < 0:
            yield f"{name} is {_shown(amount)}: it cannot be negative"
    if expires_at is not None and expires_at not in TIMES:
        yield f"expires_at is {_shown(expires_at)}: a time lies between 0 and 2^63 - 1"


def _about_allocation(allocation: Allocation, script_hash: bytes) -> Iterator[str]:
    yield from _about_beneficiary(allocation, script_hash)
    if allocation.token_amount < 1:
        yield f"token_amount is {_shown(allocation.token_amount)}: it has to be positive"
    if len(allocation.milestone_id) not in MILESTONE_ID_LENGTHS:
        yield f"milestone_id has {len(allocation.milestone_id)} bytes: 1 to 64 are allowed"
    if allocation.vesting_timestamp not in TIMES:
        yield f"vesting_timestamp is {_shown(allocation.vesting_timestamp)}: a time lies between 0 and 2^63 - 1"
    if allocation.claimed:
        yield "claimed is true: nothing is at first"


def _about_beneficiary(allocation: Allocation, script_hash: bytes) -> Iterator[str]:
    payment, stake = allocation.beneficiary.payment_credential, allocation.beneficiary.stake_credential
    if payment == Script(script_hash):
        yield "beneficiary.payment_credential is the contract itself"
    yield from _about_credential(payment, "beneficiary.payment_credential")
    match stake:
        case Inline(credential):
            yield from _about_credential(credential, "beneficiary.stake_credential")
        case Pointer():
            yield "beneficiary.stake_credential is a pointer: only a credential is allowed"


def _about_credential(credential: Credential, place: str) -> Iterator[str]:
    if len(credential.hash) != CREDENTIAL_LENGTH:
        yield f"{place} has {len(credential.hash)} bytes: a hash has {CREDENTIAL_LENGTH}"


def _shown(number: int) -> str:
    # Python refuses to write numbers of thousands of digits, and a datum may hold one.
    return str(number) if number.bit_length() <= 128 else f"a number of {number.bit_length()} bits"

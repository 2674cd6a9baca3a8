"""Whether a schedule makes sense on this network, as far as that can be told without the node."""

from collections.abc import Iterator
from typing import Final

from nacl.bindings import crypto_core_ed25519_is_valid_point

from indexer.chain.network import Network
from indexer.chain.time import iso
from indexer.documents import MilestoneSchedule
from indexer.plutus.address import parse_shelley
from indexer.plutus.datum import Distribution
from indexer.plutus.identity import shown_milestone
from indexer.plutus.ledger import Script
from indexer.plutus.terms import objections

# Seconds of any year until 2286, taken for milliseconds, lie in these first months of 1970.
SECONDS_UNTIL_MS: Final = 10_000_000_000


def against(schedule: MilestoneSchedule, network: Network, policy: bytes, now_ms: int) -> list[str]:
    """What speaks against it: each with the field, what stands there, and what would be right.

    `policy`: the contract's script hash. `now_ms`: POSIX milliseconds.
    """
    terms = schedule.terms()
    return [
        *_network(schedule, network),
        *_token(terms, policy),
        *_oracles(terms),
        *_times(terms, now_ms),
        *_repeated(terms),
        *objections(terms, policy),
    ]


def _network(schedule: MilestoneSchedule, network: Network) -> Iterator[str]:
    if schedule.network_id != network.id:
        kind = "of mainnet" if network.id else "of a test network (addr_test1…)"
        yield (
            f"allocations[0].beneficiary is {schedule.allocations[0].beneficiary}: an address {kind} is expected, "
            f"for the configuration says {network.name}"
        )


def _token(terms: Distribution, policy: bytes) -> Iterator[str]:
    if terms.token.policy_id == policy:
        yield f"token.policy_id is {policy.hex()}: the contract's own, of state tokens; another one is expected"


def _oracles(terms: Distribution) -> Iterator[str]:
    for index, oracle in enumerate(terms.oracles):
        if not crypto_core_ed25519_is_valid_point(oracle):
            yield (
                f"oracles[{index}] is {oracle.hex()}: no key, but a point off the curve, or one of small order; "
                "give what `indexer keys new oracle` calls the public key"
            )


def _times(terms: Distribution, now_ms: int) -> Iterator[str]:
    for index, each in enumerate(terms.allocations):
        if 0 < each.vesting_timestamp < SECONDS_UNTIL_MS:
            yield f"allocations[{index}].vesting_at {_seconds(each.vesting_timestamp)}"
    if terms.expires_at is None:
        return
    if 0 < terms.expires_at < SECONDS_UNTIL_MS:
        yield f"expires_at {_seconds(terms.expires_at)}"
    elif terms.expires_at <= now_ms:
        yield f"expires_at is {iso(terms.expires_at)}: it has to come after now, {iso(now_ms)}"


def _seconds(ms: int) -> str:
    return (
        f"is {iso(ms)}: that looks like seconds taken for milliseconds; {iso(ms * 1000)} would be the same number "
        "of seconds (for `at once`, give 1970-01-01T00:00:00Z)"
    )


def _repeated(terms: Distribution) -> Iterator[str]:
    for index, each in enumerate(terms.allocations):
        first = terms.allocations.index(each)
        if first < index:
            yield f"allocations[{index}] is allocations[{first}] again: give one, with the sum as its amount"


def warnings(terms: Distribution) -> list[str]:
    """What the funder should know, and may want."""
    found = []
    if terms.expires_at is None:
        found.append("expires_at is missing: if the oracles lose their keys, the tokens are locked for good")
    for index, each in enumerate(terms.allocations):
        if isinstance(each.beneficiary.payment_credential, Script):
            found.append(
                f"allocations[{index}].beneficiary is a script: it gets no datum, and many scripts can then never "
                "spend what they get"
            )
    alike: dict[bytes, bytes] = {}
    for each in terms.allocations:
        other = alike.setdefault(each.milestone_id.lower(), each.milestone_id)
        if other != each.milestone_id:
            found.append(
                f"milestones {shown_milestone(other)} and {shown_milestone(each.milestone_id)} differ in case alone"
            )
    return list(dict.fromkeys(found))


def beneficiaries(schedule: MilestoneSchedule) -> int:
    """How many addresses are paid."""
    return len({parse_shelley(each.beneficiary)[0] for each in schedule.allocations})

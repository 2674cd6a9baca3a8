"""What can be claimed, and what stands in the way: one allocation, by all that matters to it."""

import pytest

from indexer.chain.block import OutputReference
from indexer.domain.claims import Claimability, claims_of
from indexer.domain.life import End, Life, Origin, Payment
from indexer.domain.quorum import Seen, Signature, Source
from indexer.plutus.datum import Allocation, AssetClass, Distribution
from indexer.plutus.ledger import Address, VerificationKey

ORACLE, MILESTONE = b"o" * 32, b"m1"
VESTING_MS = 1_700_000_000_000
SEEN = Seen(7, 3, bytes(32), 0)
PAYMENT = Payment(b"p" * 32, MILESTONE, (0,), OutputReference(b"p" * 32, 0), SEEN)
END = End(b"e" * 32, SEEN)


def life(*, signed: bool, paid: bool = False, ended: bool = False) -> Life:
    allocation = Allocation(Address(VerificationKey(b"b" * 28), None), 5, MILESTONE, VESTING_MS, claimed=False)
    terms = Distribution(b"f" * 28, AssetClass(b"", b""), (ORACLE,), 1, (allocation,), 0, 0, expires_at=1)
    reference = OutputReference(bytes(32), 0)
    origin = Origin(b"c" * 28, reference, terms, b"", reference, SEEN)
    signature = Signature(MILESTONE, ORACLE, b"s" * 64, Source.LOCAL, 7, verifies=True)
    return Life(bytes(32), origin, [PAYMENT] * paid, END if ended else None, [signature] * signed)


@pytest.mark.parametrize(
    ("found", "late_ms", "claimability"),
    [
        (life(signed=True), 0, "claimable"),  # at the very millisecond; and that it could expire changes nothing
        (life(signed=True), -1, "vesting_not_passed"),
        (life(signed=False), 0, "milestone_not_verified"),
        (life(signed=False), -1, "milestone_not_verified"),
        (life(signed=True, paid=True), -1, "already_claimed"),
        (life(signed=True, paid=True, ended=True), 0, "already_claimed"),
        (life(signed=True, ended=True), 0, "reclaimed"),
        (life(signed=False, ended=True), -1, "reclaimed"),
    ],
)
def test_an_allocation_is_claimable_or_the_first_thing_in_its_way_is_named(
    found: Life, late_ms: int, claimability: str
) -> None:
    """Paid, had back, not verified, not vested, in this order."""
    (claim,) = claims_of(found, VESTING_MS + late_ms)
    assert (claim.index, str(claim.claimability)) == (0, claimability)
    assert (claim.paid_by == b"p" * 32) == (claim.claimability is Claimability.ALREADY_CLAIMED)

"""What is to be released: by signatures that verify here and now, of terms that make the id, when the time has come."""

from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.chain.block import OutputReference
from indexer.domain.judge import Unwanted, Wanted, judge, release_id, sponsored, surely_costs
from indexer.domain.life import End, Life, Origin, Payment
from indexer.domain.quorum import Seen, Signature, Source
from indexer.plutus.datum import Allocation, AssetClass, Distribution
from indexer.plutus.identity import distribution_id
from indexer.plutus.ledger import Address, VerificationKey
from indexer.plutus.ledger import OutputReference as Seed
from tests.contract.keys import key_hash, public, signer
from tests.contract.terms import message
from tests.support.yard import BLUEPRINT, Yard, furnished, id_of
from tests.support.yard import allocation as promised
from tests.support.yard import terms as promise

POLICY: Final = bytes([0x11]) * 28
SEED: Final = OutputReference(bytes([0xAA]) * 32, 3)
CREATED: Final = OutputReference(bytes([0xCC]) * 32, 0)
SEEN: Final = Seen(7, 3, bytes(32), 0)
NAMES: Final = tuple(f"oracle {number}" for number in range(4))
NOON: Final = 1_700_000_000_000  # POSIX milliseconds


def allocation(number: int, milestone: bytes = b"m1", vesting: int = NOON) -> Allocation:
    return Allocation(Address(VerificationKey(bytes([number]) * 28)), 5, milestone, vesting, claimed=False)


TERMS: Final = Distribution(
    key_hash("funder"),
    AssetClass(b"", b""),
    tuple(public(name) for name in NAMES),
    2,
    (allocation(0), allocation(1, b"m2"), allocation(2, vesting=NOON + 2), allocation(3, vesting=NOON - 5)),
    1_500_000,
    500_000,
    None,
)


def life(terms: Distribution = TERMS, *signers: int, milestone: bytes = b"m1") -> Life:
    """Of a distribution, whose oracles in these positions have signed."""
    name = distribution_id(Seed(SEED.transaction_id, SEED.index), terms)
    signatures = [signed(name, number, milestone) for number in signers]
    return Life(name, Origin(POLICY, SEED, terms, b"", CREATED, SEEN), [], None, signatures)


def signed(name: bytes, number: int, milestone: bytes = b"m1", says: bytes | None = None) -> Signature:
    """An oracle's signature, which may say something else."""
    text = message(POLICY, name, milestone) if says is None else says
    key = signer(public(NAMES[number]))
    return Signature(milestone, bytes(key.verify_key), key.sign(text).signature, Source.CHAIN, 9, verifies=True)


def wanted(found: Wanted | Unwanted) -> Wanted:
    assert isinstance(found, Wanted), found
    return found


def unwanted(found: Wanted | Unwanted) -> Unwanted:
    assert isinstance(found, Unwanted), found
    return found


def test_all_that_is_due_of_a_milestone_is_wanted_by_as_few_signatures_as_it_takes() -> None:
    found = wanted(judge(life(TERMS, 3, 1, 2), b"m1", NOON + 1))
    assert (found.milestone_id, found.allocations, found.state, found.since) == (b"m1", (0, 3), CREATED, 7)
    assert [position for position, _ in found.signatures] == [1, 2]
    assert (found.due_ms, found.terms, found.policy) == (NOON, TERMS, POLICY)


@pytest.mark.parametrize(
    ("now", "expected"),
    [(NOON - 5, (3,)), (NOON - 1, (3,)), (NOON, (0, 3)), (NOON + 1, (0, 3)), (NOON + 2, (0, 2, 3))],
)
def test_an_allocation_is_due_from_its_very_millisecond_on(now: int, expected: tuple[int, ...]) -> None:
    found = wanted(judge(life(TERMS, 0, 1), b"m1", now))
    assert found.allocations == expected
    assert found.due_ms <= now


def test_before_the_first_is_due_it_is_said_when_that_will_be() -> None:
    assert unwanted(judge(life(TERMS, 0, 1), b"m1", NOON - 6)).next_ms == NOON - 5


def test_what_is_paid_is_not_paid_again_and_the_next_release_spends_what_the_last_one_made() -> None:
    it = life(TERMS, 0, 1)
    left = OutputReference(bytes([0xDD]) * 32, 0)
    it.payments.append(Payment(left.transaction_id, b"m1", (0, 3), left, replace(SEEN, slot=30)))
    assert unwanted(judge(it, b"m1", NOON + 1)).next_ms == NOON + 2
    found = wanted(judge(it, b"m1", NOON + 2))
    assert (found.allocations, found.state, found.since) == ((2,), left, 30)
    assert [each.claimed for each in found.terms.allocations] == [True, False, False, True]
    it.payments.append(Payment(bytes(32), b"m1", (2,), left, SEEN))
    assert unwanted(judge(it, b"m1", NOON + 2)) == Unwanted("all of it is paid")


def test_one_milestones_signatures_are_none_of_another() -> None:
    assert "0 of 2" in unwanted(judge(life(TERMS, 0, 1), b"m2", NOON)).reason
    assert wanted(judge(life(TERMS, 0, 1, milestone=b"m2"), b"m2", NOON)).allocations == (1,)


def test_a_distribution_that_ended_or_was_never_seen_to_begin_is_left_alone() -> None:
    it = life(TERMS, 0, 1)
    it.end = End(bytes(32), SEEN)
    assert "funder" in unwanted(judge(it, b"m1", NOON)).reason
    it.end, it.origin = None, None
    assert "creation" in unwanted(judge(it, b"m1", NOON)).reason


def test_a_milestone_that_the_terms_do_not_name_is_named() -> None:
    assert unwanted(judge(life(TERMS, 0, 1), b"m3", NOON)) == Unwanted("it has no milestone m3")


# --- signatures that are none


FORGERIES: Final = {
    "by nobody": bytes(64),
    "of the right length, of anything": bytes(range(64)),
    "too short": bytes(63),
    "too long": bytes(65),
    "none at all": b"",
}


@pytest.mark.parametrize("forged", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_signature_that_only_the_database_says_verifies_counts_for_nothing(forged: bytes) -> None:
    it = life(TERMS, 0)
    it.signatures.append(Signature(b"m1", TERMS.oracles[1], forged, Source.CHAIN, 9, verifies=True))
    assert "1 of 2" in unwanted(judge(it, b"m1", NOON)).reason


def test_a_signature_says_one_thing_about_one_distribution_by_one_oracle() -> None:
    """Of another distribution, another milestone, another contract; or by an oracle under another one's name."""
    it = life(TERMS, 0)
    for says in (
        message(POLICY, bytes(32), b"m1"),
        message(POLICY, it.id, b"m2"),
        message(bytes(28), it.id, b"m1"),
        it.id,
    ):
        it.signatures.append(signed(it.id, 1, says=says))
    it.signatures.append(replace(signed(it.id, 0), oracle=TERMS.oracles[2]))
    it.signatures.append(replace(signed(it.id, 3), milestone_id=b"m2"))
    it.signatures += [signed(it.id, 0)] * 5
    assert "1 of 2" in unwanted(judge(it, b"m1", NOON)).reason


def test_a_signature_that_verifies_counts_whatever_the_database_says() -> None:
    it = life(TERMS, 0)
    it.signatures.append(replace(signed(it.id, 2), verifies=False, source=Source.LOCAL))
    assert [position for position, _ in wanted(judge(it, b"m1", NOON)).signatures] == [0, 2]


def test_among_forgeries_in_an_oracles_name_the_true_signature_is_found() -> None:
    it = life(TERMS, 0)
    forged = Signature(b"m1", TERMS.oracles[1], bytes(64), Source.CHAIN, 1, verifies=True)
    it.signatures = [forged, forged, signed(it.id, 1), forged, *it.signatures]
    found = wanted(judge(it, b"m1", NOON))
    assert [(position, len(raw)) for position, raw in found.signatures] == [(0, 64), (1, 64)]
    assert found.signatures[1][1] != forged.signature


CHANGED: Final = {
    "an amount": replace(TERMS, allocations=(replace(TERMS.allocations[0], token_amount=6), *TERMS.allocations[1:])),
    "a beneficiary": replace(TERMS, allocations=(allocation(9), *TERMS.allocations[1:])),
    "the oracles": replace(TERMS, oracles=TERMS.oracles[::-1]),
    "the threshold": replace(TERMS, quorum_threshold=1),
    "what a keeper gets": replace(TERMS, keeper_fee_per_payout=500_001),
    "when it expires": replace(TERMS, expires_at=NOON),
}


@pytest.mark.parametrize("terms", CHANGED.values(), ids=CHANGED.keys())
def test_terms_or_a_seed_that_do_not_make_the_id_pay_nobody(terms: Distribution) -> None:
    it = life(TERMS, 0, 1)
    assert it.origin is not None
    it.origin = replace(it.origin, terms=terms)
    assert "seed and terms" in unwanted(judge(it, b"m1", NOON)).reason
    it.origin = replace(it.origin, terms=TERMS, seed=replace(SEED, index=4))
    assert "seed and terms" in unwanted(judge(it, b"m1", NOON)).reason


IMPOSSIBLE: Final = {
    "a quorum of nobody": replace(TERMS, quorum_threshold=0),
    "a quorum of fewer than nobody": replace(TERMS, quorum_threshold=-1),
    "an oracle who counts twice": replace(TERMS, oracles=(TERMS.oracles[0], TERMS.oracles[0], TERMS.oracles[1])),
    "a keeper who has to pay": replace(TERMS, keeper_fee_per_payout=-1),
}


@pytest.mark.parametrize("terms", IMPOSSIBLE.values(), ids=IMPOSSIBLE.keys())
def test_terms_that_the_contract_never_lets_begin_pay_nobody(terms: Distribution) -> None:
    """However they came into the database: their id is right, and one oracle's signature would do, or none."""
    assert "terms" in unwanted(judge(life(terms, 0), b"m1", NOON)).reason


# --- a part of it


@given(count=st.integers(1, 3))
def test_a_part_is_the_first_allocations_and_due_when_they_are(count: int) -> None:
    whole = wanted(judge(life(TERMS, 0, 1), b"m1", NOON + 2))
    part = whole.only(count)
    assert part.allocations == (0, 2, 3)[:count]
    assert part.due_ms == (NOON, NOON + 2, NOON + 2)[count - 1]
    assert replace(part, allocations=whole.allocations, due_ms=whole.due_ms) == whole
    assert (part.id == whole.id) == (count == 3)


def test_the_id_of_a_release_is_pinned() -> None:
    """By b2sum -l 128 of: four bytes of length before each of the transaction's id, the output's index (3), `m1`, and
    the positions 0 and 2 in four bytes each."""
    state = OutputReference(bytes([0xAA]) * 32, 3)
    assert release_id(state, b"m1", (0, 2)) == "d0404d113f3da458c91010e50849295b"


def test_no_two_releases_share_an_id() -> None:
    state, other = OutputReference(bytes(32), 0), OutputReference(bytes(32), 1)
    releases = [
        (state, b"m1", (0,)),
        (other, b"m1", (0,)),
        (OutputReference(bytes([1]) * 32, 0), b"m1", (0,)),
        (state, b"m", (0,)),
        (state, b"m1\0\0\0\4", ()),
        (state, b"m1", ()),
        (state, b"m1", (0, 1)),
        (state, b"m1", (1,)),
        (state, b"m1", (256,)),
    ]
    assert len({release_id(*each) for each in releases}) == len(releases)


# --- what it has to be worth


def of(terms: Distribution, indices: tuple[int, ...], signatures: int = 2) -> Wanted:
    return Wanted(
        bytes(32),
        POLICY,
        b"m1",
        indices,
        tuple((n, bytes(64)) for n in range(signatures)),
        CREATED,
        7,
        terms,
        NOON,
    )


@pytest.mark.parametrize("token", [True, False], ids=["a token", "ada"])
@pytest.mark.parametrize("keeper_fee", [0, 10_000, 50_000, 500_000])
@pytest.mark.parametrize("count", [1, 2, 30])
async def test_no_release_that_is_really_built_costs_less_than_it_surely_costs(
    token: bool, keeper_fee: int, count: int
) -> None:
    """What is promised to each is more than the network asks for, so that nothing but fees and gains is at stake."""
    yard = await furnished()
    allocations = [promised(n, 2_000_000) for n in range(count)]
    asked = replace(promise(*allocations), oracles=promise().oracles[:1], quorum_threshold=1)
    terms = replace(asked, keeper_fee_per_payout=keeper_fee, token=asked.token if token else AssetClass(b"", b""))
    _, state = await yard.create(terms)
    built = await yard.build(yard.release(state, range(count)))
    assert state.output.datum is not None
    bound = surely_costs(
        of(terms, tuple(range(count)), 1), len(state.output.datum), len(BLUEPRINT.script), yard.around.parameters
    )
    assert bound <= built.loss
    assert built.loss - bound < 120_000 + 4_000 * count  # and it is not far away


def test_whoever_gets_nothing_surely_loses() -> None:
    """The least is the network's 155,381 lovelace for any transaction: this is more."""
    parameters = Yard().around.parameters
    least = surely_costs(of(replace(TERMS, keeper_fee_per_payout=0), (0, 3)), 400, 5_000, parameters)
    assert least > 155_381
    richer = surely_costs(of(replace(TERMS, keeper_fee_per_payout=1_000_000), (0, 3)), 400, 5_000, parameters)
    assert least - richer == 2_000_000


def test_a_release_is_sponsored_by_its_distribution_by_its_funder_or_because_all_are() -> None:
    it = of(TERMS, (0,))
    assert sponsored(it, {"all"})
    assert sponsored(it, {bytes(32).hex()})
    assert sponsored(it, {"00" * 31 + "01", key_hash("funder").hex()})
    assert not sponsored(it, ())
    assert not sponsored(it, {"ALL", "00" * 31 + "01", key_hash("keeper").hex(), ""})


async def test_the_id_reckoned_anew_is_the_contracts_own() -> None:
    """A distribution that the devnet's ledger let begin, with signatures by its oracles' keys, is wanted."""
    yard = await furnished()
    created, state = await yard.create(promise(promised(vesting=yard.now_ms)))
    name, release = id_of(created), yard.release(state, [0])
    seed = created.intent.seed.reference  # type: ignore[union-attr]
    terms = created.intent.terms  # type: ignore[union-attr]
    signatures = [Signature(b"m1", terms.oracles[n], signature, Source.LOCAL, 1) for n, signature in release.signatures]
    it = Life(name, Origin(BLUEPRINT.policy_id, seed, terms, b"", state.reference, SEEN), [], None, signatures)
    found = wanted(judge(it, b"m1", yard.now_ms))
    assert (found.state, found.signatures) == (state.reference, release.signatures)

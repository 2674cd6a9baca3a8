"""Release, rule 3: the listed oracles ascend, each one's signature verifies, and they are no fewer than the threshold.

An oracle is told by its position in the datum. What it signs names the policy, the distribution and the milestone.
"""

from dataclasses import replace
from hashlib import blake2b
from itertools import combinations, permutations, product
from typing import Final

import pytest

from tests.contract.gallery import stages
from tests.contract.healthy import DISTRIBUTION, FUEL, STATE, release, sample, signatures, state_token
from tests.contract.keys import signing_key
from tests.contract.mutate import with_output, with_resolved
from tests.contract.releasing import NOWHERE, ascends, passes, showing
from tests.contract.script import OWN
from tests.contract.terms import TAG, TOKEN, Terms, identity, message, signature

TERMS: Final = sample(oracles=4, threshold=2)
ID: Final = state_token(TERMS).name
MESSAGE: Final = message(OWN, ID, b"m1")
HEALTHY: Final = release(TERMS, oracles=(1, 2))
PROOFS: Final = dict(signatures(TERMS, b"m1", range(4)))

GROUP_ORDER: Final = 2**252 + 27742317777372353535851937790883648493  # of Ed25519


# --- No fewer than the threshold


@pytest.mark.parametrize("threshold", [1, 2, 3, 4])
def test_any_oracles_will_do_that_are_enough(threshold: int) -> None:
    """One fewer than the threshold must not do: that is what the funder has chosen it for. More will do as well."""
    terms = sample(oracles=4, threshold=threshold)
    case = release(terms)
    proofs = signatures(terms, b"m1", range(4))
    for count in range(5):
        for chosen in combinations(proofs, count):
            expected = count >= threshold
            assert expected == passes(showing(case, chosen)), [oracle for oracle, _ in chosen]


def test_without_signatures_nothing_is_released() -> None:
    """Not of a single oracle's distribution either."""
    for terms in (TERMS, sample(oracles=1, threshold=1)):
        assert not passes(release(terms, oracles=()))


# --- They ascend


def test_positions_ascend() -> None:
    """Of all lists of up to three positions, right and wrong, each with a signature that is good for it, only those
    pass that ascend. Any other form would be a way to count somebody twice, or to leave the list."""
    case = release(sample(oracles=3, threshold=1))
    proofs = dict(signatures(sample(oracles=3, threshold=1), b"m1", range(3)))
    for length in range(4):
        for listed in product(range(-1, 4), repeat=length):
            expected = length > 0 and ascends(listed, 3)
            assert expected == passes(showing(case, [(n, proofs[n % 3]) for n in listed])), listed


def test_an_oracle_counts_once() -> None:
    """Else any one of them would be a quorum: in a row, with another between, or as often as there are oracles."""
    for listed in ((1, 1), (1, 2, 1), (1, 2, 2), (1, 1, 2), (1, 1, 1, 1)):
        assert not passes(showing(HEALTHY, [(n, PROOFS[n]) for n in listed])), listed


def test_in_any_other_order_a_quorum_is_none() -> None:
    """Though all have signed: one order, so that to look once through the list is enough."""
    for listed in permutations(range(4)):
        expected = listed == (0, 1, 2, 3)
        assert expected == passes(showing(HEALTHY, [(n, PROOFS[n]) for n in listed])), listed


@pytest.mark.parametrize("position", [*NOWHERE, 4])
def test_no_oracle_is_outside_the_list(position: int) -> None:
    """Counted from the end, behind it, or where a machine's integer would wrap: alone, in front or behind."""
    outside = (position, PROOFS[position % 4])
    inside = [(n, PROOFS[n]) for n in (1, 2)]
    for listed in ([outside], [outside, *inside], [*inside, outside]):
        assert not passes(showing(HEALTHY, listed))


# --- Each one's signature verifies


@pytest.mark.parametrize("bad", range(4))
def test_a_bad_signature_is_not_passed_over(bad: int) -> None:
    """Beside enough good ones, before and behind: a release shows who attested, and others count whom it lists."""
    others = [n for n in range(4) if n != bad]
    for good in (others, others[:2], others[1:]):
        listed = sorted([*good, bad])
        assert passes(showing(HEALTHY, [(n, PROOFS[n]) for n in listed]))
        assert not passes(showing(HEALTHY, [(n, bytes(64) if n == bad else PROOFS[n]) for n in listed]))


@pytest.mark.parametrize(
    "content",
    [
        message(OWN, ID, b"m2"),
        message(OWN, ID, b"m"),
        message(OWN, ID, b"m1\0"),
        message(OWN, ID, b""),
        message(OWN, identity(FUEL, TERMS), b"m1"),
        message(OWN, identity(STATE, replace(TERMS, threshold=1)), b"m1"),
        message(OWN, b"", b"m1"),
        message(TOKEN.policy, ID, b"m1"),
        message(b"", ID, b"m1"),
        message(ID, OWN, b"m1"),
        blake2b(OWN + ID + b"m1", digest_size=32).digest(),
        blake2b(TAG[:-1] + b"2" + OWN + ID + b"m1", digest_size=32).digest(),
        blake2b(TAG + OWN + ID + b"m1", digest_size=28).digest(),
        blake2b(MESSAGE, digest_size=32).digest(),
        TAG + OWN + ID + b"m1",
        ID,
        b"",
    ],
    ids=[
        "of another milestone",
        "of a milestone that ours begins with",
        "of a milestone that begins with ours",
        "of no milestone",
        "of a twin on the same terms",
        "of a distribution on other terms",
        "of no distribution",
        "of another contract",
        "of no contract",
        "with contract and distribution swapped",
        "without the tag",
        "with the tag of another version",
        "with a shorter hash",
        "hashed twice",
        "not hashed",
        "of the distribution alone",
        "of nothing",
    ],
)
def test_a_signature_of_anything_else_does_not_count(content: bytes) -> None:
    """What oracles have signed once is public for ever: it must not pay under other terms, earlier or elsewhere."""
    signed = [(n, signature(TERMS.oracles[n], content)) for n in (1, 2)]
    assert not passes(showing(HEALTHY, signed))
    assert not passes(showing(HEALTHY, [signed[0], (2, PROOFS[2])]))


def test_attesting_one_milestone_does_not_release_the_next() -> None:
    """The whole transaction is right for the second milestone, but the oracles have signed the first."""
    terms = stages()
    case = release(terms, b"m2")
    assert passes(case)
    assert not passes(showing(case, signatures(terms, b"m1", range(3))))


@pytest.mark.parametrize(
    "proof",
    [
        b"",
        PROOFS[2][:63],
        PROOFS[2] + b"\0",
        PROOFS[2] * 2,
        bytes(64),
        b"\x01" + bytes(63),
        bytes([PROOFS[2][0] ^ 1]) + PROOFS[2][1:],
        PROOFS[2][:-1] + bytes([PROOFS[2][-1] ^ 1]),
        PROOFS[2][:32] + (int.from_bytes(PROOFS[2][32:], "little") + GROUP_ORDER).to_bytes(32, "little"),
        PROOFS[2][32:] + PROOFS[2][:32],
        MESSAGE + MESSAGE,
    ],
    ids=[
        "empty",
        "a byte less",
        "a byte more",
        "twice",
        "zeros",
        "the neutral point and zero",
        "its first bit flipped",
        "a bit of its last byte flipped",
        "its scalar beyond the group's order",
        "its halves swapped",
        "the message itself",
    ],
)
def test_nothing_else_is_a_signature(proof: bytes) -> None:
    """64 bytes that verify, by the ledger's rules."""
    assert not passes(showing(HEALTHY, [(1, PROOFS[1]), (2, proof)]))


def test_a_signature_is_good_for_its_oracle_only() -> None:
    """One oracle's signature under another's position would make a quorum of one."""
    for listed in (
        [(1, PROOFS[2]), (2, PROOFS[1])],
        [(1, PROOFS[1]), (2, PROOFS[1])],
        [(0, PROOFS[1]), (1, PROOFS[1])],
    ):
        assert not passes(showing(HEALTHY, listed))


def test_a_stranger_signs_nothing() -> None:
    """Its signature verifies under its own key, which is not in the list."""
    proof = signing_key("stranger").sign(MESSAGE).signature
    for listed in ([(0, proof), (1, proof)], [(1, PROOFS[1]), (2, proof)], [(1, proof), (2, PROOFS[2])]):
        assert not passes(showing(HEALTHY, listed))


@pytest.mark.parametrize("key", [b"", TERMS.oracles[2][:31], TERMS.oracles[2] + b"\0"], ids=["none", "short", "long"])
def test_a_key_of_another_length_verifies_nothing(key: bytes) -> None:
    """Create refuses such keys; should one be there, it is no way in."""
    terms: Terms = replace(TERMS, oracles=(*TERMS.oracles[:2], key, TERMS.oracles[3]))
    case = with_resolved(HEALTHY, STATE, datum=terms.data())
    case = with_output(case, DISTRIBUTION, datum=terms.claim((0, 1)).data())
    assert not passes(case)
    assert passes(showing(case, [(0, PROOFS[0]), (1, PROOFS[1])]))

"""Reclaim, without a state token: what somebody sent us by mistake goes back at any time, whatever its values.

The last rule of `contracts/lib/logic/reclaim.ak`. That the datum decodes in full is in `test_malformed`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import pytest

from tests.contract.builder import Coin, Output
from tests.contract.gallery import AFTER_ALL, BEFORE_ALL, FOREIGN, GOLD
from tests.contract.healthy import NOW, STATE, distribution, reclaim, sample, state_token
from tests.contract.jiggle import re_encoded
from tests.contract.keys import key_hash
from tests.contract.malformed import Place
from tests.contract.mutate import with_input, with_mint, with_resolved, with_signers
from tests.contract.plutus import constr, integer, octets, sequence, with_field
from tests.contract.script import OWN
from tests.contract.terms import ADA, BURN, RECLAIM, Address, Allocation, Asset, Credential, Reference
from tests.contract.tree import Node
from tests.contract.verdict import passes, refused

TERMS: Final = sample(3)
EXPIRING: Final = replace(TERMS, expires_at=NOW)
EXPIRED: Final = reclaim(EXPIRING)
STRAY: Final = reclaim(TERMS, stray=True)
HOME: Final = Address(Credential(OWN, is_script=True))
STRANGER: Final = key_hash("stranger")

in_either_order = pytest.mark.parametrize("at", [BEFORE_ALL, AFTER_ALL], ids=["before", "behind"])
OTHER, LAST = Asset(OWN, bytes(32)), Asset(OWN, b"\xff" * 32)


@in_either_order
def test_a_stray_goes_along(at: Reference) -> None:
    """With a distribution, and for the same burn: it has no token of its own."""
    assert passes(with_input(EXPIRED, Coin(at, Output(HOME, {ADA: 5_000_000, GOLD: 5}, TERMS.data()), RECLAIM)))


@in_either_order
def test_a_stray_takes_no_distribution_along(at: Reference) -> None:
    """A distribution beside it has to have expired, and its token to be burnt, all the same."""
    early = with_input(STRAY, Coin(at, distribution(TERMS), RECLAIM))
    assert refused(with_mint(early, {state_token(TERMS): -1}, {OWN: BURN}), by="spend")
    unburnt = with_input(STRAY, Coin(at, distribution(EXPIRING), RECLAIM))
    assert refused(unburnt, by="spend")
    assert passes(with_mint(unburnt, {state_token(EXPIRING): -1}, {OWN: BURN}))


@pytest.mark.parametrize(
    "held",
    [
        {GOLD: 5},
        {Asset(bytes(28), b""): 1},
        {Asset(b"\xff" * 28, b"x"): 2**63},
        {Asset(FOREIGN, state_token(TERMS).name): 1},
        {Asset(policy, name): 1 for policy in (bytes(28), FOREIGN) for name in (b"", b"x", OWN)},
    ],
    ids=["gold", "a policy before all", "a policy behind all", "a token named like a state token", "many"],
)
def test_a_stray_may_hold_anything(held: dict[Asset, int]) -> None:
    """A token is a state token by our policy, not by its name."""
    assert passes(with_resolved(STRAY, STATE, plus=held))


@pytest.mark.parametrize("minted", [{OTHER: -1}, {OTHER: -1, LAST: -3}])
def test_a_stray_does_not_mind_what_is_burnt(minted: dict[Asset, int]) -> None:
    """Burn looks after that."""
    assert passes(with_mint(STRAY, minted, {OWN: BURN}))


DATUM: Final = EXPIRING.data()
HUGE: Final = (2**63, 2**64, -(2**64) - 1, 2**1_000, -(2**1_000))
INTEGERS: Final[Mapping[str, Place]] = {
    "quorum_threshold": (3,),
    "token_amount": (4, 1, 1),
    "vesting_timestamp": (4, 1, 3),
    "lovelace_per_payout": (5,),
    "keeper_fee_per_payout": (6,),
    "expires_at": (7, 0),
}
WILD: Final[Mapping[str, Node]] = {
    **{f"{name} {n:.0e}": with_field(DATUM, place, integer(n)) for name, place in INTEGERS.items() for n in HUGE},
    "a policy of 3 bytes": with_field(DATUM, (1, 0), b"abc"),
    "a token's name of 65 bytes": with_field(DATUM, (1, 1), octets(bytes(65))),
    "ada with a name": with_field(DATUM, (1, 0), b""),
    "a token of ours": with_field(DATUM, (1, 0), OWN),
    "an oracle of no bytes": with_field(DATUM, (2, 1), b""),
    "an oracle of 1000 bytes": with_field(DATUM, (2, 1), octets(bytes(1_000))),
    "the same oracles": with_field(DATUM, (2, 1), TERMS.oracles[0]),
    "no oracles": with_field(DATUM, (2,), sequence()),
    "no allocations": with_field(DATUM, (4,), sequence()),
    "a payment hash of no bytes": with_field(DATUM, (4, 0, 0, 0, 0), b""),
    "a payment hash of 65 bytes": with_field(DATUM, (4, 2, 0, 0, 0), octets(bytes(65))),
    "a stake hash of 29 bytes": with_field(DATUM, (4, 0, 0, 1, 0, 0, 0), bytes(29)),
    "a pointer": with_field(DATUM, (4, 0, 0, 1), constr(0, constr(1, 1, 2, 3))),
    "a wild pointer": with_field(DATUM, (4, 2, 0, 1), constr(0, constr(1, -1, integer(2**70), 0))),
    "our script as a beneficiary": with_field(DATUM, (4, 0, 0, 0), constr(1, OWN)),
    "a milestone without a name": with_field(DATUM, (4, 1, 2), b""),
    "a milestone of 200 bytes": with_field(DATUM, (4, 1, 2), octets(bytes(200))),
    "130 allocations": replace(TERMS, allocations=tuple(Allocation(HOME, n) for n in range(130))).data(),
    "fields in lists of definite length": re_encoded(DATUM),
}


@pytest.mark.parametrize("datum", WILD.values(), ids=WILD)
def test_a_stray_goes_back_whatever_its_values(datum: Node) -> None:
    """Decoding in full is about constructors, fields and kinds: what is absurd is a mistake all the more."""
    assert passes(with_resolved(STRAY, STATE, datum=datum))


@pytest.mark.parametrize("datum", WILD.values(), ids=WILD)
def test_whatever_its_values_its_funder_signs(datum: Node) -> None:
    """However absurd."""
    assert refused(with_signers(with_resolved(STRAY, STATE, datum=datum), (STRANGER,)), by="spend")

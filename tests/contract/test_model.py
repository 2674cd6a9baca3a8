"""The model itself: what it accepts, and one broken rule at a time."""

from collections.abc import Iterable
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import pytest
from cbor2 import CBORTag

from tests.contract.case import slot
from tests.contract.data import Constr, Data, Pairs, serialise
from tests.contract.model import accepts, identity, message
from tests.contract.story import (
    ATTESTATION,
    FUEL,
    FUNDER,
    HOME,
    ID,
    KEY_TO,
    LIFE,
    MINT,
    NAME,
    PINNED,
    POLICY,
    SEED,
    SELF,
    SPEND,
    STATE,
    STRAY,
    VESTING,
    WALLET,
    Change,
    Terms,
    changed,
    claimed,
    constr,
    creation,
    output,
    reclaim,
    release,
    releasing,
    signed,
    stray,
    to,
)

# Create


def test_the_pinned_creation_is_accepted_under_the_pinned_id() -> None:
    """The id comes from DESIGN, not from the model."""
    assert creation(name=PINNED).verdict() == ("", "")


def test_pinned_bytes_ids_and_messages() -> None:
    """Both examples of DESIGN section 2."""
    first = Terms().datum()
    written = serialise((Constr(0, SEED), first)).hex()
    assert written.startswith(f"9fd8799f5820{SEED[0].hex()}01ffd8799f581c2222")
    assert written.endswith("d87a80ffff")
    assert identity(Constr(0, SEED), first) == PINNED
    assert message(SELF, PINNED, b"m1").hex() == "81dd6ac328aef3c5151bd38cb8cfeb25bef73df9a70819a438d33fe34cb71262"

    stake = constr(0, constr(0, constr(0, bytes([0x66]) * 28)))
    script = constr(0, constr(0, constr(1, bytes([0x88]) * 28)))
    second = Terms(
        token=(b"", b""),
        oracles=(bytes([0x44]) * 32, bytes([0x45]) * 32),
        threshold=2,
        allocations=(
            (to(constr(0, bytes([0x55]) * 28), stake), 7, b"m" * 64, 0, False),
            (to(constr(1, bytes([0x77]) * 28), script), 2**63 - 8, b"\0", 2**63 - 1, False),
        ),
        lovelace=0,
        fee=0,
        expires=1_800_000_000_000,
    )
    found = identity(Constr(0, (bytes([0xAB]) * 32, 0)), second.datum())
    assert found.hex() == "32c9ad973c9a76889800e620ec09f96fb227094ba25a4e94962472356a156fe4"
    digest = message(SELF, found, b"m" * 64).hex()
    assert digest == "b099edc0c2522784b40597c6bed7fe0c1339b3378fa901b4cc140af58c330e7b"


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("the funder signs", lambda s: s.body.pop(14)),
        ("the seed is an input", lambda s: s.inputs.update({FUEL: s.inputs.pop(SEED)})),
        ("the seed is an input", lambda s: (s.references.update(s.inputs), s.inputs.clear())),
        ("exactly one token is minted", lambda s: s.body[9][SELF].update({PINNED: 2})),
        ("exactly one token is minted", lambda s: s.body[9][SELF].update({b"more": 1})),
        ("exactly one token is minted", lambda s: s.body[9][SELF].update({b"less": -1})),
        ("an output holds the state token", lambda s: s.body.update({9: {SELF: {b"other": 1}}})),
        ("the state output is at our credential", lambda s: s.outputs[0].update({0: b"\x61" + SELF})),
        (
            "the state output's stake part is no pointer",
            lambda s: s.outputs[0].update({0: b"\x51" + SELF + b"\x01\x02\x03"}),
        ),
        (
            "the state output has an inline Distribution that decodes in full",
            lambda s: s.outputs[0].update({2: [0, bytes(32)]}),
        ),
        ("the state token is named by the id", lambda s: s.outputs.__setitem__(0, creation(LIFE, PINNED).outputs[0])),
        (
            "the state output holds lovelace, token, state token and nothing else",
            lambda s: s.outputs[0][1][1].update({WALLET: {b"": 1}}),
        ),
        ("the state output has no reference script", lambda s: s.outputs[0].update({3: CBORTag(24, b"\x82\x03\x40")})),
        ("the state output holds the sum of token", lambda s: s.outputs[0][1][1].update({POLICY: {NAME: 4}})),
        ("the state output holds lovelace enough", lambda s: s.outputs[0][1].__setitem__(0, 1_999_999)),
        ("the redeemer is a MintRedeemer", lambda s: s.redeemers.update({(MINT, 0): constr(0, constr(0, *SEED, 1))})),
        ("the redeemer is a MintRedeemer", lambda s: s.redeemers.update({(MINT, 0): constr(2)})),
        ("burning, every quantity is negative", lambda s: s.redeemers.update({(MINT, 0): constr(1)})),
    ],
)
def test_a_creation_with_one_broken_rule_is_refused(rule: str, change: Change) -> None:
    """Every sentence of Create that is about the transaction."""
    assert (rule, "") == changed(creation(name=PINNED), change)


def paying(**one: Any) -> dict[str, Any]:
    """One allocation that differs from the pinned one."""
    usual = {"to": KEY_TO, "amount": 5, "milestone": b"m1", "vesting": VESTING, "claimed": False}
    return {"allocations": (tuple((usual | one).values()),)}


@pytest.mark.parametrize(
    ("rule", "terms"),
    [
        ("", {"threshold": 2, "oracles": (bytes(32), b"\1" * 32)}),
        ("1 <= threshold <= oracles", {"threshold": 0}),
        ("1 <= threshold <= oracles", {"threshold": 2}),
        ("oracles are distinct", {"oracles": (bytes(32), bytes(32))}),
        ("oracles have 32 bytes", {"oracles": (bytes(31),)}),
        ("token is ada or has a policy", {"token": (b"", b"TOKEN")}),
        ("there are allocations", {"allocations": ()}),
        ("amounts are positive", paying(amount=0)),
        ("the sum of amounts is below 2^63", paying(amount=2**63)),
        ("", paying(milestone=b"m" * 64)),
        ("milestone ids have 1 to 64 bytes", paying(milestone=b"")),
        ("milestone ids have 1 to 64 bytes", paying(milestone=b"m" * 65)),
        ("", {"lovelace": 0, "fee": 0}),
        ("lovelace_per_payout is not negative", {"lovelace": -1}),
        ("keeper_fee_per_payout is not negative", {"fee": -1}),
        ("", paying(vesting=2**63 - 1)),
        ("vesting times are in 0 .. 2^63-1", paying(vesting=2**63)),
        ("vesting times are in 0 .. 2^63-1", paying(vesting=-1)),
        ("", {"expires": 0}),
        ("expires_at is in 0 .. 2^63-1", {"expires": -1}),
        ("expires_at is in 0 .. 2^63-1", {"expires": 2**63}),
        ("nothing is claimed", paying(claimed=True)),
        ("", paying(to=to(constr(0, SELF)))),
        ("beneficiaries are not our own credential", paying(to=to(constr(1, SELF)))),
        ("beneficiaries have a payment hash of 28 bytes", paying(to=to(constr(0, bytes(27))))),
        (
            "beneficiaries have a stake hash of 28 bytes",
            paying(to=to(constr(0, WALLET), constr(0, constr(0, constr(1, b""))))),
        ),
        ("beneficiaries have no pointer", paying(to=to(constr(0, WALLET), constr(0, constr(1, 1, 2, 3))))),
        ("", {"token": (b"", b""), "lovelace": 999_998, "fee": 999_997}),
        ("the state output holds lovelace enough", {"token": (b"", b""), "lovelace": 999_998, "fee": 999_998}),
    ],
)
def test_terms_that_are_not_well_formed_are_refused(rule: str, terms: dict[str, Any]) -> None:
    """Under the id that commits to them; an empty rule means accepted."""
    story = creation(replace(Terms(), **terms), held=2**63)
    assert rule == story.verdict()[0]


# Release


@pytest.mark.parametrize("terms", [LIFE, replace(LIFE, token=(b"", b"")), replace(LIFE, expires=0)])
def test_a_release_is_accepted(terms: Terms) -> None:
    """Of a token, of ada, and after the expiry."""
    assert release(terms).verdict() == ("", "")


def redeem(allocations: list[int], signatures: Iterable[Data], milestone: bytes = b"m1") -> Change:
    return lambda s: s.redeemers.update({(SPEND, 1): releasing(allocations, signatures, milestone)})


BOTH = signed(0, 2)
SECOND = BOTH[1][1]


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("", lambda s: s.references.update({STRAY: output(HOME, 1, None, 1)})),
        ("", lambda s: s.body.update({3: 1, 14: [WALLET], 22: 5, 5: {}, 4: []})),
        ("", lambda s: s.outputs[0][1].__setitem__(0, 26_000_001)),
        ("", lambda s: s.outputs[1][1].__setitem__(0, 1_500_001)),
        ("", redeem([0, 1], signed(0, 1, 2))),
        ("the input holds the state token", lambda s: s.inputs[STATE][1][1].pop(SELF)),
        ("it is the only input at our credential", lambda s: s.inputs.update({STRAY: output(HOME, 1, None, 1)})),
        ("every other input is key-locked", lambda s: s.inputs[FUEL].update({0: b"\x71" + WALLET})),
        ("the mint is empty", lambda s: s.body.update({9: {POLICY: {NAME: 1}}})),
        ("there are no withdrawals", lambda s: s.body.update({5: {b"\xe1" + WALLET: 0}})),
        ("there are no certificates", lambda s: s.body.update({4: [[0, [0, WALLET]]]})),
        ("there are no votes", lambda s: s.body.update({19: {(2, WALLET): {}}})),
        ("there are no proposals", lambda s: s.body.update({20: [[1, b"\xe1" + WALLET, [6], None]]})),
        ("oracle indices are strictly increasing", redeem([0, 1], BOTH[::-1])),
        ("oracle indices are strictly increasing", redeem([0, 1], [BOTH[0], BOTH[0]])),
        ("oracle indices are in range", redeem([0, 1], [*BOTH, (3, bytes(64))])),
        ("oracle indices are in range", redeem([0, 1], [(-1, SECOND), *BOTH])),
        ("every signature verifies", redeem([0, 1], [BOTH[0], (1, SECOND), BOTH[1]])),
        ("every signature verifies", redeem([0, 1], [BOTH[0], (2, SECOND[:-1])])),
        ("every signature verifies", redeem([0, 1], signed(0, 2, id_=PINNED))),
        ("there are enough signatures", redeem([0, 1], BOTH[:1])),
        ("at least one allocation is released", redeem([], BOTH)),
        ("allocation indices are strictly increasing", redeem([1, 0], BOTH)),
        ("allocation indices are strictly increasing", redeem([0, 0], BOTH)),
        ("allocation indices are in range", redeem([0, 3], BOTH)),
        ("allocation indices are in range", redeem([-1, 0], BOTH)),
        ("the allocations are of the milestone", redeem([0, 2], BOTH)),
        ("the allocations are vested", lambda s: s.body.update({8: slot(VESTING) - 1})),
        ("the allocations are vested", lambda s: s.body.pop(8)),
        ("there is an output for the rest and for each allocation", lambda s: s.outputs.__delitem__(slice(2, None))),
        ("output 0 has the same address", lambda s: s.outputs[0].update({0: b"\x11" + SELF + WALLET})),
        ("output 0 has no reference script", lambda s: s.outputs[0].update({3: CBORTag(24, b"\x82\x03\x40")})),
        ("output 0 keeps the state token", lambda s: s.outputs[0][1][1].pop(SELF)),
        ("output 0 has no other token", lambda s: s.outputs[0][1][1].update({WALLET: {b"": 1}})),
        ("output 0 has lovelace reduced by no more than allowed", lambda s: s.outputs[0][1].__setitem__(0, 25_999_999)),
        ("a payout is at exactly the beneficiary's address", lambda s: s.outputs[1].update({0: b"\x01" + WALLET * 2})),
        ("a payout holds lovelace enough", lambda s: s.outputs[2][1].__setitem__(0, 1_499_999)),
        ("a payout has no datum", lambda s: s.outputs[1].update({2: [0, bytes(32)]})),
        ("a payout has no datum", lambda s: s.outputs[1].update({2: [1, CBORTag(24, b"\0")]})),
        ("a payout has no reference script", lambda s: s.outputs[1].update({3: CBORTag(24, b"\x82\x03\x40")})),
        ("the redeemer is a SpendRedeemer", redeem([0, 1], [(0, SECOND, 0), (2, SECOND, 0)])),
        ("the redeemer is a SpendRedeemer", lambda s: s.redeemers.update({(SPEND, 1): constr(2, 0)})),
        ("the datum is an Attestation that decodes in full", lambda s: s.redeemers.update({(SPEND, 1): constr(2)})),
    ],
)
def test_a_release_with_one_broken_rule_is_refused(rule: str, change: Change) -> None:
    """Every sentence of Release; an empty rule means that the change is free."""
    assert (rule, "") == changed(release(), change)


@pytest.mark.parametrize("quantity", [4, 6])
def test_a_payout_is_exact(quantity: int) -> None:
    """Neither more nor less of the token, nor another one beside it."""
    rule = "a payout holds exactly token_amount of token, and no other"
    assert (rule, "") == changed(release(), lambda s: s.outputs[1][1].__setitem__(1, {POLICY: {NAME: quantity}}))
    more = {POLICY: {NAME: 5}, SELF: {b"": quantity}}
    assert (rule, "") == changed(release(), lambda s: s.outputs[1][1].__setitem__(1, more))


@pytest.mark.parametrize("quantity", [10, 12])
def test_the_rest_is_exact(quantity: int) -> None:
    """Token is reduced by what is paid, neither more nor less."""
    rule = "output 0 has token reduced by exactly what is paid"
    assert (rule, "") == changed(release(), lambda s: s.outputs[0][1][1].update({POLICY: {NAME: quantity}}))


def test_a_claimed_allocation_is_not_paid_again() -> None:
    """Neither does a datum that forgets what was claimed continue a distribution."""
    assert release(claimed(LIFE, 1)).verdict() == ("the allocations are unclaimed", "")
    story = release()
    story.outputs[0] = output(HOME, 26_000_000, story.outputs[0][1][1], LIFE.datum())
    assert story.verdict() == ("output 0 has the same datum, but for what is claimed, inline", "")


# Reclaim, Withdraw, and several at once

COMPLETE = claimed(LIFE, 0, 1, 2)
EXPIRED = replace(LIFE, expires=VESTING)


@pytest.mark.parametrize("terms", [COMPLETE, EXPIRED])
def test_a_reclaim_is_accepted_when_all_is_claimed_or_expired(terms: Terms) -> None:
    """And so is its burn."""
    story = reclaim(terms)
    assert [each.accepted for each in story.judged()] == [True, True]
    assert accepts(story.case(), SELF)


@pytest.mark.parametrize(
    ("rule", "terms", "change"),
    [
        ("all is claimed, or it has expired", LIFE, lambda _: None),
        ("all is claimed, or it has expired", EXPIRED, lambda s: s.body.update({8: slot(VESTING) - 1})),
        ("all is claimed, or it has expired", EXPIRED, lambda s: s.body.pop(8)),
        ("the funder signs", COMPLETE, lambda s: s.body.update({14: [WALLET]})),
        ("the state token is burnt", COMPLETE, lambda s: s.body.update({9: {SELF: {ID: -2}}})),
        ("the state token is burnt", COMPLETE, lambda s: s.body.update({9: {SELF: {b"": -1}}})),
    ],
)
def test_a_reclaim_with_one_broken_rule_is_refused(rule: str, terms: Terms, change: Change) -> None:
    """The burn beside it is content with any negative quantity."""
    story = reclaim(terms)
    change(story)
    assert [(False, rule), (True, "")] == [(each.accepted, each.reason) for each in story.judged()]
    assert not accepts(story.case(), SELF)


HUGE = replace(LIFE, threshold=-(2**200), allocations=((KEY_TO, 2**70, b"m" * 100, -1, True),), oracles=())
POINTER = replace(LIFE, **paying(to=to(constr(0, b""), constr(0, constr(1, -1, 2**65, 3)))))


@pytest.mark.parametrize("terms", [LIFE, HUGE, POINTER])
def test_a_stray_comes_back_to_its_funder_whatever_its_terms(terms: Terms) -> None:
    """Decoding in full looks at neither lengths nor ranges."""
    assert stray(terms.datum(), constr(1)).verdict() == ("", "")
    assert changed(stray(terms.datum(), constr(1)), lambda s: s.body.pop(14)) == ("the funder signs", "")


@pytest.mark.parametrize("field_", range(8))
def test_a_stray_whose_datum_does_not_decode_is_unspendable(field_: int) -> None:
    """One field of the wrong kind, or missing, or one more."""
    rule = "the datum is a Distribution that decodes in full"
    for fields in (
        [*LIFE.datum().fields[:field_], Pairs(()), *LIFE.datum().fields[field_ + 1 :]],
        [*LIFE.datum().fields[:field_], *LIFE.datum().fields[field_ + 1 :]],
        [*LIFE.datum().fields, 0],
    ):
        assert (rule, "") == stray(constr(0, *fields), constr(1)).verdict()
    assert (rule, "") == stray(None, constr(1)).verdict()
    assert (rule, "") == stray(ATTESTATION, constr(1)).verdict()


def test_an_attestation_is_withdrawn_by_refund_to() -> None:
    """By nobody else, and only if it decodes in full; a datum that the witnesses show counts as well."""
    assert stray(ATTESTATION, constr(2)).verdict() == ("", "")
    assert changed(stray(ATTESTATION, constr(2)), lambda s: s.body.pop(14)) == ("refund_to signs", "")
    rule = "the datum is an Attestation that decodes in full"
    assert (rule, "") == stray(constr(1, ID, b"m1", b"key", 0, FUNDER), constr(2)).verdict()
    assert (rule, "") == stray(LIFE.datum(), constr(2)).verdict()
    shown = stray(None, constr(2))
    shown.inputs[STRAY] = [HOME, 1, blake2b(serialise(ATTESTATION), digest_size=32).digest()]
    assert (rule, "") == shown.verdict()
    shown.datums.append(ATTESTATION)
    assert shown.verdict() == ("", "")


def test_several_runs_are_judged_each_by_its_own_rules() -> None:
    """A stray may come back beside anything but a release; a creation stands in a release's way."""
    story = creation()
    story.inputs |= stray(LIFE.datum(), constr(1)).inputs
    story.redeemers[SPEND, 1] = constr(1)
    assert [(v.purpose, v.index, v.accepted) for v in story.judged()] == [("mint", 0, True), ("spend", 1, True)]
    story = release()
    story.body[9] = creation().body[9]
    story.inputs[SEED] = creation().inputs[SEED]
    story.outputs.append(creation().outputs[0])
    story.redeemers = {(SPEND, 2): releasing([0, 1], BOTH), (MINT, 0): constr(0, constr(0, *SEED))}
    story.body[14] = [FUNDER]
    assert [each.reason for each in story.judged()] == ["the mint is empty", ""]

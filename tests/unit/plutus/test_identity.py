"""Ids and messages, pinned; milestone ids as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.plutus.datum import Allocation, AssetClass, Distribution
from indexer.plutus.identity import distribution_id, message_to_sign, parse_milestone, shown_milestone
from indexer.plutus.ledger import Address, Inline, OutputReference, Script, VerificationKey
from indexer.plutus.record import Codec

POLICY = bytes([0x11]) * 28
ONE_SEED = OutputReference(bytes(range(32)), 1)
ONE = Distribution(
    funder=bytes([0x22]) * 28,
    token=AssetClass(bytes([0x33]) * 28, b"TOKEN"),
    oracles=(bytes([0x44]) * 32,),
    quorum_threshold=1,
    allocations=(Allocation(Address(VerificationKey(bytes([0x55]) * 28)), 5, b"m1", 1_700_000_000_000, False),),
    lovelace_per_payout=1_500_000,
    keeper_fee_per_payout=500_000,
    expires_at=None,
)
ONE_ID = "5a295cd9bfb4815834445b002f8ce5942221a1cd90d9e05653cf038efe260e2c"
OTHER_SEED = OutputReference(bytes([0xAB]) * 32, 0)
OTHER = Distribution(
    funder=bytes([0x22]) * 28,
    token=AssetClass(b"", b""),
    oracles=(bytes([0x44]) * 32, bytes([0x45]) * 32),
    quorum_threshold=2,
    allocations=(
        Allocation(
            Address(VerificationKey(bytes([0x55]) * 28), Inline(VerificationKey(bytes([0x66]) * 28))),
            7,
            b"m" * 64,
            0,
            False,
        ),
        Allocation(
            Address(Script(bytes([0x77]) * 28), Inline(Script(bytes([0x88]) * 28))),
            2**63 - 8,
            b"\0",
            2**63 - 1,
            False,
        ),
    ),
    lovelace_per_payout=0,
    keeper_fee_per_payout=0,
    expires_at=1_800_000_000_000,
)
OTHER_ID = "32c9ad973c9a76889800e620ec09f96fb227094ba25a4e94962472356a156fe4"


def test_the_pinned_pair_is_these_bytes() -> None:
    """Seed and terms as the ledger's serialiseData writes them, put together by hand from RFC 8949."""
    by_hand = (
        "9f"  # the pair
        "d8799f" + "5820000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" + "01" + "ff"
        "d8799f"
        "581c" + "22" * 28 + "d8799f" + "581c" + "33" * 28 + "45544f4b454e" + "ff"
        "9f" + "5820" + "44" * 32 + "ff"
        "01"
        "9f"
        "d8799f" + "d8799f" + "d8799f" + "581c" + "55" * 28 + "ff" + "d87a80" + "ff"
        "05" + "426d31" + "1b0000018bcfe56800" + "d87980" + "ff"
        "ff"
        "1a0016e360" + "1a0007a120" + "d87a80"
        "ff"
        "ff"
    )
    pair = Codec[tuple[OutputReference, Distribution]](tuple[OutputReference, Distribution])
    assert by_hand == pair.encode((ONE_SEED, ONE)).hex()
    assert pair.decode(bytes.fromhex(by_hand)).value == (ONE_SEED, ONE)


def test_ids_are_those_that_are_pinned() -> None:
    """Two distributions that together hold every form of the terms."""
    assert distribution_id(ONE_SEED, ONE).hex() == ONE_ID
    assert distribution_id(OTHER_SEED, OTHER).hex() == OTHER_ID


def test_messages_are_those_that_are_pinned() -> None:
    """What an oracle signs."""
    one = "81dd6ac328aef3c5151bd38cb8cfeb25bef73df9a70819a438d33fe34cb71262"
    other = "b099edc0c2522784b40597c6bed7fe0c1339b3378fa901b4cc140af58c330e7b"
    assert one == message_to_sign(POLICY, bytes.fromhex(ONE_ID), b"m1").hex()
    assert other == message_to_sign(POLICY, bytes.fromhex(OTHER_ID), b"m" * 64).hex()


def test_a_message_takes_ids_of_their_length_only() -> None:
    """Else a byte could pass from one part to the next, and two milestones share a signature."""
    for policy, distribution in ((POLICY[:-1], bytes(32)), (POLICY, bytes(31)), (POLICY + b"\0", bytes(32))):
        with pytest.raises(ValueError, match="28 bytes"):
            message_to_sign(policy, distribution, b"m1")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"m1", "m1"),
        (b"Phase-2_b.final", "Phase-2_b.final"),
        (b"m" * 64, "m" * 64),
        (b"0", "0"),
        (b"0X12", "0X12"),
        (b"x0x", "x0x"),
        (b"0x", "0x3078"),
        (b"0x12", "0x30783132"),
        (b"", "0x"),
        (b"\0", "0x00"),
        (b"m 1", "0x6d2031"),
        (b"m/1", "0x6d2f31"),
        (b"m1\n", "0x6d310a"),
        ("jalon é".encode(), "0x6a616c6f6e20c3a9"),
        (b"m" * 65, "0x" + "6d" * 65),
    ],
)
def test_a_milestone_is_shown_as_a_word_or_in_hex(raw: bytes, text: str) -> None:
    """And the text read back."""
    assert text == shown_milestone(raw)
    assert raw == parse_milestone(text)


@given(st.one_of(st.binary(max_size=70), st.text(max_size=8).map(str.encode)))
def test_what_is_shown_names_one_milestone(raw: bytes) -> None:
    """No two ids are shown alike."""
    assert raw == parse_milestone(shown_milestone(raw))


@pytest.mark.parametrize("text", ["", "m 1", "é", "m" * 65, "0x1", "0xzz", "0x 12", "m1\n", "0x12\n", "\ud800"])
def test_a_text_that_shows_no_milestone_is_refused(text: str) -> None:
    """Nothing is trimmed or guessed."""
    with pytest.raises(ValueError, match="a milestone id is"):
        parse_milestone(text)


def test_hex_may_be_written_in_capitals_and_for_a_word() -> None:
    """The bytes decide."""
    assert parse_milestone("0xAB") == b"\xab"
    assert parse_milestone("0x6d31") == b"m1"

"""Addresses of datums as bytes and bech32: CIP-19's vectors, and a second implementation."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.plutus.address import address_bytes, address_of, address_text, parse_shelley
from indexer.plutus.ledger import Address, Inline, Pointer, Script, VerificationKey
from tests.support import addresses, plutus

# CIP-19, test vectors.
KEY = VerificationKey(bytes.fromhex("9493315cd92eb5d8c4304e67b7e16ae36d61d34502694657811a2c8e"))
STAKE_KEY = Inline(VerificationKey(bytes.fromhex("337b62cfff6403a06a3acbc34f8c46003c69fe79a3628cefa9c47251")))
SCRIPT = Script(bytes.fromhex("c37b1b5dc0669f1d3c61a6fddb2e8fde96be87b881c60bce8e8d542f"))
POINTER = Pointer(2498243, 27, 3)
CIP_19 = [
    (
        Address(KEY, STAKE_KEY),
        1,
        "addr1qx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3n0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgse35a3x",
    ),
    (
        Address(SCRIPT, STAKE_KEY),
        1,
        "addr1z8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gten0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgs9yc0hh",
    ),
    (
        Address(KEY, Inline(SCRIPT)),
        1,
        "addr1yx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzerkr0vd4msrxnuwnccdxlhdjar77j6lg0wypcc9uar5d2shs2z78ve",
    ),
    (
        Address(SCRIPT, Inline(SCRIPT)),
        1,
        "addr1x8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gt7r0vd4msrxnuwnccdxlhdjar77j6lg0wypcc9uar5d2shskhj42g",
    ),
    (Address(KEY, POINTER), 1, "addr1gx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer5pnz75xxcrzqf96k"),
    (Address(SCRIPT, POINTER), 1, "addr128phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtupnz75xxcrtw79hu"),
    (Address(KEY), 1, "addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl8"),
    (Address(SCRIPT), 1, "addr1w8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtcyjy7wx"),
    (
        Address(KEY, STAKE_KEY),
        0,
        "addr_test1qz2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3n0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgs68faae",
    ),
    (Address(SCRIPT, POINTER), 0, "addr_test12rphkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtupnz75xxcryqrvmw"),
]


@pytest.mark.parametrize(("address", "network_id", "text"), CIP_19, ids=[text[:12] for _, _, text in CIP_19])
def test_the_vectors_of_cip_19_hold(address: Address, network_id: int, text: str) -> None:
    """Every form, there and back."""
    assert text == address_text(address, network_id)
    assert (address, network_id) == parse_shelley(text)
    assert addresses.unbech32(text)[1] == address_bytes(address, network_id)
    assert (address, network_id) == address_of(address_bytes(address, network_id))


@given(plutus.drawn(plutus.address), st.sampled_from([0, 1]))
def test_a_second_implementation_agrees(address: Address, network_id: int) -> None:
    """The tests have one of their own."""
    text = address_text(address, network_id)
    other = addresses.decoded(text)
    assert other is not None
    assert (other.credential, other.kind == "script") == (
        address.payment_credential.hash,
        isinstance(address.payment_credential, Script),
    )
    assert (other.network == "mainnet") == (network_id == 1)
    match address.stake_credential:
        case Inline(credential):
            assert other.stake == ("script" if isinstance(credential, Script) else "key", credential.hash)
        case None:
            assert other.stake is None
    assert (address, network_id) == parse_shelley(text)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1), st.integers(0, 2**16 - 1))
def test_pointers_are_kept(slot: int, transaction: int, certificate: int) -> None:
    """Every pointer that the ledger can hold."""
    address = Address(KEY, Pointer(slot, transaction, certificate))
    assert (address, 0) == address_of(address_bytes(address, 0))


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        (Address(VerificationKey(b"abc")), "3 bytes"),
        (Address(KEY, Inline(Script(bytes(29)))), "29 bytes"),
        (Address(KEY, Pointer(-1, 0, 0)), "pointer"),
        (Address(KEY, Pointer(2**32, 0, 0)), "pointer"),
        (Address(KEY, Pointer(0, 2**16, 0)), "pointer"),
        (Address(KEY, Pointer(0, 0, 10**5000)), "pointer"),
    ],
)
def test_what_no_address_can_hold_is_refused(address: Address, reason: str) -> None:
    """A datum may name such a beneficiary; nobody can be paid there."""
    with pytest.raises(ValueError, match=reason):
        address_bytes(address, 0)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x61",
        b"\x61" + bytes(27),
        b"\x61" + bytes(29),
        b"\x62" + bytes(28),
        b"\x01" + bytes(28),
        b"\x01" + bytes(55),
        b"\x01" + bytes(57),
        b"\x41" + bytes(28),
        b"\x41" + bytes(28) + b"\x01\x02",
        b"\x41" + bytes(28) + b"\x01\x02\x03\x04",
        b"\x41" + bytes(28) + b"\x01\x02\x83",
        b"\x41" + bytes(28) + b"\x01\x02\x03\x84",
        b"\xe1" + bytes(28),
        b"\x82\xd8\x18",
    ],
    ids=bytes.hex,
)
def test_bytes_that_are_no_payment_address_are_refused(raw: bytes) -> None:
    """Cut, prolonged, of another kind, of no network."""
    with pytest.raises(ValueError, match=r"address|pointer|stake part"):
        address_of(raw)


def test_texts_are_checked() -> None:
    """A mistyped character, a Byron address, a stake address."""
    text = address_text(Address(KEY), 1)
    for wrong in (text[:-1] + "q", addresses.BYRON_MAINNET[0], "stake1" + text[5:], "", "addr1"):
        with pytest.raises(ValueError):
            parse_shelley(wrong)


def test_a_hundred_addresses_are_written_in_a_moment() -> None:
    """As many as one datum may name. The same address always has the same text."""
    rng = Random(5)
    drawn = [plutus.address(rng) for _ in range(100)]
    assert len(set(drawn)) == len({address_text(address, 0) for address in drawn})

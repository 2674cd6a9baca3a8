"""Addresses: which the ledger takes, what they say, how they are written for people."""

from typing import Final
from zlib import crc32

import pytest

from indexer.devnet.ledger.addresses import (
    address_text,
    byron,
    check_address,
    check_reward_address,
    network_of,
    payment_credential,
    read_address,
    reward_address_text,
    stake_credential,
)
from indexer.devnet.ledger.cbor import Malformed
from indexer.devnet.ledger.spelling import base58
from indexer.devnet.ledger.transaction import Credential
from tests.contract.tree import Map, Node, Tag, encode
from tests.support.addresses import BYRON_MAINNET, BYRON_TESTNET, unbech32
from tests.unit.devnet.ledger.rebuilt import address
from tests.unit.devnet.ledger.written import ADDRESS, KEY, SCRIPT, listed

# Test vectors of CIP-19: by turns of keys and of scripts.
CIP19: Final = (
    "addr1qx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3n0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgse35a3x",
    "addr1z8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gten0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgs9yc0hh",
    "addr1yx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzerkr0vd4msrxnuwnccdxlhdjar77j6lg0wypcc9uar5d2shs2z78ve",
    "addr1x8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gt7r0vd4msrxnuwnccdxlhdjar77j6lg0wypcc9uar5d2shskhj42g",
    "addr1gx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer5pnz75xxcrzqf96k",
    "addr128phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtupnz75xxcrtw79hu",
    "addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl8",
    "addr1w8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtcyjy7wx",
    "addr_test1qz2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3n0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgs68faae",
    "addr_test1wrphkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtcl6szpr",
)
REWARDS: Final = (
    "stake1uyehkck0lajq8gr28t9uxnuvgcqrc6070x3k9r8048z8y5gh6ffgw",
    "stake178phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtcccycj5",
    "stake_test1uqehkck0lajq8gr28t9uxnuvgcqrc6070x3k9r8048z8y5gssrtvn",
    "stake_test17rphkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtcljw6kf",
)


@pytest.mark.parametrize(("number", "text"), tuple(enumerate(CIP19)))
def test_shelley_addresses_are_written_as_cip_19_does(number: int, text: str) -> None:
    """And read: network, payment credential."""
    _, raw = unbech32(text)
    assert text == address_text(check_address(raw))
    assert int(text.startswith("addr1")) == network_of(raw)
    assert Credential(raw[1:29], is_script=number % 2 == 1) == payment_credential(raw)


@pytest.mark.parametrize(("number", "text"), tuple(enumerate(REWARDS)))
def test_stake_accounts_are_written_as_cip_19_does(number: int, text: str) -> None:
    """And read: network, credential."""
    _, raw = unbech32(text)
    assert text == reward_address_text(check_reward_address(raw))
    assert int(text.startswith("stake1")) == network_of(raw)
    assert Credential(raw[1:], is_script=number % 2 == 1) == stake_credential(raw)


@pytest.mark.parametrize("text", BYRON_MAINNET + BYRON_TESTNET)
def test_byron_addresses_are_written_in_base58(text: str) -> None:
    """Their magic number tells test networks."""
    raw = address(text)
    assert text == address_text(check_address(raw)) == base58(raw)
    assert (text not in BYRON_TESTNET) == network_of(raw) == (byron(raw).magic is None)
    assert payment_credential(raw) is None
    assert len(byron(raw).root) == 28


@pytest.mark.parametrize("text", [*CIP19, *BYRON_MAINNET, *BYRON_TESTNET])
def test_an_address_is_read_however_it_is_written(text: str) -> None:
    """Text, text in capitals (of bech32), or base16."""
    raw = address(text)
    assert [raw, raw] == [read_address(text), read_address(raw.hex())]
    assert raw == read_address(text.upper() if text in CIP19 else text)


@pytest.mark.parametrize(
    "value", ["", "addr", REWARDS[0], CIP19[0][:-1], BYRON_MAINNET[0][1:], "60" + 27 * "00", None, 5, [CIP19[0]]]
)
def test_what_is_no_address_is_named(value: object) -> None:
    """With its beginning."""
    with pytest.raises(ValueError, match="is no address") as raised:
        read_address(value)
    assert str(raised.value).startswith(repr(value)[:120])


NO_ATTRIBUTES: Final = Map(())


def byron_address(
    root: Node = KEY, attributes: Node = NO_ATTRIBUTES, kind: Node = 0, checksum: int | None = None, more: bytes = b""
) -> bytes:
    payload = encode(listed(root, attributes, kind)) + more
    return encode(listed(Tag(24, payload), crc32(payload) if checksum is None else checksum))


TAKEN = {
    "a pointer of three numbers": b"\x40" + KEY + bytes.fromhex("8198bd431b03"),
    "the smallest pointer": b"\x40" + KEY + bytes(3),
    "the largest pointer": b"\x50" + KEY + bytes.fromhex("8fffffff7f" + "83ff7f" * 2),
    "a pointer with leading zeros": b"\x40" + KEY + bytes.fromhex("8000" * 3),
    "a Byron address": byron_address(),
    "a Byron address that redeems": byron_address(kind=2),
    "a Byron address with attributes": byron_address(attributes=Map(((1, encode(b"path")), (2, b"\x01"), (7, b"x")))),
}
REFUSED = {
    "nothing": b"",
    "a header alone": b"\x60",
    "a byte too few": ADDRESS[:-1],
    "a byte too many": ADDRESS + b"\0",
    "a base address without its second part": b"\x00" + KEY,
    "a base address cut short": b"\x00" + KEY + SCRIPT[:-1],
    "a base address with more": b"\x30" + KEY + SCRIPT + b"\0",
    "a network between the two": b"\x62" + KEY,
    "a network beyond": b"\x68" + KEY,
    "a form to come": b"\x90" + KEY,
    "a stake account": b"\xe0" + KEY,
    "a pointer address without a pointer": b"\x40" + KEY,
    "a pointer cut short": b"\x40" + KEY + b"\0\0",
    "a pointer cut within a number": b"\x40" + KEY + b"\0\0\x80",
    "a pointer with more": b"\x40" + KEY + b"\0\0\0\0",
    "a pointer with a slot of 33 bits": b"\x40" + KEY + bytes.fromhex("9fffffff7f0000"),
    "a pointer with an index of 17 bits": b"\x40" + KEY + bytes.fromhex("0087ff7f00"),
    "a pointer with a number of too many bytes": b"\x40" + KEY + bytes.fromhex("80808080800000" + "00"),
    "a Byron address with a wrong checksum": byron_address(checksum=0),
    "a Byron address with a short root": byron_address(root=KEY[1:]),
    "a Byron address of the kind between": byron_address(kind=1),
    "a Byron address of a kind beyond": byron_address(kind=3),
    "a Byron address with more inside": byron_address(more=b"\0"),
    "a Byron address with more behind": byron_address() + b"\0",
    "a Byron address with attributes in disorder": byron_address(attributes=Map(((2, b"\x01"), (1, encode(b""))))),
    "a Byron address with attributes that end in a break": byron_address(attributes=Map((), indefinite=True)),
    "a Byron address with a magic that is none": byron_address(attributes=Map(((2, encode("x")),))),
    "a Byron address with a path that is none": byron_address(attributes=Map(((1, b"\x01"),))),
}


@pytest.mark.parametrize("name", TAKEN)
def test_addresses_that_the_ledger_takes(name: str) -> None:
    """As it reads them since Conway."""
    assert TAKEN[name] == check_address(TAKEN[name])


@pytest.mark.parametrize("name", REFUSED)
def test_addresses_that_the_ledger_does_not_take(name: str) -> None:
    """Every bit and every byte has to mean something."""
    with pytest.raises(Malformed):
        check_address(REFUSED[name])


def test_a_byron_address_says_how_much_of_it_only_wallets_understand() -> None:
    """The path, and attributes that nobody knows: the ledger limits their size."""
    raw = byron_address(attributes=Map(((1, encode(b"path")), (2, encode(7)), (9, b"xyz"))))
    assert (byron(raw).attributes_size, byron(raw).magic, network_of(raw)) == (4 + 3, 7, 0)


@pytest.mark.parametrize("raw", [b"", b"\xe0" + KEY[1:], b"\xe0" + KEY + b"\0", ADDRESS, b"\xe2" + KEY, b"\xc0" + KEY])
def test_what_is_no_stake_account_is_refused(raw: bytes) -> None:
    """29 bytes, and a header of its own."""
    with pytest.raises(Malformed):
        check_reward_address(raw)

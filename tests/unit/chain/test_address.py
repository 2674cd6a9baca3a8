"""Addresses: the vectors of CIP-19, and what may be told from 44 characters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.chain.address import (
    NEEDLE_END,
    NEEDLE_START,
    Credential,
    CredentialKind,
    needle,
    parse_address,
    payment_credential,
)
from indexer.chain.watch import ByronWatch, CredentialWatch, Watches, parse_watch
from tests.support.addresses import address

KEY, SCRIPT = CredentialKind.KEY, CredentialKind.SCRIPT
# CIP-19, test vectors: the key addr_vk1w0l2sr2zgfm26ztc6nl9xy8ghsk5sh6ldwemlpmp9xylzy4dtf7st80zhd,
# the script script1cda3khwqv60360rp5m7akt50m6ttapacs8rqhn5w342z7r35m37.
VKH = bytes.fromhex("9493315cd92eb5d8c4304e67b7e16ae36d61d34502694657811a2c8e")
SCRIPT_HASH = bytes.fromhex("c37b1b5dc0669f1d3c61a6fddb2e8fde96be87b881c60bce8e8d542f")
CIP_19 = [
    (address, kind, credential, network)
    for kind, credential, network, addresses in (
        (
            KEY,
            VKH,
            1,
            (
                "addr1qx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3n0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgse35a3x",
                "addr1yx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzerkr0vd4msrxnuwnccdxlhdjar77j6lg0wypcc9uar5d2shs2z78ve",
                "addr1gx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer5pnz75xxcrzqf96k",
                "addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl8",
            ),
        ),
        (
            SCRIPT,
            SCRIPT_HASH,
            1,
            (
                "addr1z8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gten0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgs9yc0hh",
                "addr1x8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gt7r0vd4msrxnuwnccdxlhdjar77j6lg0wypcc9uar5d2shskhj42g",
                "addr128phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtupnz75xxcrtw79hu",
                "addr1w8phkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtcyjy7wx",
            ),
        ),
        (
            KEY,
            VKH,
            0,
            (
                "addr_test1qz2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3n0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgs68faae",
                "addr_test1gz2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer5pnz75xxcrdw5vky",
            ),
        ),
        (SCRIPT, SCRIPT_HASH, 0, ("addr_test12rphkx6acpnf78fuvxn0mkew3l0fd058hzquvz7w36x4gtupnz75xxcryqrvmw",)),
    )
    for address in addresses
]
BYRONS = [
    "DdzFFzCqrhtBatWqyFge4w6M6VLgNUwRHiXTAg3xfQCUdTcjJxSrPHVZJBsQprUEc5pRhgMWQaGciTssoZVwrSKmG1fneZ1AeCtLgs5Y",
    "Ae2tdPwUPEYwNguM7TB3dMnZMfZxn1pjGHyGdjaF4mFqZF9L3bj6cdhiH8t",
    "2cWKMJemoBam3F9oTvv5vucSLAeAaXDLBtKUJztmZ66vpMotQTD1V4CDDfKx3BnFMW1jG",
    "KjgoiXJS2coUW5DR22cDhj9MwNPSbzSceGopFxQn9MaxSRTU9RZA3QtKaXNzbsLcHh8xS1tVdhEP2Y8vfRikZrXYjTqybQVx6VTw9hYV1X4h",
]
BYRON = BYRONS[0]


@pytest.mark.parametrize(("text", "kind", "credential_hash", "network"), CIP_19)
def test_the_vectors_of_cip_19_show_their_payment_credential(
    text: str, kind: CredentialKind, credential_hash: bytes, network: int
) -> None:
    """Base, pointer and enterprise addresses of both networks, and the needle inside each of them."""
    assert (Credential(kind, credential_hash), network) == parse_address(text)
    start = text.index("1") + 1
    assert text[start + NEEDLE_START : start + NEEDLE_END] == needle(credential_hash)


@given(
    credential=st.binary(min_size=28, max_size=28),
    kind=st.sampled_from(("key", "script")),
    stake=st.one_of(
        st.none(),
        st.tuples(st.sampled_from(("key", "script")), st.binary(min_size=28, max_size=28)),
        st.tuples(st.just("pointer"), st.tuples(*[st.integers(0, 2**32)] * 3)),
    ),
    network=st.sampled_from(("mainnet", "testnet")),
)
def test_any_address_shows_its_credential_and_its_needle(credential, kind, stake, network) -> None:  # type: ignore[no-untyped-def]
    """Whatever network, kind and stake part."""
    text = address(credential, kind, stake, network)
    assert payment_credential(text) == Credential(CredentialKind(kind), credential)
    assert needle(credential) in text
    assert Watches.of([CredentialWatch(credential)]).match(text) == Credential(CredentialKind(kind), credential)


def test_a_watch_of_one_kind_leaves_the_other_alone() -> None:
    """The same 28 bytes as a key and as a script are two credentials."""
    key, script = address(b"k" * 28, "key"), address(b"k" * 28, "script")
    assert Watches.of([parse_watch("6b" * 28, KEY)]).match(script) is False
    assert Watches.of([parse_watch("6b" * 28, KEY)]).match(key) == Credential(KEY, b"k" * 28)
    assert Watches.of([parse_watch("6b" * 28)]).match(script) == Credential(SCRIPT, b"k" * 28)


@pytest.mark.parametrize("text", BYRONS)
def test_real_byron_addresses_have_the_checksum_we_ask_for(text: str) -> None:
    """Of mainnet and of a test network, long and short ones, as recorded blocks show them."""
    assert parse_watch(text) == ByronWatch(text)


def test_an_address_stands_for_its_credential_and_a_byron_address_for_itself() -> None:
    """As in the configuration."""
    assert parse_watch(CIP_19[0][0], None, 1) == CredentialWatch(VKH, KEY)
    assert parse_watch(BYRON) == ByronWatch(BYRON)
    assert Watches.of([ByronWatch(BYRON)]).match(BYRON) is True
    assert Watches.of([ByronWatch(BYRON)]).match(BYRON[:-1]) is False


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl9", None, "wrong checksum"),
        ("addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrlB", None, "characters"),
        ("addr_test1vz2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzerspjrlsz", None, "another network"),
        ("stake1uyehkck0lajq8gr28t9uxnuvgcqrc6070x3k9r8048z8y5gh6ffgw", None, "stake address"),
        (CIP_19[0][0], SCRIPT, "locked by a key"),
        (BYRON, KEY, "leave `kind` out"),
        (BYRON[:-1] + "9", None, "checksum"),
        ("00" * 27, None, "56 digits; this has 54"),
        ("0OIl", None, "28-byte hash"),
        ("", None, "28-byte hash"),
    ],
)
def test_a_watch_that_cannot_be_is_refused_with_the_reason(text: str, kind: CredentialKind | None, reason: str) -> None:
    """Typing errors, other networks, and addresses that receive nothing."""
    with pytest.raises(ValueError, match=reason):
        parse_watch(text, kind, 1)

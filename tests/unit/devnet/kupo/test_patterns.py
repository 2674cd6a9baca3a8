"""Every form of a pattern means what Kupo's document says it means, and nothing else is a pattern."""

from itertools import product
from typing import Any

import cbor2
import pytest

from indexer.chain.block import OutputReference
from indexer.chain.point import Point
from indexer.devnet.kupo.patterns import (
    Anything,
    Asset,
    Both,
    Delegation,
    Exact,
    Labelled,
    NotAPattern,
    OfTransaction,
    OneOutput,
    Pattern,
    Payment,
    Policy,
    includes,
    ordered,
    overlaps,
    parse,
    question,
)
from indexer.devnet.kupo.rows import Row
from tests.support import addresses
from tests.support.addresses import BYRON_MAINNET, bech32
from tests.unit.devnet.kupo.making import (
    HOMES,
    KEY,
    NAMES,
    PAYMENTS,
    POLICIES,
    STAKES,
    Coin,
    Home,
    byron,
    digest,
    hash_of,
    ledger_output,
)

HASH = PAYMENTS[1]
TX = digest("transaction")

# CIP-19's test vectors: the key hash of `addr_vk1w0l2…` pays, that of `stake_vk1px4j…` delegates.
CIP_19_ADDRESS = (
    "addr1qx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3n0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgse35a3x"
)
CIP_19_STAKE = "stake1uyehkck0lajq8gr28t9uxnuvgcqrc6070x3k9r8048z8y5gh6ffgw"
CIP_19_KEY = "addr_vk1w0l2sr2zgfm26ztc6nl9xy8ghsk5sh6ldwemlpmp9xylzy4dtf7st80zhd"
CIP_19_STAKE_KEY = "stake_vk1px4j0r2fk7ux5p23shz8f3y5y2qam7s954rgf3lg5merqcj6aetsft99wu"
CIP_19_SCRIPT = "script1cda3khwqv60360rp5m7akt50m6ttapacs8rqhn5w342z7r35m37"
PAYING = bytes.fromhex("9493315cd92eb5d8c4304e67b7e16ae36d61d34502694657811a2c8e")
DELEGATING = bytes.fromhex("337b62cfff6403a06a3acbc34f8c46003c69fe79a3628cefa9c47251")
SCRIPT = bytes.fromhex("c37b1b5dc0669f1d3c61a6fddb2e8fde96be87b881c60bce8e8d542f")


@pytest.mark.parametrize("home", HOMES, ids=lambda home: home.text[:20])
def test_an_address_means_itself_in_whatever_form(home: Any) -> None:
    texts = [home.text, home.raw.hex(), home.raw.hex().upper()]
    if home.payment is not None:
        texts.append(home.text.upper())
    assert [parse(text) for text in texts] == [Exact(home.raw)] * len(texts)


def test_the_vectors_of_cip_19_are_understood() -> None:
    """Address, stake address, keys and script, of which the last three count by their hashes."""
    address = parse(CIP_19_ADDRESS)
    assert isinstance(address, Exact)
    assert address.address == b"\x01" + PAYING + DELEGATING
    assert parse(CIP_19_STAKE) == Delegation(DELEGATING)
    assert parse(f"{CIP_19_KEY}/{CIP_19_STAKE_KEY}") == Both(PAYING, DELEGATING)
    assert parse(f"*/{CIP_19_SCRIPT}") == Delegation(SCRIPT)


@pytest.mark.parametrize(
    ("credential", "hash_"),
    [
        (HASH.hex(), HASH),
        (HASH.hex().upper(), HASH),
        (KEY.hex(), hash_of(KEY, 28)),
        *((bech32(prefix, HASH), HASH) for prefix in ("vkh", "addr_vkh", "stake_vkh", "script")),
        *((bech32(prefix, KEY), hash_of(KEY, 28)) for prefix in ("vk", "addr_vk", "stake_vk")),
    ],
)
def test_a_credential_is_a_hash_or_a_key_in_hex_or_bech32(credential: str, hash_: bytes) -> None:
    other = STAKES[0].hex()
    texts = [f"{credential}/*", f"*/{credential}", f"{credential}/{other}", f"{other}/{credential}"]
    meant: list[Pattern] = [Payment(hash_), Delegation(hash_), Both(hash_, STAKES[0]), Both(STAKES[0], hash_)]
    assert [parse(text) for text in texts] == meant


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("*", Anything()),
        ("*/*", Anything(byron=False)),
        (bech32("stake", b"\xe1" + HASH), Delegation(HASH)),
        (bech32("stake_test", b"\xf0" + HASH), Delegation(HASH)),
        (f"*@{TX.hex()}", OfTransaction(TX)),
        (f"0@{TX.hex()}", OneOutput(TX, 0)),
        (f"256@{TX.hex().upper()}", OneOutput(TX, 256)),
        (f"{HASH.hex()}.*", Policy(HASH)),
        (f"{HASH.hex()}.", Asset(HASH, b"")),
        (f"{HASH.hex()}.544f4b454e", Asset(HASH, b"TOKEN")),
        (f"{HASH.hex()}.{'aB' * 32}", Asset(HASH, b"\xab" * 32)),
        ("{25}", Labelled(25)),
    ],
)
def test_other_patterns(text: str, pattern: Pattern) -> None:
    assert parse(text) == pattern


def with_a_bit_left_over(raw: bytes) -> str:
    """An address in bech32 whose last character says more than its bytes do."""
    values = addresses._regroup(raw, 8, 5, pad=True)
    values[-1] |= 1
    check = addresses._polymod([*addresses._expanded("addr_test"), *values, *(0,) * 6]) ^ 1
    values += [check >> 5 * (5 - n) & 31 for n in range(6)]
    return "addr_test1" + "".join(addresses._BECH32[value] for value in values)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "**",
        "*/",
        "/*",
        "*/*/*",
        "pattern",
        HASH.hex(),  # a credential alone
        f"{HASH.hex()}/",
        f"{HASH.hex()[:-2]}/*",
        f"{HASH.hex()}0/*",
        f"{bech32('addr_vkh', KEY)}/*",  # a prefix of hashes before a key
        f"{bech32('addr_vk', HASH)}/*",
        f"{bech32('pool', HASH)}/*",
        f"*/{bech32('stake', bytes([0xE1]) + HASH)}",  # an address where a credential has to be
        "e1" + HASH.hex(),  # a stake address in hex
        HOMES[0].text[:-1] + ("q" if HOMES[0].text[-1] != "q" else "p"),  # a wrong checksum
        "A" + HOMES[0].text[1:],
        bech32("addr", b"\x61" + HASH + b"\0"),  # a byte too many
        bech32("addr", b"\x01" + HASH),  # no stake part
        bech32("addr", b"\x62" + HASH),  # of no network
        bech32("pool", HOMES[0].raw),
        with_a_bit_left_over(HOMES[0].raw),
        BYRON_MAINNET[0][:-1] + "1",
        BYRON_MAINNET[0] + "0",  # no digit of base58
        f"{TX.hex()}@0",
        f"@{TX.hex()}",
        f"-1@{TX.hex()}",
        f"0@{TX.hex()[:-2]}",
        f"*.{HASH.hex()}",
        f"{HASH.hex()}.a",
        f"{HASH.hex()}.{'ab' * 33}",
        f"{TX.hex()}.*",
        "{}",
        "{-1}",
        "{25",
        "{" + "9" * 5_000 + "}",
        "9" * 5_000 + f"@{TX.hex()}",
        "\u0660@" + TX.hex(),
        "adresse\u00e9",
        "\u0130" * 8,
    ],
)
def test_anything_else_is_no_pattern(text: str) -> None:
    with pytest.raises(NotAPattern):
        parse(text)


EVERY: list[Pattern] = [
    Anything(byron=False),
    Anything(),
    *(Exact(home.raw) for home in HOMES[::3]),
    *map(Payment, PAYMENTS),
    *map(Delegation, STAKES),
    *(Both(payment, stake) for payment in PAYMENTS[:2] for stake in STAKES),
    OfTransaction(TX),
    OneOutput(TX, 0),
    OneOutput(TX, 1),
    *map(Policy, POLICIES),
    *(Asset(POLICIES[0], name) for name in NAMES),
    Labelled(1),
    Labelled(2),
]


def rows() -> list[Row]:
    """Outputs of every kind; to each address one that differs from it only by the network."""
    homes = [*HOMES, byron(BYRON_MAINNET[0])]
    homes += [Home("", bytes([home.raw[0] ^ 1]) + home.raw[1:]) for home in HOMES if home.payment is not None]
    values: list[tuple[tuple[bytes, bytes, int], ...]] = [(), *(((p, n, 1),) for p in POLICIES for n in NAMES)]
    return [
        Row(OutputReference(id_, index), 0, ledger_output(Coin(home, 1, value)), None, None, labels, Point(0, TX))
        for home, value, (id_, index), labels in product(
            homes, values, ((TX, 0), (TX, 1), (KEY, 0)), (frozenset({1}), frozenset({2}))
        )
    ]


def test_what_includes_a_pattern_matches_all_that_it_matches() -> None:
    """And the other way around: of these patterns, one that matches all that another does is said to include it. Only
    of `*/*` Kupo says that it includes what knows nothing of addresses."""
    found = {pattern: {n for n, row in enumerate(rows()) if question(pattern)(row)} for pattern in EVERY}
    for wide, narrow in product(EVERY, EVERY):
        careless = wide == Anything(byron=False) and isinstance(
            narrow, OfTransaction | OneOutput | Policy | Asset | Labelled
        )
        assert includes(wide, narrow) == (careless or found[narrow] <= found[wide]), (wide, narrow)


def test_patterns_overlap_if_one_includes_the_other_or_two_pairs_share_a_credential() -> None:
    for one, other in product(EVERY, EVERY):
        share = isinstance(one, Both) and isinstance(other, Both)
        share = share and (one.payment == other.payment or one.delegation == other.delegation)  # type: ignore[union-attr]
        assert overlaps(one, other) == (includes(one, other) or includes(other, one) or share)


def test_patterns_are_listed_by_kind_and_then_by_content() -> None:
    assert ordered(reversed(ordered(EVERY))) == ordered(EVERY)
    kinds = [type(pattern) for pattern in ordered(EVERY)]
    assert list(dict.fromkeys(kinds)) == list(dict.fromkeys(map(type, EVERY)))
    assert ordered(EVERY)[:2] == [Anything(byron=False), Anything()]


def test_the_text_of_a_pattern_means_the_same_pattern() -> None:
    assert [parse(str(pattern)) for pattern in EVERY] == EVERY


def test_a_byron_address_with_a_wrong_checksum_is_none() -> None:
    payload, check = cbor2.loads(HOMES[-1].raw)
    assert cbor2.dumps([payload, check]) == HOMES[-1].raw
    with pytest.raises(NotAPattern):
        parse(cbor2.dumps([payload, check ^ 1]).hex())

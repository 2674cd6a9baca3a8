"""Datums and redeemers: the class is the layout, and both ways of reading agree."""

from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from indexer.errors import MalformedDatum
from indexer.plutus import fast
from indexer.plutus.data import MAX_BYTES, Constr, Data, Map, decode, encode
from indexer.plutus.datum import (
    MILESTONE_DATUM,
    Allocation,
    AssetClass,
    Attestation,
    Distribution,
)
from indexer.plutus.ledger import Address, Inline, OutputReference, Pointer, Script, VerificationKey
from indexer.plutus.record import Codec, shape_of
from indexer.plutus.redeemer import MINT_REDEEMER, SPEND_REDEEMER, Burn, Create, Reclaim, Release, Withdraw
from tests.support import plutus

CODECS: list[tuple[Codec[Any], Callable[[Random], Any]]] = [
    (MILESTONE_DATUM, plutus.distribution),
    (MILESTONE_DATUM, plutus.attestation),
    (MILESTONE_DATUM, plutus.wild_datum),
    (MINT_REDEEMER, plutus.mint_redeemer),
    (SPEND_REDEEMER, plutus.spend_redeemer),
    (SPEND_REDEEMER, plutus.wild_redeemer),
]
CODEC_NAMES = [make.__name__ for _, make in CODECS]

KEY_HASH = bytes([0x55]) * 28
DISTRIBUTION = Distribution(
    funder=b"f",
    token=AssetClass(b"p", b"n"),
    oracles=(b"o",),
    quorum_threshold=2,
    allocations=(
        Allocation(Address(VerificationKey(b"k")), 3, b"m", 4, False),
        Allocation(Address(Script(b"s"), Inline(VerificationKey(b"t"))), 5, b"m", 6, True),
        Allocation(Address(Script(b"s"), Pointer(7, 8, 9)), 10, b"m", 11, False),
    ),
    lovelace_per_payout=12,
    keeper_fee_per_payout=13,
    expires_at=14,
)
KEY = Constr(0, (b"k",))
SOME, NONE, FALSE, TRUE = 0, Constr(1), Constr(0), Constr(1)
ALLOCATIONS = (
    Constr(0, (Constr(0, (KEY, NONE)), 3, b"m", 4, FALSE)),
    Constr(0, (Constr(0, (Constr(1, (b"s",)), Constr(SOME, (Constr(0, (Constr(0, (b"t",)),)),)))), 5, b"m", 6, TRUE)),
    Constr(0, (Constr(0, (Constr(1, (b"s",)), Constr(SOME, (Constr(1, (7, 8, 9)),)))), 10, b"m", 11, FALSE)),
)
FIELDS: tuple[Data, ...] = (b"f", Constr(0, (b"p", b"n")), (b"o",), 2, ALLOCATIONS, 12, 13, Constr(SOME, (14,)))


def changed(fields: tuple[Data, ...], place: int, value: Data) -> tuple[Data, ...]:
    return (*fields[:place], value, *fields[place + 1 :])


def with_allocation(allocation: Data) -> Constr:
    """The distribution with another second allocation."""
    return Constr(0, changed(FIELDS, 4, changed(ALLOCATIONS, 1, allocation)))


def with_beneficiary(beneficiary: Data) -> Constr:
    return with_allocation(Constr(0, (beneficiary, 5, b"m", 6, TRUE)))


def _handwritten(codec: Codec[Any], value: Any, rng: Random) -> bytes:
    return plutus.handwritten(codec.to_data(value), rng)


def test_a_distribution_is_laid_out_as_in_the_design() -> None:
    """Every kind of beneficiary; the data is written out by hand."""
    assert Constr(0, FIELDS) == MILESTONE_DATUM.to_data(DISTRIBUTION)
    assert MILESTONE_DATUM.from_data(Constr(0, FIELDS)) == DISTRIBUTION


@pytest.mark.parametrize(
    ("codec", "value", "data"),
    [
        (MILESTONE_DATUM, Attestation(b"d", b"m", b"o", b"s", b"r"), Constr(1, (b"d", b"m", b"o", b"s", b"r"))),
        (MINT_REDEEMER, Create(OutputReference(b"t", 1)), Constr(0, (Constr(0, (b"t", 1)),))),
        (MINT_REDEEMER, Burn(), Constr(1)),
        (SPEND_REDEEMER, Release(b"m", (1, 2), ((3, b"s"),)), Constr(0, (b"m", (1, 2), ((3, b"s"),)))),
        (SPEND_REDEEMER, Reclaim(), Constr(1)),
        (SPEND_REDEEMER, Withdraw(), Constr(2)),
    ],
    ids=["attestation", "create", "burn", "release", "reclaim", "withdraw"],
)
def test_the_others_are_laid_out_as_in_the_design(codec: Codec[Any], value: object, data: Data) -> None:
    """Each constructor, by hand."""
    assert data == codec.to_data(value)
    assert value == codec.from_data(data)
    assert value == codec.decode(encode(data)).value


def test_a_short_attestation_is_these_bytes() -> None:
    """Read off RFC 8949: tag 122, an open list, five strings of one byte."""
    assert MILESTONE_DATUM.encode(Attestation(b"d", b"m", b"o", b"s", b"r")).hex() == "d87a9f4164416d416f41734172ff"


REFUSED: dict[str, tuple[Data, str]] = {
    "a number": (7, "an integer, not a constructor"),
    "a map": (Map(), "a map, not a constructor"),
    "a third datum": (Constr(2, FIELDS), "constructor 2 (there are: 0 Distribution, 1 Attestation)"),
    "a field too few": (Constr(0, FIELDS[:-1]), "Distribution has 7 fields, not 8"),
    "a field too many": (Constr(0, (*FIELDS, 0)), "Distribution has 9 fields, not 8"),
    "a funder that is a number": (Constr(0, changed(FIELDS, 0, 1)), "funder: an integer, not bytes"),
    "a token without name": (Constr(0, changed(FIELDS, 1, Constr(0, (b"",)))), "token: AssetClass has 1 fields, not 2"),
    "oracles that are no list": (Constr(0, changed(FIELDS, 2, b"")), "oracles: bytes, not a list"),
    "an oracle that is a list": (Constr(0, changed(FIELDS, 2, (b"", ()))), "oracles[1]: a list, not bytes"),
    "a threshold of bytes": (Constr(0, changed(FIELDS, 3, b"")), "quorum_threshold: bytes, not an integer"),
    "allocations as a map": (Constr(0, changed(FIELDS, 4, Map(((1, 2),)))), "allocations: a map, not a list"),
    "expiry without option": (Constr(0, changed(FIELDS, 7, 5)), "expires_at: an integer, not a constructor"),
    "expiry in bytes": (Constr(0, changed(FIELDS, 7, Constr(0, (b"",)))), "expires_at: bytes, not an integer"),
    "a third option": (
        Constr(0, changed(FIELDS, 7, Constr(2))),
        "expires_at: constructor 2 (there are: 0 Some, 1 None)",
    ),
    "a None that holds something": (
        Constr(0, changed(FIELDS, 7, Constr(1, (5,)))),
        "expires_at: None has 1 fields, not 0",
    ),
    "a second allocation kind": (with_allocation(Constr(1, ())), "allocations[1]: constructor 1 (there are: "),
    "a third truth": (
        with_allocation(Constr(0, (Constr(0, (KEY, NONE)), 5, b"m", 6, Constr(2)))),
        "allocations[1].claimed: constructor 2 (there are: 0 False, 1 True)",
    ),
    "a truth that is a number": (
        with_allocation(Constr(0, (Constr(0, (KEY, NONE)), 5, b"m", 6, 1))),
        "allocations[1].claimed: an integer, not a constructor",
    ),
    "a third credential": (
        with_beneficiary(Constr(0, (Constr(2, (b"",)), NONE))),
        "allocations[1].beneficiary.payment_credential: constructor 2 (there are: 0 VerificationKey, 1 Script)",
    ),
    "a credential of a list": (
        with_beneficiary(Constr(0, (Constr(0, ((),)), NONE))),
        "allocations[1].beneficiary.payment_credential.hash: a list, not bytes",
    ),
    "a third stake part": (
        with_beneficiary(Constr(0, (KEY, Constr(SOME, (Constr(2),))))),
        "allocations[1].beneficiary.stake_credential: constructor 2 (there are: 0 Inline, 1 Pointer)",
    ),
    "half a pointer": (
        with_beneficiary(Constr(0, (KEY, Constr(SOME, (Constr(1, (1, 2)),))))),
        "allocations[1].beneficiary.stake_credential: Pointer has 2 fields, not 3",
    ),
    "a stake hash that is a number": (
        with_beneficiary(Constr(0, (KEY, Constr(SOME, (Constr(0, (Constr(1, (1,)),)),))))),
        "allocations[1].beneficiary.stake_credential.credential.hash: an integer, not bytes",
    ),
}


@pytest.mark.parametrize(("data", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_names_the_place(data: Data, reason: str) -> None:
    """At every depth, whichever way it is read."""
    for refused in (lambda: MILESTONE_DATUM.from_data(data), lambda: MILESTONE_DATUM.decode(encode(data))):
        with pytest.raises(MalformedDatum) as caught:
            refused()
        assert str(caught.value).startswith(reason)


def test_a_pair_has_two_items() -> None:
    """Not one, not three, and it is no constructor."""
    for pair, reason in (
        ((1,), "signatures[0]: a list of 1, not of 2"),
        ((1, b"", 3), "signatures[0]: a list of 3, not of 2"),
        ((b"", 1), "signatures[0][0]: bytes, not an integer"),
        (Constr(0, (1, b"")), "signatures[0]: constructor 0, not a list of 2"),
    ):
        with pytest.raises(MalformedDatum) as caught:
            SPEND_REDEEMER.decode(encode(Constr(0, (b"m", (), (pair,)))))
        assert reason == str(caught.value)


def test_lengths_and_sizes_are_no_matter_of_decoding() -> None:
    """A hash of three bytes, a number that Python would not even write out."""
    huge = 10**5000
    odd = Attestation(b"", b"abc", bytes(65), bytes(1000), b"")
    assert odd == MILESTONE_DATUM.decode(MILESTONE_DATUM.encode(odd)).value
    release = Release(b"", (huge, -huge), ())
    assert release == SPEND_REDEEMER.decode(SPEND_REDEEMER.encode(release)).value


def test_the_bytes_are_kept_beside_the_value() -> None:
    """They need not be those that we would write."""
    counted = bytes.fromhex("d87a854164416d416f41734172")
    decoded = MILESTONE_DATUM.decode(counted)
    assert (Attestation(b"d", b"m", b"o", b"s", b"r"), counted) == (decoded.value, decoded.raw)
    assert counted != MILESTONE_DATUM.encode(decoded.value)


def test_two_thousand_of_each_go_there_and_back() -> None:
    """Bytes to value to bytes. All of them are read the fast way, but for numbers that are negative or too long."""
    rng = Random(2000)
    for codec, make in CODECS:
        read_fast = fast.reader(codec.shape)
        for _ in range(2000):
            value = make(rng)
            raw = codec.encode(value)
            assert value == codec.decode(raw).value
            assert raw == codec.encode(codec.decode(raw).value)
            assert make.__name__.startswith("wild") or value == read_fast(raw)


@pytest.mark.parametrize(("codec", "make"), CODECS, ids=CODEC_NAMES)
@given(rng=st.randoms(use_true_random=False))
def test_any_hand_is_read_as_the_same_value(codec: Codec[Any], make: Callable[[Random], Any], rng: Random) -> None:
    """As other wallets write it: counted, in pieces, with longer heads."""
    value = make(rng)
    raw = _handwritten(codec, value, rng)
    assert value == codec.decode(raw).value
    assert raw == codec.decode(raw).raw


@pytest.mark.parametrize(("codec", "make"), CODECS, ids=CODEC_NAMES)
@given(rng=st.randoms(use_true_random=False))
def test_the_fast_way_agrees_with_the_strict_one(codec: Codec[Any], make: Callable[[Random], Any], rng: Random) -> None:
    """Whatever bytes are damaged: where the fast way finds a value, the strict one finds the same."""
    read_fast = fast.reader(codec.shape)
    value = make(rng)
    hands = codec.encode(value), cbor2.dumps(cbor2.loads(codec.encode(value))), _handwritten(codec, value, rng)
    for _ in range(30):
        raw = bytearray(rng.choice(hands))
        match rng.randrange(4):
            case 0:
                raw[rng.randrange(len(raw))] = rng.randrange(256)
            case 1:
                del raw[rng.randrange(len(raw)) :]
            case 2:
                raw.insert(rng.randrange(len(raw) + 1), rng.choice([0, 0x40, 0x80, 0x9F, 0xFF]))
            case _:
                del raw[rng.randrange(len(raw))]
        found = read_fast(bytes(raw))
        if found is not fast.OTHER:
            assert found == codec.from_data(decode(bytes(raw)))


@pytest.mark.parametrize("layout", [int, bytes, bool, tuple[int, ...], tuple[int, bytes], int | None], ids=str)
def test_the_fast_way_agrees_whatever_the_first_byte(layout: Any) -> None:
    """Every head there is, with every length of tail that it could ask for."""
    codec: Codec[Any] = Codec(layout)
    read_fast = fast.reader(codec.shape)
    for start in [bytes([head]) for head in range(256)] + [bytes([0xD8, tag]) for tag in range(256)]:
        for tail in [bytes(n) for n in range(70)] + [bytes(n) + b"\xff" for n in range(70)]:
            for raw in (start + tail, start + bytes([len(tail)]) + tail):
                found = read_fast(raw)
                if found is not fast.OTHER:
                    assert found == codec.from_data(decode(raw))


@pytest.mark.parametrize(("codec", "make"), CODECS[:2], ids=CODEC_NAMES[:2])
@given(rng=st.randoms(use_true_random=False))
def test_the_usual_hands_are_read_the_fast_way(codec: Codec[Any], make: Callable[[Random], Any], rng: Random) -> None:
    """Open-ended as the ledger writes; counted throughout as cbor2, and some wallets."""
    value = make(rng)
    written = codec.encode(value)
    counted = cbor2.dumps(cbor2.loads(written))
    read_fast = fast.reader(codec.shape)
    assert written != counted
    assert [value, value] == [read_fast(written), read_fast(counted)]


def test_a_datum_longer_than_any_block_is_refused() -> None:
    """However well it is written."""
    longest = Attestation(bytes(MAX_BYTES), b"", b"", b"", b"")
    many = Release(b"", (0,) * MAX_BYTES, ())
    cases: list[tuple[Codec[Any], object]] = [(MILESTONE_DATUM, longest), (SPEND_REDEEMER, many)]
    for codec, value in cases:
        raw = codec.encode(value)
        with pytest.raises(MalformedDatum, match="nothing so long fits into a block"):
            codec.decode(raw)


@given(plutus.drawn(plutus.data))
def test_any_data_is_a_datum_or_the_named_error(data: Data) -> None:
    """It never stops the follower."""
    with suppress(MalformedDatum):
        assert data == MILESTONE_DATUM.to_data(MILESTONE_DATUM.decode(encode(data)).value)


def test_made_by_hand_a_record_is_checked() -> None:
    """Nothing is converted, nothing added, nothing left out; and then it stays as it is."""
    key: Any = VerificationKey
    pair: Any = AssetClass
    allocation: Any = Allocation
    for wrong in (
        lambda: key("55" * 28),
        lambda: key(5),
        lambda: key(bytearray(28)),
        lambda: pair(b""),
        lambda: pair(b"", b"", b""),
        lambda: pair(policy_id=b"", asset_name=b"", extra=b""),
        lambda: allocation(b"", 1, b"", 1, False),
        lambda: allocation(Address(VerificationKey(b"")), 1.0, b"", 1, False),
        lambda: allocation(Address(VerificationKey(b"")), True, b"", 1, False),
        lambda: allocation(Address(VerificationKey(b"")), 1, b"", 1, 0),
        lambda: Release(b"", [1], ()),  # type: ignore[arg-type]
    ):
        with pytest.raises(ValidationError):
            wrong()
    with pytest.raises(AttributeError):
        setattr(DISTRIBUTION, "funder", b"me")  # noqa: B010
    with pytest.raises(AttributeError):
        setattr(MILESTONE_DATUM.decode(MILESTONE_DATUM.encode(DISTRIBUTION)).value, "funder", b"me")  # noqa: B010


def test_equal_values_are_equal_however_they_were_made() -> None:
    """By hand, the fast way, the strict way; they hash alike, so they can be keys."""
    raw = MILESTONE_DATUM.encode(DISTRIBUTION)
    values = {DISTRIBUTION, MILESTONE_DATUM.decode(raw).value, MILESTONE_DATUM.from_data(decode(raw))}
    assert {DISTRIBUTION} == values


def test_ada_has_two_empty_names() -> None:
    """One of the two empty is a token's."""
    assert AssetClass(b"", b"").is_ada
    assert not AssetClass(KEY_HASH, b"").is_ada
    assert not AssetClass(b"", b"TOKEN").is_ada


def test_a_value_of_another_layout_is_not_written() -> None:
    """A redeemer is no datum."""
    with pytest.raises(TypeError, match="Burn is none of Distribution, Attestation"):
        MILESTONE_DATUM.to_data(Burn())  # type: ignore[arg-type]


def test_what_has_no_layout_is_told_when_the_class_is_made() -> None:
    """A text, a map, a choice that is no choice of constructors, constructors with a gap."""
    layouts: list[Any] = [str, dict[int, int], int | bytes, Burn | Withdraw, Create | Release, list[int]]
    for layout in layouts:
        with pytest.raises(TypeError):
            shape_of(layout)

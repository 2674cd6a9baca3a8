"""Bytes as people write them, and back."""

import base58 as reference58
import pytest
from pycardano.crypto import bech32 as reference  # type: ignore[import-untyped]

from indexer.devnet.ledger.spelling import base58, bech32, unbase58, unbech32

CONTENTS = (b"", b"\0", b"\0\0\x01", bytes(range(57)), bytes(200), b"\xff" * 33)


@pytest.mark.parametrize("raw", CONTENTS)
def test_texts_are_as_other_libraries_write_them_and_are_read_back(raw: bytes) -> None:
    """Ogmios knows no limit of 90 characters."""
    digits = reference.convertbits(raw, 8, 5)
    text = reference.bech32_encode("addr", digits, reference.Encoding.BECH32)
    assert (text, ("addr", raw), ("addr", raw)) == (bech32("addr", raw), unbech32(text), unbech32(text.upper()))
    assert (reference58.b58encode(raw).decode(), raw) == (base58(raw), unbase58(base58(raw)))


def test_a_text_with_one_wrong_character_is_not_read() -> None:
    """Nor one with two that changed places."""
    text = bech32("addr_test", bytes(range(29)))
    wrong = [text[:n] + ("q" if text[n] != "q" else "p") + text[n + 1 :] for n in range(10, len(text))]
    for each in (*wrong, text[:20] + text[21] + text[20] + text[22:]):
        with pytest.raises(ValueError, match="checksum"):
            unbech32(each)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "addr",
        "addr1qqqqq",  # less than a checksum
        "1" + bech32("x", b"abc")[2:],  # no prefix
        bech32("addr", b"abc").replace("addr", "Addr"),
        bech32("addr", b"abc") + "b",  # no character of bech32
        bech32("é", b"abc"),
        reference.bech32_encode("addr", [0, 1], reference.Encoding.BECH32),  # ten bits, the last of which is set
        reference.bech32_encode("addr", [0], reference.Encoding.BECH32),  # five bits are no byte
    ],
)
def test_what_is_no_bech32_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        unbech32(text)


@pytest.mark.parametrize("text", ["0", "O", "I", "l", "abc d", "2cWé"])
def test_what_is_no_base58_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        unbase58(text)

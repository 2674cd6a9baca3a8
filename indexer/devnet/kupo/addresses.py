"""Addresses as people give them: bech32 (BIP-173, of any length) and base58; and the two halves of them (CIP-19)."""

from functools import lru_cache
from typing import Final

from indexer.devnet.ledger.addresses import BYRON, address_text, check_address
from indexer.devnet.ledger.cbor import Malformed

_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM: Final = 6  # characters
_PAYMENT: Final = slice(1, 29)
_STAKE: Final = slice(29, 57)

shown = lru_cache(maxsize=4096)(address_text)


def is_byron(address: bytes) -> bool:
    """Whether an address is of the Byron kind, which has no credentials."""
    return address[0] == BYRON


def payment(address: bytes) -> bytes | None:
    """The hash of its payment credential (28 bytes), key or script; None for Byron."""
    return None if is_byron(address) else address[_PAYMENT]


def delegation(address: bytes) -> bytes | None:
    """The hash of its stake credential (28 bytes), key or script; None where it has none, or only a pointer."""
    return address[_STAKE] if address[0] < 0x40 else None


def is_address(raw: bytes) -> bool:
    """Whether these are the bytes of an address that an output can have."""
    try:
        check_address(raw)
    except Malformed:
        return False
    return True


def unbech32(text: str) -> tuple[str, bytes]:
    """Prefix and content of bech32 text, however long. Raises ValueError."""
    if text not in (text.lower(), text.upper()):
        raise ValueError("bech32 does not mix cases")
    prefix, _, rest = text.lower().rpartition("1")
    if not prefix or not prefix.isascii() or len(rest) < _CHECKSUM:
        raise ValueError("bech32 is a prefix, 1, and at least six characters")
    values = [_BECH32.index(character) for character in rest]
    if _checksum(prefix, values) != 1:
        raise ValueError("the checksum does not fit")
    number, bits = 0, 5 * (len(values) - _CHECKSUM)
    for value in values[:-_CHECKSUM]:
        number = number << 5 | value
    padding = bits % 8
    if padding > 4 or number & (1 << padding) - 1:
        raise ValueError("bits are left over")
    return prefix, (number >> padding).to_bytes(bits // 8, "big")


def unbase58(text: str) -> bytes:
    """The bytes of base58 text. Raises ValueError."""
    number = 0
    for character in text:
        number = number * 58 + _BASE58.index(character)
    leading = len(text) - len(text.lstrip("1"))
    return bytes(leading) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _checksum(prefix: str, values: list[int]) -> int:
    check = 1
    for value in [*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix), *values]:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            check ^= generator if top >> bit & 1 else 0
    return check

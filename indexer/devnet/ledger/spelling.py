"""Bytes as people write them, and back: bech32 (BIP-173, of any length), and Bitcoin's base58 without its checksum."""

from collections.abc import Iterable
from typing import Final

_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM: Final = 6  # characters


def bech32(prefix: str, raw: bytes) -> str:
    """The text for these bytes."""
    count = -(-len(raw) * 8 // 5)
    bits = int.from_bytes(raw, "big") << count * 5 - len(raw) * 8
    values = [bits >> 5 * n & 31 for n in reversed(range(count))]
    check = _checksum(prefix, [*values, *(0,) * _CHECKSUM]) ^ 1
    values += [check >> 5 * n & 31 for n in reversed(range(_CHECKSUM))]
    return f"{prefix}1{''.join(_BECH32[value] for value in values)}"


def unbech32(text: str) -> tuple[str, bytes]:
    """Prefix and content. Raises ValueError."""
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


def base58(raw: bytes) -> str:
    """The text for these bytes."""
    number, digits = int.from_bytes(raw, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        digits = _BASE58[digit] + digits
    return "1" * (len(raw) - len(raw.lstrip(b"\0"))) + digits


def unbase58(text: str) -> bytes:
    """The bytes of a text. Raises ValueError."""
    number = 0
    for character in text:
        number = number * 58 + _BASE58.index(character)
    leading = len(text) - len(text.lstrip("1"))
    return bytes(leading) + number.to_bytes((number.bit_length() + 7) // 8, "big")


def _checksum(prefix: str, values: Iterable[int]) -> int:
    check = 1
    for value in (*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix), *values):
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATOR):
            check ^= generator if top >> bit & 1 else 0
    return check

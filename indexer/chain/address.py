"""Addresses as texts, and the payment credentials inside them (CIP-19, BIP-173, Byron's base58).

A Shelley address is one header byte (type, network), 28 bytes of payment credential, then a stake part or
nothing, all written in bech32. Byron addresses have no credential: they are known by their whole text.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from zlib import crc32

BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_AS_INT32: Final = str.maketrans(BECH32, "0123456789abcdefghijklmnopqrstuv")
_PREFIXES: Final = {"addr1": 1, "addr_test1": 0}  # bech32 prefix -> network id in the header
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)

NEEDLE_START: Final = 2  # of the characters after the separator, the first two mix header and hash ...
NEEDLE_END: Final = 46  # ... and the 46th is the last that holds nothing but hash


class CredentialKind(StrEnum):
    """Who may spend: the holder of a key, or a script."""

    KEY = "key"
    SCRIPT = "script"


@dataclass(frozen=True, slots=True)
class Credential:
    """A payment credential: its kind, and a 28-byte hash (of a verification key or of a script)."""

    kind: CredentialKind
    hash: bytes


def is_byron(text: str) -> bool:
    """Whether an address as Ogmios writes it is of the Byron kind: base58, so without bech32's prefix."""
    return not text.startswith("addr")


def payment_credential(text: str) -> Credential | None:
    """The payment credential of an address read off the chain, whose checksum the ledger has seen to.

    None for Byron addresses and for header types that CIP-19 does not define. Raises ValueError where the
    text is neither bech32 nor long enough to hold a credential.
    """
    if is_byron(text):
        return None
    data = text[text.rindex("1") + 1 :]
    if len(data) < 47:
        raise ValueError(f"address too short: {text!r}")
    head = (int(data[:47].translate(_AS_INT32), 32) >> 3).to_bytes(29, "big")
    if head[0] >= 0x80:
        return None
    return Credential(CredentialKind.SCRIPT if head[0] & 0x10 else CredentialKind.KEY, head[1:])


def needle(credential_hash: bytes) -> str:
    """The 44 characters that stand in the bech32 text of every address with this payment hash.

    From the third character on the hash alone decides, whatever network, kind and stake part say.
    """
    number = int.from_bytes(b"\0" + credential_hash, "big") << 3
    return "".join(BECH32[number >> (5 * (46 - i)) & 31] for i in range(NEEDLE_START, NEEDLE_END))


def parse_address(text: str) -> tuple[Credential | None, int | None]:
    """Check a payment address given by a person.

    Returns its payment credential (None: Byron) and its network id (1 mainnet, 0 test; None: Byron, whose
    text does not always tell). Raises ValueError with the reason.
    """
    for prefix, network in _PREFIXES.items():
        if text.startswith(prefix):
            raw = _bech32_bytes(text)
            if len(raw) < 29:
                raise ValueError("the address is too short")
            if raw[0] >= 0x80 or raw[0] & 0x0F != network:
                raise ValueError("the address header is not that of a payment address of its network")
            return payment_credential(text), network
    if text.startswith("stake"):
        raise ValueError("a stake address receives no outputs; give a payment address or credential")
    _check_byron(text)
    return None, None


def _bech32_bytes(text: str) -> bytes:
    prefix, _, data = text.rpartition("1")
    if not set(data) <= set(BECH32) or len(data) < 7:
        raise ValueError("the address holds characters that bech32 does not have")
    values = [BECH32.index(c) for c in data]
    check = 1
    for value in [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(_GENERATOR):
            check ^= generator if top >> i & 1 else 0
    if check != 1:
        raise ValueError("the address has a wrong checksum: a character is mistyped or missing")
    bits = 5 * (len(values) - 6)
    number = int(data[:-6].translate(_AS_INT32) or "0", 32)
    return (number >> bits % 8).to_bytes(bits // 8, "big")


def _check_byron(text: str) -> None:
    """Base58 of the CBOR pair (tag 24 bytes, CRC-32 of those bytes); Byron's own checksum."""
    if not text or not set(text) <= set(BASE58):
        raise ValueError("neither a 28-byte hash in hex nor an address (addr1…, addr_test1…, or Byron base58)")
    number = 0
    for character in text:
        number = number * 58 + BASE58.index(character)
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    length = raw[4] if raw[:4] == b"\x82\xd8\x18\x58" else -1  # a pair; tag 24; up to 255 bytes
    payload, check = raw[5 : 5 + length], raw[5 + length :]
    if length < 0 or len(payload) != length or check != _cbor_uint(crc32(payload)):
        raise ValueError("not a Byron address: its checksum does not fit")


def _cbor_uint(number: int) -> bytes:
    """A number of up to 32 bits as CBOR writes it, in the fewest bytes."""
    if number < 24:
        return bytes([number])
    length = next(n for n in (1, 2, 4) if number < 256**n)
    return bytes([23 + length.bit_length()]) + number.to_bytes(length, "big")

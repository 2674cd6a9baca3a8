"""Addresses, encoded and decoded by hand from CIP-19 and BIP-173, and a few Byron addresses of the real chains."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, TypeAlias
from zlib import crc32

CredentialKind: TypeAlias = Literal["key", "script"]
Network: TypeAlias = Literal["mainnet", "testnet"]
Stake: TypeAlias = (
    tuple[CredentialKind, bytes] | tuple[Literal["pointer"], tuple[int, int, int]] | None
)  # a pointer: slot, transaction index, certificate index

_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PREFIX: Final[dict[Network, str]] = {"mainnet": "addr", "testnet": "addr_test"}
_NETWORK_ID: Final[dict[Network, int]] = {"mainnet": 1, "testnet": 0}

BYRON_MAINNET: Final = (
    "Ae2tdPwUPEYwNguM7TB3dMnZMfZxn1pjGHyGdjaF4mFqZF9L3bj6cdhiH8t",
    "DdzFFzCqrhtBatWqyFge4w6M6VLgNUwRHiXTAg3xfQCUdTcjJxSrPHVZJBsQprUEc5pRhgMWQaGciTssoZVwrSKmG1fneZ1AeCtLgs5Y",
    "Ae2tdPwUPEZKnykUqXyYQxqJSnADNkm4ELUnyqZUBHcCrNJVDqozLYCt9Jv",
)
BYRON_TESTNET: Final = (
    "2cWKMJemoBam3F9oTvv5vucSLAeAaXDLBtKUJztmZ66vpMotQTD1V4CDDfKx3BnFMW1jG",
    "37btjrVyb4KDXBNC4haBVPCrro8AQPHwvCMp3RFhhSVWwfFmZ6wwzSK6JK1hY6wHNmtrpTf1kdbva8TCneM2YsiXT7mrzT21EacHnPpz5YyUdj64na",
)


@dataclass(frozen=True)
class Address:
    """What a Shelley address says."""

    credential: bytes
    kind: CredentialKind
    stake: Stake
    network: Network


def address(credential: bytes, kind: CredentialKind, stake: Stake = None, network: Network = "testnet") -> str:
    """The bech32 text of a payment address."""
    if stake is None:
        form, tail = 6, b""
    elif stake[0] == "pointer":
        form, tail = 4, b"".join(_natural(n) for n in stake[1])
    else:
        form, tail = 2 * (stake[0] == "script"), stake[1]
    header = (form | (kind == "script")) << 4 | _NETWORK_ID[network]
    return bech32(_PREFIX[network], bytes([header]) + credential + tail)


@cache
def decoded(text: str) -> Address | None:
    """The contents of an address; None for a Byron address. Raises ValueError where a checksum is wrong."""
    if not text.startswith("addr"):
        if not byron_is_sound(text):
            raise ValueError(f"{text} is not a Byron address")
        return None
    prefix, raw = unbech32(text)
    network: Network = "mainnet" if raw[0] & 15 == 1 else "testnet"
    if prefix != _PREFIX[network]:
        raise ValueError(f"{text} has the prefix of another network")
    form, tail = raw[0] >> 4, raw[29:]
    kind: CredentialKind = "script" if form & 1 else "key"
    stake: Stake
    match form >> 1:
        case 0:
            stake = "key", tail
        case 1:
            stake = "script", tail
        case 2:
            stake = "pointer", _naturals(tail)
        case 3:
            stake = None
        case _:
            raise ValueError(f"{text} has no form of a payment address")
    return Address(raw[1:29], kind, stake, network)


def bech32(prefix: str, data: bytes) -> str:
    """Bech32, of any length."""
    values = _regroup(data, 8, 5, pad=True)
    check = _polymod([*_expanded(prefix), *values, 0, 0, 0, 0, 0, 0]) ^ 1
    values += [check >> 5 * (5 - i) & 31 for i in range(6)]
    return f"{prefix}1{''.join(_BECH32[value] for value in values)}"


def unbech32(text: str) -> tuple[str, bytes]:
    """Prefix and contents. Raises ValueError where the checksum is wrong."""
    prefix, _, rest = text.rpartition("1")
    values = [_BECH32.index(character) for character in rest]
    if _polymod([*_expanded(prefix), *values]) != 1:
        raise ValueError(f"{text} has a wrong checksum")
    return prefix, bytes(_regroup(values[:-6], 5, 8, pad=False))


def byron_is_sound(text: str) -> bool:
    """Whether a text is base58 of the CBOR pair (tag 24 payload, its CRC-32)."""
    number = 0
    for character in text:
        if character not in _BASE58:
            return False
        number = number * 58 + _BASE58.index(character)
    raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
    if raw[:4] != bytes.fromhex("82d81858"):
        return False
    end = 5 + raw[4]
    return raw[end:] == b"\x1a" + crc32(raw[5:end]).to_bytes(4, "big")


def _expanded(prefix: str) -> list[int]:
    return [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]


def _polymod(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            if top >> bit & 1:
                check ^= generator
    return check


def _regroup(values: Iterable[int], width: int, into: int, *, pad: bool) -> list[int]:
    held = bits = 0
    out = []
    for value in values:
        held, bits = held << width | value, bits + width
        while bits >= into:
            bits -= into
            out.append(held >> bits & (1 << into) - 1)
    if pad and bits:
        out.append(held << into - bits & (1 << into) - 1)
    return out


def _natural(number: int) -> bytes:
    groups = [number & 127]
    while number := number >> 7:
        groups.append(number & 127 | 128)
    return bytes(reversed(groups))


def _naturals(data: bytes) -> tuple[int, int, int]:
    numbers, held = [], 0
    for byte in data:
        held = held << 7 | byte & 127
        if byte < 128:
            numbers.append(held)
            held = 0
    slot, transaction, certificate = numbers
    return slot, transaction, certificate

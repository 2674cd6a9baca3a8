"""Addresses as the ledger writes and takes them (CIP-19), and the texts that Ogmios shows (bech32; Byron's base58)."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple
from zlib import crc32

from indexer.devnet.ledger.cbor import EMBEDDED, Malformed, Reader
from indexer.devnet.ledger.spelling import base58, bech32, unbase58, unbech32
from indexer.devnet.ledger.transaction import Credential

BYRON: Final = 0x82  # first byte of every Byron address: a pair
_HASH: Final = 28  # bytes of a credential
_POINTER: Final = (32, 16, 16)  # bits of a slot, a transaction's index, a certificate's index


class ByronAddress(NamedTuple):
    """What a Byron address says."""

    root: bytes  # 28 bytes, which the parts of a bootstrap witness hash to
    magic: int | None  # of a test network; None: mainnet
    attributes_size: int  # bytes that the ledger limits: those that only wallets understand


def check_address(raw: bytes) -> bytes:
    """The same bytes, if an output may carry them as its address; else Malformed says why not.

    As the ledger reads them since Conway: every byte is used, unused bits are zero, a pointer fits its fields.
    """
    if not raw:
        raise Malformed("an empty address")
    header, rest = raw[0], len(raw) - 1 - _HASH
    if header == BYRON:
        byron(raw)
        return raw
    if header & 0b1000_1110:
        raise Malformed(f"no address has {header:#04x} as its first byte")
    match header >> 5:
        case 0 | 1:
            due = _HASH
        case 2:
            due = _pointer(raw[1 + _HASH :])
        case _:
            due = 0
    if rest != due:
        raise Malformed(f"an address of {len(raw)} bytes, which its first byte {header:#04x} does not allow")
    return raw


def is_address(raw: bytes) -> bool:
    """Whether an output may carry these bytes as its address."""
    try:
        check_address(raw)
    except Malformed:
        return False
    return True


def check_reward_address(raw: bytes) -> bytes:
    """The same bytes, if they are those of a stake account (29 bytes); else Malformed says why not."""
    if len(raw) != 1 + _HASH or raw[0] & 0b1110_1110 != 0b1110_0000:
        raise Malformed(f"{raw.hex()[:80]} is no reward address")
    return raw


def network_of(address: bytes) -> int | None:
    """The network id (0 test, 1 main) of an address; of a Byron address what its magic means."""
    if address[0] == BYRON:
        return 1 if byron(address).magic is None else 0
    return address[0] & 1


def payment_credential(address: bytes) -> Credential | None:
    """Who may spend what lies there. None: a Byron address, which is spent by a bootstrap witness."""
    if address[0] == BYRON:
        return None
    return Credential(address[1 : 1 + _HASH], bool(address[0] & 0b0001_0000))


def stake_credential(reward_address: bytes) -> Credential:
    """Whose account it is."""
    return Credential(reward_address[1:], bool(reward_address[0] & 0b0001_0000))


def byron(raw: bytes) -> ByronAddress:
    """The parts of a Byron address (byron.cddl: address): raises Malformed, also where its checksum is wrong."""
    outer = Reader(raw)
    _array_of(outer, 2)
    outer.expect_tag(EMBEDDED)
    payload = outer.octets()
    checksum = outer.unsigned(2**32 - 1)
    outer.end()
    if checksum != crc32(payload):
        raise Malformed("a Byron address with a wrong checksum")
    inner = Reader(payload)
    _array_of(inner, 3)
    root = inner.octets(_HASH)
    magic, size = _attributes(inner)
    if inner.unsigned(2) == 1:
        raise Malformed("a Byron address of a kind that never was")
    inner.end()
    return ByronAddress(root, magic, size)


def read_address(value: object) -> bytes:
    """An address in bech32, base58 or base16. Raises ValueError."""
    readers: tuple[Callable[[str], bytes], ...] = (lambda text: unbech32(text)[1], unbase58, bytes.fromhex)
    for reader in readers if isinstance(value, str) else ():
        try:
            raw = reader(str(value))
        except ValueError:
            continue
        if is_address(raw):
            return raw
    raise ValueError(f"{value!r:.120} is no address")


@lru_cache(maxsize=4096)
def address_text(raw: bytes) -> str:
    """An address as people write it."""
    if raw[0] == BYRON:
        return base58(raw)
    return bech32("addr" if raw[0] & 1 else "addr_test", raw)


def reward_address_text(raw: bytes) -> str:
    """The address of a stake account as people write it."""
    return bech32("stake" if raw[0] & 1 else "stake_test", raw)


def _pointer(raw: bytes) -> int:
    """How many bytes the three numbers of a pointer take, seven bits to a byte."""
    position = 0
    for bits in _POINTER:
        number = 0
        for _ in range(-(-bits // 7)):
            if position == len(raw):
                raise Malformed("a pointer address that ends within its pointer")
            byte = raw[position]
            position += 1
            number = number << 7 | byte & 0x7F
            if byte < 0x80:
                break
        else:
            raise Malformed("a pointer address with a number that has no end")
        if number >> bits:
            raise Malformed(f"a pointer address with a number of more than {bits} bits")
    return position


def _array_of(reader: Reader, length: int) -> None:
    if reader.open() != length:
        raise Malformed(f"a Byron address where an array of {length} has to be")


def _attributes(reader: Reader) -> tuple[int | None, int]:
    """The magic number, and how many bytes of attributes mean nothing to the ledger. Keys ascend."""
    if reader.is_indefinite():
        raise Malformed("a Byron address with attributes that end in a break")
    magic, size, last = None, 0, -1
    for _ in reader.map():
        key = reader.unsigned(255)
        if key <= last:
            raise Malformed(f"a Byron address with attribute {key} after {last}")
        last = key
        inner = Reader(reader.octets())
        match key:
            case 1:
                size += len(inner.octets())
                inner.end()
            case 2:
                magic = inner.unsigned(2**32 - 1)
                inner.end()
            case _:
                size += len(inner.data)
    return magic, size

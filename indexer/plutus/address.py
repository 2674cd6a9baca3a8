"""Addresses as a script sees them, as bytes, and as people read them (CIP-19, BIP-173).

An address in a datum names no network. Its bytes do: a header (form, network), 28 bytes of payment credential, then 28
bytes of stake credential, or a pointer in three variable-length numbers, or nothing.
"""

from collections.abc import Iterable
from typing import Final

from indexer.chain.address import BECH32, is_byron, parse_address
from indexer.plutus.ledger import Address, Credential, Inline, Pointer, Script, StakeCredential, VerificationKey

HASH_LENGTH: Final = 28
_PREFIXES: Final = {1: "addr", 0: "addr_test"}  # network id -> prefix
_POINTER_LIMITS: Final = (1 << 32, 1 << 16, 1 << 16)  # slot, transaction, certificate: the ledger's Ptr
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_FOLDED: Final = tuple(  # BIP-173's checksum, five bits at once: what these five top bits add
    _GENERATOR[0] * (top & 1)
    ^ _GENERATOR[1] * (top >> 1 & 1)
    ^ _GENERATOR[2] * (top >> 2 & 1)
    ^ _GENERATOR[3] * (top >> 3 & 1)
    ^ _GENERATOR[4] * (top >> 4)
    for top in range(32)
)


def address_bytes(address: Address, network_id: int) -> bytes:
    """The bytes of an address on a network (1 mainnet, 0 any other).

    Raises ValueError for hashes of another length than 28 and for pointers that the ledger could not hold.
    """
    form, tail = _stake_part(address.stake_credential)
    if isinstance(address.payment_credential, Script):
        form |= 1
    return bytes([form << 4 | network_id]) + _hash(address.payment_credential) + tail


def address_text(address: Address, network_id: int) -> str:
    """The bech32 text of an address on a network (1 mainnet, 0 any other). Raises ValueError like `address_bytes`."""
    return _bech32(_PREFIXES[network_id], address_bytes(address, network_id))


def address_of(raw: bytes) -> tuple[Address, int]:
    """The address that bytes are, and its network id. Raises ValueError for Byron's and for what is no address."""
    if not raw or raw[0] >= 0x80:
        raise ValueError("only Shelley addresses have credentials")
    form, network_id = divmod(raw[0], 16)
    payment, tail = raw[1 : 1 + HASH_LENGTH], raw[1 + HASH_LENGTH :]
    if network_id not in _PREFIXES or len(payment) != HASH_LENGTH:
        raise ValueError("not a payment address")
    return Address(_credential(form & 1, payment), _stake_credential(form >> 1, tail)), network_id


def parse_shelley(text: str) -> tuple[Address, int]:
    """The address that a bech32 text is, and its network id. Raises ValueError with the reason."""
    if is_byron(text):
        raise ValueError("a Byron address has no credential: a script cannot be told to pay there")
    parse_address(text)  # the checksum, and that header and prefix name one network
    return address_of(_unbech32(text))


# --- parts


def _stake_part(stake: StakeCredential | None) -> tuple[int, bytes]:
    match stake:
        case None:
            return 6, b""
        case Inline(credential):
            return 2 * isinstance(credential, Script), _hash(credential)
        case Pointer():
            numbers = (stake.slot_number, stake.transaction_index, stake.certificate_index)
            for number, limit in zip(numbers, _POINTER_LIMITS, strict=True):
                if not 0 <= number < limit:
                    raise ValueError("a pointer that the ledger could not hold")
            return 4, b"".join(map(_variable_length, numbers))


def _stake_credential(form: int, tail: bytes) -> StakeCredential | None:
    match form:
        case 3 if not tail:
            return None
        case 0 | 1 if len(tail) == HASH_LENGTH:
            return Inline(_credential(form, tail))
        case 2:
            return Pointer(*_three_numbers(tail))
    raise ValueError("the stake part is too long or too short")


def _credential(is_script: int, credential_hash: bytes) -> Credential:
    return Script(credential_hash) if is_script else VerificationKey(credential_hash)


def _hash(credential: Credential) -> bytes:
    if len(credential.hash) != HASH_LENGTH:
        raise ValueError(f"a credential of {len(credential.hash)} bytes: a hash has {HASH_LENGTH}")
    return credential.hash


def _variable_length(number: int) -> bytes:
    """Seven bits a byte, the highest first; all but the last byte have the top bit set (CIP-19, pointers)."""
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))


def _three_numbers(raw: bytes) -> tuple[int, int, int]:
    numbers, number = [], 0
    for byte in raw:
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            numbers.append(number)
            number = 0
    if len(numbers) != 3 or raw[-1] >= 0x80:
        raise ValueError("a pointer is three numbers")
    return numbers[0], numbers[1], numbers[2]


# --- bech32


def _bech32(prefix: str, raw: bytes) -> str:
    count = (8 * len(raw) + 4) // 5
    number = int.from_bytes(raw, "big") << 5 * count - 8 * len(raw)
    values = [number >> shift & 31 for shift in range(5 * (count - 1), -5, -5)]
    head = [*(ord(c) >> 5 for c in prefix), 0, *(ord(c) & 31 for c in prefix)]
    check = _checksum([*head, *values, 0, 0, 0, 0, 0, 0]) ^ 1
    values += [check >> shift & 31 for shift in range(25, -5, -5)]
    return f"{prefix}1{''.join([BECH32[value] for value in values])}"


def _unbech32(text: str) -> bytes:
    """The contents of a text whose checksum is known to be right."""
    values = [BECH32.index(character) for character in text[text.rindex("1") + 1 : -6]]
    number = 0
    for value in values:
        number = number << 5 | value
    return (number >> 5 * len(values) % 8).to_bytes(5 * len(values) // 8, "big")


def _checksum(values: Iterable[int]) -> int:
    check = 1
    for value in values:
        check = (check & 0x1FFFFFF) << 5 ^ value ^ _FOLDED[check >> 25]
    return check

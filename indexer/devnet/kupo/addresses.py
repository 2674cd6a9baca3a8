"""The two halves of an address, as Kupo's patterns mean them."""

from typing import Final

from indexer.devnet.ledger.addresses import BYRON

_PAYMENT: Final = slice(1, 29)
_STAKE: Final = slice(29, 57)


def is_byron(address: bytes) -> bool:
    """Whether an address is of the Byron kind, which has no credentials."""
    return address[0] == BYRON


def payment(address: bytes) -> bytes | None:
    """The hash of its payment credential (28 bytes), key or script; None for Byron."""
    return None if is_byron(address) else address[_PAYMENT]


def delegation(address: bytes) -> bytes | None:
    """The hash of its stake credential (28 bytes), key or script; None where it has none, or only a pointer."""
    return address[_STAKE] if address[0] < 0x40 else None

"""The little CBOR that the devnet writes itself: always definite lengths, in the fewest bytes (RFC 8949, section 3)."""

from collections.abc import Iterable, Mapping
from typing import Final

TRUE: Final = b"\xf5"
NULL: Final = b"\xf6"


def head(major: int, number: int) -> bytes:
    """A major type (0 to 7) and its argument, of up to 64 bits."""
    if number < 24:
        return bytes((major << 5 | number,))
    size = next(size for size in (1, 2, 4, 8) if number >> 8 * size == 0)
    return bytes((major << 5 | 23 + size.bit_length(),)) + number.to_bytes(size, "big")


def integer(number: int) -> bytes:
    """A number of up to 64 bits and a sign."""
    return head(0, number) if number >= 0 else head(1, -1 - number)


def byte_string(data: bytes) -> bytes:
    """Bytes."""
    return head(2, len(data)) + data


def array(items: Iterable[bytes]) -> bytes:
    """Items that are CBOR already, in order."""
    held = list(items)
    return head(4, len(held)) + b"".join(held)


def mapping(entries: Mapping[bytes, bytes]) -> bytes:
    """Keys and values that are CBOR already, in order."""
    return head(5, len(entries)) + b"".join(key + value for key, value in entries.items())


def tagged(tag: int, item: bytes) -> bytes:
    """An item that is CBOR already, under a tag."""
    return head(6, tag) + item


def as_set(items: Iterable[bytes]) -> bytes:
    """A set, as Conway marks it."""
    return tagged(258, array(items))

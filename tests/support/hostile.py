"""Datums that nobody means well with: made by hand, each with the reason it is refused for, or fuzzed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random
from typing import Final

from tests.contract import terms as written
from tests.contract.keys import key_hash, public
from tests.contract.terms import Allocation, Attestation, Terms, somebody
from tests.contract.tree import encode
from tests.support import plutus
from tests.support.oddities import MALFORMED, huge

MEGABYTE: Final = 1 << 20

TERMS: Final = Terms(
    key_hash("funder"),
    tuple(public(f"oracle {n}") for n in range(3)),
    2,
    tuple(Allocation(somebody(f"b {n}", stake="key" if n else None), 5 + n, b"m%d" % (n % 2)) for n in range(3)),
    expires_at=1_800_000_000_000,
)
ATTESTATION: Final = Attestation(bytes(32), b"m1", public("oracle 0"), bytes(64), bytes(28))
DISTRIBUTION: Final = encode(TERMS.data())


def pieces(content: bytes) -> bytes:
    return b"\x5f" + b"".join(b"\x58\x40" + content[n : n + 64] for n in range(0, len(content), 64)) + b"\xff"


def with_milestone(id_: bytes) -> bytes:
    first = replace(TERMS.allocations[0], milestone=id_)
    return encode(replace(TERMS, allocations=(first, *TERMS.allocations[1:])).data())


def to_hash(content: bytes) -> bytes:
    first = replace(TERMS.allocations[0], beneficiary=written.Address(written.Credential(content)))
    return encode(replace(TERMS, allocations=(first,)).data())


DEEP: Final[dict[str, bytes]] = {
    f"{name}, {depth} deep": opening * depth + b"\0" + closing * depth
    for depth in (63, 64, 65, 1_000, 100_000)
    for name, opening, closing in (
        ("lists", b"\x81", b""),
        ("open lists", b"\x9f", b"\xff"),
        ("maps", b"\xa1\0", b""),
        ("keys of maps", b"\xa1", b"\0"),
        ("constructors", b"\xd8\x79\x9f", b"\xff"),
        ("constructors of any number", b"\xd8\x66\x82\x18\x80\x81", b""),
        ("tags", b"\xc2", b""),
        ("open strings", b"\x5f", b"\xff"),
        ("never closed", b"\x9f", b""),
    )
}
BROKEN: Final[dict[str, bytes]] = {
    "nothing": b"",
    "a break": b"\xff",
    "a list that promises 2^64 - 1": b"\x9b" + b"\xff" * 8,
    "a string that promises 2^64 - 1": b"\x5b" + b"\xff" * 8,
    "a map that promises 2^64 - 1": b"\xbb" + b"\xff" * 8,
    "a string that promises more than there is": b"\x59\x40\x00" + b"x" * 100,
    "an open map that ends after a key": b"\xbf\x00\xff",
    "an open string of text": b"\x5f\x61a\xff",
    "an open string of lists": b"\x5f\x80\xff",
    "a reserved length": b"\x1c",
    "text": b"\x63abc",
    "text that is not UTF-8": b"\x62\xff\xfe",
    "null": b"\xf6",
    "a boolean": b"\xf5",
    "not a number": b"\xf9\x7e\x00",
    "a float": b"\xfb" + bytes(8),
    "undefined": b"\xf7",
    "a simple value": b"\xf8\xff",
    "a tag without content": b"\xd8\x79",
    "a set": b"\xd9\x01\x02\x80",
    "CBOR in a string": b"\xd8\x18\x41\x00",
    "a date": b"\xc0\x74" + b"2027-01-01T00:00:00Z",
    "two items": b"\x00\x00",
    "a datum and a byte": DISTRIBUTION + b"\x00",
    "half a datum": DISTRIBUTION[: len(DISTRIBUTION) // 2],
    "a string of 65 bytes in one piece": b"\x58\x41" + bytes(65),
    "the big number of a list": b"\xc2\x80",
    "constructor of a negative number": b"\xd8\x66\x82\x20\x80",
    "constructor of a big number": b"\xd8\x66\x82\xc2\x49\x01" + bytes(8) + b"\x80",
    "constructor of three parts": b"\xd8\x66\x83\x00\x80\x80",
}
PLAIN: Final[dict[str, bytes]] = {
    "a number": b"\x00",
    "a number of a megabit": b"\xc2" + pieces(b"\xff" * (MEGABYTE // 8 // 64 * 64)),
    "a negative one": b"\xc3" + pieces(b"\xff" * (MEGABYTE // 8 // 64 * 64)),
    "a map with one key twice": b"\xa2\x00\x01\x00\x02",
    "a map with one key 100,000 times": b"\xba" + (100_000).to_bytes(4, "big") + b"\x00\x01" * 100_000,
    "an open map of the same": b"\xbf" + b"\x00\x01" * 100_000 + b"\xff",
    "a list of half a million": b"\x9f" + bytes(MEGABYTE // 2) + b"\xff",
    "more than a megabyte": b"\x9f" + bytes(2 * MEGABYTE) + b"\xff",
    "a long string": pieces(bytes(MEGABYTE // 128 * 64)),
    "constructor 2^64 - 1": b"\xd8\x66\x82\x1b" + b"\xff" * 8 + b"\x80",
    "an attestation that numbers itself in another way, and lacks a field": b"\xd8\x66\x82\x01\x84\x40\x40\x40\x40",
    **{f"spoilt {n}": encode(spoil(TERMS.data())) for n, spoil in enumerate(MALFORMED)},
}
STRAYS: Final[dict[str, bytes]] = {
    "the terms": DISTRIBUTION,
    "huge numbers": encode(huge(TERMS).data()),
    "a number of 100,000 bits": encode(replace(TERMS, threshold=2**100_000).data()),
    "nothing is allocated": encode(replace(TERMS, allocations=(), oracles=()).data()),
    "a hash of no bytes": to_hash(b""),
    "a hash of 27 bytes": to_hash(bytes(27)),
    "a hash of 10,000 bytes": to_hash(bytes(10_000)),
    "a milestone that is not UTF-8": with_milestone(b"\xff\xfe\x80"),
    "a milestone that moves the cursor": with_milestone(b"\x1b[2J\r\n../../etc/passwd"),
    "a milestone of half a megabyte": with_milestone(bytes(MEGABYTE // 2)),
    "40,000 oracles": encode(replace(TERMS, oracles=(b"k",) * 40_000).data()),
}
ATTESTATIONS: Final[dict[str, bytes]] = {
    "plain": encode(ATTESTATION.data()),
    "in another hand": b"\xd8\x66\x82\x01\x85\x40\x41\xff\x40\x40\x40",
    "of empty strings": encode(Attestation(b"", b"", b"", b"", b"").data()),
    "of long strings": encode(Attestation(*(bytes(1_000),) * 5).data()),
    "not UTF-8": encode(replace(ATTESTATION, milestone=b"\xff\xfe").data()),
}
HANDMADE: Final = [
    *((raw, "malformed datum") for raw in (*DEEP.values(), *BROKEN.values(), *PLAIN.values())),
    *((raw, "no state token") for raw in STRAYS.values()),
    *((raw, "") for raw in ATTESTATIONS.values()),
]


# Mutations, each of bytes that were good or not.


def flipped(rng: Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw))
    return raw[:at] + bytes([raw[at] ^ 1 << rng.randrange(8)]) + raw[at + 1 :]


def cut(rng: Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw))
    return raw[:at] + raw[at + rng.randint(1, 8) :]


def repeated(rng: Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw))
    piece = raw[at : at + rng.randint(1, 40)]
    return raw[:at] + piece * rng.randint(2, 4) + raw[at + len(piece) :]


def shortened(rng: Random, raw: bytes) -> bytes:
    return raw[: rng.randrange(len(raw))]


def inserted(rng: Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw))
    piece = rng.choice((b"\x9f", b"\xff", b"\x5f", b"\xa1", b"\xd8\x79", b"\xc2", b"\x1b", b"\xf6", rng.randbytes(9)))
    return raw[:at] + piece + raw[at:]


def nested(rng: Random, raw: bytes) -> bytes:
    depth = rng.choice((1, 2, 60, 300))
    return b"\xd8\x79\x9f" * depth + raw + b"\xff" * depth


def joined(rng: Random, raw: bytes) -> bytes:
    other, at = rng.choice(GOOD), rng.randrange(len(raw))
    return raw[:at] + other[rng.randrange(len(other)) :]


MUTATIONS: Final[tuple[Callable[[Random, bytes], bytes], ...]] = (
    flipped,
    flipped,
    cut,
    repeated,
    shortened,
    inserted,
    nested,
    joined,
)
GOOD: Final = (DISTRIBUTION, *ATTESTATIONS.values(), *list(STRAYS.values())[:6])


def fuzzed(count: int) -> Iterator[bytes]:
    """The same ones in every run."""
    rng = Random(6)
    for number in range(count):
        match number % 4:
            case 0:
                raw = rng.choice(GOOD)
            case 1:
                raw = encode(rng.choice(MALFORMED)(TERMS.data()))
            case 2:
                raw = plutus.handwritten(plutus.data(rng), rng)
            case _:
                raw = encode(rng.choice((TERMS, ATTESTATION)).data())
        for _ in range(rng.randint(0, 3)):
            raw = rng.choice(MUTATIONS)(rng, raw) or b"\0"
        yield raw

"""Datums, redeemers and Plutus Data, drawn from a seeded generator; and Data written by any hand the ledger can read.

The same `Random` makes the same values. What is well formed would pass the contract's Create; what is wild has the
right constructors and kinds and nothing else: hashes of any length, numbers of any size.
"""

from collections.abc import Callable
from random import Random
from typing import Final, TypeVar

from hypothesis import strategies as st

from indexer.plutus.data import Constr, Data, Map
from indexer.plutus.datum import Allocation, AssetClass, Attestation, Distribution, MilestoneDatum
from indexer.plutus.ledger import Address, Credential, Inline, OutputReference, Pointer, Script, VerificationKey
from indexer.plutus.redeemer import Burn, Create, MintRedeemer, Reclaim, Release, SpendRedeemer, Withdraw

T = TypeVar("T")

ADA: Final = AssetClass(b"", b"")
EDGES: Final = (0, 1, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64)
LENGTHS: Final = (0, 1, 23, 24, 28, 32, 63, 64, 65, 127, 128, 129, 300)


def drawn(make: Callable[[Random], T]) -> st.SearchStrategy[T]:
    """The values of a generator function, for Hypothesis."""
    return st.randoms(use_true_random=False).map(make)


# --- well formed


def distribution(rng: Random, allocations: int | None = None, oracles: int | None = None) -> Distribution:
    """Terms that can be kept, nothing claimed."""
    keys = tuple(rng.randbytes(32) for _ in range(oracles or rng.randint(1, 15)))
    milestones = [milestone_id(rng) for _ in range(rng.randint(1, 4))]
    count = allocations or rng.randint(1, 12)
    return Distribution(
        funder=rng.randbytes(28),
        token=rng.choice([ADA, AssetClass(rng.randbytes(28), rng.randbytes(rng.randint(0, 32)))]),
        oracles=keys,
        quorum_threshold=rng.randint(1, len(keys)),
        allocations=tuple(
            Allocation(
                beneficiary=address(rng),
                token_amount=rng.choice([1, 5, 1_000_000, 2**63 // count - 1]),
                milestone_id=rng.choice(milestones),
                vesting_timestamp=rng.choice([0, 1_700_000_000_000, 2**63 - 1]),
                claimed=False,
            )
            for _ in range(count)
        ),
        lovelace_per_payout=rng.choice([0, 1_500_000]),
        keeper_fee_per_payout=rng.choice([0, 500_000]),
        expires_at=rng.choice([None, 0, 1_800_000_000_000, 2**63 - 1]),
    )


def attestation(rng: Random) -> Attestation:
    """A publication of the right lengths; the signature is of nothing."""
    return Attestation(rng.randbytes(32), milestone_id(rng), rng.randbytes(32), rng.randbytes(64), rng.randbytes(28))


def release(rng: Random) -> Release:
    """Positions ascending, signatures of nothing."""
    return Release(
        milestone_id(rng),
        tuple(sorted(rng.sample(range(100), rng.randint(1, 50)))),
        tuple((i, rng.randbytes(64)) for i in sorted(rng.sample(range(15), rng.randint(1, 15)))),
    )


def mint_redeemer(rng: Random) -> MintRedeemer:
    return Create(output_reference(rng)) if rng.random() < 0.5 else Burn()


def spend_redeemer(rng: Random) -> SpendRedeemer:
    choices: list[SpendRedeemer] = [release(rng), Reclaim(), Withdraw()]
    return rng.choice(choices)


def output_reference(rng: Random) -> OutputReference:
    return OutputReference(rng.randbytes(32), rng.choice([0, 1, 23, 24, 65535]))


def milestone_id(rng: Random) -> bytes:
    return rng.choice([b"m1", b"\0", b"m" * 64, rng.randbytes(rng.randint(1, 64))])


def address(rng: Random) -> Address:
    """A beneficiary's: no pointer."""
    return Address(credential(rng), rng.choice([None, Inline(credential(rng))]))


def credential(rng: Random) -> Credential:
    return _either(rng, rng.randbytes(28))


def _either(rng: Random, credential_hash: bytes) -> Credential:
    return VerificationKey(credential_hash) if rng.random() < 0.5 else Script(credential_hash)


# --- wild


def wild_datum(rng: Random) -> MilestoneDatum:
    """What decodes in full and may be good for nothing."""
    if rng.random() < 0.3:
        return Attestation(*(wild_bytes(rng) for _ in range(5)))
    return Distribution(
        funder=wild_bytes(rng),
        token=AssetClass(wild_bytes(rng), wild_bytes(rng)),
        oracles=tuple(wild_bytes(rng) for _ in range(rng.randint(0, 3))),
        quorum_threshold=wild_integer(rng),
        allocations=tuple(
            Allocation(
                wild_address(rng), wild_integer(rng), wild_bytes(rng), wild_integer(rng), rng.choice([False, True])
            )
            for _ in range(rng.randint(0, 3))
        ),
        lovelace_per_payout=wild_integer(rng),
        keeper_fee_per_payout=wild_integer(rng),
        expires_at=rng.choice([None, wild_integer(rng)]),
    )


def wild_redeemer(rng: Random) -> SpendRedeemer:
    return Release(
        wild_bytes(rng),
        tuple(wild_integer(rng) for _ in range(rng.randint(0, 4))),
        tuple((wild_integer(rng), wild_bytes(rng)) for _ in range(rng.randint(0, 4))),
    )


def wild_address(rng: Random) -> Address:
    payment = _either(rng, wild_bytes(rng))
    pointer = Pointer(wild_integer(rng), wild_integer(rng), wild_integer(rng))
    return Address(payment, rng.choice([None, pointer, Inline(Script(wild_bytes(rng)))]))


def wild_integer(rng: Random) -> int:
    number = rng.choice([rng.choice(EDGES), rng.getrandbits(64), rng.getrandbits(rng.randint(1, 1200))])
    return rng.choice([number, -1 - number])


def wild_bytes(rng: Random) -> bytes:
    return rng.randbytes(rng.choice(LENGTHS))


# --- Data


def data(rng: Random, depth: int = 4, distinct_keys: bool = False) -> Data:
    """Any Data, at most so deep. With `distinct_keys`, the keys of a map are numbers, each once."""
    kind = rng.choice("ib" if depth == 0 else "iblmc")
    size = rng.choice([0, 1, 2, 3, 30] if depth == 1 else [0, 1, 2, 3])
    parts = tuple(data(rng, depth - 1, distinct_keys) for _ in range(size)) if kind in "lmc" else ()
    match kind:
        case "i":
            return wild_integer(rng)
        case "b":
            return wild_bytes(rng)
        case "l":
            return parts
        case "c":
            return Constr(rng.choice([0, 1, 6, 7, 8, 127, 128, 1000, 2**64 - 1]), parts)
        case _:
            keys = range(size) if distinct_keys else [data(rng, 0) for _ in range(size)]
            pairs = list(zip(keys, parts, strict=True))
            rng.shuffle(pairs)
            return Map(tuple(pairs if distinct_keys or rng.random() < 0.7 else pairs + pairs))


def handwritten(data: Data, rng: Random) -> bytes:
    """The bytes of Data in some form that the ledger reads, each choice drawn anew."""
    match data:
        case Constr(index, fields):
            items = _listed(4, [handwritten(field, rng) for field in fields], len(fields), rng)
            if index < 7 and rng.random() < 0.8:
                return _head(6, 121 + index, rng) + items
            if 7 <= index < 128 and rng.random() < 0.8:
                return _head(6, 1273 + index, rng) + items
            return _head(6, 102, rng) + _listed(4, [_head(0, index, rng), items], 2, rng)
        case Map(pairs):
            written = [handwritten(part, rng) for pair in pairs for part in pair]
            return _listed(5, written, len(pairs), rng)
        case tuple():
            return _listed(4, [handwritten(item, rng) for item in data], len(data), rng)
        case bytes():
            return _string(data, rng)
        case _:
            size = data if data >= 0 else -1 - data
            if size >= 2**64 or rng.random() < 0.2:
                padding = rng.choice([0, 0, 1, 9])
                string = size.to_bytes((size.bit_length() + 7) // 8 + padding, "big")
                return (b"\xc2" if data >= 0 else b"\xc3") + _string(string, rng)
            return _head(0 if data >= 0 else 1, size, rng)


def _listed(major: int, items: list[bytes], count: int, rng: Random) -> bytes:
    if rng.random() < 0.5:
        return bytes([major << 5 | 31]) + b"".join(items) + b"\xff"
    return _head(major, count, rng) + b"".join(items)


def _string(string: bytes, rng: Random) -> bytes:
    if len(string) <= 64 and rng.random() < 0.7:
        return _head(2, len(string), rng) + string
    pieces = b""
    while string:
        length = rng.randint(0, 64)
        piece, string = string[:length], string[length:]
        pieces += _head(2, len(piece), rng) + piece
    return b"\x5f" + pieces + b"\xff"


def _head(major: int, argument: int, rng: Random) -> bytes:
    """Often longer than it need be."""
    powers = [power for power in range(4) if argument < 1 << (8 << power)]
    if argument < 24 and rng.random() < 0.7:
        return bytes([major << 5 | argument])
    power = powers[0] if rng.random() < 0.7 else rng.choice(powers)
    return bytes([major << 5 | 24 + power]) + argument.to_bytes(1 << power, "big")

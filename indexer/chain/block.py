"""Blocks and transactions, as far as a payment credential is concerned. Hashes and ids are bytes."""

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from indexer.chain.point import BlockHeight, Point, Slot

_REFERENCE: Final = re.compile(r"([0-9a-fA-F]{64})#([0-9]{1,5})", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class OutputReference:
    """Which output: the id of its transaction (32 bytes), and its index there."""

    transaction_id: bytes
    index: int

    def __str__(self) -> str:
        return f"{self.transaction_id.hex()}#{self.index}"


def parse_reference(text: str) -> OutputReference:
    """The output that `TXID#INDEX` names. Raises ValueError."""
    found = _REFERENCE.fullmatch(text)
    if found is None:
        raise ValueError("an output is named by 64 hex digits, # and a number")
    return OutputReference(bytes.fromhex(found[1]), int(found[2]))


@dataclass(frozen=True, slots=True)
class Script:
    """A reference script: its language as Ogmios names it, and its hash (28 bytes).

    The hash of a native script is known only where its bytes came along: JSON does not tell how the bytes
    were written, and the ledger hashes the bytes.
    """

    language: str
    hash: bytes | None


@dataclass(frozen=True, slots=True)
class Output:
    """What an output holds. `assets` maps (policy id, asset name) to a quantity of any size."""

    address: str
    lovelace: int
    assets: tuple[tuple[bytes, bytes, int], ...] = ()
    datum_hash: bytes | None = None  # of an inline datum too: blake2b-256 of its bytes
    datum: bytes | None = None  # inline only
    script: Script | None = None


@dataclass(frozen=True, slots=True)
class Redeemer:
    """What a script is told: `purpose` as Ogmios names it, `index` into what the purpose goes by, CBOR of the data."""

    purpose: str
    index: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction reduced to what it does to outputs, and what it tells scripts.

    A phase-2 failure has its collaterals under `spends` and its collateral return under `creates`; it mints nothing,
    and no script was convinced of its redeemers: it has none here. Otherwise `spends` are the inputs in the ledger's
    order, which is what a redeemer's index goes by.
    """

    id: bytes
    spends: tuple[OutputReference, ...]
    references: tuple[OutputReference, ...]
    creates: tuple[tuple[int, Output], ...]
    datums: dict[bytes, bytes] = field(default_factory=dict)  # witnesses: datum hash -> datum
    mint: tuple[tuple[bytes, bytes, int], ...] = ()  # policy id, asset name, quantity (negative: burnt)
    redeemers: tuple[Redeemer, ...] = ()
    position: int = 0  # in its block


class Header(NamedTuple):
    """Where a block stands. Byron's boundary blocks (EBB) have no slot, and the height of the one before."""

    id: bytes
    ancestor: bytes | None  # None: "genesis"
    height: BlockHeight
    slot: Slot | None

    @property
    def point(self) -> Point | None:
        """None for an EBB, which no point can name."""
        return None if self.slot is None else Point(self.slot, self.id)

"""Blocks of the devnet, as Ogmios writes a Praos block of Conway. One pool makes them all.

Nothing in a header is random: keys come from the genesis, the rest from what is in the block. So an id is a hash of the
block's content, though not of the bytes that a real header has.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b, shake_256
from typing import Any, Final

from indexer.chain.point import BlockHeight, Slot
from indexer.devnet.genesis import Genesis
from indexer.devnet.ledger.shown import shown_transaction
from indexer.devnet.ledger.transaction import Transaction
from indexer.devnet.websocket import encode

PROTOCOL: Final = {"version": {"major": 11, "minor": 0}}
BODY_OVERHEAD: Final = 12  # bytes of the heads in a block's body, at most
KES_PERIOD: Final = 129_600  # slots of one key-evolving signature


@dataclass(eq=False)
class Pending:
    """A transaction that the ledger takes, and how it is shown: once for the mempool and every block it gets into."""

    transaction: Transaction
    _text: bytes = b""

    @property
    def text(self) -> bytes:
        """The transaction as Ogmios writes it."""
        if not self._text:
            self._text = encode(shown_transaction(self.transaction))
        return self._text


@dataclass(eq=False)
class NodeBlock:
    """A block that our node made. Its text is put together when it is first asked for."""

    id: bytes
    ancestor: bytes | None  # None: "genesis"
    height: BlockHeight
    slot: Slot
    branch: int  # how many forks there were before it
    pending: Sequence[Pending] = field(repr=False)
    header: dict[str, Any] = field(repr=False)
    _text: bytes = field(default=b"", repr=False)

    @property
    def transactions(self) -> list[Transaction]:
        """What it holds, in order."""
        return [pending.transaction for pending in self.pending]

    @property
    def text(self) -> bytes:
        """The block as Ogmios writes it."""
        if not self._text:
            start = encode({"type": "praos", "era": "conway", "id": self.id.hex(), **self.header})
            self._text = start[:-1] + b',"transactions":[' + b",".join(p.text for p in self.pending) + b"]}"
        return self._text


def forge(
    genesis: Genesis, ancestor: NodeBlock | None, slot: Slot, pending: Sequence[Pending] = (), branch: int = 0
) -> NodeBlock:
    """The block after `ancestor` (None: the first one, of height 0).

    Two that are forged in the same place differ by their transactions, or by `branch`.
    """
    transactions = [each.transaction for each in pending]
    height = 0 if ancestor is None else ancestor.height + 1
    header = {
        "ancestor": "genesis" if ancestor is None else ancestor.id.hex(),
        "height": height,
        "slot": slot,
        "size": {"bytes": body_size(transactions)},
        "issuer": {**_issuer(genesis, slot // KES_PERIOD), "leaderValue": _leader_value(genesis, slot, branch)},
        "protocol": PROTOCOL,
    }
    body = blake2b(b"".join(transaction.raw for transaction in transactions), digest_size=32)
    identity = blake2b(encode(header) + body.digest(), digest_size=32).digest()
    return NodeBlock(identity, None if ancestor is None else ancestor.id, height, slot, branch, pending, header)


def body_size(transactions: Sequence[Transaction]) -> int:
    """Bytes of a block's body: bodies, witnesses, auxiliary data by index, and the indices of what failed.

    (conway.cddl: block; its parts are those of the transactions, apart from each other.)
    """
    size = 2 * _head(len(transactions))
    carried = invalid = 0
    for index, transaction in enumerate(transactions):
        auxiliary = len(transaction.auxiliary_data or b"")
        size += len(transaction.raw) - 2 - max(1, auxiliary)  # without the array's head, the flag, and a null
        if auxiliary:
            carried += 1
            size += _head(index) + auxiliary
        if not transaction.is_valid:
            invalid += 1
            size += _head(index)
    return size + _head(carried) + _head(invalid)


def share_of(transaction: Transaction) -> int:
    """Bytes that a transaction adds to a block's body, at most."""
    noted = 3 + 1 if transaction.auxiliary_data else 0
    return len(transaction.raw) - 3 + noted + (0 if transaction.is_valid else 3)


def _head(number: int) -> int:
    """Bytes of a CBOR head with so small an argument."""
    return 1 if number < 24 else 2 if number < 256 else 3


@lru_cache(maxsize=8)
def _issuer(genesis: Genesis, period: int) -> dict[str, Any]:
    cold = genesis.key("cold")
    kes = bytes(genesis.key(f"kes {period}").verify_key)
    signed = kes + (0).to_bytes(8, "big") + period.to_bytes(8, "big")
    return {
        "verificationKey": bytes(cold.verify_key).hex(),
        "vrfVerificationKey": bytes(genesis.key("vrf").verify_key).hex(),
        "operationalCertificate": {
            "count": 0,
            "sigma": cold.sign(signed).signature.hex(),
            "kes": {"period": period, "verificationKey": kes.hex()},
        },
    }


def _leader_value(genesis: Genesis, slot: Slot, branch: int) -> dict[str, str]:
    drawn = shake_256(genesis.hash + slot.to_bytes(8, "big") + branch.to_bytes(8, "big")).digest(144)
    return {"output": drawn[:64].hex(), "proof": drawn[64:].hex()}

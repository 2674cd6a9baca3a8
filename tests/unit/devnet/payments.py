"""Payments of wallets on a node, and scripts to pay to."""

from hashlib import blake2b
from typing import Any, Final

from indexer.devnet.genesis import Genesis
from indexer.devnet.node import Node
from tests.contract.terms import Reference
from tests.contract.tree import Array, Map, decode, encode
from tests.support.spending import UPPER, Coin, Spending, Wallet, paid, written

ANN: Final = Wallet("ann")
BOB: Final = Wallet("bob")
RICH: Final = 100_000_000_000  # lovelace


def given(
    wallet: Wallet, *, node: Node | None = None, genesis: Genesis | None = None, capacity: int | None = None
) -> tuple[Node, Coin]:
    """A node in whose newest block the faucet has paid a wallet, and the coin."""
    node = node or Node(genesis, capacity=capacity)
    id_ = node.faucet(wallet.address, RICH)
    node.make_block()
    return node, Coin(Reference(id_, 0), paid(wallet.address, RICH))


def pay(
    wallet: Wallet,
    coin: Coin,
    address: bytes,
    lovelace: int,
    *,
    upper: int | None = None,
    note: str | None = None,
) -> tuple[bytes, Coin]:
    """A payment, with metadata where it has a note, and the coin that is left of the one it spends."""
    auxiliary = None if note is None else Map(((674, note),))
    return send(
        wallet, coin, paid(address, lovelace), auxiliary=auxiliary, body={} if upper is None else {UPPER: upper}
    )


def send(wallet: Wallet, coin: Coin, output: Map, **more: Any) -> tuple[bytes, Coin]:
    """The same for an output of any kind."""
    raw = written(Spending((coin,), (wallet,), wallet.address, (output,), **more))
    return raw, change_of(raw)


def change_of(raw: bytes) -> Coin:
    """The last output of a transaction."""
    transaction = decode(raw)
    assert isinstance(transaction, Array)
    body = transaction[0]
    assert isinstance(body, Map)
    outputs = body.get(1)
    assert isinstance(outputs, Array)
    last = outputs[-1]
    assert isinstance(last, Map)
    return Coin(Reference(transaction_id(raw), len(outputs) - 1), last)


def transaction_id(raw: bytes) -> bytes:
    """blake2b-256 of the body."""
    transaction = decode(raw)
    assert isinstance(transaction, Array)
    return blake2b(encode(transaction[0]), digest_size=32).digest()


def waiting(node: Node) -> list[bytes]:
    """The ids of what waits, in order."""
    return [pending.transaction.id for pending in node.mempool]

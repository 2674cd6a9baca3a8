"""How fast the node is. The figures are for a small machine; a healthy one is several times within them."""

from time import perf_counter

import pytest

from indexer.devnet.genesis import Genesis
from indexer.devnet.mempool import MempoolFull
from indexer.devnet.node import Node
from tests.unit.devnet.payments import ANN


def payments(count: int) -> list[bytes]:
    """Payments of the faucet's, each of which spends the change of the one before."""
    node = Node(capacity=1 << 30)
    for _ in range(count):
        node.faucet(ANN.address, 1_000_000)
    return [pending.transaction.raw for pending in node.mempool]


def in_blocks(raws: list[bytes], blocks: int) -> Node:
    """A node that has so many blocks with equally many of the transactions."""
    node = Node(Genesis(k=2 * blocks))
    for number, raw in enumerate(raws, start=1):
        node.submit(raw)
        if number % (len(raws) // blocks) == 0:
            node.skip(1)
    return node


def test_a_fork_of_100_blocks_is_done_within_a_second() -> None:
    raws = payments(1_000)
    node = in_blocks(raws, 100)
    before = perf_counter()
    node.fork(100, 101)
    assert perf_counter() - before < 1
    assert (len(node.chain), len(node.mempool)) == (101, 1_000)


@pytest.mark.slow
def test_10_000_transactions_go_through_the_mempool_into_blocks() -> None:
    raws = payments(10_000)
    node = Node()
    before = perf_counter()
    for raw in raws:
        try:
            node.submit(raw)
        except MempoolFull:
            node.skip(1)
            node.submit(raw)
    while len(node.mempool):
        node.skip(1)
    assert perf_counter() - before < 60
    assert sum(block.text.count(b'"spends":') for block in node.chain) == 10_000


@pytest.mark.slow
def test_a_fork_of_100_full_blocks_is_done_within_a_second() -> None:
    node = in_blocks(payments(10_000), 100)
    before = perf_counter()
    node.fork(100, 101)
    assert perf_counter() - before < 1
    assert (len(node.chain), len(node.mempool)) == (101, 10_000)

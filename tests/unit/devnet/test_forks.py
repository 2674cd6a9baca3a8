"""What a fork undoes, and what can be seen of the past."""

import pytest

from indexer.chain.block import OutputReference
from indexer.chain.point import ORIGIN, Point
from indexer.devnet.genesis import Genesis
from indexer.devnet.ledger.transaction import Output
from indexer.devnet.node import ForkImpossible, Node, NotAcquired
from tests.unit.devnet.payments import ANN, BOB, given, pay, waiting


def point(node: Node, height: int) -> Point:
    block = node.chain[height]
    assert block.slot is not None
    return Point(block.slot, block.id)


# Forks


def test_a_fork_sends_transactions_back_to_the_mempool_in_their_order() -> None:
    node, coin = given(ANN)
    ids = []
    for _ in range(4):
        raw, coin = pay(ANN, coin, BOB.address, 2_000_000)
        ids.append(node.submit(raw))
        if len(ids) < 4:
            node.make_block()
    before = len(node.chain)
    blocks = node.fork(3, 4)
    assert (len(blocks), len(node.chain)) == (4, before + 1)
    assert [block.transactions for block in blocks] == [[], [], [], []]
    assert waiting(node) == ids
    assert ids == [transaction.id for transaction in node.make_block().transactions]


def test_a_dropped_transaction_vanishes_with_all_that_needs_it() -> None:
    node, coin = given(ANN)
    _, other = given(BOB, node=node)
    ids = []
    for _ in range(3):
        raw, coin = pay(ANN, coin, BOB.address, 2_000_000)
        ids.append(node.submit(raw))
        node.make_block()
    raw, _ = pay(BOB, other, ANN.address, 2_000_000)
    alone = node.submit(raw)
    node.fork(3, 1, drop=[ids[1]])
    assert waiting(node) == [ids[0], alone]


def test_the_blocks_of_a_fork_are_others_even_when_nothing_was_in_them() -> None:
    node = Node()
    old = [node.make_block() for _ in range(3)]
    new = node.fork(3, 3)
    newer = node.fork(3, 3)
    assert len({block.id for block in (*old, *new, *newer)}) == 9
    assert [block.height for block in newer] == [0, 1, 2]


def test_blocks_of_a_fork_link_to_each_other_and_lie_in_the_past() -> None:
    node = Node()
    for _ in range(4):
        node.make_block()
        node.clock.skip(4)
    kept, now = node.chain[1], node.clock.slot
    blocks = node.fork(2, 3)
    assert [(block.height, block.slot) for block in blocks] == [(2, now - 2), (3, now - 1), (4, now)]
    assert [block.ancestor for block in blocks] == [kept.id, blocks[0].id, blocks[1].id]
    many = node.fork(1, 20)  # more than there were slots: the clock moves on
    assert many[-1].slot == node.clock.slot == blocks[1].slot + 20
    assert node.make_block().slot == many[-1].slot + 1


def test_a_chain_can_just_lose_its_blocks() -> None:
    node = Node()
    node.faucet(ANN.address, 5_000_000)
    node.make_block()
    assert node.fork(1, 0) == []
    assert (node.tip, len(node.mempool), node.mempool.slot, node.ledger.utxo) == (None, 1, 0, node.genesis.utxo)


def test_a_fork_is_at_most_k_blocks_deep() -> None:
    node = Node(Genesis(k=3))
    for _ in range(5):
        node.make_block()
    for depth, blocks in ((4, 5), (-1, 1), (1, -1)):
        with pytest.raises(ForkImpossible):
            node.fork(depth, blocks)
    assert len(node.chain) == 5
    node.fork(3, 1)
    with pytest.raises(ForkImpossible):  # what is final stays so, though the chain is shorter now
        node.fork(2, 1)


def test_the_ledger_after_a_fork_is_that_of_the_blocks_that_stayed() -> None:
    node, coin = given(ANN)
    kept = dict(node.ledger.utxo)
    for number in range(6):
        raw, coin = pay(ANN, coin, BOB.address, 2_000_000)
        node.submit(raw)
        if number % 2:
            node.make_block()
    node.fork(3, 4, drop=[transaction.id for block in node.chain for transaction in getattr(block, "transactions", [])])
    assert (node.ledger.utxo, node.mempool.view.utxo) == (kept, kept)


def test_followers_hear_of_a_fork_once_when_all_is_done() -> None:
    node = Node()
    node.faucet(ANN.address, 5_000_000)
    node.make_block()
    seen: list[tuple[int, int, int]] = []
    node.chain.follow(lambda: seen.append((len(node.chain), len(node.mempool), len(node.ledger.utxo))))
    node.mempool.watch(lambda: seen.append((len(node.chain), len(node.mempool), len(node.ledger.utxo))))
    node.fork(1, 2)
    assert seen == [(2, 1, 1), (2, 1, 1)]


# The past


def test_the_ledger_can_be_seen_as_it_was_after_every_block_within_k() -> None:
    node, coin = given(ANN, genesis=Genesis(k=6))
    states: list[dict[OutputReference, Output]] = [dict(node.ledger.utxo)]
    first = len(node.chain) - 1
    for _ in range(5):
        raw, coin = pay(ANN, coin, BOB.address, 2_000_000)
        node.submit(raw)
        node.make_block()
        states.append(dict(node.ledger.utxo))
    for number, state in enumerate(states):
        view = node.at(point(node, first + number))
        assert (view.place, view.ledger.utxo) == (point(node, first + number), state)
    assert node.at(ORIGIN).ledger.utxo == node.genesis.utxo


def test_a_view_stays_as_it_is_whatever_becomes_of_its_block() -> None:
    node, coin = given(ANN)
    raw, _ = pay(ANN, coin, BOB.address, 2_000_000)
    node.submit(raw)
    node.make_block()
    view, same = node.at(point(node, 1)), node.at(point(node, 1))
    state = dict(node.ledger.utxo)
    assert view is same
    node.fork(2, 3)
    node.faucet(BOB.address, 5_000_000)
    node.make_block()
    assert view.ledger.utxo == state != node.ledger.utxo
    with pytest.raises(NotAcquired, match="no longer exist"):
        node.at(view.place)


def test_what_is_deeper_than_k_or_elsewhere_cannot_be_seen() -> None:
    node = Node(Genesis(k=3))
    for _ in range(5):
        node.make_block()
    for place, reason in (
        (point(node, 0), "too old"),
        (ORIGIN, "too old"),
        (Point(1, bytes(32)), "no longer exist"),
        (Point(9, node.chain[3].id), "no longer exist"),
    ):
        with pytest.raises(NotAcquired, match=reason):
            node.at(place)
    assert node.at(point(node, 1)).place == point(node, 1)

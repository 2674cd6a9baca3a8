"""Transactions between their submission and a block."""

import pytest

from indexer.chain.block import OutputReference
from indexer.devnet.genesis import FUNDS
from indexer.devnet.ledger.refusal import Refused
from indexer.devnet.mempool import MempoolFull
from indexer.devnet.node import Node
from tests.unit.devnet.payments import ANN, BOB, given, pay, waiting


def lovelace(node: Node) -> int:
    return sum(output.lovelace for output in node.ledger.utxo.values())


def test_a_transaction_waits_then_stands_in_a_block_and_the_ledger_knows() -> None:
    node, coin = given(ANN)
    raw, change = pay(ANN, coin, BOB.address, 3_000_000)
    id_ = node.submit(raw)
    paid_to = OutputReference(id_, 0)
    assert (id_ in node.mempool, paid_to in node.ledger.utxo, paid_to in node.mempool.view.utxo) == (True, False, True)
    block = node.make_block()
    assert [id_] == [transaction.id for transaction in block.transactions]
    assert (len(node.mempool), node.mempool.size) == (0, 0)
    assert (node.ledger.utxo[paid_to].lovelace, node.ledger.utxo[paid_to].address) == (3_000_000, BOB.address)
    assert coin.reference not in node.ledger.utxo
    assert change.reference in node.ledger.utxo


def test_transactions_may_spend_what_waits_and_go_into_one_block() -> None:
    node, coin = given(ANN)
    ids = []
    for _ in range(5):
        raw, coin = pay(ANN, coin, BOB.address, 2_000_000)
        ids.append(node.submit(raw))
    assert ids == waiting(node) == [transaction.id for transaction in node.make_block().transactions]


def test_what_waits_already_and_what_is_spent_there_is_refused() -> None:
    node, coin = given(ANN)
    raw, _ = pay(ANN, coin, BOB.address, 2_000_000)
    other, _ = pay(ANN, coin, BOB.address, 3_000_000)
    node.submit(raw)
    for again in (raw, other):
        with pytest.raises(Refused) as refused:
            node.submit(again)
        assert refused.value.refusal.code == 3997
    assert len(node.mempool) == 1


def test_what_cannot_be_read_is_refused_as_ogmios_does() -> None:
    with pytest.raises(Refused) as refused:
        Node().submit(b"\x84\xa0")
    refusal = refused.value.refusal
    assert (refusal.code, list(refusal.data)) == (-32602, ["conway"])


def test_a_full_mempool_takes_nothing_until_a_block_has_made_room() -> None:
    node, coin = given(ANN, capacity=700)
    raws = []
    for _ in range(3):
        raw, coin = pay(ANN, coin, BOB.address, 2_000_000)
        raws.append(raw)
    node.submit(raws[0])
    node.submit(raws[1])
    assert node.mempool.size == len(raws[0]) + len(raws[1]) - 2  # a flag each, which does not count
    with pytest.raises(MempoolFull):
        node.submit(raws[2])
    node.make_block()
    node.submit(raws[2])
    assert len(node.mempool) == 1


def test_what_is_too_late_for_the_next_slot_leaves_the_mempool() -> None:
    """Validity is judged as of the slot after the tip, and again for the block it would stand in."""
    node, coin = given(ANN)
    assert node.tip is not None
    upper = node.tip.slot + 3
    raw, _ = pay(ANN, coin, BOB.address, 2_000_000, upper=upper)
    node.submit(raw)
    node.clock.skip(10)
    assert node.make_block().transactions == []
    assert len(node.mempool) == 0
    with pytest.raises(Refused) as refused:
        node.submit(raw)
    assert (refused.value.refusal.code, refused.value.refusal.data["currentSlot"]) == (3118, node.tip.slot + 1)


def test_no_lovelace_is_made_or_lost() -> None:
    node, coin = given(ANN)
    for _ in range(10):
        raw, coin = pay(ANN, coin, BOB.address, 2_000_000)
        node.submit(raw)
        node.faucet(BOB.address, 7_000_000)
        node.make_block()
    assert lovelace(node) + node.ledger.pots.fees == FUNDS

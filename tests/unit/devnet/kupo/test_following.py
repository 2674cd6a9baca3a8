"""An index that follows the node's chain is where the chain is, whenever somebody asks."""

from collections.abc import Sequence
from random import Random

from indexer.chain.point import Point
from indexer.devnet.blocks import NodeBlock, Pending, forge
from indexer.devnet.chain import Chain
from indexer.devnet.genesis import Genesis
from indexer.devnet.kupo.following import Following
from indexer.devnet.kupo.index import Index, IndexedBlock
from indexer.devnet.ledger.read import read_transaction
from tests.contract.healthy import create, release, sample, withdraw
from tests.unit.devnet.kupo.test_index import everything

TRANSACTIONS = [read_transaction(case.transaction) for case in (create(sample()), release(sample()), withdraw())]


def test_an_index_follows_forks_from_wherever_it_began() -> None:
    """After each change it equals a fresh index of the chain; once it is left, it stays where it was."""
    random, genesis, chain, blocks = Random(5), Genesis(), Chain(), list[NodeBlock]()
    early, late = Index(), Index()
    Following(early, chain)
    for branch in range(40):
        keep = len(blocks) - min(len(blocks), random.choice((0, 0, 0, 1, 4)))
        grown = grow(genesis, blocks[:keep], random, branch)
        chain.switch(keep, grown)
        blocks = [*blocks[:keep], *grown]
        if branch == 20:
            following = Following(late, chain)
        fresh = Index()
        for block in blocks:
            fresh.apply(IndexedBlock(block.slot, block.id, tuple(block.transactions)))
        assert everything(early) == everything(fresh)
        if branch >= 20:
            assert everything(late) == everything(fresh)
    following.leave()
    chain.roll_back(0)
    assert early.tip is None
    assert late.tip == Point(blocks[-1].slot, blocks[-1].id)


def grow(genesis: Genesis, blocks: Sequence[NodeBlock], random: Random, branch: int) -> list[NodeBlock]:
    tip, grown = (blocks[-1] if blocks else None), list[NodeBlock]()
    seen = {transaction.id for block in blocks for transaction in block.transactions}
    for _ in range(random.choice((0, 1, 3))):
        fresh = [transaction for transaction in TRANSACTIONS if transaction.id not in seen]
        chosen = [transaction for transaction in fresh if random.random() < 0.3]
        seen |= {transaction.id for transaction in chosen}
        slot = (0 if tip is None else tip.slot + 1) + random.choice((0, 1, 20))
        tip = forge(genesis, tip, slot, [Pending(transaction) for transaction in chosen], branch)
        grown.append(tip)
    return grown

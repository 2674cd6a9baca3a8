"""Keeps an index in step with the node's chain."""

from indexer.chain.point import Origin, Point
from indexer.devnet.blocks import NodeBlock
from indexer.devnet.chain import Chain
from indexer.devnet.kupo.index import Index, IndexedBlock


class Following:
    """An index that knows every change of a chain as soon as the change is made, until `leave`.

    It is brought to the chain as it stands now. All blocks are of the kind that our node makes.
    """

    def __init__(self, index: Index, chain: Chain) -> None:
        self._index, self._chain = index, chain
        self._follower = chain.follow(self._catch_up)
        self._catch_up()

    def leave(self) -> None:
        """Follow no longer."""
        self._chain.leave(self._follower)

    def _catch_up(self) -> None:
        while (news := self._follower.next()) is not None:
            match news:
                case Point() | Origin():
                    self._index.roll_back(news)
                case NodeBlock():
                    self._index.apply(IndexedBlock(news.slot, news.id, tuple(news.transactions)))
                case _:
                    raise TypeError(f"a block of another kind: {news}")

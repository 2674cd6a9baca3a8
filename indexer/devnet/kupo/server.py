"""The Kupo face on a TCP port."""

from collections.abc import Callable

from indexer.devnet.kupo.api import Api
from indexer.devnet.kupo.health import Producer
from indexer.devnet.kupo.index import Index
from indexer.devnet.server import Server


class KupoServer(Server):
    """An index, served as Kupo v2.12 would.

    `producer` tells of the node that the index follows; without it the index is taken to be in step with one.
    Who owns the index calls `index.apply` and `index.roll_back` between requests, on the same loop; see `Following`.
    """

    def __init__(
        self, index: Index, host: str = "127.0.0.1", port: int = 0, *, producer: Callable[[], Producer] | None = None
    ) -> None:
        self.index = index
        self.api = Api(index, producer or self._in_step)
        super().__init__("kupo", self.api.answer, host, port)

    def _in_step(self) -> Producer:
        tip = self.index.tip
        return Producer(True, None, None, None) if tip is None else Producer(True, tip.slot, 0, 1)

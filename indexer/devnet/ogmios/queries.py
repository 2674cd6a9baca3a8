"""What is asked of the network, and of the ledger as far as its tip alone tells: what a recorded chain can answer."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from indexer.chain.point import ORIGIN, Place, Point, Slot
from indexer.devnet.networks import iso
from indexer.devnet.ogmios.lane import Answer, Lane, Outlet
from indexer.devnet.ogmios.places import read_place, shown_place
from indexer.devnet.websocket import InvalidRequest, Request, failure, result

if TYPE_CHECKING:
    from indexer.devnet.ogmios.server import OgmiosServer


class NetworkQueries(Lane):
    """One client's queries, and the point it has acquired."""

    def __init__(self, server: "OgmiosServer", outlet: Outlet) -> None:
        super().__init__(server, outlet)
        self._acquired: Place | None = None

    def methods(self) -> Mapping[str, Callable[[Request], Answer]]:
        asked = {name: self._plain(answer) for name, answer in self.plain().items()}
        return {
            "acquireLedgerState": self._acquire,
            "releaseLedgerState": lambda request: lambda: self._release(request),
            "queryNetwork/genesisConfiguration": self._genesis,
            **asked,
        }

    def plain(self) -> dict[str, Callable[[], Any]]:
        """Queries that take no parameters, and what answers them."""
        server, network = self.server, self.server.network
        return {
            "queryNetwork/tip": lambda: shown_place(self.tip),
            "queryNetwork/blockHeight": lambda: "origin" if (tip := server.chain.tip) is None else tip.height,
            "queryNetwork/startTime": lambda: iso(server.start_time),
            "queryLedgerState/tip": lambda: shown_place(self.here),
            "queryLedgerState/eraSummaries": lambda: network.eras(self.here_slot),
        }

    @property
    def tip(self) -> Place:
        """Where the chain is now."""
        chain = self.server.chain
        return ORIGIN if chain.tip is None else Point(chain.tip_slot, chain.tip.id)

    @property
    def here(self) -> Place:
        """Where queries of the ledger's state look: at what is acquired, else at the tip."""
        return self.tip if self._acquired is None else self._acquired

    @property
    def here_slot(self) -> Slot:
        """The slot of that."""
        return here.slot if isinstance(here := self.here, Point) else 0

    def acquire(self, place: Place) -> str | None:
        """Hold on to a place; why not, where it cannot be."""
        count = self.server.chain.find(place)
        if count is None:
            return "Target doesn't or no longer exist."
        if len(self.server.chain) - count > self.server.security_parameter:
            return "Target point is too old."
        self._acquired = place
        return None

    def release(self) -> None:
        """Hold on to nothing."""
        self._acquired = None

    def genesis(self, era: str) -> Any:
        """The genesis of an era. Raises LookupError with the reason where there is none."""
        if era == "shelley":
            return self.server.genesis()
        raise LookupError(f"A replay has no genesis configuration of {era}.")

    def _plain(self, answer: Callable[[], Any]) -> Callable[[Request], Answer]:
        def read(request: Request) -> Answer:
            if request.params:
                raise InvalidRequest("this method takes no 'params'", request.id)
            return lambda: result(request, answer())

        return read

    def _acquire(self, request: Request) -> Answer:
        try:
            place = read_place(request.params.get("point"))
        except ValueError:
            raise InvalidRequest("'params.point' must be a point or 'origin'", request.id) from None
        return lambda: self._acquired_or_not(request, place)

    def _acquired_or_not(self, request: Request, place: Place) -> bytes:
        self.release()  # a failure drops what was held
        reason = self.acquire(place)
        if reason is None:
            return result(request, {"acquired": "ledgerState", "point": shown_place(place)})
        return failure(request, 2000, "Failed to acquire requested point.", data=reason)

    def _release(self, request: Request) -> bytes:
        self.release()
        return result(request, {"released": "ledgerState"})

    def _genesis(self, request: Request) -> Answer:
        match request.params:
            case {"era": "byron" | "shelley" | "alonzo" | "conway" | "dijkstra" as era}:
                return lambda: self._genesis_or_not(request, era)
        raise InvalidRequest("'params.era' must be an era with a genesis", request.id)

    def _genesis_or_not(self, request: Request, era: str) -> bytes:
        self.release()  # so does Ogmios
        try:
            return result(request, self.genesis(era))
        except LookupError as reason:
            return failure(request, 2004, "Failed to retrieve genesis configuration.", data=str(reason.args[0]))

"""What is asked of the ledger's state, at the tip or at a point that was acquired."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from indexer.chain.block import OutputReference
from indexer.chain.point import Place
from indexer.devnet.ledger.addresses import read_address
from indexer.devnet.ledger.shown import shown_utxo
from indexer.devnet.ledger.state import Ledger
from indexer.devnet.node import Node, NotAcquired, View
from indexer.devnet.ogmios.eras import genesis_of
from indexer.devnet.ogmios.lane import Answer, Outlet
from indexer.devnet.ogmios.places import read_reference
from indexer.devnet.ogmios.queries import NetworkQueries
from indexer.devnet.websocket import InvalidRequest, Request, failure, result

if TYPE_CHECKING:
    from indexer.devnet.ogmios.server import OgmiosServer

# Of pools, rewards and governance there is nothing here to tell.
UNAVAILABLE: Final = (
    "constitution",
    "constitutionalCommittee",
    "delegateRepresentatives",
    "dump",
    "governanceProposals",
    "liveStakeDistribution",
    "nonces",
    "operationalCertificates",
    "projectedRewards",
    "rewardAccountSummaries",
    "rewardsProvenance",
    "stakePools",
    "stakePoolsPerformances",
    "treasuryAndReserves",
)


class StateQueries(NetworkQueries):
    """The queries of one client of a node. An acquired state stays as it is, whatever becomes of its block."""

    def __init__(self, server: "OgmiosServer", outlet: Outlet, node: Node) -> None:
        super().__init__(server, outlet)
        self._node = node
        self._view: View | None = None

    def methods(self) -> Mapping[str, Callable[[Request], Answer]]:
        unavailable = {f"queryLedgerState/{name}": _unavailable for name in UNAVAILABLE}
        return {**super().methods(), "queryLedgerState/utxo": self._utxo, **unavailable}

    def plain(self) -> dict[str, Callable[[], Any]]:
        network, parameters = self.server.network, self._node.parameters
        return {
            **super().plain(),
            "queryLedgerState/epoch": lambda: network.epoch(self.here_slot)[0],
            "queryLedgerState/eraStart": lambda: network.shelley,  # Conway has been all there ever was
            "queryLedgerState/protocolParameters": lambda: parameters.shown,
        }

    def acquire(self, place: Place) -> str | None:
        try:
            self._view = self._node.at(place)
        except NotAcquired as reason:
            return str(reason)
        self._acquired = place
        return None

    def release(self) -> None:
        super().release()
        self._view = None

    def genesis(self, era: str) -> Any:
        return self.server.genesis() if era == "shelley" else genesis_of(era, self._node.parameters.shown)

    @property
    def _ledger(self) -> Ledger:
        return self._node.ledger if self._view is None else self._view.ledger

    def _utxo(self, request: Request) -> Answer:
        try:
            match request.params:
                case {"outputReferences": list(given), **rest} if not rest:
                    wanted = [read_reference(each) for each in given]
                    return lambda: result(request, self._referred(wanted))
                case {"addresses": list(given), **rest} if not rest:
                    addresses = frozenset(map(read_address, given))
                    return lambda: result(request, self._held(addresses))
                case {**anything} if not anything:
                    return lambda: result(request, self._held(None))
        except ValueError as error:
            raise InvalidRequest(f"invalid item in 'params': {error}", request.id) from None
        raise InvalidRequest("'params' must be 'outputReferences' or 'addresses', and a list", request.id)

    def _referred(self, wanted: list[OutputReference]) -> list[dict[str, Any]]:
        utxo = self._ledger.utxo
        return shown_utxo({at: utxo[at] for at in wanted if at in utxo})

    def _held(self, addresses: frozenset[bytes] | None) -> list[dict[str, Any]]:
        utxo = self._ledger.utxo.items()
        return shown_utxo({at: output for at, output in utxo if addresses is None or output.address in addresses})


def _unavailable(request: Request) -> Answer:
    return lambda: failure(request, 2002, "Query unavailable in the current era.")

"""Serves a chain of recorded (or made) blocks as an Ogmios v7.0.0 server would."""

from datetime import datetime
from typing import Final

from indexer.devnet.chain import Chain
from indexer.devnet.networks import NETWORKS, NetworkUnknown
from indexer.devnet.ogmios.server import OgmiosServer

VERSION: Final = "v7.0.0 (replay)"


class ReplayServer(OgmiosServer):
    """A chain that no node of ours makes: there is no ledger, and no mempool.

    `network` names whose magic, k, start and eras to tell of; `security_parameter` and `start_time` override two.
    """

    def __init__(
        self,
        chain: Chain,
        network: str = "devnet",
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        security_parameter: int | None = None,
        start_time: datetime | None = None,
    ) -> None:
        if network not in NETWORKS:
            raise NetworkUnknown(f"there is no network called {network!r} to replay")
        super().__init__(
            chain,
            NETWORKS[network],
            host,
            port,
            version=VERSION,
            security_parameter=security_parameter,
            start_time=start_time,
        )
        self.network_name = network

"""The devnet as a whole: one node, and its three faces."""

import json
import os
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from indexer.devnet.control import Control
from indexer.devnet.kupo.following import Following
from indexer.devnet.kupo.health import Producer
from indexer.devnet.kupo.index import Index
from indexer.devnet.kupo.server import KupoServer
from indexer.devnet.ledger.addresses import address_text
from indexer.devnet.node import Node
from indexer.devnet.ogmios.server import OgmiosServer, serve
from indexer.devnet.server import Server

KEY_FILE: Final = "faucet.skey"


class Devnet:
    """A node, served as Ogmios and Kupo would, and under control. Port 0 takes a free one: see the faces once started.

    The faucet's key goes into `directory`, or a temporary one for as long as the devnet lives.
    """

    def __init__(
        self,
        node: Node,
        host: str = "127.0.0.1",
        *,
        port: int = 0,
        kupo_port: int = 0,
        control_port: int = 0,
        directory: Path | None = None,
    ) -> None:
        self.node = node
        self.ogmios: OgmiosServer = serve(node, host, port)
        self.index = Index()
        self.kupo = KupoServer(self.index, host, kupo_port, producer=self._producer)
        self.control = Server("devnet", Control(self).answer, host, control_port)
        self._directory = directory
        self._open = AsyncExitStack()

    @property
    def url(self) -> str:
        """Of the Ogmios face."""
        return f"ws://{self.ogmios.host}:{self.ogmios.port}"

    @property
    def kupo_url(self) -> str:
        """Of the Kupo face."""
        return f"http://{self.kupo.host}:{self.kupo.port}"

    @property
    def control_url(self) -> str:
        """Of the control face."""
        return f"http://{self.control.host}:{self.control.port}"

    @property
    def faucet_address(self) -> str:
        """Bech32."""
        return address_text(self.node.genesis.faucet_address)

    @property
    def faucet_key_file(self) -> Path:
        """A cardano-cli text envelope, readable by its owner alone."""
        assert self._directory is not None
        return self._directory / KEY_FILE

    async def __aenter__(self) -> Self:
        """Serve. Raises CannotListen, StateUnusable."""
        async with AsyncExitStack() as opening:
            if self._directory is None:
                self._directory = Path(opening.enter_context(tempfile.TemporaryDirectory(prefix="indexer-devnet-")))
            self._write_key()
            following = Following(self.index, self.node.chain)
            opening.callback(following.leave)
            for face in (self.ogmios, self.kupo, self.control):
                await opening.enter_async_context(face)
            self.node.clock.run(self.node.tick)
            opening.callback(self.node.clock.stop)
            self._open = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    def _write_key(self) -> None:
        envelope = {
            "type": "PaymentSigningKeyShelley_ed25519",
            "description": "Faucet of a devnet",
            "cborHex": "5820" + bytes(self.node.genesis.faucet_key).hex(),
        }
        self.faucet_key_file.unlink(missing_ok=True)
        descriptor = os.open(self.faucet_key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(envelope, file, indent=4)
            file.write("\n")

    def _producer(self) -> Producer:
        tip = self.node.tip
        if tip is None:
            return Producer(True, None, None, None)
        since = (self.node.clock.slot - tip.slot) * self.node.genesis.slot_length.total_seconds()
        return Producer(True, tip.slot, since, 1.0)

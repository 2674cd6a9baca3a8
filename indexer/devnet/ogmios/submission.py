"""Submitting and evaluating: one line for both, first come, first served."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from indexer.chain.block import OutputReference
from indexer.devnet.ledger.refusal import Refusal, Refused
from indexer.devnet.ledger.transaction import Output
from indexer.devnet.mempool import MempoolFull
from indexer.devnet.node import Node
from indexer.devnet.ogmios.given import read_utxo
from indexer.devnet.ogmios.lane import Answer, Lane, Outlet
from indexer.devnet.websocket import InvalidRequest, Request, failure, result

if TYPE_CHECKING:
    from indexer.devnet.ogmios.server import OgmiosServer

_HEX: Final = re.compile("[0-9a-fA-F]+")


class Submission(Lane):
    """The transactions of one client."""

    def __init__(self, server: "OgmiosServer", outlet: Outlet, node: Node) -> None:
        super().__init__(server, outlet)
        self._node = node
        node.mempool.watch(self._changed)

    def methods(self) -> Mapping[str, Callable[[Request], Answer]]:
        return {"submitTransaction": self._submit, "evaluateTransaction": self._evaluate}

    def close(self) -> None:
        super().close()
        self._node.mempool.unwatch(self._changed)

    def _changed(self) -> None:
        if len(self):
            self.server.wake_soon(self.outlet)  # there may be room again

    def _submit(self, request: Request) -> Answer:
        raw = _transaction(request)
        return lambda: self._submitted(request, raw)

    def _submitted(self, request: Request, raw: bytes) -> bytes | None:
        faults = self.server.faults
        try:
            refusal = faults.next_refusal()
            if refusal is not None:
                raise Refused(refusal)
            id_ = self._node.submit(raw)
        except MempoolFull:
            return None
        except Refused as refused:
            return _refused(request, refused.refusal)
        if faults.loses_reply():
            self.outlet.abort()
        return result(request, {"transaction": {"id": id_.hex()}})

    def _evaluate(self, request: Request) -> Answer:
        raw = _transaction(request)
        try:
            additional = read_utxo(request.params.get("additionalUtxo", []))
        except ValueError as error:
            raise InvalidRequest(f"invalid item in 'params.additionalUtxo': {error}", request.id) from None
        return lambda: self._evaluated(request, raw, additional)

    def _evaluated(self, request: Request, raw: bytes, additional: dict[OutputReference, Output]) -> bytes:
        try:
            return result(request, self._node.evaluate(raw, additional))
        except Refused as refused:
            return _refused(request, refused.refusal)


def _transaction(request: Request) -> bytes:
    match request.params:
        case {"transaction": {"cbor": str(text)}}:
            if len(text) % 2 == 0 and _HEX.fullmatch(text):
                return bytes.fromhex(text)
    raise InvalidRequest("'params.transaction.cbor' must be a transaction in base16", request.id)


def _refused(request: Request, refusal: Refusal) -> bytes:
    more: dict[str, Any] = {} if refusal.data is None else {"data": refusal.data}
    return failure(request, refusal.code, refusal.message, **more)

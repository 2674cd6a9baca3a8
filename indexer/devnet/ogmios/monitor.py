"""Mempool monitoring: a snapshot, and what is in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from indexer.chain.point import Slot
from indexer.devnet.blocks import Pending
from indexer.devnet.node import Node
from indexer.devnet.ogmios.lane import Answer, Lane, Outlet
from indexer.devnet.ogmios.places import read_id
from indexer.devnet.websocket import InvalidRequest, Request, encode, failure, result, result_text

if TYPE_CHECKING:
    from indexer.devnet.ogmios.server import OgmiosServer

_NOT_ACQUIRED: Final = "You must acquire a mempool snapshot prior to accessing it."


@dataclass(slots=True)
class Snapshot:
    """The mempool at a moment, and how far its transactions were read."""

    slot: Slot  # the first that the next block can have
    pending: tuple[Pending, ...]
    read: int = field(default=0, compare=False)


class MempoolMonitor(Lane):
    """What one client knows of the mempool."""

    def __init__(self, server: "OgmiosServer", outlet: Outlet, node: Node) -> None:
        super().__init__(server, outlet)
        self._mempool = node.mempool
        self._snapshot: Snapshot | None = None
        self._mempool.watch(self._changed)

    def methods(self) -> Mapping[str, Callable[[Request], Answer]]:
        return {
            "acquireMempool": lambda request: lambda: self._acquire(request),
            "nextTransaction": self._next,
            "hasTransaction": self._has,
            "sizeOfMempool": lambda request: lambda: self._held(request, lambda held: self._size(request, held)),
            "releaseMempool": lambda request: lambda: self._held(request, lambda _: self._release(request)),
        }

    def close(self) -> None:
        super().close()
        self._mempool.unwatch(self._changed)

    def _changed(self) -> None:
        if len(self):
            self.server.wake_soon(self.outlet)

    def _acquire(self, request: Request) -> bytes | None:
        """At once, or where a snapshot is held, when the mempool has become another (in what it holds, or its slot)."""
        now = Snapshot(self._mempool.slot, tuple(self._mempool))
        if now == self._snapshot:
            return None
        self._snapshot = now
        return result(request, {"acquired": "mempool", "slot": now.slot})

    def _next(self, request: Request) -> Answer:
        match request.params:
            case {"fields": "all"}:
                return lambda: self._held(request, lambda snapshot: self._transaction(request, snapshot, whole=True))
            case {"fields": _}:
                raise InvalidRequest("invalid argument to 'fields'; expected 'all'", request.id)
        return lambda: self._held(request, lambda snapshot: self._transaction(request, snapshot, whole=False))

    def _has(self, request: Request) -> Answer:
        try:
            wanted = read_id(request.params.get("id"))
        except ValueError:
            raise InvalidRequest("'params.id' must be the id of a transaction", request.id) from None
        return lambda: self._held(
            request, lambda snapshot: result(request, any(p.transaction.id == wanted for p in snapshot.pending))
        )

    def _held(self, request: Request, answer: Callable[[Snapshot], bytes]) -> bytes:
        if self._snapshot is None:
            return failure(request, 4000, _NOT_ACQUIRED)
        return answer(self._snapshot)

    def _transaction(self, request: Request, snapshot: Snapshot, *, whole: bool) -> bytes:
        if snapshot.read == len(snapshot.pending):
            return result(request, {"transaction": None})
        pending = snapshot.pending[snapshot.read]
        snapshot.read += 1
        text = pending.text if whole else encode({"id": pending.transaction.id.hex()})
        return result_text(request, b'{"transaction":' + text + b"}")

    def _size(self, request: Request, snapshot: Snapshot) -> bytes:
        size = sum(pending.transaction.size for pending in snapshot.pending)
        capacity, count = {"bytes": self._mempool.capacity}, {"count": len(snapshot.pending)}
        return result(request, {"maxCapacity": capacity, "currentSize": {"bytes": size}, "transactions": count})

    def _release(self, request: Request) -> bytes:
        self._snapshot = None
        return result(request, {"released": "mempool"})

"""Transactions that wait for a block, in an order in which each may spend what those before it made."""

from collections.abc import Callable, Iterable, Iterator

from indexer.chain.block import OutputReference
from indexer.chain.point import Slot
from indexer.devnet.blocks import Pending
from indexer.devnet.ledger.refusal import Refused
from indexer.devnet.ledger.state import Ledger, created
from indexer.devnet.ledger.transaction import Output, Transaction


class MempoolFull(Exception):
    """There is no room now. A node's clients have to wait until there is."""


class Mempool:
    """What waits, and the ledger as it will be once it is in blocks.

    `capacity` is in bytes; cardano-node's is two blocks. `slot` is the first one a block could have now: what is valid
    is judged as of then, as cardano-node does.
    """

    def __init__(self, ledger: Ledger, capacity: int) -> None:
        self.capacity = capacity
        self.size = 0  # bytes
        self.slot: Slot = 0
        self.view = ledger.child()
        self._pending: dict[bytes, Pending] = {}
        self._watchers: set[Callable[[], None]] = set()

    def __len__(self) -> int:
        return len(self._pending)

    def __iter__(self) -> Iterator[Pending]:
        return iter(self._pending.values())

    def __contains__(self, transaction_id: bytes) -> bool:
        return transaction_id in self._pending

    def has_room(self, size: int) -> bool:
        """Whether a transaction of so many bytes can come in. One that is too big for all rules may, and be refused."""
        return not self._pending or self.size + size <= self.capacity

    def add(self, pending: Pending) -> None:
        """Take a transaction in. Raises Refused where the ledger says no, MempoolFull where it has to wait."""
        transaction = pending.transaction
        if not self.has_room(transaction.size):
            raise MempoolFull
        self.view.check(transaction, self.slot)
        self._keep(pending)
        self.tell()

    def renew(self, ledger: Ledger, slot: Slot, candidates: Iterable[Pending]) -> None:
        """The chain has changed: keep, in order, those that are still good.

        Nobody is told: whoever changes the chain calls `tell` when all is done.
        """
        self.view, self.slot = ledger.child(), slot
        self._pending, self.size = {}, 0
        for pending in candidates:
            if still_good(self.view, pending.transaction, slot):
                self._keep(pending)

    def outputs(self) -> dict[OutputReference, Output]:
        """All that the waiting transactions make, whether another of them spends it or not."""
        return {at: output for pending in self for at, output in created(pending.transaction).items()}

    def watch(self, on_change: Callable[[], None]) -> None:
        """Tell of every change, until `unwatch`."""
        self._watchers.add(on_change)

    def unwatch(self, on_change: Callable[[], None]) -> None:
        """Tell no more."""
        self._watchers.discard(on_change)

    def tell(self) -> None:
        """Tell whoever watches that something has changed."""
        for on_change in list(self._watchers):
            on_change()

    def _keep(self, pending: Pending) -> None:
        transaction = pending.transaction
        self.view.apply(transaction, self.slot)
        self._pending[transaction.id] = pending
        self.size += transaction.size


def still_good(view: Ledger, transaction: Transaction, slot: Slot) -> bool:
    """Whether a transaction that was good elsewhere on the chain is good here.

    A reference names content, so what was judged of bytes and of what they refer to stays judged. What may differ is
    whether it is there, the time, the accounts and the treasury.
    """
    if transaction.certificates or transaction.withdrawals or transaction.treasury is not None:
        try:
            view.check(transaction, slot)
        except Refused:
            return False
        return True
    before, hereafter = transaction.invalid_before, transaction.invalid_hereafter
    needed = (*transaction.inputs, *transaction.collaterals, *transaction.references)
    return (
        (before is None or before <= slot)
        and (hereafter is None or slot < hereafter)
        and all(at in view.utxo for at in needed)
    )

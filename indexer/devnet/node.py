"""The node: one pool, one ledger, one mempool; its blocks come when the clock says, its forks when it is told."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast
from weakref import WeakValueDictionary

from indexer.chain.block import OutputReference
from indexer.chain.point import Place, Slot
from indexer.devnet.blocks import BODY_OVERHEAD, NodeBlock, Pending, forge, share_of
from indexer.devnet.chain import Chain
from indexer.devnet.clock import Clock, VirtualClock
from indexer.devnet.faucet import payment
from indexer.devnet.genesis import Genesis
from indexer.devnet.ledger.parameters import Parameters, Units, mainnet
from indexer.devnet.ledger.read import Undecodable, read_transaction
from indexer.devnet.ledger.refusal import Refused
from indexer.devnet.ledger.sentences import refusal
from indexer.devnet.ledger.state import Ledger, Undo
from indexer.devnet.ledger.transaction import Output, Transaction
from indexer.devnet.mempool import Mempool, still_good
from indexer.devnet.store import SavedBlock, StateUnusable, Store
from indexer.errors import IndexerError

EMPTY_AFTER: Final = timedelta(seconds=5)  # without a transaction, a block comes this long after the last
LEFT_OVER: Final = 2_000_000  # lovelace that a payment of the faucet leaves: for the fee, and for the change to stand


class ForkImpossible(IndexerError):
    """A fork was asked for that no node would follow."""

    code = "devnet.fork_impossible"
    hint = "a fork is at most k blocks deep, and not deeper than the chain is long"


class FaucetEmpty(IndexerError):
    """The faucet was asked for more than it has."""

    code = "devnet.faucet_empty"
    hint = "ask for less, or give back some of what it paid"


class NotAcquired(Exception):
    """The ledger's state at a place cannot be had; `str()` is the reason in a node's words."""


@dataclass(eq=False)
class View:
    """The ledger as it was after a block. What happens to the chain later does not change it."""

    place: Place
    ledger: Ledger


class Node:
    """A chain that one pool makes, from its genesis on, or from where a store left it.

    `clock` tells the slot; whoever has one that runs calls `tick` in every slot. `capacity` is the mempool's, in bytes
    (by default two blocks, as cardano-node's). Not for several threads.
    """

    def __init__(
        self,
        genesis: Genesis | None = None,
        *,
        clock: Clock | None = None,
        store: Store | None = None,
        parameters: Parameters | None = None,
        capacity: int | None = None,
    ) -> None:
        self.genesis = store.genesis if store is not None else genesis or Genesis()
        self.clock = clock or VirtualClock(self.genesis.start, self.genesis.slot_length)
        self.parameters = parameters or mainnet()
        shown = self.parameters.shown
        units = shown["maxExecutionUnitsPerBlock"]
        self._max_body: int = shown["maxBlockBodySize"]["bytes"]
        self._max_units = Units(units["memory"], units["cpu"])
        self._empty_after = max(1, EMPTY_AFTER // self.genesis.slot_length)
        self.chain = Chain()
        facts = self.genesis
        self.ledger = Ledger(self.parameters, facts.network_id, facts.utxo, timeline=facts.timeline)
        self._recent: deque[tuple[NodeBlock, list[Undo]]] = deque(maxlen=self.genesis.k)  # what can be undone
        self._branch = 0
        self._views: WeakValueDictionary[Place, View] = WeakValueDictionary()
        self._coin: OutputReference | None = None  # where the faucet's funds lay last
        self._store = store
        self.mempool = Mempool(self.ledger, capacity or 2 * self._max_body)
        if store is not None:
            self._restore(store)
        self.clock.skip(max(0, self._last_slot - self.clock.slot))  # slots may have been skipped before a restart
        self.mempool.renew(self.ledger, self._last_slot + 1, ())

    @property
    def tip(self) -> NodeBlock | None:
        """The newest block; None where there is none yet."""
        return cast("NodeBlock | None", self.chain.tip)

    # Transactions.

    def submit(self, raw: bytes) -> bytes:
        """Take a transaction into the mempool; its id. Raises Refused, MempoolFull."""
        transaction = decode(raw)
        self.mempool.add(Pending(transaction))
        return transaction.id

    def evaluate(self, raw: bytes, additional: Mapping[OutputReference, Output]) -> list[dict[str, Any]]:
        """What a transaction's scripts use, as Ogmios answers: on the ledger, what waits, and `additional` outputs."""
        return self.ledger.evaluate(decode(raw), {**self.mempool.outputs(), **additional})

    def faucet(self, address: bytes, lovelace: int) -> bytes:
        """Pay somebody, by a transaction of our own; its id. Raises Refused, MempoolFull."""
        genesis, utxo = self.genesis, self.mempool.view.utxo
        if self._coin is None or self._coin not in utxo:  # a fork took it away, or this is a restart
            own = [at for at, output in utxo.items() if output.address == genesis.faucet_address]
            self._coin = max(own, key=lambda at: utxo[at].lovelace, default=None)
        held = 0 if self._coin is None else utxo[self._coin].lovelace
        if self._coin is None or held < lovelace + LEFT_OVER:
            raise FaucetEmpty(f"the faucet has {held} lovelace in one piece, which is too little to pay {lovelace}")
        fees = self.parameters.fee_per_byte, self.parameters.fee_constant
        key, own_address = genesis.faucet_key, genesis.faucet_address
        paid = self.submit(payment(self._coin, held, key, own_address, (address, lovelace), fees))
        self._coin = OutputReference(paid, 1)
        return paid

    # Blocks.

    def tick(self) -> None:
        """A slot has come: make a block if there is something to put in, or if the last is a while ago."""
        waited = self.clock.slot - self._last_slot
        if waited > 0 and (len(self.mempool) > 0 or self.tip is None or waited >= self._empty_after):
            self.make_block()

    def skip(self, slots: int) -> None:
        """It is so many slots later, all at once."""
        self.clock.skip(slots)
        self.tick()

    def make_block(self) -> NodeBlock:
        """Make a block now; in the next slot, and the clock goes there, where this one has a block already."""
        self.clock.skip(max(0, self._last_slot + 1 - self.clock.slot))
        slot = self.clock.slot
        block = forge(self.genesis, self.tip, slot, self._choose(slot), self._branch)
        self._grow([block])
        chosen = set(block.pending)
        self.mempool.renew(self.ledger, slot + 1, [pending for pending in self.mempool if pending not in chosen])
        self.chain.append(block)
        self.mempool.tell()
        return block

    def fork(self, depth: int, blocks: int, drop: Collection[bytes] = ()) -> list[NodeBlock]:
        """Abandon the newest `depth` blocks and grow `blocks` others, all empty.

        Transactions of the abandoned blocks go back to the mempool, before those that wait there, if they are still
        good; those whose ids `drop` names vanish. Raises ForkImpossible.
        """
        if not 0 <= depth <= len(self._recent) or blocks < 0:
            facts = f"k is {self.genesis.k}, and there are {len(self.chain)} blocks"
            raise ForkImpossible(f"cannot go back {depth} blocks: {facts}")
        keep = len(self.chain) - depth
        abandoned = self._undo(depth)
        self._branch += 1
        if self._store is not None:
            self._store.roll_back(keep)
        tip = cast("NodeBlock", self.chain[keep - 1]) if keep else None
        self.clock.skip(max(0, (-1 if tip is None else tip.slot) + blocks - self.clock.slot))
        others: list[NodeBlock] = []
        for slot in range(self.clock.slot - blocks + 1, self.clock.slot + 1):
            tip = forge(self.genesis, tip, slot, (), self._branch)
            others.append(tip)
        self._grow(others)
        returning = [pending for block in abandoned for pending in block.pending]
        candidates = [each for each in (*returning, *self.mempool) if each.transaction.id not in drop]
        self.mempool.renew(self.ledger, 0 if tip is None else tip.slot + 1, candidates)
        self.chain.switch(keep, others)
        self.mempool.tell()
        return others

    # The past.

    def at(self, place: Place) -> View:
        """The ledger as it was at a place that is at most k blocks back. Raises NotAcquired."""
        count = self.chain.find(place)
        if count is None:
            raise NotAcquired("Target doesn't or no longer exist.")
        depth = len(self.chain) - count
        if depth > len(self._recent):
            raise NotAcquired("Target point is too old.")
        view = self._views.get(place)
        if view is None:
            ledger = self.ledger.copy()
            for _, undos in list(self._recent)[len(self._recent) - depth :][::-1]:
                for undo in reversed(undos):
                    ledger.undo(undo)
            view = self._views[place] = View(place, ledger)
        return view

    # How it is done.

    @property
    def _last_slot(self) -> Slot:
        return -1 if self.tip is None else self.tip.slot

    def _choose(self, slot: Slot) -> list[Pending]:
        """What goes into a block: in the mempool's order, as long as there is room; what is too late is left out."""
        view, chosen = self.ledger.child(), list[Pending]()
        size, units = BODY_OVERHEAD, Units(0, 0)
        for pending in self.mempool:
            transaction = pending.transaction
            if not still_good(view, transaction, slot):
                continue
            size += share_of(transaction)
            for redeemer in transaction.witnesses.redeemers:
                units += Units(redeemer.memory, redeemer.steps)
            if size > self._max_body or not units.within(self._max_units):
                break
            view.apply(transaction, slot)
            chosen.append(pending)
        return chosen

    def _grow(self, blocks: Iterable[NodeBlock]) -> None:
        """The ledger, what can be undone, and the store know of more blocks; the chain does not yet."""
        made = list(blocks)
        for block in made:
            undos = [self.ledger.apply(transaction, block.slot) for transaction in block.transactions]
            self._recent.append((block, undos))
            self.ledger.slot = block.slot
        if self._store is not None:
            self._store.add(made)

    def _undo(self, depth: int) -> list[NodeBlock]:
        """The ledger forgets the newest blocks; which they were, the oldest first."""
        undone = []
        for _ in range(depth):
            block, undos = self._recent.pop()
            for undo in reversed(undos):
                self.ledger.undo(undo)
            undone.append(block)
        self.ledger.slot = self._recent[-1][0].slot if self._recent else 0
        return undone[::-1]

    def _restore(self, store: Store) -> None:
        self._store = None  # what is read is not written again
        for saved in store.read():
            try:
                if isinstance(saved, SavedBlock):
                    self._grow_again(saved)
                else:
                    self._undo(len(self.chain) - saved.keep)
                    self.chain.switch(saved.keep, ())
                    self._branch += 1
            except (Undecodable, KeyError, IndexError, ValueError) as error:
                reason = f"what comes after {len(self.chain)} blocks cannot be: {error}"
                raise StateUnusable(f"{store.path}: {reason}") from error
        self._store = store

    def _grow_again(self, saved: SavedBlock) -> None:
        pending = [Pending(read_transaction(raw)) for raw in saved.transactions]
        block = forge(self.genesis, self.tip, saved.slot, pending, saved.branch)
        if block.id != saved.id:
            raise ValueError(f"block {saved.id.hex()} comes out as {block.id.hex()}")
        self._grow([block])
        self.chain.append(block)


def decode(raw: bytes) -> Transaction:
    """A transaction from its bytes. Raises Refused with Ogmios' -32602."""
    try:
        return read_transaction(raw)
    except Undecodable as error:
        raise Refused(refusal(-32602, error.data)) from error

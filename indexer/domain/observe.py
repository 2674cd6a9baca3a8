"""What a block does to the outputs we watch: Block -> Delta."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Protocol

from indexer.chain.address import Credential
from indexer.chain.block import Header, OutputReference, Transaction
from indexer.chain.watch import Watches
from indexer.domain import facts
from indexer.domain.created import Created
from indexer.domain.facts import Act
from indexer.errors import BlockNotUnderstood


@dataclass(frozen=True, slots=True)
class Revealed:
    """A datum shown by a transaction that touches `reference`: it counts if that output has this hash."""

    reference: OutputReference
    hash: bytes
    datum: bytes


@dataclass(slots=True)
class Delta:
    """What changes with one block. `spent` pairs an output with the id of the transaction that spends it.

    `acts` are the transactions that may concern distributions, in order.
    """

    header: Header
    created: list[Created] = field(default_factory=list)
    spent: list[tuple[OutputReference, bytes]] = field(default_factory=list)
    revealed: list[Revealed] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.created or self.spent or self.revealed)


class Held(Protocol):
    """The outputs we hold. It learns of each transaction before the next one is looked at."""

    def hold(self, reference: OutputReference) -> None:
        """A new output of ours."""

    def release(self, reference: OutputReference) -> None:
        """An output of ours is spent."""

    def holds(self, reference: OutputReference) -> bool:
        """Whether an output is ours."""


def observe(
    header: Header,
    transactions: Iterable[Transaction],
    watches: Watches,
    held: Held,
    contracts: frozenset[bytes] = frozenset(),
) -> Delta:
    """Apply the transactions of a block, in order, to what we hold, and say what changed.

    A datum counts as revealed where a transaction that creates, spends or references an output we hold
    carries it among its witnesses. `contracts` are the script hashes of the contracts that are followed, each
    watched too. Raises BlockNotUnderstood for a datum under a hash that is not its own.
    """
    delta = Delta(header)
    for transaction in transactions:
        created = list(_created(transaction, watches))
        spent = [reference for reference in transaction.spends if held.holds(reference)]
        if transaction.datums:
            _reveal(delta, transaction, created, spent, held)
        for reference in spent:
            held.release(reference)
        for new in created:
            held.hold(new.reference)
        if contracts and (created or spent):
            said = facts.read(transaction, created, contracts)
            delta.acts.append(Act(transaction.id, transaction.position, said, tuple(spent)))
        delta.created += created
        delta.spent += [(reference, transaction.id) for reference in spent]
    return delta


def _created(transaction: Transaction, watches: Watches) -> Iterable[Created]:
    for index, output in transaction.creates:
        match watches.match(output.address):
            case Credential() as credential:
                yield Created(OutputReference(transaction.id, index), output, credential)
            case True:
                yield Created(OutputReference(transaction.id, index), output, None)


def _reveal(
    delta: Delta, transaction: Transaction, created: list[Created], spent: list[OutputReference], held: Held
) -> None:
    by_hash = [(new.reference, new.output.datum_hash) for new in created if new.output.datum_hash is not None]
    # Which hash an output created earlier has, the database knows: each witness is a candidate.
    earlier = spent + [reference for reference in transaction.references if held.holds(reference)]
    candidates = by_hash + [(reference, key) for reference in earlier for key in transaction.datums]
    for reference, key in candidates:
        datum = transaction.datums.get(key)
        if datum is not None:
            if blake2b(datum, digest_size=32).digest() != key:
                raise BlockNotUnderstood(delta.header.point, f"a datum that does not have its hash {key.hex()}")
            delta.revealed.append(Revealed(reference, key, datum))

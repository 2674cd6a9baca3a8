"""Before a transaction, and after it: what the chain says to build on, and what became of what was handed over.

A lost reply means unknown, never failed: we look for our own transaction before anything else, and what is sent again
are the same bytes, which cannot be in two blocks.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final, TypeAlias

from indexer import errors
from indexer.chain.block import OutputReference
from indexer.chain.coin import Coin
from indexer.chain.network import Network
from indexer.chain.point import slot_of
from indexer.edge.builder import reader
from indexer.edge.builder.errors import NotAsIntended
from indexer.edge.builder.intents import Purse, Surroundings
from indexer.edge.node import Node
from indexer.errors import IndexerError
from indexer.ogmios.rulings import Verdict
from indexer.ogmios.submission import SubmissionRefused
from indexer.plutus.address import address_of, address_text
from indexer.plutus.blueprint import Blueprint

Connect: TypeAlias = Callable[[], AbstractAsyncContextManager[Node]]
Say: TypeAlias = Callable[[str], None]

PATIENCE_S: Final = 300.0  # of waiting for a block
LOOK_EVERY_S: Final = 0.25
_RECONNECT_S: Final = 0.5


class ReferenceSpent(IndexerError):
    """The output that [[contract]] reference names is not there: it was spent, or is on another network."""

    code = "contract.reference_spent"
    hint = "publish the script with `indexer deploy`, and put what it prints into [[contract]] reference"


class OutcomeUnknown(IndexerError):
    """A transaction was handed over, and it is not known what became of it."""

    code = "transaction.outcome_unknown"
    exit_code = 3


class Expired(IndexerError):
    """A transaction was in no block while it was valid, so it never will be."""

    code = "transaction.expired"
    hint = "run the command again: it builds another one"
    exit_code = 4


class Superseded(IndexerError):
    """What a transaction spends was spent by another one."""

    code = "transaction.superseded"
    hint = "run the command again: the transaction is then built from what the chain says now"
    exit_code = 4


@dataclass(frozen=True, slots=True)
class Search:
    """Where the contract's script may be found: the output that the configuration names, else those that are followed,
    else one of the payer's own."""

    named: OutputReference | None
    followed: tuple[OutputReference, ...]


async def look(
    node: Node, network: Network, contract: Blueprint, search: Search, payer: bytes | None
) -> tuple[Surroundings, Purse | None]:
    """All that a builder is told. `payer`: an address, in bytes.

    Raises WrongNetwork, ReferenceSpent, and what `Node` raises.
    """
    await check_network(node, network)
    coins: Sequence[Coin] = ()
    if payer is not None:
        coins = sorted(await node.utxo_at([text_of(payer)]), key=lambda coin: coin.reference)
    reference = await find_reference(node, contract, search, coins)
    around = Surroundings(
        contract,
        reference,
        network.id,
        await node.parameters(),
        await node.timeline(),
        max(0, slot_of(await node.tip())),
    )
    return around, None if payer is None else Purse(payer, tuple(coins))


async def check_network(node: Node, network: Network) -> None:
    """Raises WrongNetwork where the node follows another one."""
    if (magic := await node.magic()) != network.magic:
        raise errors.WrongNetwork(
            f"the node follows the network with magic {magic}, the configuration says {network.name} "
            f"(magic {network.magic})"
        )


def on_network(connect: Connect, network: Network) -> Connect:
    """The same, but each connection is asked first which network its node follows: behind one URL, the next one may
    lead to another. It raises WrongNetwork before anything else is asked, signed or sent."""

    @asynccontextmanager
    async def connected() -> AsyncIterator[Node]:
        async with connect() as node:
            await check_network(node, network)
            yield node

    return connected


async def find_reference(node: Node, contract: Blueprint, search: Search, own: Iterable[Coin]) -> Coin | None:
    """An unspent output with the contract's script. None: nobody knows of one. Raises ReferenceSpent."""
    if search.named is not None:
        found = await node.utxo([search.named])
        if not found:
            raise ReferenceSpent(f"[[contract]] reference names {search.named}, which is not unspent")
        return found[0]
    followed = await node.utxo(search.followed) if search.followed else []
    for coin in (*sorted(followed, key=lambda coin: coin.reference), *own):
        if coin.output.script is not None and coin.output.script.hash == contract.hash:
            return coin
    return None


def text_of(address: bytes) -> str:
    """The bech32 text of an address in bytes."""
    return address_text(*address_of(address))


class Delivery:
    """One signed transaction on its way into a block."""

    def __init__(self, connect: Connect, transaction: bytes, say: Say, patience_s: float = PATIENCE_S) -> None:
        """Raises NotAsIntended for bytes that are no transaction of ours."""
        try:
            found = reader.read(transaction)
        except reader.Unreadable as error:
            raise NotAsIntended(f"the bytes are no transaction of ours: {error}") from error
        self.id, self.upper, self._inputs = found.id, found.upper, frozenset(found.inputs)
        self._outputs = frozenset(OutputReference(found.id, index) for index in range(len(found.outputs)))
        self._connect, self._raw, self._say, self._patience_s = connect, transaction, say, patience_s
        self._handed_over = False

    async def run(self) -> None:
        """Hand it over, and wait until a block has it.

        Raises SubmissionRefused, Expired, Superseded; OutcomeUnknown where it may be under way all the same; and a
        SessionBroken where the node was not reached at all, so that nothing was handed over.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + self._patience_s
        while True:
            try:
                async with self._connect() as node:
                    await self._deliver(node, end)
                    return
            except errors.SessionBroken as error:
                if not self._handed_over:
                    raise
                if loop.time() >= end:
                    raise self._unknown(str(error)) from error
                self._say(f"{error}: looking for the transaction")
                await asyncio.sleep(_RECONNECT_S)

    async def _deliver(self, node: Node, end: float) -> None:
        loop = asyncio.get_running_loop()
        # Sent before, by us or by somebody who has the file: perhaps it is there.
        if await self.is_there(node):
            return
        await self._hand_over(node)
        self._say(f"sent {self.id.hex()}, waiting for a block")
        while not await self.is_there(node):
            if loop.time() >= end:
                raise self._unknown(f"no block had it within {self._patience_s:g} s")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _hand_over(self, node: Node) -> None:
        self._handed_over = True
        try:
            await node.submit(self._raw)
        except SubmissionRefused as refused:
            if refused.verdict is not Verdict.DONE:
                raise
            # Perhaps it is in a block by now, or it is itself what waits in the mempool and spends its inputs.
            found = {coin.reference for coin in await node.utxo([*self._outputs, *self._inputs])}
            if self._outputs & found or (self._inputs <= found and self._spent_in_mempool(refused)):
                return
            refused.hint = "it is not on the chain: run the command again, and it is built from what the chain says now"
            raise

    def _spent_in_mempool(self, refused: SubmissionRefused) -> bool:
        """Whether a refusal says that something that waits spends the inputs, which are unspent in all blocks."""
        match refused.ogmios_code, refused.data:
            case 3117, {"unknownOutputReferences": [*unknown]}:
                named = {(each["transaction"]["id"], each["index"]) for each in unknown}
                return any((at.transaction_id.hex(), at.index) in named for at in self._inputs)
            case 3997, _:
                return True
        return False

    async def is_there(self, node: Node) -> bool:
        """Whether a block has it. Raises Expired, Superseded where none ever will."""
        tip = slot_of(await node.tip())
        found = {coin.reference for coin in await node.utxo([*self._outputs, *self._inputs])}
        if self._outputs & found:
            return True
        if not self._inputs <= found:
            raise Superseded(f"what transaction {self.id.hex()} spends is not there (any more), and neither is it")
        if self.upper is not None and tip >= self.upper:
            raise Expired(f"transaction {self.id.hex()} was valid until slot {self.upper}, and is in no block")
        return False

    def _unknown(self, reason: str) -> OutcomeUnknown:
        return OutcomeUnknown(
            f"transaction {self.id.hex()} was handed over, and what became of it is unknown: {reason}"
        )

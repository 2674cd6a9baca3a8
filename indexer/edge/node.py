"""A socket to Ogmios for all but following: the ledger's state, evaluation, submission.

One request at a time, each with an id and a deadline. An answer that comes after its deadline is passed over. Where the
socket breaks, a new one is needed; a submission that was under way is then *unknown*, never failed.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException

from indexer import errors
from indexer.chain.block import OutputReference
from indexer.chain.coin import Coin
from indexer.chain.parameters import Parameters, Units
from indexer.chain.point import Place, Point
from indexer.chain.time import Timeline
from indexer.edge.ogmios import LARGEST_ANSWER, LARGEST_MESSAGE, closed_because, open_socket
from indexer.ogmios import ledger_state, queries, submission
from indexer.ogmios.submission import Pointer, Stage, shown
from indexer.ogmios.text import MOST_VALUES, Malformed, is_crowded, members

_ANY: Final = msgspec.json.Decoder()
_UNREADABLE: Final = (Malformed, msgspec.MsgspecError, RecursionError)


class Node:
    """What a node says, and what it takes. Every method raises a SessionBroken where no answer of use comes:
    Unreachable, RequestTimedOut, ReplyGarbled, RequestRefused."""

    def __init__(self, socket: ClientConnection, timeout_s: float) -> None:
        self._socket, self._timeout_s = socket, timeout_s
        self._turn = asyncio.Lock()
        self._last_id = 0

    async def magic(self) -> int:
        """The magic number of the network that it follows."""
        asked = {"era": "shelley"}
        return queries.genesis(_read(await self._query("queryNetwork/genesisConfiguration", asked)))[0]

    async def parameters(self) -> Parameters:
        """The protocol parameters of the ledger's tip."""
        return ledger_state.parameters(await self._query("queryLedgerState/protocolParameters"))

    async def timeline(self) -> Timeline:
        """How slots turn into time, and how far ahead that is known."""
        start = _read(await self._query("queryNetwork/startTime"))
        return ledger_state.timeline(start, _read(await self._query("queryLedgerState/eraSummaries")))

    async def tip(self) -> Place:
        """The newest block that the node's ledger has applied."""
        return ledger_state.place(_read(await self._query("queryLedgerState/tip")))

    async def acquire(self, point: Point) -> bool:
        """From now on, the ledger's state is asked for as it was at a point; False where the node does not have it (any
        more), for it keeps the last k blocks."""
        asked = {"point": {"slot": point.slot, "id": point.id.hex()}}
        return "result" in await self._ask("acquireLedgerState", asked)

    async def utxo(self, references: Iterable[OutputReference]) -> list[Coin]:
        """Of these outputs those that are unspent. The mempool does not count."""
        wanted = ledger_state.utxo_of(references)
        return ledger_state.coins(await self._query("queryLedgerState/utxo", wanted, LARGEST_MESSAGE))

    async def utxo_at(self, addresses: Iterable[str]) -> list[Coin]:
        """What is unspent at these very addresses. Slow where the ledger is large."""
        wanted = ledger_state.utxo_at(addresses)
        return ledger_state.coins(await self._query("queryLedgerState/utxo", wanted, LARGEST_MESSAGE))

    async def evaluate(self, transaction: bytes, additional: Sequence[Mapping[str, Any]] = ()) -> dict[Pointer, Units]:
        """What the scripts of a transaction use, on the ledger and what waits in the mempool.

        Signatures, fee and balance are not looked at. `additional`: outputs that the node does not know, as Ogmios
        shows outputs. Raises EvaluationFailed.
        """
        reply = await self._ask(Stage.EVALUATE, submission.evaluate(transaction, additional))
        if "error" in reply:
            raise submission.refusal(Stage.EVALUATE, _read(reply["error"]))
        return submission.evaluated(_read(reply["result"]))

    async def submit(self, transaction: bytes) -> bytes:
        """Hand a signed transaction to the mempool; its id. That is no block yet.

        Raises SubmissionRefused. Any SessionBroken leaves open whether the mempool took it.
        """
        reply = await self._ask(Stage.SUBMIT, submission.submit(transaction))
        if "error" in reply:
            raise submission.refusal(Stage.SUBMIT, _read(reply["error"]))
        return submission.submitted(_read(reply["result"]))

    async def _query(
        self, method: str, parameters: Mapping[str, Any] | None = None, most: int = LARGEST_ANSWER
    ) -> bytes:
        reply = await self._ask(method, parameters, most)
        if "error" in reply:
            raise errors.RequestRefused(f"Ogmios refused {method}: {shown(_read(reply['error']))}")
        return reply["result"]

    async def _ask(
        self, method: str, parameters: Mapping[str, Any] | None, most: int = LARGEST_ANSWER
    ) -> dict[str, bytes]:
        """The members of the reply, of at most so many bytes, each as text; `result` or `error` is among them."""
        async with self._turn:
            self._last_id += 1
            request: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "id": self._last_id}
            if parameters is not None:
                request["params"] = parameters
            try:
                async with asyncio.timeout(self._timeout_s):
                    await self._socket.send(msgspec.json.encode(request), text=True)
                    return await self._reply(method, self._last_id, most)
            except TimeoutError as error:
                raise errors.RequestTimedOut(f"no answer to {method} within {self._timeout_s:g} s") from error
            except ConnectionClosed as error:
                raise errors.Unreachable(closed_because(error)) from error
            except (WebSocketException, OSError) as error:
                raise errors.Unreachable("Ogmios closed the connection") from error

    async def _reply(self, method: str, wanted: int, most: int) -> dict[str, bytes]:
        while True:
            text = await self._socket.recv(decode=False)
            if is_crowded(text):
                raise errors.ReplyGarbled(f"an answer to {method} with more than {MOST_VALUES:,} values in it")
            try:
                reply = members(text)
                request_id = _ANY.decode(reply.get("id", b"null"))
            except _UNREADABLE as error:
                raise errors.ReplyGarbled(f"an answer to {method} that is none") from error
            if type(request_id) is int and 0 < request_id < wanted:
                continue  # too late: whoever asked has gone
            if request_id != wanted or not ("result" in reply or "error" in reply):
                raise errors.ReplyGarbled(f"an answer to {method} that answers something else")
            # Looked at last: what comes too late may be longer.
            if len(text) > (most if "result" in reply else LARGEST_ANSWER):
                raise errors.ReplyGarbled(f"an answer to {method} of {len(text):,} bytes")
            return reply


@asynccontextmanager
async def node(url: str, headers: Mapping[str, str], timeout_s: float) -> AsyncIterator[Node]:
    """Connect to Ogmios (`ws://` or `wss://`), with extra headers where a hosted one wants them.

    `timeout_s` is the deadline of each request. Raises Unreachable.
    """
    socket = await open_socket(url, headers, timeout_s)
    try:
        yield Node(socket, timeout_s)
    finally:
        await socket.close()


def _read(text: bytes) -> Any:
    try:
        return _ANY.decode(text)
    except _UNREADABLE as error:
        raise errors.ReplyGarbled("an answer of Ogmios' that cannot be read") from error

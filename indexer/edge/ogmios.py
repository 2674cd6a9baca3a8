"""A socket to Ogmios: chain-sync requests out, replies in as text; the few queries a follower needs."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidProxy, InvalidURI, WebSocketException
from websockets.frames import Frame, Opcode

from indexer import errors
from indexer.chain.network import KNOWN, Network
from indexer.chain.point import Place
from indexer.edge.files import read_private
from indexer.ogmios import queries, wire
from indexer.ogmios.text import MOST_VALUES, is_crowded

_SILENT: Final = logging.Logger("ogmios", logging.CRITICAL + 1)  # what it would log, we raise
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+: *[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
# Of one message. What makes a block is at most 90 kB today, and its JSON some 30 times as much at worst; an answer with
# all coins of a wallet has 300 bytes a coin.
LARGEST_MESSAGE: Final = 32 << 20
# Of an answer to anything but these two. Protocol parameters have 7 kB, what refuses a transaction 40 kB at worst.
LARGEST_ANSWER: Final = 1 << 20
# Read before they are asked for. Other blocks wait with the kernel, which counts bytes. With one, turning the reading
# off and on costs a twentieth of the time that a block takes; small ones come many in a read, and are all taken.
_BLOCKS_AHEAD: Final = 4
_LARGEST_PAGE: Final = 1 << 16  # of the health page, which has 1 kB
_NOT_IN_THIS_ERA: Final = 2002  # also of network queries, while the node's ledger is in Byron


class Session:
    """One chain-sync session. Every method raises a SessionBroken where the session cannot go on."""

    def __init__(self, socket: ClientConnection, url: str, headers: Mapping[str, str], timeout_s: float) -> None:
        self._socket, self._url, self._headers, self._timeout_s = socket, url, headers, timeout_s

    async def receive(self) -> bytes:
        """The next message, as it came. Safe to cancel: nothing is lost."""
        try:
            text = await self._socket.recv(decode=False)
        except ConnectionClosed as error:
            raise errors.Unreachable(closed_because(error)) from error
        if is_crowded(text):
            raise errors.ReplyGarbled(f"a message with more than {MOST_VALUES:,} values in it")
        return text

    async def find_intersection(self, points: tuple[Place, ...]) -> None:
        """Ask where to start; the answer comes through `receive`."""
        await self._send(wire.find_intersection(points))

    async def ask(self, blocks: int) -> None:
        """Ask for so many blocks, in one write."""
        protocol = self._socket.protocol
        try:
            protocol.send_text(wire.NEXT_BLOCK)
            # `send` would make a frame and a system call of each: dearer than reading the block that answers it. What
            # is asked is no secret and never changes, so the other frames of a write may share a mask.
            others = Frame(Opcode.TEXT, wire.NEXT_BLOCK).serialize(mask=True) * (blocks - 1) if blocks > 1 else b""
            self._socket.transport.writelines([*protocol.data_to_send(), others])
            await self._socket.drain()
        except (WebSocketException, OSError) as error:
            raise errors.Unreachable("Ogmios closed the connection while we asked for blocks") from error

    async def identify(self, network: Network) -> Network:
        """Check that the node follows our network, and fill in what only the node knows of it.

        Raises WrongNetwork. A node whose ledger is still in Byron cannot tell its genesis: its health page
        names the network.
        """
        genesis = await self._query("queryNetwork/genesisConfiguration", {"era": "shelley"})
        if genesis is None:
            await self._check_health(network)
            return network
        magic, k = queries.genesis(genesis)
        if magic != network.magic:
            raise errors.WrongNetwork(
                f"the node follows the network with magic {magic}, the configuration says {network.name} "
                f"(magic {network.magic})"
            )
        if network.name in KNOWN and KNOWN[network.name].eras:
            return network.told(k, KNOWN[network.name].eras)
        start = await self._query("queryNetwork/startTime", None)
        summaries = await self._query("queryLedgerState/eraSummaries", None)
        if start is None or summaries is None:
            return network.told(k, network.eras)
        return network.told(k, queries.eras(start, summaries))

    async def _query(self, method: str, params: object) -> Any:
        """The result of a query; None where the node's ledger is not far enough to answer."""
        request = {"jsonrpc": "2.0", "method": method, "id": method} | ({"params": params} if params else {})
        await self._send(msgspec.json.encode(request))
        try:
            async with asyncio.timeout(self._timeout_s):
                text = await self.receive()
            if len(text) > LARGEST_ANSWER:
                raise errors.ReplyGarbled(f"an answer to {method} of {len(text):,} bytes")
            reply = msgspec.json.decode(text)
            if reply["id"] != method:
                raise errors.ReplyGarbled(f"a reply with the id {reply['id']!r} to {method}")
            if "error" in reply:
                if reply["error"]["code"] == _NOT_IN_THIS_ERA:
                    return None
                raise errors.RequestRefused(
                    f"Ogmios refused {method}: {reply['error'].get('message')} (code {reply['error']['code']})"
                )
            return reply["result"]
        except TimeoutError as error:
            raise errors.RequestTimedOut(f"no answer to {method} within {self._timeout_s:g} s") from error
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise errors.ReplyGarbled(f"an answer to {method} that is none") from error

    async def _check_health(self, network: Network) -> None:
        health = await fetch_health(self._url, self._headers, self._timeout_s)
        if health.get("network") not in (network.name, f"unknown ({network.magic})"):
            raise errors.WrongNetwork(
                f"the node follows {health.get('network')}, the configuration says {network.name}"
            )

    async def _send(self, text: bytes) -> None:
        try:
            await self._socket.send(text, text=True)
        except (WebSocketException, OSError) as error:
            raise errors.Unreachable("Ogmios closed the connection") from error


class _ConnectThere(connect):
    """No redirect is followed: the headers, which hold the key of a hosted Ogmios, would go wherever it leads."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Whatever the server answered instead of a socket is the error."""
        return exc


async def open_socket(url: str, headers: Mapping[str, str], timeout_s: float, ahead: int = 1) -> ClientConnection:
    """Connect to Ogmios (`ws://` or `wss://`), with extra headers where a hosted one wants them.

    With more than so many messages `ahead` of what was received, no more is read. Raises Unreachable.
    """
    try:
        # Blocks are larger than the default of 1 MiB a message, and Ogmios never compresses.
        return await _ConnectThere(
            url,
            additional_headers=dict(headers),
            max_size=LARGEST_MESSAGE,
            max_queue=ahead,
            compression=None,
            open_timeout=timeout_s,
            close_timeout=0.1,  # what Ogmios still has for us is of no use to a session that ends
            user_agent_header=None,
            proxy=None if urlsplit(url).hostname in _LOOPBACK else True,
            logger=_SILENT,
        )
    except (InvalidProxy, InvalidURI):
        # Without the cause: it repeats the whole URL, or that of the proxy, with what may be secret in it.
        raise errors.Unreachable(f"cannot connect to Ogmios at {shown_url(url)}: no URL, or none of a proxy") from None
    except (WebSocketException, OSError, ValueError, EOFError, ImportError) as error:
        raise errors.Unreachable(
            f"cannot connect to Ogmios at {shown_url(url)}: {error or type(error).__name__}"
        ) from error


@asynccontextmanager
async def session(url: str, headers: Mapping[str, str], timeout_s: float) -> AsyncIterator[Session]:
    """A chain-sync session, connected like `open_socket`. Raises Unreachable."""
    socket = await open_socket(url, headers, timeout_s, _BLOCKS_AHEAD)
    try:
        yield Session(socket, url, headers, timeout_s)
    finally:
        await socket.close()


async def fetch_health(url: str, headers: Mapping[str, str], timeout_s: float) -> dict[str, Any]:
    """Ogmios' health page, beside its socket. Raises Unreachable or ReplyGarbled."""
    import httpx

    parts = urlsplit(url)
    path = f"{parts.path.rstrip('/')}/health"
    page = urlunsplit((parts.scheme.replace("ws", "http", 1), parts.netloc, path, parts.query, ""))
    body = bytearray()
    try:
        async with (
            asyncio.timeout(timeout_s),
            # Its own limit comes first: a handshake that is cancelled from outside leaves its socket open.
            httpx.AsyncClient(
                headers=dict(headers),
                timeout=httpx.Timeout(timeout_s, connect=timeout_s / 2),
                trust_env=parts.hostname not in _LOOPBACK,
            ) as client,
            client.stream("GET", page, headers={"Accept-Encoding": "identity"}) as reply,
        ):
            async for chunk in reply.aiter_raw():  # as it came: what is compressed is no page of Ogmios'
                body += chunk
                if len(body) > _LARGEST_PAGE:
                    break
        health = msgspec.json.decode(body)
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
        raise errors.Unreachable(f"cannot read {shown_url(page)}: {str(error) or type(error).__name__}") from error
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise errors.ReplyGarbled(f"{shown_url(page)} is not Ogmios' health page") from error
    if not isinstance(health, dict):
        raise errors.ReplyGarbled(f"{shown_url(page)} is not Ogmios' health page")
    return health


def read_headers(path: Path | None) -> dict[str, str]:
    """Extra headers, one `Name: value` a line; a secret, so refused where others may read it.

    Raises FileUnusable.
    """
    if path is None:
        return {}
    headers = {}
    for number, line in enumerate(read_private(path).splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            name, _, value = line.partition(":")
            if not _HEADER.fullmatch(line.strip()):
                raise errors.FileUnusable(f"{path}, line {number}: not of the form `Name: value`")
            headers[name.strip()] = value.strip()
    return headers


def closed_because(error: ConnectionClosed) -> str:
    """A sentence: who closed the connection, and why. Ogmios reports a lost node in the reason of a normal close."""
    if error.rcvd is None:
        if error.sent is not None:  # such as for a message that is too long
            return f"the connection to Ogmios was given up: {error.sent.reason or error.sent.code}"
        return "Ogmios closed the connection without a word"
    reason = error.rcvd.reason
    try:
        reason = msgspec.json.decode(reason)["message"]
    except (msgspec.MsgspecError, TypeError, KeyError, RecursionError):
        told = f"{error.rcvd.code} {reason!r}" if reason else f"{error.rcvd.code}"
        return f"Ogmios closed the connection ({told})"
    return f"Ogmios closed the connection: {reason}"


def shown_url(url: str) -> str:
    """A URL without the user, password and query that hosted services put keys in."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))

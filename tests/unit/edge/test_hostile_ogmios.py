"""An Ogmios that means harm: whatever it says becomes a named error in a printable line, soon and in little memory."""

import asyncio
import gzip
import json
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from fractions import Fraction
from typing import Any, Final

import pytest
from websockets.asyncio.server import ServerConnection, serve

from indexer import errors
from indexer.chain.network import KNOWN
from indexer.edge.node import Node, node
from indexer.edge.ogmios import LARGEST_MESSAGE, Session, fetch_health, open_socket, session
from indexer.ogmios import ledger_state, wire
from indexer.ogmios.text import is_crowded
from tests.contract.parameters import SOURCE
from tests.support.serving import Asked, Handler, begun, saying, whole

MIB: Final = 1 << 20
SLY: Final = "\x1b[2J\r\nMAINPID=1\n\u202eevil\u2066\x00\x9b31m"
KEY: Final = {"dmtr-api-key": "the-key-of-a-hosted-one"}
SOON_S: Final = 20.0  # on a busy machine; a request has 60


def answering(handler: Callable[[ServerConnection], Awaitable[None]], **options: Any) -> Any:
    return serve(handler, "127.0.0.1", 0, **options)


def url_of(server: Any) -> str:
    return f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


async def said(text: str | bytes, ask: Callable[[Node], Awaitable[object]] = Node.tip) -> errors.IndexerError:
    """The error that comes of an answer."""

    async def handler(socket: ServerConnection) -> None:
        async for _ in socket:
            await socket.send(text, text=True)

    begun_at = time.monotonic()
    async with answering(handler) as server, node(url_of(server), {}, SOON_S) as client:
        with pytest.raises(errors.IndexerError) as caught:
            await ask(client)
    assert time.monotonic() - begun_at < SOON_S
    return caught.value


def harmless(error: errors.IndexerError) -> bool:
    told = f"{error}{error.hint}"
    return told.isprintable() and "\u202e" not in told and len(told) < 2 * errors.LONGEST


# --- where the key goes


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
async def test_a_redirect_is_not_followed_so_no_key_goes_elsewhere(status: str) -> None:
    """Neither from the socket nor from the health page."""

    async def elsewhere(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(whole(b"{}"))

    async with saying(elsewhere) as other:

        async def handler(_asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(whole(b"", status, Location=other.url.replace("http", "ws") + "/ogmios"))

        async with saying(handler) as liar:
            url = liar.url.replace("http", "ws")
            with pytest.raises(errors.Unreachable, match=status[:3]):
                await open_socket(url, KEY, 5)
            with pytest.raises(errors.ReplyGarbled):
                await fetch_health(url, KEY, 5)
            assert [asked.headers["dmtr-api-key"] for asked in liar.asked] == [KEY["dmtr-api-key"]] * 2
        assert other.asked == []


async def test_a_url_that_is_none_is_not_repeated() -> None:
    """It may hold a password."""
    with pytest.raises(errors.Unreachable) as caught:
        await open_socket("ws://me:secret@127.0.0.1:1/#x", {}, 5)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


# --- how much it may say


async def test_a_message_over_the_limit_ends_the_session_with_the_reason() -> None:
    """In one frame, whose head alone says so, or in pieces without end; what comes meanwhile is not all kept."""

    async def in_one(socket: ServerConnection) -> None:
        await socket.recv()
        await socket.send("x" * (LARGEST_MESSAGE + 1))

    async def in_pieces(socket: ServerConnection) -> None:
        async def endless() -> Any:
            while True:
                yield "x" * MIB

        await socket.recv()
        await socket.send(endless())

    for handler in (in_one, in_pieces):
        async with answering(handler) as server, session(url_of(server), {}, 5) as talk:
            await talk.ask(1)
            with pytest.raises(errors.Unreachable, match=f"{LARGEST_MESSAGE}|exceeds limit") as caught:
                await talk.receive()
            assert "given up" in str(caught.value)


async def test_what_is_sent_before_it_is_asked_for_waits_outside() -> None:
    """Of many messages, each within the limit, some are taken in; the rest is the kernel's, which counts bytes."""

    async def handler(socket: ServerConnection) -> None:
        text = b"x" * (4 * MIB)
        while True:
            await socket.send(text)

    for connect, most in ((node, 3), (session, 6)):
        async with answering(handler) as server:
            tracemalloc.start()
            async with connect(url_of(server), {}, 5) as _:
                await asyncio.sleep(1.0)
                held = tracemalloc.get_traced_memory()[0]
            tracemalloc.stop()
        assert held < (most + 3) * 4 * MIB  # the server holds what it sends, too


class Saying:
    """A socket that always has the same message."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    async def send(self, _request: bytes, **_options: object) -> None:
        """Whatever it is."""

    async def recv(self, **_options: object) -> bytes:
        return self._text


def crowded(size: int, each: str, opening: str = "[", closing: str = "]") -> str:
    """As many of these as make up so many bytes."""
    return opening + ",".join([each] * (size // (len(each) + 1))) + closing


SMALL: Final = {
    "ones": ("1", "[", "]"),
    "lists": ("[]", "[", "]"),
    "objects": ('{"":1}', "[", "]"),
    "members": ('"":[]', "{", "}"),
    "lists of lists": ("[[[[[[[[]]]]]]]]", "[", "]"),
}


@pytest.mark.parametrize("name", SMALL)
async def test_an_answer_within_the_limit_does_not_take_many_times_its_size(name: str) -> None:
    """Its values may be so small that each takes far more here than as text: they are counted before one is read.
    As coins, as parameters, to the follower's query, in an error, as an id, as a block."""
    text = crowded(LARGEST_MESSAGE - 100, *SMALL[name])
    shapes = ('{"result":%s,"id":1}', '{"id":1,"error":%s}', '{"result":1,"id":%s}', "%s")

    async def take(message: bytes) -> None:
        socket: Any = Saying(message)
        for ask in (Node.parameters, Node.magic, lambda at: at.utxo([]), lambda at: at.evaluate(b"")):
            with pytest.raises(errors.ReplyGarbled, match="500,000 values"):
                await ask(Node(socket, SOON_S))
        follower = Session(socket, "ws://127.0.0.1", {}, SOON_S)
        for say in (follower.receive, lambda: follower.identify(KNOWN["preview"])):
            with pytest.raises(errors.ReplyGarbled, match="500,000 values"):
                await say()

    for shape in shapes:
        message = (shape % text).encode()
        assert LARGEST_MESSAGE - 200 < len(message) <= LARGEST_MESSAGE
        assert await peak_of(take(message)) < MIB


@pytest.mark.parametrize("name", SMALL)
async def test_what_is_neither_a_block_nor_coins_has_a_limit_of_its_own(name: str) -> None:
    """Up to it, an answer is read in full."""

    async def take(message: bytes, words: str) -> None:
        socket: Any = Saying(message)
        for ask in (Node.parameters, Node.magic, Node.tip):
            with pytest.raises(errors.ReplyGarbled, match=words):
                await ask(Node(socket, SOON_S))
        genesis = message.replace(b'"id":1}', b'"id":"queryNetwork/genesisConfiguration"}')
        with pytest.raises(errors.ReplyGarbled, match=words):
            await Session(Saying(genesis), "", {}, SOON_S).identify(KNOWN["preview"])  # type: ignore[arg-type]

    within = reply(crowded(MIB - 100, *SMALL[name]))
    assert await peak_of(take(within.encode(), ".")) < 48 * MIB
    beyond = reply(crowded(MIB + 100, *SMALL[name]))
    assert await peak_of(take(beyond.encode(), "1,04.,... bytes|500,000 values")) < 8 * MIB
    with pytest.raises(errors.ReplyGarbled, match=r"bytes|values"):  # also to who asks for coins, if it is an error
        await Node(Saying(beyond.replace("result", "error").encode()), SOON_S).utxo([])  # type: ignore[arg-type]


async def peak_of(what: Awaitable[None]) -> int:
    """Bytes that it takes meanwhile."""
    tracemalloc.start()
    try:
        await what
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


async def test_a_wallet_of_sixty_thousand_coins_is_none_of_a_crowd() -> None:
    """Nobody has so many; who would send them to the keeper, to hide its own, sends it 60,000 ada."""
    coin = '{"transaction":{"id":"%s"},"index":0,"address":"addr1","value":{"ada":{"lovelace":1000000}}}' % ("ab" * 32)
    text = reply(crowded(60_000 * len(coin), coin))
    assert text.count("lovelace") == pytest.approx(60_000, rel=0.02)
    assert not is_crowded(text.encode())


async def test_compression_that_nobody_asked_for_is_refused() -> None:
    """A few KiB may stand for gigabytes."""

    def insist(_socket: ServerConnection, _request: object, response: Any) -> None:
        response.headers["Sec-WebSocket-Extensions"] = "permessage-deflate"

    async def handler(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with answering(handler, process_response=insist) as server:
        with pytest.raises(errors.Unreachable, match="extension"):
            await open_socket(url_of(server), {}, 5)


async def endless(_asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(begun())
    while True:
        writer.write(b" " * 65_536)
        await writer.drain()


async def dripping(_asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(begun())
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


def always(answer: bytes) -> Handler:
    async def handler(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return handler


HEALTH_BOMBS: dict[str, Handler] = {
    "endless": endless,
    "dripping": dripping,
    "a gigabyte behind gzip": always(whole(gzip.compress(bytes(1 << 24)) * 4, **{"Content-Encoding": "gzip"})),
    "deep": always(whole(b"[" * 60_000)),
    "a number": always(whole(b"9" * 60_000)),
    "sly": always(whole(json.dumps(SLY).encode())),
    "no HTTP": always(b"\x1b[2J\r\n" * 100),
    "a head without end": always(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000),
}


@pytest.mark.parametrize("name", HEALTH_BOMBS)
async def test_a_health_page_that_is_a_bomb_does_not_go_off(name: str) -> None:
    """Bounded in time, bytes and depth; nothing is unpacked."""
    async with saying(HEALTH_BOMBS[name]) as liar:
        tracemalloc.start()
        with pytest.raises((errors.ReplyGarbled, errors.Unreachable)) as caught:
            await fetch_health(liar.url.replace("http", "ws"), {}, 0.5)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert harmless(caught.value)
    assert peak < 8 * MIB


# --- what it says


def reply(result: str) -> str:
    return f'{{"jsonrpc":"2.0","result":{result},"id":1}}'


BOMBS: dict[str, str] = {
    "deep, never closed": "[" * MIB,
    "deep objects": reply('{"slot":' * 200_000 + "1" + "}" * 200_000),
    "deep lists": reply("[" * 200_000 + "]" * 200_000),
    "a number of a million digits": reply('{"slot":' + "9" * 1_000_000 + "}"),
    "an exponent": reply('{"slot":1e999999999,"id":"' + "ab" * 32 + '"}'),
    "a long text": reply('"' + "z" * (8 * MIB) + '"'),
    "many members": reply("{" + ",".join(f'"{n}":1' for n in range(200_000)) + "}"),
    "an id without end": '{"jsonrpc":"2.0","result":1,"id":' + "9" * 1_000_000 + "}",
    "a deep id": '{"jsonrpc":"2.0","result":1,"id":' + "[" * 100_000 + "]" * 100_000 + "}",
    "a sly error": json.dumps({"id": 1, "error": {"code": 1, "message": SLY * 10_000, "data": SLY}}),
    "a code without end": '{"id":1,"error":{"message":"x","code":' + "9" * 4_000 + "}}",
    "half a surrogate": '{"id":1,"error":{"message":"\\ud800","code":1}}',
}


@pytest.mark.parametrize("name", BOMBS)
async def test_an_answer_that_is_a_bomb_is_named(name: str) -> None:
    """To a query of the keeper's."""
    assert harmless(await said(BOMBS[name]))


@pytest.mark.parametrize("name", BOMBS)
async def test_an_answer_that_is_a_bomb_ends_a_session_by_name(name: str) -> None:
    """To the follower's first query, which carries its own id; and instead of a block."""

    async def handler(socket: ServerConnection) -> None:
        async for _ in socket:
            await socket.send(BOMBS[name].replace('"id":1', '"id":"queryNetwork/genesisConfiguration"'))

    async with answering(handler) as server, session(url_of(server), {}, SOON_S) as talk:
        with pytest.raises(errors.IndexerError) as caught:
            await talk.identify(KNOWN["preview"])
        assert harmless(caught.value)
        await talk.ask(1)
        with pytest.raises(errors.IndexerError) as caught:
            wire.decode(await talk.receive())
    assert harmless(caught.value)


PRICES: Final = ("1e999999999", '"1e999999999"', "0.1e99999999", "9" * 4_000, '"1/0"', '"-1/2"', "-1")


def test_parameters_that_nobody_touched_are_read() -> None:
    """Else the tests below would prove nothing."""
    assert ledger_state.parameters(json.dumps(parameters_of_a_network()).encode()).memory_price == Fraction(577, 10_000)


@pytest.mark.parametrize("price", PRICES)
async def test_a_price_that_takes_for_ever_to_reckon_is_none(price: str) -> None:
    """Python's fractions would work out 1e999999999 to the last digit."""
    vector = json.dumps(parameters_of_a_network()).replace('"memory": "577/10000"', f'"memory": {price}')
    assert price in vector
    assert isinstance(await said(reply(vector), Node.parameters), errors.ReplyGarbled)


async def test_tiers_of_a_byte_are_refused() -> None:
    """A fee is reckoned tier by tier, with fractions that grow from one to the next."""
    shown = parameters_of_a_network()
    shown["minFeeReferenceScripts"]["range"] = 1
    assert isinstance(await said(reply(json.dumps(shown)), Node.parameters), errors.ReplyGarbled)


def parameters_of_a_network() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(SOURCE.read_text())["parameters"]
    return found


@pytest.mark.parametrize(
    "found",
    [
        '[{"start":{"slot":0,"time":{"seconds":1e308}},"parameters":{"slotLength":{"milliseconds":1000}}}]',
        '[{"start":{"slot":0,"time":{"seconds":1e400}},"parameters":{"slotLength":{"milliseconds":1000}}}]',
        '[{"start":{"slot":99999999999999999999,"time":{"seconds":1}},"parameters":{"slotLength":{"milliseconds":1}}}]',
        '[{"start":{"slot":"0","time":{"seconds":1}},"parameters":{"slotLength":{"milliseconds":1}}}]',
        '[{"start":{"slot":0,"time":{"seconds":1}},"parameters":{"slotLength":{"milliseconds":99999999999999999999}}}]',
        '[{"start":{"slot":0,"time":{"seconds":1}},"parameters":{"slotLength":{"milliseconds":true}}}]',
        '{"start":1}',
    ],
)
async def test_eras_that_no_clock_and_no_database_can_hold_are_garbled(found: str) -> None:
    """They would end the daemon, as nobody foresaw."""
    answers = iter(['"2024-01-01T00:00:00Z"', found])

    async def handler(socket: ServerConnection) -> None:
        async for text in socket:
            number = json.loads(text)["id"]
            await socket.send(f'{{"jsonrpc":"2.0","result":{next(answers)},"id":{number}}}')

    async with answering(handler) as server, node(url_of(server), {}, 5) as client:
        with pytest.raises(errors.ReplyGarbled) as caught:
            await client.timeline()
    assert harmless(caught.value)


@pytest.mark.parametrize("k", [10**30, 0, -1, True, "2160", None, 1.5])
async def test_a_security_parameter_that_cannot_be_is_garbled(k: object) -> None:
    """It goes into the database."""
    answer = json.dumps({"networkMagic": 2, "securityParameter": k})
    assert isinstance(await said(reply(answer), Node.magic), errors.ReplyGarbled)


@pytest.mark.parametrize("reason", [SLY[:40], json.dumps({"message": SLY})])
async def test_what_it_says_when_it_closes_is_told_in_one_harmless_line(reason: str) -> None:
    """That line goes into the log, the health page and systemd's status."""

    async def handler(socket: ServerConnection) -> None:
        await socket.close(1000, reason)

    async with answering(handler) as server, session(url_of(server), {}, 5) as talk:
        with pytest.raises(errors.Unreachable, match="closed the connection") as caught:
            await talk.receive()
    assert harmless(caught.value)


async def test_an_answer_to_the_handshake_that_never_ends_has_its_time() -> None:
    """Bytes of a head, one by one."""

    async def handler(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"HTTP/1.1 101 Switching Protocols\r\n"[:1])
            await writer.drain()
            await asyncio.sleep(0.01)

    async with saying(handler) as liar:
        with pytest.raises(errors.Unreachable) as caught:
            await open_socket(liar.url.replace("http", "ws"), {}, 0.5)
    assert harmless(caught.value)

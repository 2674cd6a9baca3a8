"""The replay behaves as Ogmios does, seen from the other end of a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from indexer.chain.point import ORIGIN, Point
from indexer.devnet.recording import MadeBlock, link, read_recordings
from indexer.devnet.replay import CannotListen, Chain, NetworkUnknown, ReplayServer, guess_network

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests" / "data"
PREVIEW = ROOT / "indexer" / "samples" / "preview-conway-100.v7.jsonl.gz"
DEEP = DATA / "preprod-5183974-deep-native-script.v7.jsonl.gz"
NEXT = '{"jsonrpc":"2.0","method":"nextBlock"}'


def made(number: int, branch: int = 0, *, boundary: bool = False, padding: int = 0) -> MadeBlock:
    """Block `number` of a branch: its id tells both."""
    block_id = bytes([branch]) * 28 + number.to_bytes(4, "big")
    text = {"era": "conway", "id": block_id.hex(), "height": number, "padding": "x" * padding}
    return MadeBlock(block_id, number, None if boundary else number * 20, json.dumps(text).encode())


def blocks(numbers: Iterable[int], branch: int = 0) -> list[MadeBlock]:
    return [made(number, branch) for number in numbers]


def point(number: int, branch: int = 0) -> dict[str, Any]:
    block = made(number, branch)
    return {"slot": block.slot, "id": block.id.hex()}


def tip(number: int, branch: int = 0) -> dict[str, Any]:
    return {**point(number, branch), "height": number}


@dataclass
class Client:
    """A client that says in few words what comes back: (`forward`, height) or (`backward`, point)."""

    socket: ClientConnection

    async def send(self, method: str, params: object = None, **more: object) -> None:
        request = {"jsonrpc": "2.0", "method": method, **({} if params is None else {"params": params}), **more}
        await self.socket.send(json.dumps(request))

    async def answer(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            return json.loads(await self.socket.recv())  # type: ignore[no-any-return]

    async def ask(self, method: str, params: object = None, **more: object) -> dict[str, Any]:
        await self.send(method, params, **more)
        return await self.answer()

    async def find(self, *points: object) -> dict[str, Any]:
        return await self.ask("findIntersection", {"points": list(points)})

    async def want(self, count: int = 1) -> None:
        for _ in range(count):
            await self.socket.send(NEXT)

    async def told(self) -> tuple[str, Any]:
        result = (await self.answer())["result"]
        forward = result["direction"] == "forward"
        return result["direction"], result["block"]["height"] if forward else result["point"]

    async def next(self) -> tuple[str, Any]:
        await self.want()
        return await self.told()

    async def nothing_comes(self) -> None:
        """A query overtakes what is withheld: if its answer is the next to come, nothing else came."""
        assert (await self.ask("queryNetwork/blockHeight", id="barrier"))["id"] == "barrier"


@asynccontextmanager
async def serving(chain: Chain, network: str = "devnet", **options: Any) -> AsyncIterator[tuple[ReplayServer, Client]]:
    async with ReplayServer(chain, network, **options) as server, client_of(server) as client:
        yield server, client


@asynccontextmanager
async def client_of(server: ReplayServer) -> AsyncIterator[Client]:
    async with connect(f"ws://127.0.0.1:{server.port}", max_size=None, compression=None) as socket:
        yield Client(socket)


# Chain-sync


async def test_the_first_answer_is_a_rollback_to_the_intersection() -> None:
    async with serving(Chain(blocks(range(5)))) as (_, client):
        found = await client.find(point(2))
        assert found == {
            "jsonrpc": "2.0",
            "method": "findIntersection",
            "result": {"intersection": point(2), "tip": tip(4)},
            "id": None,
        }
        assert [await client.next() for _ in range(3)] == [("backward", point(2)), ("forward", 3), ("forward", 4)]


async def test_a_fresh_connection_stands_at_the_origin() -> None:
    async with serving(Chain(blocks(range(2)))) as (_, client):
        assert [await client.next() for _ in range(2)] == [("backward", "origin"), ("forward", 0)]


async def test_the_first_point_that_is_on_the_chain_wins() -> None:
    async with serving(Chain(blocks(range(5)))) as (_, client):
        elsewhere = {**point(3), "slot": 61}
        for points, expected in (
            ([point(9), elsewhere, point(1), point(3)], point(1)),
            ([point(9), "origin", point(3)], "origin"),
        ):
            assert (await client.find(*points))["result"]["intersection"] == expected
            assert await client.next() == ("backward", expected)


async def test_no_intersection_is_error_1000_and_leaves_the_cursor_alone() -> None:
    async with serving(Chain(blocks(range(5)))) as (_, client):
        await client.find(point(1))
        await client.next()
        for points in ([point(7)], []):
            failed = await client.find(*points)
            assert failed["method"] == "findIntersection"
            assert failed["error"] == {"code": 1000, "message": "No intersection found.", "data": {"tip": tip(4)}}
        assert await client.next() == ("forward", 2)


async def test_an_epoch_boundary_is_served_but_cannot_be_intersected_on() -> None:
    boundary = made(1, boundary=True)
    async with serving(Chain([made(0), boundary, made(2)])) as (_, client):
        missed = await client.find({"slot": 20, "id": boundary.id.hex()}, {"slot": 0, "id": boundary.id.hex()})
        assert missed["error"]["code"] == 1000
        await client.find(point(0))
        await client.want(3)
        assert [await client.told() for _ in range(3)] == [("backward", point(0)), ("forward", 1), ("forward", 2)]


async def test_a_fork_that_ends_on_an_epoch_boundary_goes_back_before_it() -> None:
    chain = Chain([made(0), made(1, boundary=True), made(2)])
    async with serving(chain) as (_, client):
        await client.want(4)
        assert [(await client.told())[0] for _ in range(4)] == ["backward"] + 3 * ["forward"]
        chain.roll_back(2)
        assert [await client.next() for _ in range(2)] == [("backward", point(0)), ("forward", 1)]


async def test_every_answer_tells_the_tip_of_the_served_chain() -> None:
    async with serving(Chain(link(read_recordings([PREVIEW])))) as (server, client):
        await client.find("origin")
        await client.want(101)
        answers = [await client.answer() for _ in range(101)]
        last = server.chain[99]
        expected = {"slot": last.slot, "id": last.id.hex(), "height": last.height}
        assert all(answer["result"]["tip"] == expected for answer in answers)


@pytest.mark.parametrize("prepared", [True, False])
async def test_a_block_too_deep_for_any_parser_is_served_byte_for_byte(prepared: bool) -> None:
    blocks = read_recordings([DEEP])
    async with serving(Chain(link(blocks)), "preprod") as (server, client):
        if prepared:
            server.prepare()
        await client.find("origin")
        await client.want(2)
        await client.told()
        answer = await client.socket.recv(decode=False)
    point = f'{{"slot":133883340,"id":"{blocks[0].id.hex()}","height":5183974}}'
    start = b'{"jsonrpc":"2.0","method":"nextBlock","result":{"direction":"forward","block":'
    assert answer == start + blocks[0].text + b',"tip":' + point.encode() + b'},"id":null}'


async def test_prepared_answers_are_the_answers() -> None:
    chain = Chain(link(read_recordings([PREVIEW]), repeat=2))
    async with serving(chain) as (server, client), client_of(server) as other:
        await client.want(201)
        built = [await client.socket.recv() for _ in range(201)]
        server.prepare()
        await other.want(201)
        assert [await other.socket.recv() for _ in range(201)] == built


async def test_a_change_of_the_chain_undoes_what_was_prepared() -> None:
    chain = Chain(blocks(range(3)))
    async with serving(chain) as (server, client):
        server.prepare()
        chain.roll_back(1)
        chain.extend(blocks((1, 2), branch=1))
        await client.find(point(0))
        await client.want(2)
        await client.told()
        result = (await client.answer())["result"]
        assert (result["block"]["id"], result["tip"]) == (made(1, 1).id.hex(), tip(2, 1))


async def test_pipelined_requests_wait_at_the_tip_and_wake_up_block_by_block() -> None:
    chain = Chain(blocks(range(3)))
    async with serving(chain) as (_, client):
        await client.find("origin")
        await client.want(10)
        assert [await client.told() for _ in range(4)] == [("backward", "origin"), *(("forward", n) for n in range(3))]
        await client.nothing_comes()
        chain.append(made(3))
        assert await client.told() == ("forward", 3)
        await client.nothing_comes()
        chain.extend(blocks((4, 5)))
        assert [await client.told() for _ in range(2)] == [("forward", 4), ("forward", 5)]
        await client.nothing_comes()


async def test_an_empty_chain_wakes_up_too() -> None:
    chain = Chain()
    async with serving(chain) as (_, client):
        assert (await client.find("origin"))["result"] == {"intersection": "origin", "tip": "origin"}
        assert (await client.ask("queryNetwork/tip"))["result"] == "origin"
        assert (await client.ask("queryNetwork/blockHeight"))["result"] == "origin"
        assert await client.next() == ("backward", "origin")
        await client.want()
        await client.nothing_comes()
        chain.append(made(0))
        assert await client.told() == ("forward", 0)


async def test_a_fork_while_following_goes_back_to_the_common_point() -> None:
    chain = Chain(blocks(range(6)))
    async with serving(chain) as (_, client):
        await client.find(point(1))
        assert [await client.next() for _ in range(3)] == [("backward", point(1)), ("forward", 2), ("forward", 3)]
        chain.roll_back(3)
        chain.extend(blocks((3, 4), branch=1))
        assert [await client.next() for _ in range(2)] == [("backward", point(2)), ("forward", 3)]
        chain.roll_back(4)  # below nothing that the client has
        chain.append(made(4, 2))
        assert await client.next() == ("forward", 4)
        chain.roll_back(0)
        assert await client.next() == ("backward", "origin")


async def test_a_fork_while_waiting_wakes_the_client() -> None:
    chain = Chain(blocks(range(4)))
    async with serving(chain) as (_, client):
        await client.find(point(3))
        await client.next()
        await client.want(4)
        await client.nothing_comes()
        chain.roll_back(2)
        assert await client.told() == ("backward", point(1))
        chain.extend(blocks((2, 3), branch=1))
        assert [await client.told() for _ in range(2)] == [("forward", 2), ("forward", 3)]
        chain.roll_back(1)
        assert await client.told() == ("backward", point(0))


async def test_rollbacks_that_were_not_served_yet_are_one() -> None:
    chain = Chain(blocks(range(6)))
    async with serving(chain) as (_, client):
        await client.find(point(5))
        await client.next()
        chain.roll_back(4)
        chain.append(made(4, 1))
        chain.roll_back(2)
        chain.append(made(2, 1))
        assert [await client.next() for _ in range(2)] == [("backward", point(1)), ("forward", 2)]


async def test_every_client_has_its_own_cursor() -> None:
    chain = Chain(blocks(range(4)))
    async with serving(chain) as (server, one), client_of(server) as two:
        await one.find(point(0))
        await two.find(point(2))
        assert (await one.next(), await two.next()) == (("backward", point(0)), ("backward", point(2)))
        chain.roll_back(2)
        assert (await one.next(), await two.next()) == (("forward", 1), ("backward", point(1)))


async def test_an_intersection_behind_an_unanswered_request_is_error_1001() -> None:
    """Two blocks are asked for at the tip; when one has come, the other is still owed."""
    chain = Chain(blocks(range(2)))
    async with serving(chain) as (_, client):
        await client.find(point(1))
        await client.next()
        await client.want(2)
        await client.send("findIntersection", {"points": ["origin"]}, id="late")
        await client.nothing_comes()  # at the tip nobody looks at the queue
        chain.append(made(2))
        assert await client.told() == ("forward", 2)
        refused = await client.answer()
        assert (refused["error"]["code"], refused["id"]) == (1001, "late")
        chain.append(made(3))
        assert await client.told() == ("forward", 3)


async def test_an_intersection_is_found_once_all_that_was_owed_is_answered() -> None:
    chain = Chain(blocks(range(2)))
    async with serving(chain) as (_, client):
        await client.find(point(1))
        await client.next()
        await client.want()
        await client.send("findIntersection", {"points": [point(0)]})
        await client.nothing_comes()
        chain.append(made(2))
        assert await client.told() == ("forward", 2)
        assert (await client.answer())["result"]["intersection"] == point(0)
        assert await client.next() == ("backward", point(0))


# Requests and answers


@pytest.mark.parametrize(
    "identifier",
    ["7", "-1.50", "1e400", '"text"', '{"requestId":"x", "deep":[1,{"a":null}]}', "[ ]", "false", '"\\u00e9\\ud800"'],
)
async def test_an_id_is_mirrored_verbatim_whatever_it_is(identifier: str) -> None:
    async with serving(Chain(blocks(range(3)))) as (_, client):
        for method, rest in (
            ("nextBlock", ""),
            ("nextBlock", ""),
            ("queryNetwork/tip", ""),
            ("findIntersection", ',"params":{"points":[]}'),
            ("mistake", ""),
        ):
            await client.socket.send(f'{{"id":{identifier},"jsonrpc":"2.0","method":"{method}"{rest}}}')
            answer = await client.socket.recv()
            assert isinstance(answer, str)
            assert answer.endswith(f',"id":{identifier}}}')


async def test_without_an_id_null_is_mirrored() -> None:
    async with serving(Chain()) as (_, client):
        assert (await client.ask("queryNetwork/tip"))["id"] is None


@pytest.mark.parametrize(
    ("message", "identifier"),
    [
        ("no JSON", None),
        ('"text"', None),
        ('[{"jsonrpc":"2.0","method":"nextBlock","id":1}]', None),
        ("[" * 100_000, None),
        ('{"jsonrpc":"2.0","method":"queryNetwork/tip","params":{"a":NaN},"id":1}', None),
        ('{"jsonrpc":"2.0","id":1}', 1),
        ('{"jsonrpc":"1.0","method":"nextBlock","id":2}', 2),
        ('{"jsonrpc":"2.0","method":"NextBlock","id":3}', 3),
        ('{"jsonrpc":"2.0","method":"queryLedgerState/utxo","id":[4]}', [4]),
        ('{"jsonrpc":"2.0","method":"findIntersection","id":5}', 5),
        ('{"jsonrpc":"2.0","method":"findIntersection","params":{"points":"origin"},"id":6}', 6),
        ('{"jsonrpc":"2.0","method":"findIntersection","params":{"points":[{"slot":1,"id":"ab"}]},"id":7}', 7),
        ('{"jsonrpc":"2.0","method":"queryNetwork/tip","params":[1],"id":8}', 8),
        ('{"jsonrpc":"2.0","method":"queryNetwork/tip","params":{"era":"byron"},"id":9}', 9),
        ('{"jsonrpc":"2.0","method":"queryNetwork/genesisConfiguration","params":{"era":"mary"},"id":10}', 10),
        ('{"jsonrpc":"2.0","method":"acquireLedgerState","params":{},"id":11}', 11),
    ],
)
async def test_what_is_not_understood_is_refused_without_a_method_and_the_connection_stays(
    message: str, identifier: object
) -> None:
    async with serving(Chain(blocks(range(2)))) as (_, client):
        await client.socket.send(message)
        answer = await client.answer()
        assert answer == {
            "jsonrpc": "2.0",
            "error": {"code": -32600, "message": answer["error"]["message"]},
            "id": identifier,
        }
        assert answer["error"]["message"].startswith("Invalid request: ")
        assert await client.next() == ("backward", "origin")


async def test_a_request_may_come_in_fragments_and_as_bytes() -> None:
    async with serving(Chain(blocks(range(2)))) as (_, client):
        await client.socket.send([NEXT[:10], NEXT[10:20], NEXT[20:]])
        assert await client.told() == ("backward", "origin")
        await client.socket.send(NEXT.encode())
        assert await client.told() == ("forward", 0)


async def test_network_queries_answer_for_the_network_and_the_tip() -> None:
    async with serving(Chain(blocks(range(5))), "mainnet") as (_, client):
        answers = {
            method: (await client.ask(f"queryNetwork/{method}", {}))["result"]
            for method in ("tip", "blockHeight", "startTime")
        }
        assert answers == {"tip": point(4), "blockHeight": 4, "startTime": "2017-09-23T21:44:51Z"}


@pytest.mark.parametrize(
    ("network", "facts"),
    [
        ("mainnet", ("mainnet", 764824073, 2160, "2017-09-23T21:44:51Z", 432000)),
        ("preprod", ("testnet", 1, 2160, "2022-06-01T00:00:00Z", 432000)),
        ("preview", ("testnet", 2, 432, "2022-10-25T00:00:00Z", 86400)),
    ],
)
async def test_the_shelley_genesis_identifies_the_network(network: str, facts: tuple[object, ...]) -> None:
    async with serving(Chain(), network) as (_, client):
        genesis = (await client.ask("queryNetwork/genesisConfiguration", {"era": "shelley"}))["result"]
        keys = ("network", "networkMagic", "securityParameter", "startTime", "epochLength")
        assert tuple(genesis[key] for key in keys) == facts
        assert (genesis["era"], genesis["slotLength"]) == ("shelley", {"milliseconds": 1000})


async def test_k_and_start_time_can_be_chosen() -> None:
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    async with serving(Chain(), security_parameter=7, start_time=start) as (_, client):
        genesis = (await client.ask("queryNetwork/genesisConfiguration", {"era": "shelley"}))["result"]
        expected = (42, 7, "2026-03-01T12:00:00Z")
        assert (genesis["networkMagic"], genesis["securityParameter"], genesis["startTime"]) == expected


async def test_another_eras_genesis_is_honestly_not_there() -> None:
    async with serving(Chain()) as (_, client):
        answer = await client.ask("queryNetwork/genesisConfiguration", {"era": "conway"})
        assert (answer["method"], answer["error"]["code"]) == ("queryNetwork/genesisConfiguration", 2004)
        assert "conway" in answer["error"]["data"]


@pytest.mark.parametrize(
    ("network", "starts"),
    [
        ("mainnet", [(0, 0, 0, 20_000), (4_492_800, 89_856_000, 208, 1000)]),
        ("preprod", [(0, 0, 0, 20_000), (86_400, 1_728_000, 4, 1000)]),
        ("preview", [(0, 0, 0, 20_000), (0, 0, 0, 1000)]),
        ("devnet", [(0, 0, 0, 1000)]),
    ],
)
async def test_era_summaries_follow_each_other_and_end_past_the_tip(
    network: str, starts: list[tuple[int, int, int, int]]
) -> None:
    chain = Chain([MadeBlock(b"\1" * 32, 0, 100_000_000, b"{}")])
    async with serving(chain, network) as (_, client):
        eras = (await client.ask("queryLedgerState/eraSummaries"))["result"]
        firsts = [(era["start"], era["parameters"]["slotLength"]["milliseconds"]) for era in eras]
        assert starts == [(s["slot"], s["time"]["seconds"], s["epoch"], length) for s, length in firsts]
        for before, after in zip(eras, eras[1:], strict=False):
            assert before["end"] == after["start"]
        start, end, parameters = eras[-1]["start"], eras[-1]["end"], eras[-1]["parameters"]
        assert end["slot"] > 100_000_000 + parameters["safeZone"]
        assert end["slot"] - start["slot"] == (end["epoch"] - start["epoch"]) * parameters["epochLength"]
        assert end["time"]["seconds"] - start["time"]["seconds"] == end["slot"] - start["slot"]


async def test_an_acquired_ledger_state_stays_until_it_is_released() -> None:
    chain = Chain(blocks(range(50)))
    async with serving(chain) as (_, client):
        acquired = await client.ask("acquireLedgerState", {"point": point(45)})
        assert acquired["result"] == {"acquired": "ledgerState", "point": point(45)}
        assert (await client.ask("queryLedgerState/tip"))["result"] == point(45)
        assert (await client.ask("queryNetwork/tip"))["result"] == point(49)
        assert (await client.ask("releaseLedgerState"))["result"] == {"released": "ledgerState"}
        assert (await client.ask("queryLedgerState/tip"))["result"] == point(49)
        for unheld in (point(5), point(60)):  # deeper than k, and unknown
            assert (await client.ask("acquireLedgerState", {"point": unheld}))["error"]["code"] == 2000


# The server


@dataclass
class Counted:
    """A block that counts how often its text is asked for."""

    block: MadeBlock
    built: list[int] = field(default_factory=list)

    @property
    def id(self) -> bytes:
        return self.block.id

    @property
    def height(self) -> int:
        return self.block.height

    @property
    def slot(self) -> int | None:
        return self.block.slot

    @property
    def text(self) -> bytes:
        self.built.append(self.height)
        return self.block.text


async def test_a_client_that_asks_for_a_thousand_and_reads_none_costs_little_memory() -> None:
    """No text is built before there is room for it; once the client reads, all come."""
    built: list[int] = []
    chain = Chain(Counted(made(number, padding=200_000), built) for number in range(1000))
    async with serving(chain) as (server, client):
        client.socket.transport.pause_reading()
        await client.want(1001)
        async with asyncio.timeout(10):
            while not built or any(session.writable for session in server.sessions):
                await asyncio.sleep(0)
        assert len(built) < 100
        client.socket.transport.resume_reading()
        assert await client.told() == ("backward", "origin")
        assert [await client.told() for _ in range(1000)] == [("forward", number) for number in range(1000)]


async def test_a_client_that_asks_more_than_it_reads_is_not_listened_to_for_a_while() -> None:
    """Even answers that are due at once wait when megabytes of them lie unread."""
    chain = Chain(blocks(range(2)))
    async with serving(chain) as (server, client):
        (session,) = server.sessions
        identifier = "x" * 100_000
        request = json.dumps({"jsonrpc": "2.0", "method": "queryNetwork/tip", "id": identifier})
        client.socket.transport.pause_reading()
        sending = asyncio.create_task(_send_many(client.socket, request, 200))
        async with asyncio.timeout(10):
            while session.listening:
                await asyncio.sleep(0)
        client.socket.transport.resume_reading()
        assert [(await client.answer())["id"] for _ in range(200)] == 200 * [identifier]
        await sending


async def _send_many(socket: ClientConnection, message: str, count: int) -> None:
    for _ in range(count):
        await socket.send(message)


async def test_pings_are_answered_and_closing_is_polite() -> None:
    async with serving(Chain()) as (_, client):
        async with asyncio.timeout(10):
            await (await client.socket.ping(b"still there?"))
        await client.socket.close(1000, "done")
        assert client.socket.close_code == 1000


async def test_a_server_that_closes_says_goodbye_first() -> None:
    async with serving(Chain()) as (server, client):
        await client.want(3)
        await client.nothing_comes()
        await server.close()
        with pytest.raises(ConnectionClosed):
            await client.answer()
        assert client.socket.close_code == 1001


async def test_dropped_connections_end_without_a_word_and_can_be_made_again() -> None:
    async with serving(Chain(blocks(range(2)))) as (server, client):
        await client.want(4)
        assert [(await client.told())[0] for _ in range(3)] == ["backward", "forward", "forward"]
        server.drop_connections()
        with pytest.raises(ConnectionClosed):
            await client.answer()
        assert client.socket.close_code == 1006
        server.chain.append(made(2))  # nobody is there to be told
        async with client_of(server) as again:
            assert await again.next() == ("backward", "origin")


async def test_a_port_that_is_taken_is_named() -> None:
    async with ReplayServer(Chain()) as server:
        with pytest.raises(CannotListen, match=rf"cannot listen on 127\.0\.0\.1:{server.port}: ") as raised:
            await ReplayServer(Chain(), port=server.port).start()
    assert raised.value.code == "devnet.cannot_listen"


def test_a_network_that_is_not_known_is_refused() -> None:
    with pytest.raises(NetworkUnknown, match="'sanchonet'"):
        ReplayServer(Chain(), "sanchonet")


@pytest.mark.parametrize(
    ("names", "network"),
    [
        (["mainnet-conway-35-blocks.v7.jsonl.gz"], "mainnet"),
        (["preprod-a.jsonl", "preprod-b.jsonl"], "preprod"),
        (["preview-from-origin.jsonl"], "preview"),
        (["preview-a.jsonl", "mainnet-b.jsonl"], "devnet"),
        (["blocks.jsonl"], "devnet"),
        ([], "devnet"),
    ],
)
def test_the_network_is_guessed_from_the_names_of_the_files(names: list[str], network: str) -> None:
    assert guess_network(Path("somewhere") / name for name in names) == network


def test_a_chain_knows_its_blocks_by_point_and_forgets_abandoned_ones() -> None:
    chain = Chain(blocks(range(3)))
    assert [chain.find(ORIGIN), chain.find(Point(20, made(1).id)), chain.find(Point(21, made(1).id))] == [0, 2, None]
    chain.roll_back(1)
    assert (len(chain), chain.find(Point(20, made(1).id)), list(chain)) == (1, None, blocks(range(1)))
    with pytest.raises(ValueError, match="cannot keep 2 of 1"):
        chain.roll_back(2)


# Plain HTTP


async def http(server: ReplayServer, request: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one HTTP exchange."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(f"{request} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    async with asyncio.timeout(10):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body


async def test_health_tells_of_a_node_that_is_in_step() -> None:
    chain = Chain(link(read_recordings([PREVIEW])))
    async with serving(chain, "preview") as (server, _):
        status, headers, body = await http(server, "GET /health")
        health = json.loads(body)
        last = chain[99]
        assert (status, headers["content-type"]) == (200, "application/json; charset=utf-8")
        assert health["lastKnownTip"] == {"slot": last.slot, "id": last.id.hex(), "height": last.height}
        told = {key: health[key] for key in ("connectionStatus", "networkSynchronization", "network", "version")}
        assert told == {
            "connectionStatus": "connected",
            "networkSynchronization": 1.0,
            "network": "preview",
            "version": "v7.0.0 (replay)",
        }
        assert (health["currentEra"], health["currentEpoch"], health["slotInEpoch"]) == ("conway", 959, 61767)
        assert datetime.fromisoformat(health["startTime"]) <= datetime.fromisoformat(health["lastTipUpdate"])
        assert health["metrics"]["totalConnections"] == 1


async def test_health_knows_when_the_tip_has_moved() -> None:
    chain = Chain()
    async with ReplayServer(chain) as server:
        before = json.loads((await http(server, "GET /health"))[2])
        chain.append(made(0))
        after = json.loads((await http(server, "GET /health"))[2])
    assert (before["lastKnownTip"], before["currentEpoch"], before["network"]) == ("origin", None, "unknown (42)")
    assert after["lastKnownTip"] == tip(0)
    assert before["lastTipUpdate"] < after["lastTipUpdate"]


@pytest.mark.parametrize(
    ("request_line", "status"),
    [("GET /health?now", 200), ("GET /nothing", 404), ("GET /", 404), ("POST /health", 406), ("PUT /x", 404)],
)
async def test_other_requests_get_their_status(request_line: str, status: int) -> None:
    async with ReplayServer(Chain()) as server:
        assert (await http(server, request_line))[0] == status


async def test_an_upgrade_is_taken_on_any_path() -> None:
    async with (
        ReplayServer(Chain()) as server,
        connect(f"ws://127.0.0.1:{server.port}/health") as socket,
    ):
        assert await Client(socket).next() == ("backward", "origin")
        assert socket.subprotocol is None
        assert "Sec-WebSocket-Extensions" not in (socket.response.headers if socket.response else {})

"""The Ogmios face of a node that lives: blocks as they come, the mempool, four protocols side by side, bad manners.

Every answer is held against the published schema.
"""

import asyncio
import json
import resource
from contextlib import AsyncExitStack
from datetime import datetime

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from indexer.devnet.genesis import Genesis
from indexer.devnet.node import Node
from indexer.devnet.ogmios import session
from tests.unit.devnet.checked import another, facing, request
from tests.unit.devnet.client import Client, until
from tests.unit.devnet.payments import ANN, BOB, given, pay, transaction_id
from tests.unit.devnet.test_replay import http, upgraded

NOT_ACQUIRED = {"code": 4000, "message": "You must acquire a mempool snapshot prior to accessing it."}


# Chain-sync


async def test_blocks_are_told_as_they_are_made_and_a_fork_sends_back() -> None:
    node, coin = given(ANN)
    raw, _ = pay(ANN, coin, BOB.address, 2_000_000)
    node.submit(raw)
    async with facing(node) as (_, client):
        assert await client.next() == ("backward", "origin")
        assert await client.next() == ("forward", 0)
        await client.want(10)
        await client.nothing_comes()
        node.make_block()
        assert await client.told() == ("forward", 1)
        node.fork(1, 2)
        first = node.chain[0]
        back = (await client.answer())["result"]
        assert back["point"] == {"slot": first.slot, "id": first.id.hex()}
        assert back["tip"]["height"] == 2  # the fork is there at once
        assert [await client.told() for _ in range(2)] == [("forward", 1), ("forward", 2)]
        block = node.make_block()
        text = (await client.answer())["result"]["block"]
        assert [each["id"] for each in text["transactions"]] == [transaction_id(raw).hex()]
        assert (text["id"], text["ancestor"]) == (block.id.hex(), node.chain[2].id.hex())


async def test_health_knows_the_node() -> None:
    node = Node(Genesis(k=2))
    node.skip(250)
    async with facing(node) as (server, client):
        status, _, body = await http(server, "GET /health")
        health = json.loads(body)
        assert status == 200
        assert health["lastKnownTip"] == {"slot": 250, "id": node.chain[0].id.hex(), "height": 0}
        told = {key: health[key] for key in ("connectionStatus", "networkSynchronization", "currentEra", "network")}
        assert told == {
            "connectionStatus": "connected",
            "networkSynchronization": 1.0,
            "currentEra": "conway",
            "network": "unknown (42)",
        }
        assert (health["currentEpoch"], health["slotInEpoch"]) == (2, 50)
        assert health["version"].startswith("v7.0.0 (")
        assert datetime.fromisoformat(health["lastTipUpdate"]) is not None
        assert await client.result("queryNetwork/blockHeight") == 0


@pytest.mark.parametrize(
    ("request_line", "status"),
    [("OPTIONS /anything", 200), ("PUT /", 406), ("POST /", 411), ("POST /elsewhere", 404), ("POST /health", 406)],
)
async def test_plain_requests_get_their_status(request_line: str, status: int) -> None:
    async with facing(Node()) as (server, _):
        assert (await http(server, request_line))[0] == status
        too_long = f"{request_line} HTTP/1.1\r\nContent-Length: 999999999999\r\nX: "
        assert (await http(server, too_long))[0] == (413 if status == 411 else status)


# The mempool


async def test_a_snapshot_of_the_mempool_is_read_to_its_end() -> None:
    node, coin = given(ANN)
    raws = []
    for _ in range(2):
        raw, coin = pay(ANN, coin, BOB.address, 2_000_000)
        node.submit(raw)
        raws.append(raw)
    first, second = (transaction_id(raw).hex() for raw in raws)
    async with facing(node) as (_, client):
        assert await client.result("acquireMempool") == {"acquired": "mempool", "slot": 1}
        node.make_block()  # which changes nothing for the snapshot
        assert await client.result("nextTransaction") == {"transaction": {"id": first}}
        whole = (await client.result("nextTransaction", {"fields": "all"}))["transaction"]
        assert (whole["id"], whole["outputs"][0]["value"]) == (second, {"ada": {"lovelace": 2_000_000}})
        for params in (None, {"fields": "all"}):
            assert await client.result("nextTransaction", params) == {"transaction": None}
        for id_, there in ((first, True), (second, True), (64 * "0", False)):
            assert await client.result("hasTransaction", {"id": id_}) is there
        size = sum(len(raw) - 1 for raw in raws)
        assert await client.result("sizeOfMempool") == {
            "maxCapacity": {"bytes": 180_224},
            "currentSize": {"bytes": size},
            "transactions": {"count": 2},
        }
        assert await client.result("releaseMempool") == {"released": "mempool"}


async def test_without_a_snapshot_there_is_nothing_to_ask() -> None:
    async with facing(Node()) as (_, client):
        for method, params in (
            ("nextTransaction", None),
            ("nextTransaction", {"fields": "all"}),
            ("hasTransaction", {"id": 64 * "0"}),
            ("sizeOfMempool", None),
            ("releaseMempool", None),
        ):
            assert await client.error(method, params) == NOT_ACQUIRED
        await client.result("acquireMempool")
        await client.result("releaseMempool")
        assert await client.error("sizeOfMempool") == NOT_ACQUIRED


@pytest.mark.parametrize(
    ("method", "params"),
    [("nextTransaction", {"fields": "some"}), ("hasTransaction", {"id": "00"}), ("hasTransaction", {})],
)
async def test_what_is_asked_wrongly_of_the_mempool_is_no_request(method: str, params: object) -> None:
    async with facing(Node()) as (_, client):
        assert (await client.error(method, params))["code"] == -32600


async def test_a_second_snapshot_waits_until_the_mempool_is_another() -> None:
    node, coin = given(ANN)
    raw, _ = pay(ANN, coin, BOB.address, 2_000_000)
    async with facing(node) as (_, client):
        await client.result("acquireMempool")
        await client.send("acquireMempool", id="second")
        await client.send("sizeOfMempool", id="third")  # which stands in line
        await client.nothing_comes()
        node.submit(raw)
        assert [(await client.answer())["id"] for _ in range(2)] == ["second", "third"]
        await client.send("acquireMempool", id="fourth")
        await client.nothing_comes()
        node.make_block()
        assert (await client.answer())["result"]["slot"] == 2
        assert await client.result("nextTransaction") == {"transaction": None}
        await client.result("releaseMempool")
        await client.result("acquireMempool")  # at once: nothing was held


async def test_a_block_alone_makes_another_snapshot() -> None:
    """As the node compares them: by transactions, and by the slot that the next block can have."""
    node = Node()
    async with facing(node) as (_, client):
        assert (await client.result("acquireMempool"))["slot"] == 0
        await client.send("acquireMempool")
        await client.nothing_comes()
        node.skip(9)
        assert (await client.answer())["result"]["slot"] == 10


# Side by side


async def test_what_waits_in_one_protocol_holds_up_no_other() -> None:
    node, coin = given(ANN, capacity=400)
    raws = []
    for _ in range(2):
        raw, coin = pay(ANN, coin, BOB.address, 2_000_000)
        raws.append(raw)
    node.submit(raws[0])
    async with facing(node) as (_, client):
        assert [await client.next() for _ in range(2)] == [("backward", "origin"), ("forward", 0)]
        await client.result("acquireMempool")
        for method in ("nextBlock", "acquireMempool"):
            await client.send(method, id=method)
        await client.send("submitTransaction", {"transaction": {"cbor": raws[1].hex()}}, id="submitTransaction")
        await client.send("nonsense", id="nonsense")
        assert (await client.answer())["id"] == "nonsense"
        await client.nothing_comes()
        node.make_block()
        answers = [await client.answer() for _ in range(3)]
        assert {answer["id"] for answer in answers} == {"nextBlock", "acquireMempool", "submitTransaction"}
        assert all("result" in answer for answer in answers)


async def test_a_thousand_requests_at_once_are_answered_in_order() -> None:
    node = Node()
    node.make_block()
    async with facing(node) as (_, client):
        for number in range(1000):
            await client.send("queryLedgerState/utxo", id=number)
        assert [(await client.answer())["id"] for _ in range(1000)] == list(range(1000))


async def test_a_flood_of_submissions_leaves_others_their_turn() -> None:
    """One client's hundred transactions come in one piece; another's question is answered among the first of them."""
    node, coin = given(ANN)
    raws = []
    for _ in range(100):
        raw, coin = pay(ANN, coin, BOB.address, 2_000_000)
        raws.append(raw)
    seen: list[int] = []
    async with facing(node) as (server, client), another(server) as other:
        for raw in raws:
            await client.socket.send(request("submitTransaction", {"transaction": {"cbor": raw.hex()}}).decode())
        await other.send("queryNetwork/tip")
        node.mempool.watch(lambda: seen.append(len(node.mempool)))
        await other.answer()
        answered = len(node.mempool)
        assert [("result" in await client.answer()) for _ in raws] == 100 * [True]
    assert answered < 100


# Faults on command


async def test_a_stalled_face_says_nothing_and_then_goes_on() -> None:
    node = Node()
    node.make_block()
    async with facing(node) as (server, client):
        assert [await client.next() for _ in range(2)] == [("backward", "origin"), ("forward", 0)]
        await client.want()
        await client.nothing_comes()
        server.stall()
        node.make_block()
        await client.send("queryNetwork/blockHeight", id="late")
        health = asyncio.create_task(http(server, "GET /health"))
        for _ in range(20):
            await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.socket.recv()
        assert not health.done()
        server.resume()
        assert await client.told() == ("forward", 1)
        assert (await client.answer())["id"] == "late"
        assert (await health)[0] == 200


async def test_a_stall_ends_by_itself() -> None:
    async with facing(Node()) as (server, client):
        server.stall(0.02)
        assert await client.result("queryNetwork/tip") == "origin"
        assert not server.faults.stalled


async def test_a_stalled_face_can_be_closed() -> None:
    async with facing(Node()) as (server, client):
        server.stall()
        await server.close()
        with pytest.raises(ConnectionClosed):
            await client.socket.recv()


# Bad manners


async def test_megabytes_of_garbage_are_refused_and_nobody_else_notices() -> None:
    node = Node()
    async with facing(node) as (server, client), another(server) as other:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for garbage in (64 << 20) * b"x", b'{"a":' + (8 << 20) * b"[", b'{"id":1,"a":[' + (2 << 20) * b"{},":
            await client.socket.send(garbage)
            error = (await client.answer())["error"]
            assert (error["code"], error["message"][:17]) == (-32600, "Invalid request: ")
            assert await other.result("queryNetwork/tip") == "origin"
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 600 << 10  # KB: this process is the client, too
        assert await client.result("queryNetwork/tip") == "origin"


async def test_half_a_frame_and_half_a_request_hold_up_nobody() -> None:
    node = Node()
    async with facing(node) as (server, client), upgraded(server) as (_, writer):
        writer.write(b"\x81\xff" + (1 << 26).to_bytes(8, "big") + bytes(4) + b"half")  # 64 MB are announced
        _, head = await asyncio.open_connection("127.0.0.1", server.port)
        head.write(b"POST / HTTP/1.1\r\nContent-Length: 9999\r\n\r\nhalf")
        await until(lambda: len(server.sessions) == 3)
        assert await client.result("queryNetwork/tip") == "origin"
        head.close()
        await head.wait_closed()


async def test_a_message_without_end_is_too_long() -> None:
    async with facing(Node()) as (server, _), upgraded(server) as (reader, writer):
        writer.write(b"\x81\xff" + (1 << 40).to_bytes(8, "big") + bytes(4))
        async with asyncio.timeout(10):
            answer = await reader.read()
        assert (answer[0], answer[2:4]) == (0x88, (1009).to_bytes(2, "big"))


async def test_two_hundred_clients_are_served_side_by_side() -> None:
    node = Node()
    async with facing(node) as (server, _), AsyncExitStack() as stack:
        url = f"ws://127.0.0.1:{server.port}"
        clients = [Client(await stack.enter_async_context(connect(url, compression=None))) for _ in range(200)]
        for client in clients:
            await client.want(3)
            assert await client.told() == ("backward", "origin")
        node.make_block()
        node.make_block()
        for client in clients:
            assert [await client.told() for _ in range(2)] == [("forward", 0), ("forward", 1)]
        assert sum(client.is_open for client in server.sessions) == 201


async def test_a_client_that_submits_and_reads_nothing_is_not_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for its turn is bounded in bytes, too."""
    monkeypatch.setattr(session, "HELD_AT_MOST", 20_000)
    node, coin = given(ANN, capacity=400)
    raw, _ = pay(ANN, coin, BOB.address, 2_000_000)
    node.submit(raw)
    async with facing(node) as (server, client):
        (connection,) = server.sessions
        message = request("submitTransaction", {"transaction": {"cbor": raw.hex()}}).decode()
        for _ in range(60):  # there is no room, so they wait
            await client.socket.send(message)
        await until(lambda: not connection.listening)
        node.make_block()
        codes = [(await client.answer())["error"]["code"] for _ in range(60)]
        assert set(codes) == {3997}
        assert connection.listening

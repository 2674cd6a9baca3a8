"""The devnet as a whole, and its control face."""

import json
import stat
from collections.abc import AsyncIterator, Iterator
from time import perf_counter
from typing import Any

import httpx
import pytest
from nacl.signing import SigningKey
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from indexer.devnet.genesis import Genesis
from indexer.devnet.ledger.sentences import refusal
from indexer.devnet.node import Node
from indexer.devnet.running import Devnet
from tests.support.schema import DIRECTORY
from tests.unit.devnet.checked import another, request
from tests.unit.devnet.payments import ANN, BOB, given, pay, transaction_id

SOMEBODY = "addr_test1vqg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygxrcya6"


@pytest.fixture
async def control(devnet: Devnet) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=devnet.control_url) as client:
        yield client


async def ask(control: httpx.AsyncClient, path: str, **fields: Any) -> dict[str, Any]:
    """What a command answers, which went well."""
    answer = await control.post(path, json=fields)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_state_tells_where_it_stands(devnet: Devnet, control: httpx.AsyncClient) -> None:
    """Before the first block, the tip is the origin."""
    state = (await control.get("/state")).json()
    key_file = str(devnet.faucet_key_file)
    assert state == {
        "tip": "origin",
        "magic": 42,
        "k": 40,
        "slot": 0,
        "mempool": [],
        "faucet": {"address": devnet.faucet_address, "signing_key_file": key_file},
    }


async def test_the_faucets_key_is_its_owners_alone(devnet: Devnet) -> None:
    """A cardano-cli envelope whose key is that of the address; gone when the devnet is."""
    file = devnet.faucet_key_file
    envelope = json.loads(file.read_text())
    key = SigningKey(bytes.fromhex(envelope["cborHex"].removeprefix("5820")))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert envelope["type"] == "PaymentSigningKeyShelley_ed25519"
    assert devnet.node.genesis.faucet_key == key


async def test_the_faucet_pays_at_once(devnet: Devnet, control: httpx.AsyncClient) -> None:
    """Its answer comes when the payment is in a block, and Kupo knows of it."""
    told = await ask(control, "/faucet", address=SOMEBODY, lovelace=5_000_000)
    async with httpx.AsyncClient(base_url=devnet.kupo_url) as kupo:
        (match,) = (await kupo.get(f"/matches/{SOMEBODY}")).json()
    assert (told["tip"]["height"], told["mempool"]) == (0, [])
    assert (match["transaction_id"], match["value"]["coins"]) == (told["transaction"], 5_000_000)


async def test_a_fork_gives_transactions_back_or_drops_them(control: httpx.AsyncClient) -> None:
    """As asked."""
    kept = (await ask(control, "/faucet", address=SOMEBODY, lovelace=2_000_000))["transaction"]
    await ask(control, "/blocks", count=2)
    told = await ask(control, "/fork", depth=3, blocks=4)
    assert (told["tip"]["height"], told["mempool"]) == (3, [kept])
    told = await ask(control, "/blocks")
    assert (told["tip"]["height"], told["mempool"]) == (4, [])
    told = await ask(control, "/fork", depth=1, blocks=2, drop=[kept])
    assert (told["tip"]["height"], told["mempool"]) == (5, [])


async def test_time_goes_where_it_is_told(control: httpx.AsyncClient) -> None:
    """And a block comes, for it was long ago that the last one did."""
    await ask(control, "/blocks")
    told = await ask(control, "/time", slots=1_000)
    assert (told["slot"], told["tip"]["slot"], told["tip"]["height"]) == (1_000, 1_000, 1)


async def test_clients_are_cut_off(devnet: Devnet, control: httpx.AsyncClient) -> None:
    """Without a close frame."""
    async with connect(devnet.url) as client:
        await ask(control, "/disconnect")
        await client.wait_closed()
        assert client.close_code == 1006


async def test_a_submission_is_refused_as_asked(devnet: Devnet, control: httpx.AsyncClient) -> None:
    """As often as asked, with Ogmios' own sentence, and with data that a client can read."""
    await ask(control, "/reject", code=3117, count=2)
    async with another(devnet.ogmios) as client:
        first, second, third = [(await client.submit(b"\x80"))["error"] for _ in range(3)]
    assert first == second
    assert (first["code"], first["message"]) == (3117, refusal(3117).message)
    assert [tuple(each) for each in first["data"]["unknownOutputReferences"]] == [("transaction", "index")]
    assert third["code"] == -32602


async def test_an_answer_is_lost_as_asked_though_the_transaction_is_taken(
    devnet: Devnet, control: httpx.AsyncClient
) -> None:
    """Its client is cut off; who looks into the mempool finds it."""
    _, coin = given(ANN, node=devnet.node)
    raw, _ = pay(ANN, coin, BOB.address, 2_000_000)
    await ask(control, "/lose-replies", count=1)
    async with another(devnet.ogmios) as client:
        with pytest.raises(ConnectionClosed):
            await client.submit(raw)
    assert (await control.get("/state")).json()["mempool"] == [transaction_id(raw).hex()]


async def test_every_refusal_of_a_submission_can_be_asked_for(devnet: Devnet, control: httpx.AsyncClient) -> None:
    """Those of the schema and 3004, in the schema's shape; and a code that Ogmios does not have."""
    schema = json.loads((DIRECTORY / "ogmios.json").read_text())["definitions"]
    codes = {each["properties"]["code"]["enum"][0] for each in failures(schema["SubmitTransactionFailure"], schema)}
    assert {3005, 3117, 3161, 3170, 3998} < codes
    told = {}
    async with another(devnet.ogmios) as client:
        for code in sorted(codes | {3004, -32602}):
            await ask(control, "/reject", code=code)
            told[code] = (await client.submit(b"\x80"))["error"]
    assert list(told) == [error["code"] for error in told.values()]
    await ask(control, "/reject", code=4711)
    async with connect(devnet.url) as careless:
        await careless.send(request("submitTransaction", {"transaction": {"cbor": "80"}}).decode())
        assert json.loads(await careless.recv())["error"].keys() == {"code", "message"}


def failures(one_of: dict[str, Any], definitions: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The errors among which the schema has a choice."""
    for each in one_of["oneOf"]:
        if "$ref" in each:
            yield from failures({"oneOf": [definitions[each["$ref"].rpartition("/")[2]]]}, definitions)
        elif "oneOf" in each:
            yield from failures(each, definitions)
        else:
            yield each


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/faucet", b'{"address":"addr_test1x","lovelace":1}', "devnet.control_refused"),
        ("/faucet", b'{"lovelace":1}', "devnet.control_refused"),
        ("/faucet", b'{"address":"' + SOMEBODY.encode() + b'","lovelace":1}', "ogmios.3125"),
        ("/blocks", b'{"count":0}', "devnet.control_refused"),
        ("/blocks", b'{"count":true}', "devnet.control_refused"),
        ("/blocks", b"[]", "devnet.control_refused"),
        ("/blocks", b"{", "devnet.control_refused"),
        ("/fork", b'{"depth":1,"blocks":1}', "devnet.fork_impossible"),
        ("/fork", b'{"depth":0,"blocks":1,"drop":["ab"]}', "devnet.control_refused"),
        ("/stall", b'{"seconds":"long"}', "devnet.control_refused"),
        ("/time", b'{"slots":-1}', "devnet.control_refused"),
    ],
)
async def test_what_cannot_be_done_is_said(control: httpx.AsyncClient, path: str, body: bytes, code: str) -> None:
    """Status 400, and why."""
    answer = await control.post(path, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["hint"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/blocks", 405), ("POST", "/state", 405), ("GET", "/", 404)]
)
async def test_unknown_ways_are_no_ways(control: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    """As HTTP has it."""
    assert status == (await control.request(method, path)).status_code


async def test_it_is_there_at_once() -> None:
    """So that every test can have one: the best of a few takes well under a tenth of a second, goodbye included."""
    seconds = []
    for _ in range(5):
        before = perf_counter()
        async with Devnet(Node()) as running:
            assert running.node.tip is None
        seconds.append(perf_counter() - before)
    assert min(seconds) < 0.1


async def test_two_stand_side_by_side() -> None:
    """Each with its own ports, keys and chain."""
    async with Devnet(Node(Genesis("one"))) as one, Devnet(Node(Genesis("two"))) as two:
        one.node.make_block()
        assert one.url != two.url
        assert one.faucet_address != two.faucet_address
        assert (one.node.tip, two.node.tip) == (one.node.chain[0], None)

"""The ledger's state as Ogmios tells it. Every answer is held against the published schema."""

import json
from itertools import count
from typing import Any

import pytest

from indexer.devnet.genesis import FUNDS, Genesis
from indexer.devnet.node import Node
from tests.contract.tree import Array
from tests.support.schema import DIRECTORY
from tests.support.spending import Coin, paid
from tests.unit.devnet.checked import facing
from tests.unit.devnet.payments import ANN, BOB, RICH, given, pay, send


def place(node: Node, height: int) -> dict[str, Any]:
    block = node.chain[height]
    return {"slot": block.slot, "id": block.id.hex()}


def entry(coin: Coin, lovelace: int, address: str) -> dict[str, Any]:
    at = {"transaction": {"id": coin.at.transaction.hex()}, "index": coin.at.output_index}
    return {**at, "address": address, "value": {"ada": {"lovelace": lovelace}}}


async def test_outputs_are_found_by_reference_by_address_or_all_of_them() -> None:
    node, coin = given(ANN)
    async with facing(node) as (_, client):
        everything = await client.result("queryLedgerState/utxo")
        (ann,) = [each for each in everything if each["value"]["ada"]["lovelace"] == RICH]
        text = ann["address"]
        assert ann == entry(coin, RICH, text)
        assert len(everything) == 2
        keys = [(each["transaction"]["id"], each["index"]) for each in everything]
        assert keys == sorted(keys)
        for addresses in ([text], [ANN.address.hex()], [text.upper()], [text, BOB.address.hex()]):
            assert await client.result("queryLedgerState/utxo", {"addresses": addresses}) == [ann]
        at = {"transaction": {"id": coin.at.transaction.hex()}, "index": 0}
        unknown = {"transaction": {"id": 64 * "0"}, "index": 0}
        for references, expected in (([at], [ann]), ([unknown, at, at], [ann]), ([unknown], []), ([], [])):
            assert await client.result("queryLedgerState/utxo", {"outputReferences": references}) == expected
        assert await client.result("queryLedgerState/utxo", {"addresses": []}) == []


async def test_what_waits_in_the_mempool_is_not_in_the_ledger() -> None:
    node, coin = given(ANN)
    raw, _ = pay(ANN, coin, BOB.address, 2_000_000)
    async with facing(node) as (_, client):
        before = await client.result("queryLedgerState/utxo")
        await client.submit(raw)
        assert await client.result("queryLedgerState/utxo") == before
        node.make_block()
        assert await client.result("queryLedgerState/utxo") != before


@pytest.mark.parametrize(
    "params",
    [
        {"addresses": "x"},
        {"addresses": ["addr_test1x"]},
        {"addresses": ["stake_test1uqg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygxtxu2s"]},
        {"addresses": [7]},
        {"addresses": [], "outputReferences": []},
        {"outputReferences": [{"transaction": {"id": "00"}, "index": 0}]},
        {"outputReferences": [{"transaction": {"id": 64 * "0"}, "index": -1}]},
        {"outputReferences": [{"transaction": {"id": 64 * "0"}}]},
        {"outputReferences": {}},
        {"other": 1},
    ],
)
async def test_a_query_for_outputs_that_is_none_is_refused(params: object) -> None:
    async with facing(Node()) as (_, client):
        assert (await client.error("queryLedgerState/utxo", params))["code"] == -32600


async def test_the_plain_queries_answer_for_the_tip() -> None:
    node = Node(Genesis(k=2))  # epochs of 100 slots
    node.skip(1234)
    node.make_block()
    async with facing(node) as (_, client):
        answers = {
            name: await client.result(f"queryLedgerState/{name}")
            for name in ("tip", "epoch", "eraStart", "eraSummaries", "protocolParameters")
        }
        assert answers["tip"] == place(node, 1)
        assert answers["epoch"] == 12
        assert answers["eraStart"] == {"time": {"seconds": 0}, "slot": 0, "epoch": 0}
        (era,) = answers["eraSummaries"]
        assert (era["start"], era["parameters"]["epochLength"]) == (answers["eraStart"], 100)
        assert era["end"] == {"time": {"seconds": 1300}, "slot": 1300, "epoch": 13}  # 1235 and a safe zone of 30
        parameters = answers["protocolParameters"]
        assert parameters["version"] == {"major": 11, "minor": 0}
        assert len(parameters["plutusCostModels"]["plutus:v3"]) == 350
        network = {n: await client.result(f"queryNetwork/{n}") for n in ("tip", "blockHeight", "startTime")}
        assert network == {"tip": place(node, 1), "blockHeight": 1, "startTime": "2026-01-01T00:00:00Z"}


async def test_before_the_first_block_all_is_at_the_origin() -> None:
    async with facing(Node()) as (_, client):
        assert await client.result("queryLedgerState/tip") == "origin"
        assert await client.result("queryNetwork/tip") == "origin"
        assert await client.result("queryNetwork/blockHeight") == "origin"
        assert await client.result("queryLedgerState/epoch") == 0
        (fund,) = await client.result("queryLedgerState/utxo")
        assert fund["value"] == {"ada": {"lovelace": FUNDS}}
        acquired = await client.result("acquireLedgerState", {"point": "origin"})
        assert acquired == {"acquired": "ledgerState", "point": "origin"}


async def test_the_genesis_tells_of_network_and_faucet() -> None:
    async with facing(Node(Genesis(magic=7, k=9))) as (_, client):
        shelley = await client.result("queryNetwork/genesisConfiguration", {"era": "shelley"})
        assert (shelley["networkMagic"], shelley["securityParameter"], shelley["network"]) == (7, 9, "testnet")
        (fund,) = await client.result("queryLedgerState/utxo")
        assert shelley["initialFunds"] == {fund["address"]: {"ada": {"lovelace": FUNDS}}}
        parameters = await client.result("queryLedgerState/protocolParameters")
        alonzo = await client.result("queryNetwork/genesisConfiguration", {"era": "alonzo"})
        assert {name: parameters[name] for name in alonzo["updatableParameters"]} == alonzo["updatableParameters"]
        conway = await client.result("queryNetwork/genesisConfiguration", {"era": "conway"})
        assert conway["updatableParameters"]["minFeeReferenceScripts"] == parameters["minFeeReferenceScripts"]
        for era in ("byron", "dijkstra"):
            error = await client.error("queryNetwork/genesisConfiguration", {"era": era})
            assert (error["code"], era in error["data"]) == (2004, True)


@pytest.mark.parametrize(
    "name",
    [
        "constitution",
        "constitutionalCommittee",
        "delegateRepresentatives",
        "dump",
        "governanceProposals",
        "liveStakeDistribution",
        "nonces",
        "operationalCertificates",
        "projectedRewards",
        "rewardAccountSummaries",
        "rewardsProvenance",
        "stakePools",
        "stakePoolsPerformances",
        "treasuryAndReserves",
    ],
)
async def test_what_a_devnet_cannot_tell_is_not_available(name: str) -> None:
    async with facing(Node()) as (_, client):
        error = await client.error(f"queryLedgerState/{name}")
        assert error == {"code": 2002, "message": "Query unavailable in the current era."}


async def test_an_acquired_state_answers_as_it_was() -> None:
    node, coin = given(ANN, genesis=Genesis(k=3))
    raw, _ = pay(ANN, coin, BOB.address, 2_000_000)
    async with facing(node) as (_, client):
        before = await client.result("queryLedgerState/utxo")
        acquired = await client.result("acquireLedgerState", {"point": place(node, 0)})
        assert acquired == {"acquired": "ledgerState", "point": place(node, 0)}
        await client.submit(raw)
        for _ in range(9):  # far beyond k
            node.skip(1000)
        assert await client.result("queryLedgerState/utxo") == before
        assert await client.result("queryLedgerState/tip") == place(node, 0)
        assert await client.result("queryLedgerState/epoch") == 0
        assert await client.result("queryNetwork/tip") == place(node, 9)
        assert await client.result("releaseLedgerState") == {"released": "ledgerState"}
        assert await client.result("queryLedgerState/utxo") != before
        assert await client.result("releaseLedgerState") == {"released": "ledgerState"}


async def test_an_acquired_state_outlives_its_block() -> None:
    node, _ = given(ANN)
    async with facing(node) as (_, client):
        point, before = place(node, 0), await client.result("queryLedgerState/utxo")
        await client.result("acquireLedgerState", {"point": point})
        node.fork(1, 2)
        assert await client.result("queryLedgerState/utxo") == before
        assert (await client.error("acquireLedgerState", {"point": point}))["code"] == 2000
        assert await client.result("queryLedgerState/tip") == place(node, 1)  # a failure drops what was held


@pytest.mark.parametrize(
    ("height", "change", "reason"),
    [
        (0, {}, "Target point is too old."),
        (5, {"slot": 9}, "no longer exist"),
        (5, {"id": 64 * "a"}, "no longer exist"),
    ],
)
async def test_what_cannot_be_acquired_says_why(height: int, change: dict[str, Any], reason: str) -> None:
    node = Node(Genesis(k=3))
    for _ in range(6):
        node.make_block()
    async with facing(node) as (_, client):
        error = await client.error("acquireLedgerState", {"point": {**place(node, height), **change}})
        assert (error["code"], error["message"]) == (2000, "Failed to acquire requested point.")
        assert reason in error["data"]


async def test_asking_for_the_genesis_lets_go_of_the_state() -> None:
    node = Node()
    for _ in range(3):
        node.make_block()
    async with facing(node) as (_, client):
        await client.result("acquireLedgerState", {"point": place(node, 0)})
        await client.result("queryNetwork/genesisConfiguration", {"era": "shelley"})
        assert await client.result("queryLedgerState/tip") == place(node, 2)


async def test_scripts_datums_and_assets_are_shown_whole() -> None:
    """A native script comes with its bytes, which blocks leave out."""
    node, coin = given(ANN)
    raw, _ = send(ANN, coin, paid(BOB.address, 3_000_000, datum=42, script=(0, Array((1, Array(()))))))
    node.submit(raw)
    node.make_block()
    async with facing(node) as (_, client):
        (found,) = await client.result("queryLedgerState/utxo", {"addresses": [BOB.address.hex()]})
        clause = {"clause": "all", "from": []}
        assert (found["datum"], found["script"]) == ("182a", {"language": "native", "json": clause, "cbor": "820180"})


async def test_every_method_that_the_schema_has_is_known() -> None:
    """Each is asked as barely as can be: what is missing is told, and not that there is no such method."""
    schema = json.loads((DIRECTORY / "ogmios.json").read_text())["properties"]
    requests = [schema[title] for title in schema if f"{title}Response" in schema]
    methods = {each["properties"]["method"]["enum"][0] for each in requests}
    assert {"findIntersection", "queryLedgerState/utxo", "releaseMempool"} < methods
    async with facing(Node()) as (_, client):
        answers = [await client.ask(method) for method in sorted(methods)]
        unknown = (await client.ask("queryLedgerState/nonsense"))["error"]["message"]
    assert "unknown method" in unknown
    assert not [each for each in answers if each.get("error", {}).get("message") == unknown]


async def test_ids_are_echoed_and_answers_come_in_order() -> None:
    node, numbers = Node(), count()
    async with facing(node) as (_, client):
        for method in 20 * ("queryLedgerState/tip", "queryLedgerState/utxo", "queryNetwork/startTime"):
            await client.socket.send(json.dumps({"jsonrpc": "2.0", "method": method, "id": next(numbers)}))
        assert [(await client.answer())["id"] for _ in range(60)] == list(range(60))

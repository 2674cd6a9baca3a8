"""Submitting and evaluating through the Ogmios face. Every answer is held against the published schema."""

import asyncio
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from indexer.chain.block import OutputReference
from indexer.devnet.ledger.refusal import Refusal
from indexer.devnet.node import Node
from tests.contract.parts import ledger_set
from tests.contract.tree import Array
from tests.support.spending import (
    AGREES,
    PLUTUS_V3,
    REFUSES,
    RETURN,
    VOID,
    Coin,
    Spending,
    paid,
    plutus_hash,
    script_address,
    written,
)
from tests.unit.devnet.checked import CheckedClient, another, facing, post, request
from tests.unit.devnet.client import until
from tests.unit.devnet.payments import ANN, BOB, RICH, change_of, given, pay, send, transaction_id, waiting

SPEND_0 = (0, 0)  # purpose and index


async def test_a_submitted_transaction_comes_back_in_a_block() -> None:
    node, coin = given(ANN)
    raw, _ = pay(ANN, coin, BOB.address, 2_000_000)
    async with facing(node) as (_, client):
        id_ = transaction_id(raw).hex()
        assert (await client.submit(raw))["result"] == {"transaction": {"id": id_}}
        await client.find({"slot": node.chain[0].slot, "id": node.chain[0].id.hex()})
        await client.want(2)
        assert (await client.told())[0] == "backward"
        node.make_block()
        block = (await client.answer())["result"]["block"]
        assert [each["id"] for each in block["transactions"]] == [id_]


@pytest.mark.parametrize("text", ["", "8", "zz", "84 a0", None, 7, ["84"]])
async def test_what_is_not_base16_is_no_request(text: object) -> None:
    async with facing(Node()) as (_, client):
        for method in ("submitTransaction", "evaluateTransaction"):
            assert (await client.error(method, {"transaction": {"cbor": text}}))["code"] == -32600
            assert (await client.error(method, {}))["code"] == -32600


@pytest.mark.parametrize("raw", [b"\x00", b"\x84\xa0\xa0\xf5\xf6", b"\x84", bytes(300_000)])
async def test_what_is_no_transaction_is_told_why(raw: bytes) -> None:
    async with facing(Node()) as (_, client):
        for method in ("submitTransaction", "evaluateTransaction"):
            error = await client.error(method, {"transaction": {"cbor": raw.hex()}})
            assert (error["code"], list(error["data"])) == (-32602, ["conway"])


async def test_refusals_are_told_with_their_data() -> None:
    node, coin = given(ANN)
    good, _ = pay(ANN, coin, BOB.address, 2_000_000)
    gone = Coin(coin.at._replace(output_index=7), coin.output)
    broken = {
        3117: Spending((coin, gone), (ANN,), ANN.address, (paid(BOB.address, 2_000_000),)),
        3101: Spending((coin,), (ANN,), ANN.address, (paid(BOB.address, 2_000_000),), unsigned=(ANN,)),
        3122: Spending((coin,), (ANN,), ANN.address, (paid(BOB.address, 2_000_000),), fee=100_000),
        3125: Spending((coin,), (ANN,), ANN.address, (paid(BOB.address, 1_000),)),
        3118: Spending((coin,), (ANN,), ANN.address, (paid(BOB.address, 2_000_000),), body={3: 0}),
    }
    async with facing(node) as (_, client):
        for code, spending in broken.items():
            said = await client.submit(written(spending))
            assert (said["method"], said["error"]["code"]) == ("submitTransaction", code)
        await client.submit(good)
        again = (await client.submit(good))["error"]
        spent = "All inputs are spent. Transaction has probably already been included"
        assert (again["code"], again["data"]) == (3997, {"error": spent})
    assert len(node.mempool) == 1


async def test_submissions_wait_for_room_and_then_go_on_in_order() -> None:
    """cardano-node does not answer before there is room; other protocols of the client do not wait with it."""
    node, coin = given(ANN, capacity=700)
    raws = []
    for _ in range(5):
        raw, coin = pay(ANN, coin, BOB.address, 2_000_000)
        raws.append(raw)
    async with facing(node) as (_, client):
        for raw in raws:
            await client.send("submitTransaction", {"transaction": {"cbor": raw.hex()}})
        ids = [transaction_id(raw).hex() for raw in raws]
        assert [(await client.answer())["result"]["transaction"]["id"] for _ in range(2)] == ids[:2]
        await client.nothing_comes()
        assert len(node.make_block().transactions) == 2
        assert [(await client.answer())["result"]["transaction"]["id"] for _ in range(2)] == ids[2:4]
        await client.nothing_comes()
        node.make_block()
        assert (await client.answer())["result"]["transaction"]["id"] == ids[4]
        assert [transaction_id(raw) for raw in raws[4:]] == waiting(node)


# Evaluation


def script_output(script: bytes) -> Any:
    return paid(script_address(plutus_hash(script)), 5_000_000, datum=VOID)


def spent_by(script: bytes, coin: Coin, stake: Coin, **more: Any) -> bytes:
    """ANN spends what a script locks."""
    spending = Spending(
        (coin,),
        (ANN,),
        ANN.address,
        collaterals=(stake,),
        redeemers={SPEND_0: VOID},
        witnesses={PLUTUS_V3: ledger_set([script])},
        **more,
    )
    return written(spending)


async def evaluated(client: CheckedClient, raw: bytes, additional: list[Any] | None = None) -> dict[str, Any]:
    more = {} if additional is None else {"additionalUtxo": additional}
    said: dict[str, Any] = await client.ask("evaluateTransaction", {"transaction": {"cbor": raw.hex()}, **more})
    return said


async def test_scripts_are_priced_on_the_ledger_on_the_mempool_and_on_what_is_given() -> None:
    node, stake = given(ANN)
    raw, stake = send(ANN, stake, script_output(AGREES))
    locked = Coin(stake.at._replace(output_index=0), script_output(AGREES))
    spending = spent_by(AGREES, locked, stake)
    async with facing(node) as (_, client):
        assert "error" in await evaluated(client, spending)  # what it spends is nowhere yet
        given_ = {
            "transaction": {"id": locked.at.transaction.hex()},
            "index": 0,
            "address": script_address(plutus_hash(AGREES)).hex(),
            "value": {"ada": {"lovelace": 5_000_000}},
            "datum": "d87980",
        }
        change = {
            "transaction": {"id": stake.at.transaction.hex()},
            "index": 1,
            "address": ANN.address.hex(),
            "value": {"ada": {"lovelace": 1_000_000_000}},
        }
        answers = [(await evaluated(client, spending, [given_, change]))["result"]]
        await client.submit(raw)
        answers.append((await evaluated(client, spending))["result"])
        node.make_block()
        answers.append((await evaluated(client, spending))["result"])
    (answer,) = answers[0]
    assert answer["validator"] == {"purpose": "spend", "index": 0}
    assert min(answer["budget"].values()) > 0
    assert answers == 3 * [[answer]]


async def test_a_script_that_fails_is_told_by_its_pointer() -> None:
    node, stake = given(ANN)
    raw, stake = send(ANN, stake, script_output(REFUSES))
    node.submit(raw)
    locked = Coin(stake.at._replace(output_index=0), script_output(REFUSES))
    async with facing(node) as (_, client):
        error = (await evaluated(client, spent_by(REFUSES, locked, stake)))["error"]
        ((failed),) = error["data"]
        assert (error["code"], failed["validator"]) == (3010, {"purpose": "spend", "index": 0})
        assert failed["error"]["code"] == 3012


async def test_a_failure_that_is_declared_one_takes_its_collateral_and_nothing_else() -> None:
    """Declared valid it is refused; declared invalid it goes into a block; what comes back lies behind its outputs."""
    node, stake = given(ANN)
    raw, stake = send(ANN, stake, script_output(REFUSES))
    node.submit(raw)
    node.make_block()
    locked = Coin(stake.at._replace(output_index=0), script_output(REFUSES))
    back = {RETURN: paid(ANN.address, RICH - 20_000_000)}
    failing = spent_by(REFUSES, locked, stake, is_valid=False, body=back)
    async with facing(node) as (_, client):
        await client.want(3)
        assert [await client.told() for _ in range(3)] == [("backward", "origin"), ("forward", 0), ("forward", 1)]
        assert (await client.submit(spent_by(REFUSES, locked, stake, body=back)))["error"]["code"] == 3136
        id_ = (await client.submit(failing))["result"]["transaction"]["id"]
        await client.want()
        node.make_block()
        (shown,) = (await client.answer())["result"]["block"]["transactions"]
        assert (shown["id"], shown["spends"], len(shown["outputs"])) == (id_, "collaterals", 1)
        before = locked.at.transaction.hex()
        asked = [(before, 0), (before, 1), (id_, 0), (id_, 1)]
        places = [{"transaction": {"id": transaction}, "index": index} for transaction, index in asked]
        left = await client.result("queryLedgerState/utxo", {"outputReferences": places})
        assert {(each["transaction"]["id"], each["index"]) for each in left} == {(before, 0), (id_, 1)}
        assert RICH - 20_000_000 in [each["value"]["ada"]["lovelace"] for each in left]


async def test_a_transaction_without_scripts_is_worth_nothing() -> None:
    node, coin = given(ANN)
    raw, _ = pay(ANN, coin, BOB.address, 2_000_000)
    async with facing(node) as (_, client):
        assert (await evaluated(client, raw))["result"] == []


async def test_what_is_given_must_not_contradict_the_ledger() -> None:
    node, coin = given(ANN)
    raw, _ = pay(ANN, coin, BOB.address, 2_000_000)
    at = {"transaction": {"id": coin.at.transaction.hex()}, "index": 0}
    async with facing(node) as (_, client):
        (known,) = await client.result("queryLedgerState/utxo", {"outputReferences": [at]})
        assert (await evaluated(client, raw, [known]))["result"] == []
        other = {**known, "value": {"ada": {"lovelace": 1}}}
        error = (await evaluated(client, raw, [other]))["error"]
        assert (error["code"], error["data"]) == (3002, {"overlappingOutputReferences": [at]})


AT = {"transaction": {"id": 64 * "0"}, "index": 0}
PAID = {"address": BOB.address.hex(), "value": {"ada": {"lovelace": 1_000_000}}}


@pytest.mark.parametrize(
    "given_",
    [
        7,
        [7],
        [AT],
        [PAID],
        [{**AT, **PAID, "address": "00"}],
        [{**AT, **PAID, "value": {"lovelace": 1}}],
        [{**AT, **PAID, "value": {"ada": {"lovelace": -1}}}],
        [{**AT, **PAID, "value": {"ada": {"lovelace": 1}, "00": {"": 1}}}],
        [{**AT, **PAID, "datum": "zz"}],
        [{**AT, **PAID, "datum": "ff"}],
        [{**AT, **PAID, "datum": "00", "datumHash": 64 * "0"}],
        [{**AT, **PAID, "datumHash": "00"}],
        [{**AT, **PAID, "script": {"language": "plutus:v9", "cbor": "00"}}],
        [{**AT, **PAID, "script": {"language": "native", "json": {"clause": "none"}}}],
        [{**AT, **PAID, "index": 1.5}],
    ],
)
async def test_outputs_that_cannot_be_read_are_no_request(given_: object) -> None:
    async with facing(Node()) as (_, client):
        params = {"transaction": {"cbor": "00"}, "additionalUtxo": given_}
        assert (await client.error("evaluateTransaction", params))["code"] == -32600


async def test_every_kind_of_output_can_be_given_as_it_was_told() -> None:
    """What the ledger holds, given back, contradicts nothing: it was read as it is."""
    node, coin = given(ANN)
    clauses = Array((3, 1, Array((Array((0, BOB.hash)), Array((4, 7)), Array((5, 2**40)), Array((2, Array(())))))))
    outputs = [
        paid(BOB.address, 3_000_000, datum=VOID),
        paid(BOB.address, 3_000_000, datum_hash=bytes(32)),
        paid(BOB.address, 3_000_000, script=(3, AGREES)),
        paid(BOB.address, 5_000_000, script=(0, clauses)),
    ]
    coins = []
    for output in outputs:
        raw, coin = send(ANN, coin, output)
        node.submit(raw)
        coins.append(Coin(coin.at._replace(output_index=0), output))
    node.make_block()
    async with facing(node) as (_, client):
        known = await client.result("queryLedgerState/utxo", {"addresses": [BOB.address.hex()]})
        assert len(known) == len(outputs)
        spending = written(Spending(tuple(coins), (BOB,), BOB.address))
        assert (await evaluated(client, spending, known))["result"] == []
        (native,) = [each["script"] for each in known if each.get("script", {}).get("language") == "native"]
        assert native["json"]["from"][0] == {"clause": "signature", "from": BOB.hash.hex()}
        del native["cbor"]  # the clauses alone say it, too
        assert (await evaluated(client, spending, known))["result"] == []


# Over HTTP


async def test_a_post_is_a_session_of_one_request() -> None:
    node, coin = given(ANN)
    raw, _ = pay(ANN, coin, BOB.address, 2_000_000)
    async with facing(node) as (server, _):
        submission = request("submitTransaction", {"transaction": {"cbor": raw.hex()}}, {"n": 1})
        status, said = await post(server, submission)
        assert (status, said["result"]["transaction"]["id"]) == (200, transaction_id(raw).hex())
        assert said["id"] == {"n": 1}
        status, said = await post(server, submission)
        assert (status, said["error"]["code"]) == (400, 3997)
        status, said = await post(server, b"garbage")
        assert (status, said["error"]["code"]) == (400, -32600)
        for _ in range(2):
            status, said = await post(server, request("nextBlock"))
            assert (status, said["result"]["direction"]) == (200, "backward")
        status, said = await post(server, request("queryNetwork/tip"))
        assert (status, said["result"]["id"]) == (200, node.chain[0].id.hex())
    assert server.sessions == set()


async def test_a_post_may_come_in_pieces_and_ask_first() -> None:
    async with facing(Node()) as (server, _):
        for pause in (0, 5, 20):
            for head in ("", "Expect: 100-continue\r\n"):
                status, said = await post(server, request("queryNetwork/tip"), head=head, pause=pause)
                assert (status, said["result"]) == (200, "origin")


async def test_a_post_waits_for_room_too() -> None:
    node, coin = given(ANN, capacity=400)
    first, coin = pay(ANN, coin, BOB.address, 2_000_000)
    second, _ = pay(ANN, coin, BOB.address, 2_000_000)
    node.submit(first)
    async with facing(node) as (server, client):
        waits = asyncio.create_task(post(server, request("submitTransaction", {"transaction": {"cbor": second.hex()}})))
        await until(lambda: server.totals["messages"] == 1)
        assert await client.result("queryNetwork/blockHeight") == 0
        node.make_block()
        status, said = await waits
        assert (status, said["result"]["transaction"]["id"]) == (200, transaction_id(second).hex())


# Faults on command


async def test_submissions_can_be_rejected_unseen() -> None:
    node, coin = given(ANN)
    raw, _ = pay(ANN, coin, BOB.address, 2_000_000)
    async with facing(node) as (server, client):
        server.reject(Refusal(3997, "The mempool is moody.", {"error": "not today"}), 2)
        errors = [(await client.submit(raw))["error"] for _ in range(2)]
        assert errors == 2 * [{"code": 3997, "message": "The mempool is moody.", "data": {"error": "not today"}}]
        assert len(node.mempool) == 0
        assert "result" in await client.submit(raw)


async def test_replies_can_be_lost_though_the_transaction_is_taken() -> None:
    node, coin = given(ANN)
    raw, coin = pay(ANN, coin, BOB.address, 2_000_000)
    async with facing(node) as (server, client):
        server.lose_replies()
        bad = written(Spending((coin,), (ANN,), ANN.address, fee=1))
        assert (await client.submit(bad))["error"]["code"] in (3117, 3997)  # not taken, so nothing is lost
        with pytest.raises(ConnectionClosed):
            await client.submit(raw)
        assert waiting(node) == [transaction_id(raw)]
        async with another(server) as again:
            assert (await again.submit(raw))["error"]["code"] == 3997


def test_the_helpers_agree_on_what_is_left() -> None:
    node, coin = given(ANN)
    raw, change = pay(ANN, coin, BOB.address, 2_000_000)
    node.submit(raw)
    assert change == change_of(raw)
    assert OutputReference(*change.at) in node.mempool.view.utxo

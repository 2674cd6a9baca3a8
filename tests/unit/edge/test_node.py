"""The client for all but following, at the devnet's Ogmios face: what it asks and sends, and what goes wrong."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from websockets.asyncio.server import ServerConnection, serve

from indexer import errors
from indexer.chain.block import OutputReference
from indexer.chain.parameters import Units
from indexer.chain.point import ORIGIN, Point
from indexer.devnet.ledger.addresses import address_text
from indexer.devnet.ogmios.examples import DATA, example
from indexer.devnet.running import Devnet
from indexer.edge.node import Node, node
from indexer.ogmios.rulings import RULES, Verdict
from indexer.ogmios.submission import EvaluationFailed, SubmissionRefused, rule_of
from tests.contract.terms import Reference
from tests.contract.tree import Array
from tests.support.spending import (
    AGREES,
    PLUTUS_V3,
    REFUSES,
    VOID,
    Coin,
    Spending,
    paid,
    plutus_hash,
    script_address,
    written,
)
from tests.unit.devnet.payments import ANN, BOB, RICH, given, pay


@pytest.fixture
async def client(devnet: Devnet) -> AsyncIterator[Node]:
    async with node(devnet.url, {}, 10) as connected:
        yield connected


async def test_it_tells_tip_timeline_and_parameters(devnet: Devnet, client: Node) -> None:
    """As the devnet has them."""
    assert await client.tip() == ORIGIN
    block = devnet.node.make_block()
    assert await client.tip() == Point(block.slot, block.id)
    timeline = await client.timeline()
    assert timeline.eras[-1].slot_ms == 1000
    assert timeline.horizon is not None
    found = await client.parameters()
    assert (found.max_size, found.fee_per_byte, found.max_units) == (16_384, 44, Units(16_500_000, 10_000_000_000))
    assert found.cost_models["plutus:v3"] == tuple(devnet.node.parameters.shown["plutusCostModels"]["plutus:v3"])


async def test_it_finds_coins_by_reference_and_by_address(devnet: Devnet, client: Node) -> None:
    """What is not there is left out."""
    _, coin = given(ANN, node=devnet.node)
    (found,) = await client.utxo([coin.reference, OutputReference(bytes(32), 0)])
    assert (found.reference, found.output.lovelace) == (coin.reference, RICH)
    assert await client.utxo_at([address_text(ANN.address)]) == [found]
    assert await client.utxo_at([address_text(BOB.address)]) == []


async def test_a_payment_is_taken_once(devnet: Devnet, client: Node) -> None:
    """The second time, all its inputs are spent: perhaps it is done."""
    _, coin = given(ANN, node=devnet.node)
    raw, _ = pay(ANN, coin, BOB.address, 5_000_000)
    id_ = await client.submit(raw)
    assert [pending.transaction.id for pending in devnet.node.mempool] == [id_]
    with pytest.raises(SubmissionRefused) as refused:
        await client.submit(raw)
    assert (refused.value.ogmios_code, refused.value.verdict) == (3997, Verdict.DONE)
    assert refused.value.exit_code == 4


def guarded(devnet: Devnet, script: bytes) -> bytes:
    """A transaction that spends an output which a script guards."""
    given_, first = given(ANN, node=devnet.node)
    raw, left = pay(ANN, first, script_address(plutus_hash(script)), 10_000_000)
    given_.submit(raw)
    given_.make_block()
    locked = Coin(Reference(left.at.transaction, 0), paid(script_address(plutus_hash(script)), 10_000_000))
    position = sorted([locked.at, left.at]).index(locked.at)
    spending = Spending(
        (locked, left),
        (ANN,),
        ANN.address,
        collaterals=(left,),
        redeemers={(0, position): VOID},
        witnesses={PLUTUS_V3: Array((script,))},
    )
    return written(spending)


async def test_an_evaluation_tells_what_each_script_uses(devnet: Devnet, client: Node) -> None:
    """By purpose and index; a script that says no is told by name."""
    used = await client.evaluate(guarded(devnet, AGREES))
    ((pointer, units),) = used.items()
    assert pointer[0] == "spend"
    assert units.memory > 0
    assert units.steps > 0
    with pytest.raises(EvaluationFailed) as failed:
        await client.evaluate(guarded(devnet, REFUSES))
    assert failed.value.verdict is Verdict.FATAL
    assert [(failure.pointer[0], failure.ogmios_code) for failure in failed.value.failures] == [("spend", 3012)]


async def test_an_evaluation_takes_outputs_that_the_node_does_not_know(devnet: Devnet, client: Node) -> None:
    """One that differs from the ledger's is refused."""
    raw = guarded(devnet, AGREES)
    here = devnet.node.ledger.utxo
    known = next(at for at in here if here[at].address == ANN.address)
    told = {"address": address_text(ANN.address), "value": {"ada": {"lovelace": 1}}}
    at = {"transaction": {"id": known.transaction_id.hex()}, "index": known.index}
    with pytest.raises(EvaluationFailed) as failed:
        await client.evaluate(raw, [at | told])
    assert (failed.value.ogmios_code, failed.value.verdict) == (3002, Verdict.REBUILD)


@pytest.mark.parametrize("code", sorted(DATA))
async def test_every_refusal_has_its_verdict(devnet: Devnet, client: Node, code: int) -> None:
    """With the data that Ogmios gives, through the socket."""
    _, coin = given(ANN, node=devnet.node)
    raw, _ = pay(ANN, coin, BOB.address, 5_000_000)
    devnet.ogmios.reject(example(code))
    with pytest.raises(SubmissionRefused) as refused:
        await client.submit(raw)
    assert refused.value.ogmios_code == code
    assert refused.value.verdict is rule_of(code, DATA[code]).verdict
    assert refused.value.hint
    assert str(refused.value).startswith(RULES[code].sentence)
    assert await client.submit(raw)


async def test_a_lost_reply_is_unreachable_not_refused(devnet: Devnet, client: Node) -> None:
    """The transaction is in the mempool all the same."""
    _, coin = given(ANN, node=devnet.node)
    raw, _ = pay(ANN, coin, BOB.address, 5_000_000)
    devnet.ogmios.lose_replies()
    with pytest.raises(errors.Unreachable):
        await client.submit(raw)
    assert len(devnet.node.mempool) == 1
    with pytest.raises(errors.Unreachable):
        await client.tip()


async def test_an_answer_that_does_not_come_has_a_deadline_and_is_passed_over_later(devnet: Devnet) -> None:
    """The next question gets its own answer, not the late one."""
    devnet.node.make_block()
    async with node(devnet.url, {}, 0.2) as client:
        await client.tip()
        devnet.ogmios.stall()
        with pytest.raises(errors.RequestTimedOut):
            await client.parameters()
        devnet.ogmios.resume()
        assert isinstance(await client.tip(), Point)


async def test_questions_asked_at_once_are_asked_one_by_one(client: Node) -> None:
    """Each has its own answer."""
    tip, parameters, timeline = await asyncio.gather(client.tip(), client.parameters(), client.timeline())
    assert (tip, parameters.major > 8, len(timeline.eras) > 0) == (ORIGIN, True, True)


async def test_bytes_that_are_no_transaction_are_refused_as_such(client: Node) -> None:
    """By the node, not by us."""
    with pytest.raises(SubmissionRefused) as refused:
        await client.submit(b"\x84\xa3")
    assert (refused.value.ogmios_code, refused.value.verdict) == (-32602, Verdict.FATAL)


@pytest.mark.parametrize(
    "answer",
    [
        "no json",
        "[]",
        '{"jsonrpc":"2.0","result":1}',
        '{"jsonrpc":"2.0","result":1,"id":99}',
        '{"jsonrpc":"2.0","id":1}',
        '{"jsonrpc":"2.0","result":{"slot":"x"},"id":1}',
    ],
)
async def test_an_answer_that_is_none_is_garbled(answer: str) -> None:
    """Whatever else listens there."""

    async def impostor(socket: ServerConnection) -> None:
        async for _ in socket:
            await socket.send(answer)

    async with serve(impostor, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with node(f"ws://127.0.0.1:{port}", {}, 5) as client:
            with pytest.raises(errors.ReplyGarbled):
                await client.tip()


@pytest.mark.parametrize("error", [{"code": 2002, "message": "Not now."}, None, "no"])
async def test_a_query_that_is_refused_says_so(error: object) -> None:
    """With Ogmios' reason where there is one."""

    async def refusing(socket: ServerConnection) -> None:
        async for text in socket:
            await socket.send(json.dumps({"jsonrpc": "2.0", "error": error, "id": json.loads(text)["id"]}))

    async with serve(refusing, "127.0.0.1", 0) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with node(f"ws://127.0.0.1:{port}", {}, 5) as client:
            with pytest.raises(errors.RequestRefused):
                await client.tip()


async def test_nobody_there_is_unreachable() -> None:
    """With the address, in words."""
    with pytest.raises(errors.Unreachable, match=r"127\.0\.0\.1:9"):
        async with node("ws://127.0.0.1:9", {}, 5):
            pass

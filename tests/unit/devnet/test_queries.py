"""Requests are answered, or refused, as Ogmios does it."""

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from indexer.devnet.chain import Chain
from indexer.devnet.recording import MadeBlock
from tests.unit.devnet.client import NEXT, blocks, point, serving


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
        for before, after in pairwise(eras):
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

"""The tools of the tests are measured first: addresses, blocks, the replay, and the Ogmios that misbehaves."""

import asyncio
import gzip
import json
import re
import signal
import sys
from asyncio.subprocess import create_subprocess_exec
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus

from tests import independent
from tests.support.blocks import (
    BYRON_MAINNET,
    BYRON_TESTNET,
    CAST,
    DATUMS,
    OURS,
    STYLES,
    WATCHES,
    Block,
    Move,
    Raw,
    Recipe,
    Ref,
    Style,
    address,
    backward,
    block,
    byron_is_sound,
    chains,
    compact,
    decoded,
    digest,
    ebb,
    effect,
    fold,
    forward,
    hash_of,
    histories,
    is_ebb,
    make_chain,
    make_fork,
    native,
    output,
    plutus,
    point_of,
    reserialised,
    script_hash,
    tip_of,
    tx,
)
from tests.support.faults import Fault, Fork, Kind
from tests.support.making import era_order
from tests.support.ogmios import FakeOgmios
from tests.support.standalone import Plan

ROOT = Path(__file__).parents[3]
SAMPLE = ROOT / "indexer" / "samples" / "preview-conway-100.v7.jsonl.gz"
NEXT = '{"jsonrpc":"2.0","method":"nextBlock"}'


def recorded() -> list[Block]:
    lines = gzip.decompress(SAMPLE.read_bytes()).splitlines()
    return [json.loads(line)["result"]["block"] for line in lines]


# Addresses


def test_addresses_of_a_real_chain_are_decoded_and_encoded_to_the_same_text() -> None:
    seen = {made["address"] for b in recorded() for t in b["transactions"] for made in t["outputs"]}
    forms = set()
    for text in seen:
        said = decoded(text)
        assert said is not None
        assert text == address(said.credential, said.kind, said.stake, said.network)
        forms.add((said.kind, said.stake and said.stake[0]))
    assert len(forms) > 3


def test_a_pointer_address_is_that_of_cip_19() -> None:
    key = decoded("addr1vx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzers66hrl8")
    assert key is not None
    expected = "addr1gx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer5pnz75xxcrzqf96k"
    assert expected == address(key.credential, "key", ("pointer", (2498243, 27, 3)), "mainnet")


def test_the_byron_addresses_are_sound_and_a_changed_one_is_not() -> None:
    assert all(byron_is_sound(text) for text in BYRON_MAINNET + BYRON_TESTNET)
    assert not byron_is_sound(BYRON_MAINNET[0][:-1] + "u")


# Blocks


def test_made_blocks_have_the_keys_of_recorded_ones_in_the_same_order() -> None:
    real = recorded()[1]
    made = make_chain(Random(7), 60, Recipe(eras=("conway",), ebbs=0))
    for found in made:
        assert list(real) == list(found)
        assert shape(real["issuer"]) == shape(found["issuer"])
    order = era_order("conway")
    for t in [t for b in recorded() + made for t in b["transactions"]]:
        assert [key for key in order if key in t] == list(t)


def shape(value: Any) -> Any:
    return [(key, shape(part)) for key, part in value.items()] if isinstance(value, dict) else type(value)


def test_a_message_is_written_as_the_recording_has_it() -> None:
    for line in gzip.decompress(SAMPLE.read_bytes()).splitlines():
        result = json.loads(line)["result"]
        assert line == forward(result["block"], result["tip"])


def test_a_chain_has_all_that_is_awkward() -> None:
    chain = make_chain(Random(3), 400, Recipe(eras=("byron", "alonzo", "conway"), deep=50))
    text = "\n".join(compact(made) for made in chain)
    awkwards = (
        '"collaterals" "collateralReturn" "": 18446744073709551615 "type":"ebb" "type":"bft" "plutus:v3" "datumHash"'
    )
    for awkward in (*awkwards.split(), "\\u0000", '\\"transaction\\":{\\"id\\":\\"', "2cWKM"):
        assert awkward in text, awkward
    rows = fold(chain).rows.values()
    assert {"key", "script", None} == {row.kind for row in rows}
    assert {"revealed", "not"} == {"revealed" if row.datum else "not" for row in rows if row.datum_hash}
    assert any(row.spent_slot is None for row in rows)
    assert any(row.spent_slot is not None for row in rows)


def test_the_same_seed_makes_the_same_chain() -> None:
    assert make_chain(Random(5), 30) == make_chain(Random(5), 30)


def test_a_native_script_can_be_deeper_than_json_can_read() -> None:
    script = native(OURS.hex(), depth=12_000, cbor=True)
    made = block([tx(outputs=[output(CAST.watched[0], script=script)])], slot=1, height=0)
    with pytest.raises(RecursionError):
        json.loads(forward(made, "origin"))


def test_scripts_and_datums_have_the_hashes_of_the_ledger() -> None:
    assert hash_of("d87980") == "923918e403bf43c34b4ef6b48eb2ee04babed17320d8d1b9ff9ad086e86f44ec"
    assert script_hash(plutus(3)) == hash_of("03" + plutus(3)["cbor"], 28)
    assert script_hash(native("ab" * 28, cbor=True)) == hash_of("008200581c" + "ab" * 28, 28)


@given(st.sampled_from(STYLES), chains(max_size=3))
def test_a_message_in_another_shape_says_the_same(style: Style, chain: list[Block]) -> None:
    message = forward(chain[-1], tip_of(chain))
    other = reserialised(message, style)
    assert other != message
    assert json.loads(other) == json.loads(message) or '"twice"' in message.decode()


@pytest.mark.parametrize("style", STYLES)
def test_depth_is_no_obstacle_to_another_shape(style: Style) -> None:
    message = compact({"b": Raw("[" * 12_000 + "]" * 12_000), "a": '\\"é😀'}).encode()
    bare = re.sub(rb"[\[\s]+", b"", reserialised(message, style)).replace(b"]" * 12_000, b"0")
    assert json.loads(bare) == {"b": 0, "a": '\\"é😀'}


# The replay


@given(chains(max_size=8))
@settings(max_examples=50)
def test_the_replay_agrees_with_the_independent_count(chain: list[Block]) -> None:
    found = independent.count([forward(made, "origin") for made in chain], WATCHES)
    rows = fold(chain).rows
    assert set(found.outputs) == set(rows)
    for ref, row in found.outputs.items():
        mine = rows[ref]
        assert (row["datum_hash"], row["datum"]) == (mine.datum_hash, mine.datum)
        assert (row["spent_slot"], row["spent_by"]) == (mine.spent_slot, mine.spent_by)
        assert (row["payment_credential"], row["credential_kind"]) == (mine.credential, mine.kind)
        assert (row["lovelace"], row["script_hash"]) == (mine.lovelace, mine.script_hash)


@given(histories())
def test_a_history_ends_with_its_chain_and_chains_are_sound(history: tuple[list[Move], list[Block]]) -> None:
    moves, chain = history
    assert chain == told(moves)
    links = [made["ancestor"] for made in chain]
    assert links == ["genesis", *(made["id"] for made in chain[:-1])][: len(chain)]
    spent: set[Ref] = set()
    for made in chain:
        for t in made.get("transactions", []):
            refs, _ = effect(t)
            assert not spent & set(refs)
            spent |= set(refs)


def told(moves: Sequence[Move]) -> list[Block]:
    chain: list[Block] = []
    for move in moves:
        if move[0] == "forward":
            chain.append(move[1])
        else:
            while chain and (is_ebb(chain[-1]) or point_of(chain) != move[1]):
                chain.pop()
    return chain


def test_a_datum_counts_once_a_transaction_that_touches_the_output_shows_it() -> None:
    datum, ours = DATUMS[0], CAST.watched[0]
    pays = tx(outputs=[output(ours, datum_hash=hash_of(datum))], salt=1)
    bystander = tx([("ab" * 32, 0)], datums=[datum], salt=2)
    reader = tx([("ab" * 32, 1)], references=[(pays["id"], 0)], datums=[datum], salt=3)
    chain = [block([pays, bystander], slot=1, height=0), block([reader], slot=2, height=1)]
    assert [row.datum for row in fold(chain[:1]).rows.values()] == [None]
    assert [datum] == [row.datum for row in fold(chain).rows.values()]


def test_a_failed_transaction_spends_its_collaterals_and_creates_the_return_behind_its_outputs() -> None:
    ours = CAST.watched[0]
    pays = tx(outputs=[output(ours), output(ours)], salt=1)
    fails = tx([(pays["id"], 0)], [output(ours)] * 3, failed=True, collaterals=[(pays["id"], 1)],
               collateral_return=output(ours, 9))  # fmt: skip
    found = fold([block([pays, fails], slot=1, height=0)])
    assert {(pays["id"], 0), (fails["id"], 3)} == found.unspent


# The server


async def ask(socket: ClientConnection, method: str, **params: Any) -> Any:
    await socket.send(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": method}))
    answer = json.loads(await socket.recv())
    assert answer["id"] == method
    return answer.get("result", answer.get("error"))


async def answers(socket: ClientConnection, count: int) -> list[dict[str, Any]]:
    for _ in range(count):
        await socket.send(NEXT)
    return [json.loads(await socket.recv())["result"] for _ in range(count)]


def ids(results: Sequence[dict[str, Any]]) -> list[str]:
    return [r["block"]["id"] if r["direction"] == "forward" else f"back to {place(r['point'])}" for r in results]


def place(point: Any) -> str:
    return point if isinstance(point, str) else str(point["slot"])


def straight(length: int, *, seed: int = 0, first: int = 0) -> list[Block]:
    """Empty blocks, a slot each."""
    chain: list[Block] = []
    for n in range(first, first + length):
        ancestor = chain[-1]["id"] if chain else digest(seed, first) if first else "genesis"
        chain.append(block(slot=n, height=n, ancestor=ancestor, id=digest(seed, n)))
    return chain


async def test_a_session_goes_back_to_its_intersection_and_then_forward() -> None:
    chain = straight(5)
    async with FakeOgmios(chain) as ogmios, connect(ogmios.url) as socket:
        lost = await ask(socket, "findIntersection", points=[{"slot": 1, "id": "ab" * 32}])
        assert (1000, {"tip": tip_of(chain)}) == (lost["code"], lost["data"])
        points = [{"slot": 9, "id": chain[3]["id"]}, point_of(chain[:3]), "origin"]
        found = await ask(socket, "findIntersection", points=points)
        assert found == {"intersection": point_of(chain[:3]), "tip": tip_of(chain)}
        assert ["back to 2", chain[3]["id"], chain[4]["id"]] == ids(await answers(socket, 3))
        await socket.send(NEXT)
        await ogmios.until(lambda: ogmios.settled)
        ogmios.append(straight(1, first=5))
        ogmios.fork(3, straight(2, seed=1, first=3))
        assert ids([json.loads(await socket.recv())["result"]]) == ["back to 2"]
        assert [digest(1, 3), digest(1, 4)] == ids(await answers(socket, 2))


async def test_no_intersection_is_sought_while_blocks_are_outstanding() -> None:
    seek = '{"jsonrpc":"2.0","method":"findIntersection","params":{"points":["origin"]}}'
    async with FakeOgmios(straight(3)) as ogmios, connect(ogmios.url) as socket:
        await answers(socket, 4)
        for message in (NEXT, NEXT, seek):
            await socket.send(message)
        await ogmios.until(lambda: ogmios.asked["findIntersection"])
        ogmios.append(straight(2, first=3))
        got = [json.loads(await socket.recv()) for _ in range(3)]
        assert [answer.get("error", {}).get("code") for answer in got] == [None, 1001, None]


async def test_the_timeline_ends_with_the_same_chain_whenever_a_client_comes_and_goes() -> None:
    plan = Plan.of({"seed": 4, "length": 120, "forks": [[40, 6], [38, 1], [90, 20]], "recipe": {"ebbs": 0.2}})
    for visits in ((400,), (3, 41, 400), (50, 50, 50, 400)):
        async with FakeOgmios(plan.chain, forks=plan.forks) as ogmios:
            mine: list[Block] = []
            for visit in visits:
                async with connect(ogmios.url, max_size=None) as socket:
                    while mine and is_ebb(mine[-1]):
                        mine.pop()
                    points = [point_of(mine[:n]) for n in range(len(mine), max(0, len(mine) - 40), -1)]
                    await ask(socket, "findIntersection", points=[*points, "origin"])
                    for _ in range(visit):
                        await socket.send(NEXT)
                        if ogmios.settled:
                            break
                        try:
                            result = json.loads(await asyncio.wait_for(socket.recv(), 0.2))["result"]
                        except TimeoutError:
                            break
                        mine = follow(mine, result)
            assert ids_of(plan.final) == ids_of(mine)
            assert plan.final == ogmios.chain


def follow(mine: list[Block], result: dict[str, Any]) -> list[Block]:
    if result["direction"] == "forward":
        assert mine == [] or mine[-1]["id"] == result["block"]["ancestor"]
        return [*mine, result["block"]]
    while mine and (is_ebb(mine[-1]) or point_of(mine) != result["point"]):
        mine = mine[:-1]
    return mine


async def test_a_fork_below_a_boundary_block_sends_that_block_again() -> None:
    first = block(slot=0, height=0)
    boundary = ebb(height=0, ancestor=first["id"])
    chain = [first, boundary, block(slot=3, height=1, ancestor=boundary["id"])]
    async with FakeOgmios(chain) as ogmios, connect(ogmios.url) as socket:
        await answers(socket, 4)
        ogmios.fork(1, [other := block(slot=4, height=1, ancestor=boundary["id"])])
        assert ["back to 0", boundary["id"], other["id"]] == ids(await answers(socket, 3))


async def test_queries_and_health_name_the_network() -> None:
    chain = straight(2)
    faults = [Fault(Kind.WRONG_GENESIS, connection=1), Fault(Kind.NO_NETWORK_QUERIES, connection=2)]
    async with FakeOgmios(chain, magic=2, security_parameter=40, faults=faults) as ogmios:
        for magic in (1, 2002, 2):
            async with connect(ogmios.url) as socket:
                genesis = await ask(socket, "queryNetwork/genesisConfiguration", era="shelley")
                assert magic == genesis.get("networkMagic", genesis.get("code"))
        async with connect(ogmios.url) as socket:
            assert point_of(chain) == await ask(socket, "queryNetwork/tip")
            assert await ask(socket, "queryNetwork/blockHeight") == 1
            assert await ask(socket, "queryNetwork/startTime") == "2022-10-25T00:00:00Z"
            assert (await ask(socket, "queryLedgerState/eraSummaries"))[0]["parameters"]["epochLength"]
            assert (await ask(socket, "queryNetwork/weather"))["code"] == -32600
        assert await health(ogmios.port) == (200, "preview")
        ogmios.node_is_up = False
        assert await health(ogmios.port) == (500, "preview")


async def health(port: int) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), json.loads(body)["network"]


@pytest.mark.parametrize("kind", [Kind.CUT_IN_FRAME, Kind.CUT, Kind.RESET, Kind.CUT_AT_TIP])
async def test_a_cut_ends_the_connection_without_a_close_frame(kind: Kind) -> None:
    async with FakeOgmios(straight(3), faults=[Fault(kind, message=3)]) as ogmios:
        async with connect(ogmios.url) as socket:
            with pytest.raises(ConnectionClosedError) as caught:
                await answers(socket, 5)
            assert caught.value.rcvd is None
        assert [kind] == [fault.kind for fault in ogmios.fired]
        async with connect(ogmios.url) as socket:
            assert len(await answers(socket, 4)) == 4


@pytest.mark.parametrize("kind", [Kind.GARBAGE, Kind.TRUNCATED, Kind.BINARY, Kind.NOT_UTF8])
async def test_an_answer_can_be_no_json(kind: Kind) -> None:
    async with FakeOgmios(straight(3), faults=[Fault(kind, message=2)]) as ogmios, connect(ogmios.url) as socket:
        with pytest.raises((ValueError, ConnectionClosed)):
            await answers(socket, 3)


@pytest.mark.parametrize(
    "kind",
    [Kind.RPC_ERROR, Kind.UNKNOWN_ERA, Kind.WRONG_ID, Kind.OTHER_METHOD, Kind.BAD_ANCESTOR, Kind.BACKWARD_UNKNOWN],
)
async def test_an_answer_can_be_well_formed_and_wrong(kind: Kind) -> None:
    chain = straight(3)
    right = forward(chain[0], tip_of(chain))
    async with FakeOgmios(chain, faults=[Fault(kind, height=0)]) as ogmios, connect(ogmios.url) as socket:
        if kind in (Kind.RPC_ERROR, Kind.OTHER_METHOD, Kind.BACKWARD_UNKNOWN):
            ogmios.faults[0].height, ogmios.faults[0].message = None, 2
        for _ in range(2):
            await socket.send(NEXT)
        assert backward("origin", tip_of(chain)) == (await socket.recv(decode=False))
        wrong = json.loads(await socket.recv())
        assert wrong != json.loads(right)
        match kind:
            case Kind.RPC_ERROR:
                assert wrong["error"]
            case Kind.UNKNOWN_ERA:
                assert wrong["result"]["block"]["era"] == "voltaire"
            case Kind.WRONG_ID:
                assert wrong["id"]
            case Kind.OTHER_METHOD:
                assert wrong["method"] != "nextBlock"
            case Kind.BAD_ANCESTOR:
                assert wrong["result"]["block"]["ancestor"] == digest("nobody")
            case _:
                assert wrong["result"]["direction"] == "backward"


@pytest.mark.parametrize("kind", [Kind.SILENCE, Kind.DEAF])
async def test_silence_leaves_the_socket_open(kind: Kind) -> None:
    faults = [Fault(kind, message=2)]
    async with FakeOgmios(straight(3), faults=faults) as ogmios, connect(ogmios.url, close_timeout=0.1) as socket:
        await answers(socket, 1)
        await socket.send(NEXT)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.1)
        pong = await socket.ping()
        if kind is Kind.SILENCE:
            await pong
        else:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(pong, 0.1)


async def test_a_node_can_be_down() -> None:
    faults = [Fault(Kind.UNAVAILABLE), Fault(Kind.NODE_DOWN)]
    async with FakeOgmios(straight(3), faults=faults) as ogmios:
        with pytest.raises(InvalidStatus):
            await connect(ogmios.url)
        async with connect(ogmios.url) as socket:
            with pytest.raises(ConnectionClosed) as caught:
                await socket.recv()
            assert caught.value.rcvd is not None
            assert (caught.value.rcvd.code, json.loads(caught.value.rcvd.reason)["code"]) == (1000, -32000)
        async with connect(ogmios.url) as socket:
            assert len(await answers(socket, 4)) == 4


async def test_a_node_can_be_behind_and_catch_up() -> None:
    chain = straight(9)
    faults = [Fault(Kind.BEHIND, connection=1, blocks=4, seconds=0.05), Fault(Kind.FAR_INTERSECTION, 2, blocks=3)]
    async with FakeOgmios(chain, faults=faults) as ogmios:
        async with connect(ogmios.url) as socket:
            found = await ask(socket, "findIntersection", points=[point_of(chain), point_of(chain[:5])])
            assert found == {"intersection": point_of(chain[:5]), "tip": tip_of(chain[:5])}
            assert ["back to 4", *(b["id"] for b in chain[5:])] == ids(await answers(socket, 5))
        async with connect(ogmios.url) as socket:
            found = await ask(socket, "findIntersection", points=[point_of(chain[:n]) for n in range(9, 0, -1)])
            assert found["intersection"] == point_of(chain[:6])


async def test_another_chain_takes_the_place_of_the_first_and_answers_come_in_other_shapes() -> None:
    first = make_chain(Random(1), 12, Recipe(ebbs=0))
    other = first[:5] + make_fork(Random(2), first, 7, 9, Recipe(ebbs=0))
    async with FakeOgmios(first, styles=STYLES) as ogmios, connect(ogmios.url, max_size=None) as socket:
        mine: list[Block] = []
        for result in await answers(socket, 13):
            mine = follow(mine, result)
        assert ids_of(first) == ids_of(mine)
        ogmios.replace(other)
        for result in await answers(socket, 10):
            mine = follow(mine, result)
        assert ids_of(other) == ids_of(mine)


def ids_of(chain: Sequence[Block]) -> list[str]:
    return [made["id"] for made in chain]


async def test_hidden_blocks_arrive_by_and_by() -> None:
    async with FakeOgmios(straight(5), hidden=3, grow_s=0.01) as ogmios, connect(ogmios.url) as socket:
        assert len(await answers(socket, 6)) == 6


async def test_the_server_outlives_its_clients_in_a_process_of_its_own(tmp_path: Path) -> None:
    spec = {"seed": 9, "length": 60, "forks": 2, "watched": [[OURS.hex(), None], [BYRON_TESTNET[0], None]]}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    port_file = tmp_path / "port"
    command = ("-m", "tests.support.ogmios", "--spec", tmp_path / "spec.json", "--port-file", port_file)
    process = await create_subprocess_exec(sys.executable, *map(str, command), cwd=ROOT)
    try:
        async with asyncio.timeout(20):
            while not port_file.exists():  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.02)
        plan = Plan.of(spec)
        mine: list[Block] = []
        async with connect(f"ws://127.0.0.1:{int(port_file.read_text())}", max_size=None) as socket:
            while ids_of(mine) != ids_of(plan.final):
                mine = follow(mine, (await answers(socket, 1))[0])
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


def test_a_fork_of_the_plan_is_where_it_says() -> None:
    plan = Plan.of({"seed": 1, "length": 30, "forks": [[20, 5]], "recipe": {"ebbs": 0}})
    assert [Fork] == [type(fork) for fork in plan.forks]
    assert plan.chain[:16] == plan.final[:16]
    assert plan.chain[16] != plan.final[16]
    assert plan.chain[-1]["height"] < plan.final[-1]["height"]
    assert plan.chain[-1]["slot"] < plan.final[-1]["slot"]

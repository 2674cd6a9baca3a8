"""`indexer devnet` as a process: what it says, what it keeps, who follows it, and who does it no harm."""

import asyncio
import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect

from tests.support.following import outputs, select
from tests.support.process import INDEXER, configure, log_line, start, until
from tests.unit.devnet.client import NEXT, Client

SOMEBODY = "addr_test1vqg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zyg3zygxrcya6"
CREDENTIAL = "11" * 28  # of that address
ANY_PORT = ("--port", "0", "--kupo-port", "0", "--control-port", "0")
MIB = 1 << 20

Json = dict[str, Any]


@contextmanager
def devnet(*arguments: str) -> Iterator[tuple[Json, int]]:
    """What it says with --json once it listens, and its process id. It ends well when it is told to."""
    process = subprocess.Popen(
        [*INDEXER, "devnet", *ANY_PORT, "--json", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline()), process.pid
    finally:
        process.terminate()
        _, complaints = process.communicate(timeout=10)
    assert (process.returncode, complaints) == (0, "")


def control(facts: Json, command: str, **fields: Any) -> Json:
    """What a command answers."""
    answer: Json = httpx.post(f"{facts['control']}/{command}", json=fields).raise_for_status().json()
    return answer


def knows(facts: Json, state: Json) -> bool:
    """Whether a tip that was told is on the chain now."""
    point = {key: state["tip"][key] for key in ("slot", "id")}
    request = {"jsonrpc": "2.0", "method": "findIntersection", "params": {"points": [point]}}
    said = httpx.post(facts["url"].replace("ws:", "http:"), json=request).json()
    assert said.get("error", {}).get("code", 1000) == 1000
    return "result" in said


def test_it_says_where_it_listens_and_how_to_follow_it() -> None:
    """To people, in words."""
    process = subprocess.Popen([*INDEXER, "devnet", *ANY_PORT, "--magic", "7"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines: list[str] = []
    while not lines or "indexer run" not in lines[-1]:
        lines.append(process.stdout.readline())
    told = {name.strip(): rest.split() for name, _, rest in (line.partition("  ") for line in lines)}
    assert "network magic 7" in lines[0]
    url, key = told["Ogmios"][0], Path(told["its key"][0])
    assert lines[-1].strip() == f"In another terminal: INDEXER__OGMIOS__URL={url} indexer run"
    state = httpx.get(f"{told['control'][0]}/state").json()
    assert state["faucet"] == {"address": told["faucet"][0], "signing_key_file": str(key)}
    assert key.exists()
    assert httpx.get(f"{told['Kupo'][0]}/health").status_code in (200, 202)
    assert httpx.get(f"{url.replace('ws:', 'http:')}/health").json()["network"] == "unknown (7)"
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 0
    assert not key.exists()


def test_one_goes_on_where_it_was_or_comes_back_as_another_chain_beside_one_that_stays(tmp_path: Path) -> None:
    """Two run side by side; the first is started again on its state, then told to begin another chain."""
    state = ("--state", str(tmp_path / "state"))
    with devnet("--seed", "other", "--magic", "43") as (other, _):
        stays = control(other, "blocks", count=3)
        with devnet(*state) as (facts, _):
            paid = control(facts, "faucet", address=SOMEBODY, lovelace=5_000_000)
            first = control(facts, "blocks", count=2)
            assert len({facts["url"], facts["kupo"], facts["control"], other["url"], other["kupo"]}) == 5
            assert not knows(other, first)
        with devnet(*state) as (facts, _):
            assert knows(facts, first)
            (match,) = httpx.get(f"{facts['kupo']}/matches/{SOMEBODY}").json()
            assert match["transaction_id"] == paid["transaction"]
            last = control(facts, "blocks")
            assert last["tip"]["height"] > first["tip"]["height"]
        with devnet(*state, "--start-over") as (facts, _):
            fresh = control(facts, "blocks")
            assert not knows(facts, first)
            assert httpx.get(f"{facts['kupo']}/matches/{SOMEBODY}").json() == []
            assert fresh["faucet"]["address"] == first["faucet"]["address"]
        with devnet(*state) as (facts, _):
            assert knows(facts, fresh)
            assert not knows(facts, last)
        assert knows(other, stays)


def test_the_daemon_follows_it_through_forks_lost_connections_and_stalls(tmp_path: Path) -> None:
    """As in README.md, in two terminals. A slot takes a minute, so that blocks come when they are asked for."""
    database = tmp_path / "db.sqlite"
    with devnet("--slot-length", "60") as (facts, _):
        paid = control(facts, "faucet", address=SOMEBODY, lovelace=5_000_000)
        config = configure(tmp_path, int(facts["url"].rpartition(":")[2]), [(CREDENTIAL, None)], network="devnet")
        daemon = start(config, "run")

        def reaches(state: Json) -> list[Json]:
            """What the daemon holds once it has come there."""
            tip = [{"block_id": state["tip"]["id"]}]
            until(lambda: select(database, "SELECT block_id FROM sync_status") == tip)
            return list(outputs(database).values())

        try:
            log_line(daemon, "blocks.applied")
            (before,) = reaches(paid)
            assert (before["lovelace"], before["transaction_id"]) == (5_000_000, paid["transaction"])

            forked = control(facts, "fork", depth=1, blocks=2)
            assert log_line(daemon, "chain.rolled_back")["depth"] == 1
            assert (reaches(forked), forked["mempool"]) == ([], [paid["transaction"]])
            (after,) = reaches(control(facts, "blocks"))
            assert after["transaction_id"] == paid["transaction"]
            assert after["created_slot"] > before["created_slot"]

            control(facts, "disconnect")
            log_line(daemon, "session.broken")
            assert reaches(control(facts, "blocks", count=3)) == [after]

            control(facts, "stall", seconds=0.5)
            assert reaches(control(facts, "blocks", count=3)) == [after]

            assert reaches(control(facts, "fork", depth=7, blocks=8, drop=[paid["transaction"]])) == []
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.communicate(timeout=10)
    assert daemon.returncode == 0


async def test_hostile_clients_are_answered_and_cost_little_while_others_are_served() -> None:
    """Of every kind at once, on one process, whose memory is looked at."""
    with devnet("--slot-length", "60") as (facts, process_id):
        memory = partial(peak_memory, process_id)
        async with AsyncExitStack() as stack:
            others = [Client(await stack.enter_async_context(connect(facts["url"]))) for _ in range(200)]
            port = int(facts["url"].rpartition(":")[2])
            before = memory()

            # One asks for a thousand blocks and reads nothing; one sends half a frame of 64 MB.
            stalling = await stack.enter_async_context(connect(facts["url"]))
            stack.callback(stalling.transport.abort)
            stalling.transport.pause_reading()
            for _ in range(1_000):
                await stalling.send(NEXT)
            half = await stack.enter_async_context(connect(facts["url"]))
            stack.callback(half.transport.abort)
            half.transport.write(b"\x81\xff" + (1 << 26).to_bytes(8, "big") + bytes(4) + b"half")

            # One sends garbage, and 64 MB of it, on a WebSocket and as a POST; one what is no HTTP at all.
            loud = Client(await stack.enter_async_context(connect(facts["url"], max_size=None)))
            for garbage in (b"garbage", 64 * MIB * b"x", 4 * MIB * b'{"":'):
                await loud.socket.send(garbage)
                assert (await loud.answer())["error"]["code"] == -32600
            async with httpx.AsyncClient(timeout=60) as poster:
                answer = await poster.post(facts["url"].replace("ws:", "http:"), content=64 * MIB * b"x")
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\x16\x03\x01\x02" + 70_000 * b"\xff")
            assert await ended(reader)
            writer.close()

            # One asks for what there is not, and of the wrong type.
            asked = ("nonsense", None), ("queryLedgerState/utxo", [1]), ("findIntersection", {"points": 7})
            for method, params in asked:
                assert (await loud.ask(method, params, id=method))["error"]["code"] == -32600

            # A thousand requests sent ahead are answered in their order, and the two hundred as if nothing were.
            for number in range(1_000):
                await loud.send("queryNetwork/tip", id=number)
            assert [(await loud.answer())["id"] for _ in range(1_000)] == list(range(1_000))
            state = control(facts, "blocks", count=3)
            for other in others:
                await other.want(2)
                assert [(await other.told())[0] for _ in range(2)] == ["backward", "forward"]
                assert (await other.ask("queryNetwork/blockHeight"))["result"] == state["tip"]["height"]
            assert memory() - before < 5 * 64 * MIB  # a few times the longest message


async def ended(reader: asyncio.StreamReader) -> bool:
    """Whether a connection is ended without an answer, be it rudely."""
    async with asyncio.timeout(10):
        try:
            return await reader.read() == b""
        except ConnectionError:
            return True


def peak_memory(process_id: int) -> int:
    """In bytes."""
    status = Path(f"/proc/{process_id}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024

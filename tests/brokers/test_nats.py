"""Messages into a real NATS server: stored once, in order, under their ids; `make test-nats`.

$NATS_SERVER names the server's program, or it is on the PATH.
"""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nats
import pytest
from nats.js.api import StorageType, StreamConfig

from indexer.domain.delivery import Wants
from indexer.edge.sinks.message import Fault, SinkFailed, sample
from indexer.edge.sinks.stream import Stream
from indexer.status import DeliveryStatus
from indexer.store import checkpoints
from indexer.store.db import opened
from indexer.workers.deliver import Deliverer, Post
from tests.delivery.world import NETWORK, World
from tests.support.process import until

pytestmark = pytest.mark.clients
SERVER = os.environ.get("NATS_SERVER") or shutil.which("nats-server") or "nats-server"


@contextmanager
def server(folder: Path, port: int) -> Iterator[str]:
    """With JetStream, which keeps in the folder what it has."""
    words = [SERVER, "--addr", "127.0.0.1", "--port", str(port), "--jetstream", "--store_dir", str(folder / "nats")]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: listens(port), 20)
        yield f"nats://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def stream() -> AsyncIterator[Callable[[str, float], Stream]]:
    made = []

    def make(url: str, timeout_s: float = 5.0) -> Stream:
        made.append(Stream(url, "milestones", None, timeout_s=timeout_s))
        return made[-1]

    yield make
    for each in made:
        await each.close()


async def add_stream(url: str) -> None:
    client = await nats.connect(url)
    config = StreamConfig("MILESTONES", subjects=["milestones.>"], storage=StorageType.FILE, duplicate_window=3600)
    await client.jetstream().add_stream(config)
    await client.close()


async def stored(url: str) -> list[tuple[str, str, dict[str, object]]]:
    """What a reader gets: subject, id and CloudEvent of each message, in order."""
    client = await nats.connect(url)
    subscription = await client.jetstream().subscribe("milestones.>", ordered_consumer=True)
    count = (await client.jetstream().stream_info("MILESTONES")).state.messages
    found = []
    for _ in range(count):
        message = await subscription.next_msg(timeout=5)
        assert message.headers is not None
        found.append((message.subject, message.headers["Nats-Msg-Id"], json.loads(message.data)))
    await client.close()
    return found


async def test_a_message_is_stored_once_under_its_id_however_often_it_is_sent(
    tmp_path: Path, port: int, stream: Callable[[str], Stream]
) -> None:
    message = sample("preprod", "2026-01-31T12:00:00Z", "ab" * 16)
    with server(tmp_path, port) as url:
        await add_stream(url)
        sink = stream(url)
        await sink.send(message)
        await sink.send(message)
        assert await stored(url) == [("milestones.sink.test", message.id, message.cloud_event())]


async def test_without_a_stream_or_a_server_nothing_has_arrived_and_it_recovers(
    tmp_path: Path, port: int, stream: Callable[[str, float], Stream]
) -> None:
    message = sample("preprod", "2026-01-31T12:00:00Z", "ab" * 16)
    sink = stream(f"nats://127.0.0.1:{port}", 1.0)
    with pytest.raises(SinkFailed) as gone:
        await sink.send(message)
    assert gone.value.fault is Fault.SINK
    with server(tmp_path, port) as url:
        with pytest.raises(SinkFailed, match=r"no stream takes in milestones\.>"):
            await sink.send(message)
        await add_stream(url)
        await sink.send(message)
    with pytest.raises(SinkFailed):
        await sink.send(message)
    with server(tmp_path, port) as url:
        await sink.send(message)
        assert [name for _, name, _ in await stored(url)] == [message.id]


async def test_whoever_reads_the_stream_knows_what_the_chain_knows(
    tmp_path: Path, port: int, stream: Callable[[str], Stream]
) -> None:
    """Blocks, and a fork that takes some back: the highest number of each event in the stream is the truth."""
    world = World(7, tmp_path / "db.sqlite")
    with server(tmp_path, port) as url:
        await add_stream(url)
        async with opened(world.path) as db, opened(world.path, durable=True) as own:
            await checkpoints.claim(db, NETWORK)
            world.grow()
            await world.store(db)
            posts = [Post("nats", stream(url), Wants(types=("*",), everything=True))]
            deliverer = Deliverer(own, "devnet", posts, lambda: world.now_ms, DeliveryStatus())
            await deliverer.open()

            async def told() -> None:
                while True:
                    await deliverer.step()
                    pending = await db.execute_fetchall("SELECT 1 FROM delivery WHERE state = 'pending' LIMIT 1")
                    if not pending and not deliverer._sending and not deliverer._outcomes:
                        return
                    if deliverer._sending:
                        await next(iter(deliverer._sending))

            for _ in range(10):
                world.grow()
            await world.store(db)
            await told()
            gone, world.blocks = world.blocks[-4:], world.blocks[:-4]
            await world.store(db, falls_back=True)
            for _ in gone:
                world.grow()
            await world.store(db)
            await told()
            await deliverer.close()
        latest: dict[str, int] = {}
        for _, name, _ in await stored(url):
            event, _, turn = name.rpartition(".")
            assert int(turn) > latest.get(event, -1)
            latest[event] = int(turn)
    surviving = {event.id for block in world.blocks[1:] for event in block.events}
    assert {event for event, turn in latest.items() if turn % 2 == 0} == surviving
    assert {event for event, turn in latest.items() if turn % 2 == 1} == {e.id for block in gone for e in block.events}

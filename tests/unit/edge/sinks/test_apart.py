"""Name servers that do not answer: nobody waits for them but the sink concerned, not even the end of the process."""

import asyncio
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from indexer.edge.sinks.apart import Apart, Full, Names
from tests.support.following import until

# What a machine with a resolver that hangs would do; the pool of threads that everybody shares has one of them here.
HANGS = """
import asyncio, pathlib, socket, sys, time
from concurrent.futures import ThreadPoolExecutor
from indexer.edge.sinks.message import SinkFailed, sample
from indexer.edge.sinks.stream import Stream
from indexer.edge.sinks.webhook import Webhook

socket.getaddrinfo = lambda *_, **__: time.sleep(600)
began = time.monotonic()

def sink():
    kind, secret = sys.argv[1:]
    if kind == "nats":
        return Stream("nats://hooks.example:4222", "milestones", None, timeout_s=0.2)
    return Webhook("http://hooks.example/", [pathlib.Path(secret)], timeout_s=0.2, allow_private=kind == "private",
        now_ms=lambda: 0)

async def main():
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    sinks, message = [sink(), sink()], sample("preprod", "2026-01-31T12:00:00Z", "ab" * 16)
    for failed in await asyncio.gather(*(each.send(message) for each in sinks * 3), return_exceptions=True):
        print(failed)
    print(await asyncio.wait_for(asyncio.to_thread(lambda: "others go on"), 5))
    for each in sinks:
        await each.close()

asyncio.run(main())
print("ended", time.monotonic() - began < 10)
"""


@pytest.mark.parametrize("kind", ["public", "private", "nats"])
async def test_a_look_up_that_hangs_holds_up_neither_others_threads_nor_the_end(
    kind: str, private_file: Callable[[str], str]
) -> None:
    arguments = ("-W", "error", "-c", HANGS, kind, private_file("whsec_" + "c3Nz" * 8))
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert said.decode().splitlines() == ["no answer within 0.2 s"] * 6 + ["others go on", "ended True"]


@pytest.fixture
def private_file(tmp_path: Any) -> Callable[[str], str]:
    def make(text: str) -> str:
        path = tmp_path / "secret"
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    return make


async def test_however_many_ask_at_once_a_host_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And once more by those who ask later: it may have moved."""
    answers, asked = threading.Event(), list[str]()

    def getaddrinfo(host: str, port: int, **_: object) -> list[Any]:
        asked.append(host)
        answers.wait(10)
        return [(0, 0, 0, "", (address, port)) for address in ("192.0.2.1", "192.0.2.1", "2001:db8::1")]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    names = Names()
    asking = [asyncio.create_task(names.addresses("hooks.example", 443)) for _ in range(8)]
    await asyncio.sleep(0)
    asking[0].cancel()  # as whoever has no more time
    answers.set()
    assert await asyncio.gather(*asking[1:]) == [["192.0.2.1", "2001:db8::1"]] * 7
    assert asked == ["hooks.example"]
    await names.addresses("hooks.example", 443)
    assert asked == ["hooks.example"] * 2


async def test_what_goes_wrong_is_raised_where_it_was_asked_for() -> None:
    threads = Apart("test", 1)
    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0)
    assert await threads.run(lambda: "again") == "again"


async def test_who_gave_up_on_a_call_cannot_begin_another_before_it_ends() -> None:
    """Or threads would gather as long as it hangs."""
    ends, threads = threading.Event(), Apart("test", 1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(threads.run(lambda: ends.wait(10)), 0.05)
    with pytest.raises(Full):
        await threads.run(lambda: None)
    ends.set()
    await until(lambda: not threads.is_full)
    assert await threads.run(lambda: "free") == "free"

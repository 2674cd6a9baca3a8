"""Webhooks: what is posted, how it is signed, and what each answer means."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from indexer.edge.sinks.message import Fault, Message, SinkFailed, sample
from indexer.edge.sinks.webhook import Webhook, read_secret, signature
from indexer.errors import FileUnusable
from tests.support.serving import Asked, saying

NOW_MS = 1_674_087_231_999
MESSAGE = sample("preprod", "2026-01-31T12:00:00Z", "ab" * 16)


@dataclass
class Post:
    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Says what it is told to, byte by byte; None: nothing at all."""

    says: bytes | None = b"HTTP/1.1 204 No Content\r\n\r\n"
    url: str = ""
    posts: list[Post] = field(default_factory=list)
    connections: int = 0
    forgotten: int = 0  # so many connections, the first ones


async def endless(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"z" * 65_536)
        await writer.drain()


async def dripping(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"z")
        await writer.drain()
        await asyncio.sleep(0.02)


@asynccontextmanager
async def receiving(says: bytes | None = b"HTTP/1.1 204 No Content\r\n\r\n") -> AsyncIterator[Receiver]:
    receiver = Receiver(says)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        receiver.connections += 1
        mine = receiver.connections
        try:
            while True:
                line, *rest = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in rest)}
                body = await reader.readexactly(int(headers["content-length"]))
                if mine <= receiver.forgotten:
                    await reader.read()
                    return
                receiver.posts.append(Post(line, headers, body))
                if receiver.says is None:
                    await reader.read()
                    return
                writer.write(receiver.says)
                await writer.drain()
                if not receiver.says.startswith(b"HTTP/1.1 2"):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?token=hush"
    try:
        yield receiver
    finally:
        server.close()


def secret_file(folder: Path, secret: bytes, name: str = "secret") -> Path:
    path = folder / name
    path.write_text(f"whsec_{base64.b64encode(secret).decode()}\n")
    path.chmod(0o600)
    return path


def webhook(url: str, *files: Path, timeout_s: float = 5.0, allow_private: bool = True) -> Webhook:
    return Webhook(url, files, timeout_s=timeout_s, allow_private=allow_private, now_ms=lambda: NOW_MS)


async def failing(hook: Webhook, message: Message = MESSAGE) -> SinkFailed:
    try:
        with pytest.raises(SinkFailed) as failed:
            await hook.send(message)
        return failed.value
    finally:
        await hook.close()


async def test_a_message_is_posted_as_a_cloud_event_with_standard_webhooks_headers(tmp_path: Path) -> None:
    """https://github.com/cloudevents/spec (1.0, JSON) and Standard Webhooks; verified here by its text."""
    secret = bytes(range(32))
    async with receiving() as receiver:
        hook = webhook(receiver.url, secret_file(tmp_path, secret))
        await hook.send(MESSAGE)
        await hook.send(MESSAGE)
        await hook.close()
    post = receiver.posts[0]
    assert post.line == "POST /hook?token=hush HTTP/1.1"
    assert post.headers["content-type"] == "application/cloudevents+json; charset=utf-8"
    assert post.headers["webhook-id"] == f"{'ab' * 16}.0"
    assert post.headers["webhook-timestamp"] == "1674087231"
    signed = f"{'ab' * 16}.0.1674087231.".encode() + post.body
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert post.headers["webhook-signature"] == f"v1,{expected}"
    event = json.loads(post.body)
    assert {name: event[name] for name in ("specversion", "id", "type", "source", "subject", "finality")} == {
        "specversion": "1.0",
        "id": f"{'ab' * 16}.0",
        "type": "sink.test",
        "source": "urn:milestone-indexer:preprod",
        "subject": "ab" * 16,
        "finality": "final",
    }
    assert receiver.posts[1] == post, "the same message is the same bytes"


def test_a_signature_is_that_of_the_specification() -> None:
    """The example of Standard Webhooks' own test of its Python library."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signature([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected


async def test_while_secrets_change_both_sign_and_no_restart_is_needed(tmp_path: Path) -> None:
    old, new = b"o" * 24, b"n" * 64
    files = secret_file(tmp_path, old, "old"), secret_file(tmp_path, new, "new")
    async with receiving() as receiver:
        hook = webhook(receiver.url, *files)
        await hook.send(MESSAGE)
        secret_file(tmp_path, b"x" * 24, "old")
        await hook.send(MESSAGE)
        await hook.close()
    first, second = (post.headers["webhook-signature"].split(" ") for post in receiver.posts)
    assert len(first) == len(second) == 2
    assert first[0] != second[0]
    assert first[1] == second[1]


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        ("301 Moved", Fault.SINK),
        ("400 Bad Request", Fault.MESSAGE),
        ("401 Unauthorized", Fault.SINK),
        ("404 Not Found", Fault.SINK),
        ("410 Gone", Fault.SINK),
        ("422 Unprocessable", Fault.MESSAGE),
        ("429 Too Many", Fault.SINK),
        ("500 Oops", Fault.SINK),
        ("503 Later", Fault.SINK),
    ],
)
async def test_whatever_is_not_2xx_is_a_failure_of_the_message_or_of_all(
    status: str, fault: Fault, tmp_path: Path
) -> None:
    """And no redirect is followed: it could lead anywhere."""
    says = f"HTTP/1.1 {status}\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".encode()
    async with receiving(says) as receiver:
        failed = await failing(webhook(receiver.url, secret_file(tmp_path, b"s" * 24)))
    assert failed.fault is fault
    assert status[:3] in str(failed)
    assert len(receiver.posts) == 1


# The three forms of RFC 9110, 5.6.7, beside 00:13:51 of that day; what has passed, what is far away, what is no day.
DATES = (
    ("Thu, 19 Jan 2023 00:15:51 GMT", 120.0),
    ("Thursday, 19-Jan-23 00:15:51 GMT", 120.0),
    ("Thu Jan 19 00:15:51 2023", 120.0),
    ("Wed, 18 Jan 2023 00:15:51 GMT", 0.0),
    ("Fri, 20 Jan 2023 00:15:51 GMT", 3600.0),
    ("Fri, 31 Feb 2023 00:15:51 GMT", None),
)


@pytest.mark.parametrize(
    ("asked", "after_s"), [("120", 120.0), ("999999", 3600.0), ("soon", None), ("-5", None), ("9" * 400, None), *DATES]
)
async def test_a_receiver_may_ask_to_wait_for_an_hour_at_most(
    asked: str, after_s: float | None, tmp_path: Path
) -> None:
    says = f"HTTP/1.1 429 Slowly\r\nretry-after: {asked}\r\ncontent-length: 0\r\n\r\n".encode()
    async with receiving(says) as receiver:
        failed = await failing(webhook(receiver.url, secret_file(tmp_path, b"s" * 24)))
    assert failed.after_s == after_s


@pytest.mark.parametrize(
    "says",
    [
        pytest.param(None, id="nothing"),
        pytest.param(b"", id="the end"),
        pytest.param(b"\x00\xff\x00 garbage\r\n\r\n", id="garbage"),
        pytest.param(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000, id="endless headers"),
        pytest.param(b"HTTP/1.1 200", id="half a line"),
    ],
)
async def test_what_is_no_answer_is_a_failure_that_names_the_host_and_no_secret(
    says: bytes | None, tmp_path: Path
) -> None:
    async with receiving(says) as receiver:
        failed = await failing(webhook(receiver.url, secret_file(tmp_path, b"s" * 24), timeout_s=0.5))
    assert failed.fault is Fault.SINK
    assert "hush" not in str(failed)


async def test_of_an_answer_that_does_not_end_enough_is_known(tmp_path: Path) -> None:
    says = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n" + b"z" * 200_000
    async with receiving(says) as receiver:
        hook = webhook(receiver.url, secret_file(tmp_path, b"s" * 24))
        await hook.send(MESSAGE)
        await hook.close()


@pytest.mark.parametrize("status", ["200 OK", "500 Sorry"])
@pytest.mark.parametrize(
    ("head", "goes_on"),
    [
        pytest.param("\r\n", endless, id="a body without end"),
        pytest.param("\r\n", dripping, id="a body in drips"),
        pytest.param("", dripping, id="a head in drips"),
        pytest.param("x: ", endless, id="a head without end"),
    ],
)
async def test_who_answers_for_ever_is_left_in_time_and_holds_no_memory(
    head: str,
    goes_on: Callable[[asyncio.StreamWriter], Awaitable[None]],
    status: str,
    tmp_path: Path,
) -> None:
    """The status counts, if it was said."""

    async def handler(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\n{head}".encode())
        await goes_on(writer)

    async with saying(handler) as liar:
        hook = webhook(liar.url, secret_file(tmp_path, b"s" * 24), timeout_s=0.5)
        begun = time.monotonic()
        tracemalloc.start()
        try:
            await hook.send(MESSAGE)
            said = None
        except SinkFailed as failed:
            said = str(failed)
        took, peak = time.monotonic() - begun, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        await hook.close()
    assert took < 5
    assert peak < 4 << 20
    if head == "\r\n":
        assert said == (None if status == "200 OK" else "answers 500")
    else:
        assert said is not None
        assert "answers" not in said


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param(b"content-length: 10\r\n\r\nhalf", id="never"),
        pytest.param(b"transfer-encoding: chunked\r\n\r\nnonsense\r\n", id="as nobody can read"),
    ],
)
async def test_who_says_2xx_in_time_has_it_however_the_answer_goes_on(rest: bytes, tmp_path: Path) -> None:
    """Or it would be sent for three days, and be a dead letter then. Likewise for what is not 2xx."""
    async with receiving(b"HTTP/1.1 200 OK\r\n" + rest) as receiver:
        hook = webhook(receiver.url, secret_file(tmp_path, b"s" * 24), timeout_s=0.5)
        await hook.send(MESSAGE)
        await hook.close()
        receiver.says = b"HTTP/1.1 400 Bad\r\n" + rest
        failed = await failing(webhook(receiver.url, secret_file(tmp_path, b"s" * 24), timeout_s=0.5))
    assert str(failed) == "answers 400"


async def test_nobody_is_reached_at_a_private_address_unless_that_is_allowed(tmp_path: Path) -> None:
    """Neither by its number nor by a name that stands for it."""
    async with receiving() as receiver:
        secret = secret_file(tmp_path, b"s" * 24)
        for url in (receiver.url, receiver.url.replace("127.0.0.1", "localhost")):
            failed = await failing(webhook(url, secret, allow_private=False))
            assert "not public" in str(failed)
            assert failed.fault is Fault.SINK
    assert receiver.posts == []


async def test_a_connection_that_lay_idle_is_not_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A firewall forgets it without a word: what is sent there is never answered. One that is in use is kept."""
    monkeypatch.setattr("indexer.edge.sinks.webhook._KEPT_S", 0.5)
    async with receiving() as receiver:
        hook = webhook(receiver.url, secret_file(tmp_path, b"s" * 24), timeout_s=2.0)
        await hook.send(MESSAGE)
        await hook.send(MESSAGE)
        assert receiver.connections == 1
        receiver.forgotten = 1
        await asyncio.sleep(0.7)
        await hook.send(MESSAGE)
        await hook.close()
    assert receiver.connections == 2
    assert len(receiver.posts) == 3


async def test_nobody_there_is_a_failure(tmp_path: Path) -> None:
    async with receiving() as receiver:
        url = receiver.url
    assert (await failing(webhook(url, secret_file(tmp_path, b"s" * 24)))).fault is Fault.SINK


async def test_a_secret_that_others_may_read_signs_nothing(tmp_path: Path) -> None:
    path = secret_file(tmp_path, b"s" * 24)
    async with receiving() as receiver:
        hook = webhook(receiver.url, path)
        path.chmod(0o644)
        failed = await failing(hook)
    assert "can be read by others" in str(failed)
    assert receiver.posts == []


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_!!!", "whsec_" + "QUJD", "whsec_" + "QUJD" * 30])
def test_what_is_no_secret_is_refused_without_telling_it(text: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(FileUnusable) as refused:
        read_secret(path)
    assert "QUJD" not in str(refused.value)


async def test_a_public_host_is_reached_at_the_address_its_name_stands_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here one that is called public for once; the receiver is asked by its name."""
    monkeypatch.setattr("indexer.edge.sinks.reach.is_public", lambda _: True)
    async with receiving() as receiver:
        hook = webhook(
            receiver.url.replace("127.0.0.1", "localhost"), secret_file(tmp_path, b"s" * 24), allow_private=False
        )
        await hook.send(MESSAGE)
        await hook.close()
    assert receiver.posts[0].headers["host"].startswith("localhost:")

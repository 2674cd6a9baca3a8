"""NATS: whom messages and credentials are told to, and what is said where nobody is there. See also tests/brokers."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from indexer.edge.sinks.message import Fault, SinkFailed, sample
from indexer.edge.sinks.stream import Stream
from indexer.errors import FileUnusable

# Made with nkeys.py 0.2.1: the seed of a user, and its signature of `nonce-of-the-server`.
SEED = "SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y"
SIGNED = "rTV4ycp8zBY6ZL2aa32p/U8HTUdIwKEt83QHohIQdRIdXiNhIsx7f0MV/cRL+rZQYjpLYjtciQDjbzoemzSXBA=="
MESSAGE = sample("preprod", "2026-01-31T12:00:00Z", "ab" * 16)


@dataclass
class Server:
    """Speaks enough of NATS for a message; keeps whatever it is told, as it comes from the wire."""

    info: dict[str, object]
    port: int = 0
    got: bytes = b""
    connections: int = 0
    tls: ssl.SSLContext | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            writer.write(b"INFO " + json.dumps(self.info).encode() + b"\r\n")
            if self.tls is not None:
                await writer.start_tls(self.tls)
            inbox = b""
            while line := await reader.readline():
                self.got += line
                match line.split():
                    case [b"PING"]:
                        writer.write(b"PONG\r\n")
                    case [b"SUB", subject, number]:
                        inbox, sid = subject.rstrip(b"*"), number
                    case [b"HPUB", _, answer, _, size]:
                        self.got += await reader.readexactly(int(size) + 2)
                        assert answer.startswith(inbox)
                        ack = b'{"stream":"MILESTONES","seq":1}'
                        writer.write(b"MSG %s %s %d\r\n%s\r\n" % (answer, sid, len(ack), ack))
                await writer.drain()
        finally:
            writer.close()


@asynccontextmanager
async def serving(**info: object) -> AsyncIterator[Server]:
    server = Server({"server_id": "x", "version": "2.11.0", "headers": True, "max_payload": 1_048_576, **info})
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        server.port = listening.sockets[0].getsockname()[1]
        yield server


async def failing(url: str, timeout_s: float = 10.0) -> str:
    stream = Stream(url, "milestones", None, timeout_s=timeout_s)
    try:
        with pytest.raises(SinkFailed) as failed:
            await stream.send(MESSAGE)
    finally:
        await stream.close()
    assert failed.value.fault is Fault.SINK
    return str(failed.value)


async def test_a_message_arrives() -> None:
    async with serving() as server:
        stream = Stream(f"nats://127.0.0.1:{server.port}", "milestones", None, timeout_s=10)
        await stream.send(MESSAGE)
        await stream.send(MESSAGE)
        await stream.close()
    assert server.connections == 1
    assert server.got.count(MESSAGE.body()) == 2
    assert f"Nats-Msg-Id: {MESSAGE.id}".encode() in server.got


@pytest.mark.parametrize("scheme", ["tls", "nats"])
async def test_where_the_server_asks_for_tls_a_message_arrives_over_tls(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whom to trust the system says."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certified(tmp_path)))
    async with serving(tls_required=True) as server:
        server.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        server.tls.load_cert_chain(tmp_path / "localhost.pem")
        stream = Stream(f"{scheme}://localhost:{server.port}", "milestones", None, timeout_s=10)
        await stream.send(MESSAGE)
        await stream.close()
    assert MESSAGE.body() in server.got


def certified(folder: Path) -> Path:
    """A key and a certificate of localhost, by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    words = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / "localhost.pem"
    path.write_bytes(key.private_bytes(*words) + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize("info", [{}, {"tls_available": True}, {"tls_required": False}])
async def test_where_tls_was_promised_a_server_that_does_without_is_told_nothing(info: dict[str, object]) -> None:
    """Whoever sits on the way may take `tls_required` out of what the server says."""
    async with serving(**info) as server:
        said = await failing(f"tls://localhost:{server.port}")
        assert said == "cannot reach localhost: it does not ask for TLS, which tls:// promises: nothing was sent"
    assert server.connections == 1
    assert server.got == b""


async def test_where_tls_was_promised_the_server_has_to_be_who_it_should_be() -> None:
    """It asks for TLS, and then is none that anybody vouches for."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"tls_required": true}\r\n')
        hello.append(await reader.read(1_000))
        writer.write(b"\x15\x03\x03\x00\x02\x02\x28")  # an alert: handshake failure
        writer.close()

    hello: list[bytes] = []
    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        said = await failing(f"tls://localhost:{server.sockets[0].getsockname()[1]}")
    assert said.startswith("cannot reach localhost: [SSL")
    assert hello[0][:1] == b"\x16"  # a handshake, and nothing in the clear


@pytest.mark.parametrize(
    ("host", "reason"),
    [("127.0.0.1", "111"), ("localhost", "111"), ("no-such-host.invalid", "Name or service not known|name resolution")],
)
async def test_nobody_there_is_said_at_once_and_why(host: str, reason: str) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with asyncio.timeout(8):
        said = await failing(f"nats://{host}:{port}", timeout_s=60.0)
    assert said.startswith(f"cannot reach {host}: ")
    assert any(each in said for each in reason.split("|"))


async def test_a_server_that_refuses_us_says_why() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"INFO {}\r\n")
        await reader.readline()
        writer.write(b"-ERR 'Authorization Violation'\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        said = await failing(f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert "Authorization Violation" in said


async def test_a_connection_that_is_given_up_is_closed() -> None:
    """Else each attempt would leave one behind."""
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b""  # it says nothing, as a server of something else
        writer.close()
        ended.set()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        stream = Stream(f"nats://127.0.0.1:{port}", "milestones", None, timeout_s=0.3)
        with pytest.raises(SinkFailed, match=r"no answer within 0\.3 s"):
            await stream.send(MESSAGE)
        await asyncio.wait_for(ended.wait(), 5)
        await stream.close()


async def test_a_message_that_cannot_be_kept_from_the_clear_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a nats-py that makes its connections in another way than this one."""
    from nats.aio.client import Client
    from nats.aio.transport import TcpTransport

    connect = Client._connect_to_server

    async def otherwise(self: Client, server: object) -> None:
        self._transport = TcpTransport()  # type: ignore[no-untyped-call]
        await connect(self, server)  # type: ignore[arg-type]

    monkeypatch.setattr(Client, "_connect_to_server", otherwise)
    async with serving() as server:
        assert "nats-py" in await failing(f"tls://localhost:{server.port}")
    assert b"PUB" not in server.got


def creds(folder: Path, seed: str = SEED) -> Path:
    path = folder / "indexer.creds"
    path.touch(mode=0o600)
    path.write_text(
        f"-----BEGIN NATS USER JWT-----\neyJ0.e30.x\n------END NATS USER JWT------\n\nKeep this to yourself.\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n\n*****\n"
    )
    return path


async def test_credentials_are_told_where_they_are_asked_for_and_over_tls_alone_where_that_was_promised(
    tmp_path: Path,
) -> None:
    """The signature is that of the server's nonce, as nkeys.py makes it."""
    async with serving(auth_required=True, nonce="nonce-of-the-server") as server:
        for scheme in ("tls", "nats"):
            assert server.got == b""
            stream = Stream(f"{scheme}://localhost:{server.port}", "milestones", creds(tmp_path), timeout_s=10)
            with pytest.raises(SinkFailed) if scheme == "tls" else nullcontext():
                await stream.send(MESSAGE)
            await stream.close()
    told = json.loads(server.got.splitlines()[0].removeprefix(b"CONNECT "))
    assert (told["jwt"], told["sig"]) == ("eyJ0.e30.x", SIGNED)
    assert SEED.encode() not in server.got


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(SEED, "", id="no seed"),
        pytest.param(SEED, "SUA", id="half a seed"),
        pytest.param("CAMCAKB", "CAMCAKC", id="a seed with a slip"),
        pytest.param(SEED, "SAAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4HYMHI", id="that of an account"),
        pytest.param("eyJ0.e30.x", "", id="no token"),
        pytest.param("NATS USER JWT", "SOMETHING", id="something else"),
    ],
)
def test_a_file_that_holds_no_credentials_is_refused_without_telling_it(old: str, new: str, tmp_path: Path) -> None:
    path = creds(tmp_path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(FileUnusable, match="no credentials") as refused:
        Stream("tls://nats.example", "milestones", path, timeout_s=1)
    assert "AEQUCYMB" not in str(refused.value)


def test_credentials_that_others_may_read_are_refused(tmp_path: Path) -> None:
    path = creds(tmp_path)
    path.chmod(0o644)
    with pytest.raises(FileUnusable, match="can be read by others"):
        Stream("tls://nats.example", "milestones", path, timeout_s=1)

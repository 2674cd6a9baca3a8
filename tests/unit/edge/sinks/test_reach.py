"""Which addresses a sink may lead to."""

import socket
from typing import Any

import httpcore
import pytest

from indexer.edge.sinks.reach import Private, Reach, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:db8::1", "192.0.2.1",
        "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b:1::7f00:1", "fec0::1",
    ],
)  # fmt: skip
def test_what_is_not_of_the_public_internet_is_not_reached(address: str) -> None:
    """Loopback, private and shared networks, link-local (where clouds keep their keys), multicast, documentation,
    IPv6 that only wraps one of them, also in ways that are out of use, and networks of a site as they once were."""
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_what_is_public_is_reached(address: str) -> None:
    assert is_public(address)


async def test_the_address_that_was_judged_is_the_one_that_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that answers differently each time gains nothing: it is asked once."""
    asked, reached = [], []

    def getaddrinfo(host: str, port: int, **_: Any) -> list[Any]:
        asked.append(host)
        address = "1.1.1.1" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, port))]

    async def connect(self: Any, host: str, *_: Any) -> Any:
        reached.append(host)
        raise httpcore.ConnectError("far away")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
    reach = Reach(allow_private=False)
    with pytest.raises(httpcore.ConnectError):
        await reach.connect_tcp("rebind.example", 443)
    assert (asked, reached) == (["rebind.example"], ["1.1.1.1"])
    with pytest.raises(Private):
        await reach.connect_tcp("rebind.example", 443)
    assert reached == ["1.1.1.1"]


async def test_an_address_that_does_not_answer_leaves_time_for_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where IPv6 leads nowhere. The last one may take as long as there is."""
    reached: list[tuple[str, float | None]] = []

    def getaddrinfo(*_: Any, **__: Any) -> list[Any]:
        return [(0, 0, 0, "", (address, 443)) for address in ("2606:4700::1111", "2606:4700::1111", "1.1.1.1")]

    async def connect(self: Any, host: str, port: int, timeout: float | None, *_: Any) -> Any:  # noqa: ASYNC109
        reached.append((host, timeout))
        if timeout is not None:
            raise httpcore.ConnectTimeout
        return "connected"

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", connect)
    connected: object = await Reach(allow_private=False).connect_tcp("both.example", 443)
    assert connected == "connected"
    assert reached == [("2606:4700::1111", 4.0), ("1.1.1.1", None)]

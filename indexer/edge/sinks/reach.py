"""Connections to hosts that an operator named, never to where a name was made to point to.

A name is looked up once, each address it has is judged, and the connection goes to that very address: a name server
that answers differently the second time gains nothing. TLS is still about the name.
"""

import ipaddress
from collections.abc import Iterable
from typing import Any, Final

import httpcore

from indexer.edge.sinks.apart import Names

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_GIVEN_OUT: Final = ipaddress.ip_network("2000::/3")  # all that there is of IPv6; the rest has long had other uses
_PATIENCE_S: Final = 4.0  # with an address that does not answer, while there are others


class Private(Exception):
    """A name stands for an address that is not of the public internet."""


class Reach(httpcore.AsyncNetworkBackend):
    """Connects to public addresses alone, or to private ones too. A name server that does not answer holds up nobody
    else."""

    def __init__(self, *, allow_private: bool) -> None:
        self._inner, self._names, self._allow_private = httpcore.AnyIOBackend(), Names(), allow_private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises Private, and what httpcore raises."""
        try:
            rest = await self._names.addresses(host, port)
        except OSError as error:
            raise httpcore.ConnectError(f"cannot look up {host}: {error}") from error
        for address in () if self._allow_private else rest:
            if not is_public(address):
                raise Private(f"{host} stands for {address}, which is not public: allow_private = true lets it pass")
        last: Exception = httpcore.ConnectError(f"{host} has no address")
        while rest:
            address, *rest = rest
            limit_s = _PATIENCE_S if rest and timeout is None else timeout  # the next one may answer
            try:
                return await self._inner.connect_tcp(address, port, limit_s, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 -- httpcore's own signature
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Never: no URL names one."""
        raise Private(f"{path} is a socket of this machine")

    async def sleep(self, seconds: float) -> None:
        """As httpcore wants it."""
        await self._inner.sleep(seconds)


def is_public(address: str) -> bool:
    """Whether an address (IPv4 or IPv6) is one of the public internet, for one host."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    inner = None
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour
        if parsed in _NAT64:
            inner = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
    if inner is not None:
        return is_public(str(inner))
    if isinstance(parsed, ipaddress.IPv6Address) and parsed not in _GIVEN_OUT:
        return False
    return parsed.is_global and not parsed.is_multicast

"""Health and metrics over HTTP: /health/live, /health/ready, /metrics, and nothing else."""

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from prometheus_client import CollectorRegistry, generate_latest
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from indexer import errors
from indexer.status import FollowerStatus, Phase

_SILENT = logging.Logger("http", logging.CRITICAL + 1)  # who asks badly is told so, not the operator

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def not_ready(status: FollowerStatus, now_ms: int, ready_within_s: int) -> str | None:
    """Why the read model should not be trusted to be current; None when it is.

    Judged by the wall clock: a node that stands still calls itself synchronised.
    """
    behind = status.seconds_behind(now_ms)
    if status.phase is not Phase.FOLLOWING:
        return status.reason
    if behind is None:
        return "no block followed yet"
    if behind > ready_within_s:
        return f"{behind} s behind the wall clock, at slot {getattr(status.cursor, 'slot', 'origin')}"
    return None


@asynccontextmanager
async def serving(
    host: str, port: int, registry: CollectorRegistry, why_not_ready: Callable[[], str | None]
) -> AsyncIterator[int]:
    """Serve until the context ends; yields the port. Raises PortTaken.

    The WebSocket library answers plain HTTP too, which spares us a second server.
    """

    def answer(connection: ServerConnection, request: Request) -> Response:
        path = request.path.partition("?")[0]
        if path == "/health/live":
            return connection.respond(HTTPStatus.OK, "live\n")
        if path == "/health/ready":
            reason = why_not_ready()
            if reason is None:
                return connection.respond(HTTPStatus.OK, "ready\n")
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, f"not ready: {reason}\n")
        if path == "/metrics":
            body = generate_latest(registry)
            headers = Headers({"Content-Type": METRICS_TYPE, "Content-Length": str(len(body)), "Connection": "close"})
            return Response(200, "OK", headers, body)
        return connection.respond(HTTPStatus.NOT_FOUND, "try /health/live, /health/ready, /metrics\n")

    async def no_websocket(connection: ServerConnection) -> None:
        await connection.close()

    try:
        server = await serve(
            no_websocket,
            host,
            port,
            process_request=answer,
            server_header=None,
            compression=None,
            open_timeout=1,
            logger=_SILENT,
        )
    except OSError as error:
        raise errors.PortTaken(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    async with server:
        yield next(iter(server.sockets)).getsockname()[1]


def now_ms() -> int:
    """The wall clock, in POSIX milliseconds."""
    return time.time_ns() // 1_000_000

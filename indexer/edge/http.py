"""Health and metrics over HTTP: /health/live, /health/ready, /metrics, and nothing else."""

import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from indexer import errors
from indexer.status import FollowerStatus, KeeperStatus, Phase

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


class FollowerMetrics(Collector):
    """The follower's metrics, read from its status when somebody asks."""

    def __init__(self, status: FollowerStatus, clock_ms: Callable[[], int]) -> None:
        self._status, self._clock_ms = status, clock_ms

    def collect(self) -> Iterator[Metric]:
        """Prometheus families, in the order of docs/operations.md."""
        status = self._status
        gauges: tuple[tuple[str, str, float | None], ...] = (
            ("indexer_follower_lag_seconds", "Wall clock minus the time of the cursor's slot.",
             status.seconds_behind(self._clock_ms())),
            ("indexer_follower_height", "Block height of the cursor.", status.height),
            ("indexer_node_tip_height", "Block height of the node's tip, as last told.",
             None if status.tip is None else status.tip.height),
            ("indexer_follower_following", "1 while a chain-sync session follows the chain.",
             float(status.phase is Phase.FOLLOWING)),
        )  # fmt: skip
        counters: tuple[tuple[str, str, int], ...] = (
            ("indexer_blocks", "Blocks followed.", status.blocks),
            ("indexer_blocks_decoded", "Blocks read further than their header.", status.blocks_decoded),
            ("indexer_received_bytes", "Bytes of chain-sync messages.", status.bytes),
            ("indexer_commits", "Database transactions with blocks in them.", status.commits),
            ("indexer_rollbacks", "Rollbacks that undid something.", status.rollbacks),
            ("indexer_blocks_rolled_back", "Blocks undone by rollbacks.", status.blocks_rolled_back),
            ("indexer_reconnects", "Chain-sync sessions that broke.", status.reconnects),
        )  # fmt: skip
        for name, text, value in gauges:
            if value is not None:
                yield GaugeMetricFamily(name, text, value)
        for name, text, count in counters:
            yield CounterMetricFamily(name, text, count)


class KeeperMetrics(Collector):
    """The keeper's metrics, read from its status when somebody asks."""

    def __init__(self, status: KeeperStatus) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """Prometheus families, in the order of docs/operations.md."""
        status = self._status
        gates = GaugeMetricFamily("indexer_keeper_gate_open", "1 while the gate lets releases pass.", labels=["gate"])
        for gate, is_open in status.gates.items():
            gates.add_metric([gate], float(is_open))
        yield gates
        unsettled = GaugeMetricFamily("indexer_releases", "Releases that are not final, by state.", labels=["state"])
        for state, count in status.releases.items():
            unsettled.add_metric([state], count)
        yield unsettled
        for name, text, value in (
            ("indexer_wallet_lovelace", "In coins of ada alone in the keeper's wallet.", status.balance),
            ("indexer_wallet_collateral_lovelace", "Of the coin that backs scripts.", status.collateral),
        ):
            if value is not None:
                yield GaugeMetricFamily(name, text, value)


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

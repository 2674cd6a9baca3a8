"""What Prometheus is told: read from the daemon's status when somebody asks, so that a scrape costs next to nothing.

Names and units are Prometheus' own: base units, `_total` for what only grows. docs/operations.md has the table.
"""

import os
import platform
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from indexer.status import DeliveryStatus, FollowerStatus, HeartbeatStatus, KeeperStatus, ModelStatus, Phase

DEPTHS: Final = (1, 2, 3, 5, 10, 20, 50, 100, 500, 2160)
"""Bounds of the rollbacks' depths, in blocks: the last is k of most networks."""


def _gauge(name: str, text: str, value: float | None) -> Iterator[Metric]:
    """None: not known, so not told."""
    if value is not None:
        yield GaugeMetricFamily(name, text, value)


def _by(name: str, text: str, label: str, values: Mapping[str, float] | None) -> Iterator[Metric]:
    if values is not None:
        family = GaugeMetricFamily(name, text, labels=[label])
        for each, value in values.items():
            family.add_metric([each], float(value))
        yield family


class BuildMetrics(Collector):
    """What is running."""

    def __init__(self, version: str) -> None:
        self._facts = {
            "version": version,
            "python": platform.python_version(),
            "sqlite": sqlite3.sqlite_version,
        }

    def collect(self) -> Iterator[Metric]:
        """One family, that never changes."""
        yield InfoMetricFamily("indexer_build", "What is running; always 1.", self._facts)


class FollowerMetrics(Collector):
    """The follower's."""

    def __init__(
        self, status: FollowerStatus, clock_ms: Callable[[], int], why_not_ready: Callable[[], str | None]
    ) -> None:
        """`clock_ms`: POSIX milliseconds; `why_not_ready`: what /health/ready says."""
        self._status, self._clock_ms, self._why_not_ready = status, clock_ms, why_not_ready

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
            ("indexer_follower_ready", "1 while /health/ready answers 200.", float(self._why_not_ready() is None)),
            ("indexer_follower_stalled", "1 while the event follower.stalled holds.", float(status.stalled)),
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
            yield from _gauge(name, text, value)
        for name, text, count in counters:
            yield CounterMetricFamily(name, text, count)
        depths = status.rollback_depths
        within = accumulate(
            sum(n for depth, n in depths.items() if low < depth <= high)
            for low, high in zip((-1, *DEPTHS), (*DEPTHS, float("inf")), strict=True)
        )
        # As floats, which Prometheus 3 makes of them anyway: rules that name a bound hold in Prometheus 2 too.
        bounds = (*(str(float(depth)) for depth in DEPTHS), "+Inf")
        buckets = list(zip(bounds, within, strict=True))
        total = sum(depth * count for depth, count in depths.items())
        yield HistogramMetricFamily(
            "indexer_rollback_depth_blocks", "Blocks undone by one rollback.", buckets=buckets, sum_value=total
        )


class ModelMetrics(Collector):
    """The read model's: what was counted last."""

    def __init__(self, status: ModelStatus) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """Prometheus families, in the order of docs/operations.md."""
        status = self._status
        yield from _by("indexer_distributions", "Distributions, by state.", "state", status.distributions)
        yield from _by("indexer_milestones", "Milestones, by quorum.", "quorum", status.milestones)
        yield from _gauge(
            "indexer_milestones_due",
            "Milestones with a quorum whose time has come, and that wait to be paid.",
            status.due,
        )


class KeeperMetrics(Collector):
    """The keeper's."""

    def __init__(self, status: KeeperStatus, clock_ms: Callable[[], int]) -> None:
        """`clock_ms`: POSIX milliseconds."""
        self._status, self._clock_ms = status, clock_ms

    def collect(self) -> Iterator[Metric]:
        """Prometheus families, in the order of docs/operations.md."""
        status = self._status
        gates = {gate: float(is_open) for gate, is_open in status.gates.items()}
        yield from _by("indexer_keeper_gate_open", "1 while the gate lets releases pass.", "gate", gates)
        yield from _gauge(
            "indexer_keeper_last_round_timestamp_seconds",
            "When the keeper's last round that went well ended.",
            None if status.round_ms is None else status.round_ms / 1000,
        )
        yield from _by("indexer_releases", "Releases that are not final, by state.", "state", status.releases)
        oldest_ms, now_ms = status.oldest_ms, self._clock_ms()
        yield from _gauge(
            "indexer_release_oldest_seconds",
            "For how long the oldest of those that are in no block is on its way.",
            None if oldest_ms is None else max(0, now_ms - (oldest_ms or now_ms)) / 1000,
        )
        turns = CounterMetricFamily("indexer_release_turns", "Releases that came to a state.", labels=["state"])
        for state, count in status.turns.items():
            turns.add_metric([state], count)
        yield turns
        for name, text, value in (
            ("indexer_wallet_lovelace", "In coins of ada alone in the keeper's wallet.", status.balance),
            ("indexer_wallet_collateral_lovelace", "Of the coin that backs scripts.", status.collateral),
            ("indexer_wallet_runway_releases", "Releases that the wallet lasts for, above its reserve.", status.runway),
        ):
            yield from _gauge(name, text, value)


class FileMetrics(Collector):
    """The database's files. Looks at names and sizes alone."""

    def __init__(self, database: Path) -> None:
        self._database = database.resolve()  # the log lies beside the file, not beside a link to it

    def collect(self) -> Iterator[Metric]:
        """Prometheus families, in the order of docs/operations.md."""
        wal = self._database.with_name(f"{self._database.name}-wal")
        yield from _gauge("indexer_database_bytes", "Size of the database.", _size(self._database))
        yield from _gauge("indexer_database_wal_bytes", "Size of its write-ahead log.", _size(wal))
        free = shutil.disk_usage(self._database.parent).free
        yield from _gauge("indexer_disk_free_bytes", "Free on the disk that the database is on.", free)


class HeartbeatMetrics(Collector):
    """The heartbeat's."""

    def __init__(self, status: HeartbeatStatus) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        """One family."""
        beats = CounterMetricFamily("indexer_heartbeats", "Heartbeats, by what became of them.", labels=["outcome"])
        beats.add_metric(["answered"], self._status.sent)
        beats.add_metric(["failed"], self._status.failed)
        yield beats


def _size(path: Path) -> int:
    """In bytes; 0 where there is none, such as a log between two runs."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 -- a look at one name
    except FileNotFoundError:
        return 0


class DeliveryMetrics(Collector):
    """How sinks are served, read from its status when somebody asks."""

    def __init__(self, status: DeliveryStatus, clock_ms: Callable[[], int]) -> None:
        self._status, self._clock_ms = status, clock_ms

    def collect(self) -> Iterator[Metric]:
        """Prometheus families, in the order of docs/operations.md."""
        pending = GaugeMetricFamily(
            "indexer_deliveries_pending", "Messages that wait to be sent to a sink.", labels=["sink"]
        )
        oldest = GaugeMetricFamily(
            "indexer_delivery_oldest_seconds", "For how long the oldest of them is tried.", labels=["sink"]
        )
        dead = GaugeMetricFamily("indexer_deliveries_dead", "Messages that were given up.", labels=["sink"])
        for sink, (waiting, first_ms, given_up) in sorted(self._status.queued.items()):
            pending.add_metric([sink], waiting)
            oldest.add_metric([sink], max(0, self._clock_ms() - first_ms) / 1000 if first_ms else 0)
            dead.add_metric([sink], given_up)
        yield from (pending, oldest, dead)
        attempts = CounterMetricFamily(
            "indexer_delivery_attempts",
            "Attempts to send a message, by outcome.",
            labels=["sink", "outcome"],
        )
        for (sink, outcome), count in sorted(self._status.attempts.items()):
            attempts.add_metric([sink, outcome], count)
        yield attempts

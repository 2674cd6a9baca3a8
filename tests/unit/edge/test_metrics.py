"""What Prometheus is told, from statuses."""

import os
from collections import Counter
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from indexer.edge import metrics
from indexer.status import FollowerStatus, HeartbeatStatus, KeeperStatus, ModelStatus

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def told(collector: Collector) -> Samples:
    """The samples as Prometheus reads them, by name and labels."""
    registry = CollectorRegistry()
    registry.register(collector)
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def names(found: Samples) -> set[str]:
    return {name for name, _ in found}


def test_what_is_not_known_is_not_told() -> None:
    """Before the first block, the first count, the first round."""
    follower = told(metrics.FollowerMetrics(FollowerStatus(), lambda: 0, lambda: "not connected"))
    assert {"indexer_follower_lag_seconds", "indexer_follower_height", "indexer_node_tip_height"}.isdisjoint(
        names(follower)
    )
    assert follower["indexer_follower_ready", ()] == 0
    assert told(metrics.ModelMetrics(ModelStatus())) == {}
    assert told(metrics.KeeperMetrics(KeeperStatus(), lambda: 0)) == {}


def test_depths_of_rollbacks_are_a_histogram() -> None:
    """Each bucket has all that are no deeper; the last has all. Bounds are written as Prometheus 3 keeps them."""
    status = FollowerStatus(rollback_depths=Counter({0: 1, 1: 5, 2: 1, 10: 2, 11: 1, 3000: 1}))
    found = told(metrics.FollowerMetrics(status, lambda: 0, lambda: None))
    buckets = {dict(labels)["le"]: value for (name, labels), value in found.items() if name.endswith("_bucket")}
    few = {"1.0": 6, "2.0": 7, "3.0": 7, "5.0": 7, "10.0": 9, "20.0": 10}
    assert buckets == few | {"50.0": 10, "100.0": 10, "500.0": 10, "2160.0": 10, "+Inf": 11}
    assert found["indexer_rollback_depth_blocks_count", ()] == 11
    assert found["indexer_rollback_depth_blocks_sum", ()] == 0 + 5 + 2 + 20 + 11 + 3000


def test_what_was_counted_is_told_by_state_quorum_and_outcome() -> None:
    """In the words of the views."""
    model = ModelStatus({"pending": 3, "met": 2, "exceeded": 1}, {"open": 4}, 5)
    assert told(metrics.ModelMetrics(model)) == {
        ("indexer_milestones", (("quorum", "pending"),)): 3,
        ("indexer_milestones", (("quorum", "met"),)): 2,
        ("indexer_milestones", (("quorum", "exceeded"),)): 1,
        ("indexer_distributions", (("state", "open"),)): 4,
        ("indexer_milestones_due", ()): 5,
    }
    assert told(metrics.HeartbeatMetrics(HeartbeatStatus(7, 2))) == {
        ("indexer_heartbeats_total", (("outcome", "answered"),)): 7,
        ("indexer_heartbeats_total", (("outcome", "failed"),)): 2,
    }


def test_times_and_amounts_are_in_base_units() -> None:
    """Seconds, and lovelace as they are."""
    status = KeeperStatus(balance=12_000_000, collateral=0, runway=14, round_ms=1_700_000_000_250)
    status.turns["final"] += 2
    assert told(metrics.KeeperMetrics(status, lambda: 0)) == {
        ("indexer_keeper_last_round_timestamp_seconds", ()): 1_700_000_000.25,
        ("indexer_release_turns_total", (("state", "final"),)): 2,
        ("indexer_wallet_lovelace", ()): 12_000_000,
        ("indexer_wallet_collateral_lovelace", ()): 0,
        ("indexer_wallet_runway_releases", ()): 14,
    }


def test_the_age_of_a_release_grows_with_the_clock_and_is_0_where_none_is_on_its_way() -> None:
    """Also where the clock went back."""

    def age(oldest_ms: int, now_ms: int) -> float:
        found = told(metrics.KeeperMetrics(KeeperStatus(oldest_ms=oldest_ms), lambda: now_ms))
        return found["indexer_release_oldest_seconds", ()]

    assert age(1_700_000_000_000, 1_700_000_090_500) == 90.5
    assert age(1_700_000_000_000, 1_600_000_000_000) == 0
    assert age(0, 1_700_000_000_000) == 0


def test_sizes_are_those_of_the_files_also_behind_a_link(tmp_path: Path) -> None:
    """And 0 for a log that is not there."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "db.sqlite").write_bytes(bytes(4096))
    (tmp_path / "db.sqlite").symlink_to(tmp_path / "real" / "db.sqlite")
    collector = metrics.FileMetrics(tmp_path / "db.sqlite")
    found = told(collector)
    assert (found["indexer_database_bytes", ()], found["indexer_database_wal_bytes", ()]) == (4096, 0)
    (tmp_path / "real" / "db.sqlite-wal").write_bytes(bytes(77))
    assert told(collector)["indexer_database_wal_bytes", ()] == 77
    disk = os.statvfs(tmp_path)
    assert 0 < found["indexer_disk_free_bytes", ()] <= disk.f_blocks * disk.f_frsize

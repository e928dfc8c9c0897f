"""The observer of the archiver and the metrics it ends in."""

from swapstats.observability.archive_figures import ArchiveFigures
from swapstats.observability.metrics import Metrics
from swapstats.ports.archive import ArchiveObserver


def test_the_archiver_is_measured() -> None:
    metrics = Metrics()
    observer: ArchiveObserver = ArchiveFigures(metrics)
    observer.flushed(3, 1_000, 12.5)
    observer.flushed(4, 10, 7.5)
    observer.failed(3, "Expected ClickHouse, was away")
    observer.waiting(4_096)
    observer.waiting(1_024)
    value = metrics.registry.get_sample_value
    assert value("clickhouse_batch_size_count") == 2
    assert value("clickhouse_batch_size_sum") == 1_010
    assert value("clickhouse_batch_size_bucket", {"le": "10.0"}) == 1
    assert value("clickhouse_flush_duration_ms_sum") == 20
    assert value("clickhouse_failures_total") == 1
    assert value("clickhouse_waiting_bytes") == 1_024

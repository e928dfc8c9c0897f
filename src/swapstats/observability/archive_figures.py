"""What the archiver measures, written into `Metrics`: the observer of `ports.archive`."""

from swapstats.observability.metrics import Metrics


class ArchiveFigures:
    """An `ArchiveObserver`; quick, never raises, safe for use from several threads.

    Args:
        metrics: where the figures go.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def flushed(self, partition: int, rows: int, took_ms: float) -> None:
        """Note a batch that is in the archive: its rows, and its time in milliseconds."""
        del partition  # the figures of all shards are added up
        self._metrics.clickhouse_batch_size.observe(rows)
        self._metrics.clickhouse_flush_duration_ms.observe(took_ms)

    def failed(self, partition: int, reason: str) -> None:
        """Count an insert that failed; the reason is for the log."""
        del partition, reason
        self._metrics.clickhouse_failures_total.inc()

    def waiting(self, size_bytes: int) -> None:
        """Note how many bytes of records wait to be archived."""
        self._metrics.clickhouse_waiting_bytes.set(size_bytes)

"""What ingest and aggregator measure, written into `Metrics`: the observers of `ports.observer`."""

from swapstats.model.effects import Effects
from swapstats.observability.metrics import Metrics


class StreamFigures:
    """Both observers in one; quick, never raises, safe for use from several threads.

    Args:
        metrics: where the figures go.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def applied(self, partition: int, effects: Effects, took_ms: float) -> None:
        """Count the fates of a batch, and the milliseconds it took."""
        del partition  # the figures of all shards are added up
        self._metrics.observe_effects(effects)
        self._metrics.window_apply_latency_ms.observe(took_ms)

    def position(self, partition: int, next_offset: int, end_offset: int, lag_ms: int) -> None:
        """Note a partition's place in the log, and its lag in milliseconds."""
        self._metrics.set_position(partition, next_offset, end_offset, lag_ms)

    def snapshot(self, partition: int, stall_ms: float, took_ms: float, size_bytes: int) -> None:
        """Note what a checkpoint cost: the stream's standstill, the whole, its size."""
        del partition
        self._metrics.snapshot_stall_ms.observe(stall_ms)
        self._metrics.snapshot_duration_ms.observe(took_ms)
        self._metrics.snapshot_bytes.observe(size_bytes)

    def tokens(self, count: int) -> None:
        """Note how many tokens are known over all shards."""
        self._metrics.tokens_gauge.set(count)

    def appended(self, source: str, messages: int, size_bytes: int) -> None:
        """Count messages of a source that reached the log, and their bytes."""
        self._metrics.source_messages_total.labels(source).inc(messages)
        self._metrics.source_bytes_total.labels(source).inc(size_bytes)

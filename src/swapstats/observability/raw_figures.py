"""The preprocessor's observer: what it tells becomes figures."""

from swapstats.model.preprocessed import Preprocessed
from swapstats.observability.metrics import Metrics


class RawFigures:
    """Counts what becomes of raw events.

    Args:
        metrics: of the process.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def preprocessed(
        self, partition: int, records: int, made: Preprocessed, took_ms: float
    ) -> None:
        """Count what a batch became."""
        del partition
        metrics = self._metrics
        metrics.raw_events_total.inc(records)
        metrics.preprocess_latency_ms.observe(took_ms)
        for name, count in made.counts.items():
            if name in PRICE_SOURCES:
                metrics.swaps_priced_total.labels(name).inc(count)
            else:
                metrics.swaps_flagged_total.labels(name).inc(count)
        for refused in made.refused:
            counter = metrics.raw_refused_total if refused.is_letter else metrics.raw_filtered_total
            counter.labels(refused.reason).inc()

    def raw_position(self, partition: int, next_offset: int, end_offset: int, lag_ms: int) -> None:
        """Note a partition's place in the raw log."""
        label = str(partition)
        self._metrics.raw_unread.labels(label).set(end_offset - next_offset)
        self._metrics.raw_lag_seconds.labels(label).set(lag_ms / 1_000)

    def state_saved(self, partition: int, size_bytes: int, took_ms: float) -> None:
        """Note a saved state."""
        del partition
        self._metrics.preprocess_state_bytes.set(size_bytes)
        self._metrics.preprocess_save_ms.observe(took_ms)


PRICE_SOURCES = frozenset({"stable", "native", "pool", "exchange", "none"})
"""What of the counts says where a price is from; all else are flags."""

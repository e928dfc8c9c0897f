"""Metrics of raw events: collectors and the preprocessor."""

from typing import Final

from prometheus_client import CollectorRegistry

from swapstats.observability.metric_spec import MetricMaker, MetricSpec

_MS: Final = (0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000)

RAW_TABLE: Final = (
    MetricSpec("raw_events_total", "counter", "Raw events taken by the preprocessor."),
    MetricSpec(
        "swaps_priced_total", "counter", "Swaps made of raw events, by where the price is from.",
        ("price_source",),
    ),
    MetricSpec("swaps_flagged_total", "counter", "Swaps made with a flag, by flag.", ("flag",)),
    MetricSpec(
        "raw_refused_total", "counter", "Raw events kept as dead letters, by reason.", ("reason",)
    ),
    MetricSpec(
        "raw_filtered_total", "counter", "Raw events left out on purpose, by reason.", ("reason",)
    ),
    MetricSpec(
        "preprocess_latency_ms", "histogram",
        "Time to take one batch of raw events and write what came of it, in milliseconds.",
        buckets=_MS,
    ),
    MetricSpec(
        "preprocess_save_ms", "histogram",
        "Time to save the preprocessor's state, in milliseconds.", buckets=_MS,
    ),
    MetricSpec("preprocess_state_bytes", "gauge", "Size of the newest saved state, in bytes."),
    MetricSpec("raw_unread", "gauge", "Raw events not taken yet.", ("partition",)),
    MetricSpec(
        "raw_lag_seconds", "gauge", "Age of the oldest raw event not taken, in seconds.",
        ("partition",),
    ),
    MetricSpec(
        "source_state", "gauge",
        "How a source does: 0 live or done, 1 connecting, 2 waiting, 3 failed.", ("source",),
    ),
    MetricSpec(
        "source_filled", "gauge",
        "Trades asked of an exchange's history because they did not come, since the start.",
        ("source",),
    ),
    MetricSpec(
        "source_missing", "gauge",
        "Trades that an exchange's history does not have either, since the start.", ("source",),
    ),
    MetricSpec(
        "source_connections", "gauge", "Connections made to an exchange, since the start.",
        ("source",),
    ),
    MetricSpec("source_reorgs", "gauge", "Reorgs of a chain, since the start.", ("source",)),
    MetricSpec(
        "source_reorg_blocks_max", "gauge",
        "Blocks taken back by a chain's deepest reorg, since the start.", ("source",),
    ),
    MetricSpec(
        "source_blocks_left", "gauge",
        "Blocks of a chain that are known to be there and not read yet.", ("source",),
    ),
    MetricSpec(
        "source_quiet_seconds", "gauge", "Time without a new block of a chain, in seconds.",
        ("source",),
    ),
    MetricSpec(
        "source_refused_logs", "gauge",
        "Logs with the topic of a swap that are none, as often as they were read.",
        ("source", "reason"),
    ),
)  # fmt: skip
"""Metrics that are there only where raw events are; elsewhere they stay at 0."""


class RawMetrics:
    """One attribute a metric of RAW_TABLE, in a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        make = MetricMaker(RAW_TABLE, registry)
        self.raw_events_total = make.counter("raw_events_total")
        self.swaps_priced_total = make.counter("swaps_priced_total")
        self.swaps_flagged_total = make.counter("swaps_flagged_total")
        self.raw_refused_total = make.counter("raw_refused_total")
        self.raw_filtered_total = make.counter("raw_filtered_total")
        self.preprocess_latency_ms = make.histogram("preprocess_latency_ms")
        self.preprocess_save_ms = make.histogram("preprocess_save_ms")
        self.preprocess_state_bytes = make.gauge("preprocess_state_bytes")
        self.raw_unread = make.gauge("raw_unread")
        self.raw_lag_seconds = make.gauge("raw_lag_seconds")
        self.source_state = make.gauge("source_state")
        self.source_filled = make.gauge("source_filled")
        self.source_missing = make.gauge("source_missing")
        self.source_connections = make.gauge("source_connections")
        self.source_reorgs = make.gauge("source_reorgs")
        self.source_reorg_blocks_max = make.gauge("source_reorg_blocks_max")
        self.source_blocks_left = make.gauge("source_blocks_left")
        self.source_quiet_seconds = make.gauge("source_quiet_seconds")
        self.source_refused_logs = make.gauge("source_refused_logs")

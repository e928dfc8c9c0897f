"""Every metric of swapstats, in one table, and the object that holds them.

A `Metrics` has its own registry: two in one process share nothing. Counters start at 0 with the
process, as Prometheus expects; totals that survive a restart are in the checkpoint and the
report. Served by `observability.metrics_server`; described for people in `docs/METRICS.md`.
"""

from collections import Counter as Tally

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

from swapstats import __version__
from swapstats.model.effects import COUNTER_NAMES, Effects
from swapstats.model.wire import REASONS
from swapstats.observability.metric_spec import MetricMaker, MetricSpec
from swapstats.observability.raw_metrics import RAW_TABLE, RawMetrics
from swapstats.observability.role_metrics import ROLE_TABLE, RoleMetrics

ROUTES_MAX = 256
"""Pairs of route and status counted apart; further routes are counted as `other`."""

_FAST_MS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500)
_SLOW_MS = (1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000)
_HTTP_MS = (0.5, 1, 2, 5, 10, 20, 40, 80, 150, 250, 500, 1_000, 2_500, 10_000)
_BATCH_ROWS = (1, 10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000)
_SIZE_BYTES = tuple(float(4**power) for power in range(5, 16))


TABLE = (
    MetricSpec("events_ingested_total", "counter", "Records read from the log and judged."),
    MetricSpec("events_applied_total", "counter", "Adds that began to contribute to windows."),
    MetricSpec("dedupe_hits_total", "counter", "Duplicates of records seen before."),
    MetricSpec("removed_total", "counter", "Removals that took something back."),
    MetricSpec(
        "cancelled_total",
        "counter",
        "Adds and removals that met their counterpart first, and removals still waiting.",
    ),
    MetricSpec("too_old_total", "counter", "Records older than the largest window, not applied."),
    MetricSpec("late_total", "counter", "Late records, whether applied or refused."),
    MetricSpec("late_refused_total", "counter", "Late records dropped or diverted."),
    MetricSpec(
        "dead_letters_total", "counter", "Messages that broke the contract, by reason.", ("reason",)
    ),
    MetricSpec(
        "window_apply_latency_ms",
        "histogram",
        "Time to apply one batch to the windows, in milliseconds.",
        buckets=_FAST_MS,
    ),
    MetricSpec("tokens_gauge", "gauge", "Tokens known."),
    MetricSpec(
        "consumer_lag_seconds",
        "gauge",
        "Age of the oldest unread record, in seconds; 0 at the end of the log.",
        ("partition",),
    ),
    MetricSpec("next_offset", "gauge", "Offset of the next record to read.", ("partition",)),
    MetricSpec(
        "log_end_offset", "gauge", "Offset the next record of the log will get.", ("partition",)
    ),
    MetricSpec(
        "snapshot_duration_ms",
        "histogram",
        "Time to take and write one checkpoint, in milliseconds.",
        buckets=_SLOW_MS,
    ),
    MetricSpec(
        "snapshot_stall_ms",
        "histogram",
        "Time one checkpoint kept the stream from being applied, in milliseconds.",
        buckets=_FAST_MS,
    ),
    MetricSpec(
        "snapshot_bytes", "histogram", "Size of one checkpoint, in bytes.", buckets=_SIZE_BYTES
    ),
    MetricSpec(
        "clickhouse_batch_size",
        "histogram",
        "Rows of one batch that went into the archive.",
        buckets=_BATCH_ROWS,
    ),
    MetricSpec(
        "clickhouse_flush_duration_ms",
        "histogram",
        "Time from the note of a batch to the end of its insert, in milliseconds.",
        buckets=_SLOW_MS,
    ),
    MetricSpec(
        "clickhouse_failures_total",
        "counter",
        "Inserts into the archive that failed; each is tried again.",
    ),
    MetricSpec(
        "clickhouse_waiting_bytes", "gauge", "Size of records that wait to be archived, in bytes."
    ),
    MetricSpec(
        "source_messages_total", "counter", "Messages of a source now in the log.", ("source",)
    ),
    MetricSpec("source_bytes_total", "counter", "Bytes of these messages.", ("source",)),
    MetricSpec(
        "source_gaps_total", "counter", "Gaps noticed in the stream of a source.", ("source",)
    ),
    MetricSpec(
        "http_requests_total", "counter", "HTTP requests answered.", ("route", "status")
    ),
    MetricSpec(
        "http_request_latency_ms",
        "histogram",
        "Time to answer one HTTP request, in milliseconds.",
        ("route",),
        _HTTP_MS,
    ),
    MetricSpec("ws_clients_gauge", "gauge", "WebSocket clients connected."),
    MetricSpec(
        "ws_dropped_msgs_total",
        "counter",
        "WebSocket messages a slow client did not get as such: merged into a later frame, or "
        "pending when it was closed.",
        ("reason",),
    ),
    MetricSpec("ws_frames_total", "counter", "WebSocket frames written."),
    MetricSpec("ws_sent_bytes_total", "counter", "Bytes of the WebSocket frames written."),
    MetricSpec(
        "stale_updates_total",
        "counter",
        "Updates dropped because a newer one of the shard was seen before.",
    ),
    MetricSpec(
        "clock_held_gauge", "gauge", "1 while windows do not follow the wall clock, else 0."
    ),
    MetricSpec("ready_gauge", "gauge", "1 if ready to serve, else 0."),
    MetricSpec(
        "build_info", "gauge", "Always 1; the version is in the label.", ("version",)
    ),
    *ROLE_TABLE,
    *RAW_TABLE,
)  # fmt: skip
"""Every metric of our own. Beside them stand `process_*` and `python_*` of the client library."""

_COUNTER_OF = {
    "ingested": "events_ingested_total",
    "applied": "events_applied_total",
    "duplicates": "dedupe_hits_total",
    "removed": "removed_total",
    "cancelled": "cancelled_total",
    "too_old": "too_old_total",
    "late": "late_total",
    "late_refused": "late_refused_total",
}
"""Counter of `model.effects.COUNTER_NAMES` -> metric; dead letters are counted by reason."""


class Metrics(RoleMetrics, RawMetrics):
    """One attribute a metric, named as in TABLE; safe for use from several threads.

    Attributes:
        registry: what a server exposes.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        RoleMetrics.__init__(self, self.registry)
        RawMetrics.__init__(self, self.registry)
        make = MetricMaker(TABLE, self.registry)
        self.events_ingested_total = make.counter("events_ingested_total")
        self.events_applied_total = make.counter("events_applied_total")
        self.dedupe_hits_total = make.counter("dedupe_hits_total")
        self.removed_total = make.counter("removed_total")
        self.cancelled_total = make.counter("cancelled_total")
        self.too_old_total = make.counter("too_old_total")
        self.late_total = make.counter("late_total")
        self.late_refused_total = make.counter("late_refused_total")
        self.dead_letters_total = make.counter("dead_letters_total")
        self.window_apply_latency_ms = make.histogram("window_apply_latency_ms")
        self.tokens_gauge = make.gauge("tokens_gauge")
        self.consumer_lag_seconds = make.gauge("consumer_lag_seconds")
        self.next_offset = make.gauge("next_offset")
        self.log_end_offset = make.gauge("log_end_offset")
        self.snapshot_duration_ms = make.histogram("snapshot_duration_ms")
        self.snapshot_stall_ms = make.histogram("snapshot_stall_ms")
        self.snapshot_bytes = make.histogram("snapshot_bytes")
        self.clickhouse_batch_size = make.histogram("clickhouse_batch_size")
        self.clickhouse_flush_duration_ms = make.histogram("clickhouse_flush_duration_ms")
        self.clickhouse_failures_total = make.counter("clickhouse_failures_total")
        self.clickhouse_waiting_bytes = make.gauge("clickhouse_waiting_bytes")
        self.source_messages_total = make.counter("source_messages_total")
        self.source_bytes_total = make.counter("source_bytes_total")
        self.source_gaps_total = make.counter("source_gaps_total")
        self.http_requests_total = make.counter("http_requests_total")
        self.http_request_latency_ms = make.histogram("http_request_latency_ms")
        self.ws_clients_gauge = make.gauge("ws_clients_gauge")
        self.ws_dropped_msgs_total = make.counter("ws_dropped_msgs_total")
        self.ws_frames_total = make.counter("ws_frames_total")
        self.ws_sent_bytes_total = make.counter("ws_sent_bytes_total")
        self.stale_updates_total = make.counter("stale_updates_total")
        self.clock_held_gauge = make.gauge("clock_held_gauge")
        self.ready_gauge = make.gauge("ready_gauge")
        self._ready: dict[str, bool] = {}
        self.build_info = make.gauge("build_info")
        self.build_info.labels(__version__).set(1)
        # Children are made once: `labels()` costs more than the count itself, and a reason that
        # never occurred shows as 0 instead of being absent.
        self._fates: dict[str, Counter] = {
            name: getattr(self, _COUNTER_OF[name]) for name in COUNTER_NAMES if name in _COUNTER_OF
        }
        self._reasons = {
            reason: self.dead_letters_total.labels(reason) for reason in REASONS if reason != "ok"
        }
        self._routes: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def set_ready(self, role: str, ready: bool) -> None:
        """Note whether a role of this process is ready; the gauge tells whether all are."""
        self._ready[role] = ready
        self.ready_gauge.set(all(self._ready.values()))

    def observe_effects(self, effects: Effects) -> None:
        """Count the fates of one batch or tick; a few microseconds."""
        for name, count in effects.counters.items():
            if count and name in self._fates:
                self._fates[name].inc(count)
        if effects.dead_letters:
            reasons = Tally(letter.reason for letter in effects.dead_letters)
            for reason, count in reasons.items():
                self._reasons[reason].inc(count)

    def set_position(self, partition: int, next_offset: int, end_offset: int, lag_ms: int) -> None:
        """Note where the reader of a partition stands.

        Args:
            partition: which one.
            next_offset: offset of the next record to read.
            end_offset: offset the next record of the log will get.
            lag_ms: age of the oldest unread record in milliseconds, 0 if all is read.
        """
        label = str(partition)
        self.next_offset.labels(label).set(next_offset)
        self.log_end_offset.labels(label).set(end_offset)
        self.consumer_lag_seconds.labels(label).set(lag_ms / 1_000)

    def forget_partition(self, partition: int) -> None:
        """Drop the figures of a partition that moved to another instance."""
        for gauge in (self.next_offset, self.log_end_offset, self.consumer_lag_seconds):
            gauge.remove(str(partition))

    def observe_http(self, route: str, status: int, latency_ms: float) -> None:
        """Count one answered request.

        Args:
            route: the route's pattern, such as `/api/tokens/{id}/stats`: never the raw path.
            status: HTTP status.
            latency_ms: time to answer, in milliseconds.
        """
        children = self._routes.get((route, status))
        if children is None:
            known = route if len(self._routes) < ROUTES_MAX else "other"
            children = (
                self.http_requests_total.labels(known, str(status)),
                self.http_request_latency_ms.labels(known),
            )
            if known == route:
                self._routes[route, status] = children
        children[0].inc()
        children[1].observe(latency_ms)

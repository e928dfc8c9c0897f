"""Metrics of the roles on real servers: what they own, stand on, publish, look at, wait for."""

from typing import Final

from prometheus_client import CollectorRegistry

from swapstats.observability.metric_spec import MetricMaker, MetricSpec

_CALL_MS: Final = (0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000)
_ACK_MS: Final = (1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000)

FENCED_STORES: Final = ("checkpoints", "hot_store", "journal")

ROLE_TABLE: Final = (
    MetricSpec(
        "dependency_state",
        "gauge",
        "How a dependency does: 0 in use, 1 tried again, 2 not called because it failed.",
        ("name",),
    ),
    MetricSpec(
        "dependency_opens_total", "counter", "Times a dependency was given up.", ("name",)
    ),
    MetricSpec(
        "dependency_refused_total",
        "counter",
        "Calls, or messages of a fan-out, not made because a dependency was given up.",
        ("name",),
    ),
    MetricSpec("partitions_owned_gauge", "gauge", "Partitions this process owns."),
    MetricSpec(
        "partition_handovers_total",
        "counter",
        "Partitions taken over and given up.",
        ("direction",),
    ),
    MetricSpec(
        "fenced_writes_total",
        "counter",
        "Writes refused because a newer owner of the shard exists.",
        ("store",),
    ),
    MetricSpec(
        "hot_store_put_latency_ms",
        "histogram",
        "Time to write one update to the hot store, in milliseconds.",
        buckets=_CALL_MS,
    ),
    MetricSpec(
        "dead_letters_waiting_gauge", "gauge", "Dead letters in memory until their store is back."
    ),
    MetricSpec(
        "dedupe_passed_over_total",
        "counter",
        "Records applied without asking Redis for duplicates from before the windows: it was away.",
    ),
    MetricSpec("feed_published_total", "counter", "Token updates the fan-out has taken."),
    MetricSpec(
        "feed_dropped_total",
        "counter",
        "Token updates given up because the fan-out was away; readers heal from the hot store.",
    ),
    MetricSpec("replica_looks_total", "counter", "Looks at a partition of the hot store."),
    MetricSpec("replica_failed_looks_total", "counter", "Those the hot store did not answer."),
    MetricSpec(
        "ingest_ack_latency_ms",
        "histogram",
        "Time until the log acknowledged one block of messages, in milliseconds.",
        buckets=_ACK_MS,
    ),
    MetricSpec(
        "ingest_unacked_seconds",
        "gauge",
        "How long the block under way has waited for its acknowledgement, in seconds.",
    ),
)  # fmt: skip
"""Metrics that only some roles fill; the others leave them at 0."""


class RoleMetrics:
    """One attribute a metric of ROLE_TABLE, in a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        make = MetricMaker(ROLE_TABLE, registry)
        self.dependency_state = make.gauge("dependency_state")
        self.dependency_opens_total = make.counter("dependency_opens_total")
        self.dependency_refused_total = make.counter("dependency_refused_total")
        self.partitions_owned_gauge = make.gauge("partitions_owned_gauge")
        self.partition_handovers_total = make.counter("partition_handovers_total")
        self.fenced_writes_total = make.counter("fenced_writes_total")
        self.hot_store_put_latency_ms = make.histogram("hot_store_put_latency_ms")
        self.dead_letters_waiting_gauge = make.gauge("dead_letters_waiting_gauge")
        self.dedupe_passed_over_total = make.counter("dedupe_passed_over_total")
        self.feed_published_total = make.counter("feed_published_total")
        self.feed_dropped_total = make.counter("feed_dropped_total")
        self.replica_looks_total = make.counter("replica_looks_total")
        self.replica_failed_looks_total = make.counter("replica_failed_looks_total")
        self.ingest_ack_latency_ms = make.histogram("ingest_ack_latency_ms")
        self.ingest_unacked_seconds = make.gauge("ingest_unacked_seconds")

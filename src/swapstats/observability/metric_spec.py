"""One metric as a row of a table, and how a row becomes a metric of the client library."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One metric.

    Attributes:
        name: as scraped; also the attribute of `Metrics`.
        kind: what Prometheus calls it.
        help: one sentence with the unit.
        labels: label names.
        buckets: upper bounds of a histogram, in its unit.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


class MetricMaker:
    """Makes metrics of a table in one registry, by name.

    Args:
        table: the rows.
        registry: where they are registered.
    """

    def __init__(self, table: Iterable[MetricSpec], registry: CollectorRegistry) -> None:
        self._specs = {spec.name: spec for spec in table}
        self._registry = registry

    def counter(self, name: str) -> Counter:
        """Make a counter."""
        spec = self._specs[name]
        return Counter(spec.name, spec.help, spec.labels, registry=self._registry)

    def gauge(self, name: str) -> Gauge:
        """Make a gauge."""
        spec = self._specs[name]
        return Gauge(spec.name, spec.help, spec.labels, registry=self._registry)

    def histogram(self, name: str) -> Histogram:
        """Make a histogram."""
        spec = self._specs[name]
        return Histogram(
            spec.name, spec.help, spec.labels, registry=self._registry, buckets=spec.buckets
        )

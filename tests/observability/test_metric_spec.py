from prometheus_client import CollectorRegistry

from swapstats.observability.metric_spec import MetricMaker, MetricSpec


def test_rows_become_metrics_of_their_kind() -> None:
    registry = CollectorRegistry()
    table = (
        MetricSpec("seen_total", "counter", "Things seen.", ("kind",)),
        MetricSpec("held_gauge", "gauge", "Things held."),
        MetricSpec("took_ms", "histogram", "Time, in milliseconds.", buckets=(1, 10)),
    )
    make = MetricMaker(table, registry)
    make.counter("seen_total").labels("odd").inc(3)
    make.gauge("held_gauge").set(2)
    make.histogram("took_ms").observe(5)
    assert registry.get_sample_value("seen_total", {"kind": "odd"}) == 3
    assert registry.get_sample_value("held_gauge") == 2
    assert registry.get_sample_value("took_ms_bucket", {"le": "1.0"}) == 0
    assert registry.get_sample_value("took_ms_bucket", {"le": "10.0"}) == 1

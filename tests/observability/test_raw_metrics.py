"""Every metric of raw events is there under its name, once."""

from prometheus_client import CollectorRegistry

from swapstats.observability.raw_metrics import RAW_TABLE, RawMetrics


def test_each_row_is_an_attribute_of_its_name() -> None:
    metrics = RawMetrics(CollectorRegistry())
    assert [spec.name for spec in RAW_TABLE if not hasattr(metrics, spec.name)] == []
    assert len({spec.name for spec in RAW_TABLE}) == len(RAW_TABLE)

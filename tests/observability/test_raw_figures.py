"""What the preprocessor tells becomes figures."""

from swapstats.model.preprocessed import Preprocessed, RefusedEvent
from swapstats.observability.metrics import Metrics
from swapstats.observability.raw_figures import RawFigures


def test_everything_is_counted_by_its_name() -> None:
    metrics = Metrics()
    figures = RawFigures(metrics)
    made = Preprocessed(
        swaps=[b"a", b"b"],
        origins=[0, 1],
        refused=[RefusedEvent(2, "dust", "", False), RefusedEvent(3, "bad_json", "", True)],
        candles=[],
        prices=[],
        counts={"stable": 2, "round_trip": 1},
    )
    figures.preprocessed(0, 4, made, 1.5)
    figures.preprocessed(0, 4, made, 1.5)
    figures.raw_position(0, 8, 20, 2_500)
    figures.state_saved(0, 700, 3.0)

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(name, labels)

    assert value("raw_events_total") == 8
    assert value("swaps_priced_total", price_source="stable") == 4
    assert value("swaps_flagged_total", flag="round_trip") == 2
    assert value("raw_filtered_total", reason="dust") == 2
    assert value("raw_refused_total", reason="dust") is None
    assert value("raw_refused_total", reason="bad_json") == 2
    assert value("raw_unread", partition="0") == 12
    assert value("raw_lag_seconds", partition="0") == 2.5
    assert value("preprocess_state_bytes") == 700
    assert value("preprocess_latency_ms_count") == 2
    assert value("preprocess_save_ms_count") == 1

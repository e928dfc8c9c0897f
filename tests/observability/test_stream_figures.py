"""The observers of the stream and the metrics they end in."""

from typing import TYPE_CHECKING

import numpy as np

from swapstats.model.effects import ArchiveRows, DeadLetter, Effects, StatsUpdate
from swapstats.model.stats import ROW_WORDS
from swapstats.observability.metrics import Metrics
from swapstats.observability.stream_figures import StreamFigures

if TYPE_CHECKING:
    from swapstats.ports.observer import AggregatorObserver, IngestObserver


def batch_effects() -> Effects:
    update = StatsUpdate(
        partition=3, epoch=1, seq=1, offset=1, t_ms=1, end_ms=5_000, complete_since_ms=0,
        names=(), token_ids=np.zeros(0, np.int32), rows=np.zeros((0, 3, ROW_WORDS), np.int64),
    )  # fmt: skip
    archive = ArchiveRows(np.zeros(0, np.int32), np.zeros(0, np.int8), np.zeros(0, np.int32))
    letters = (DeadLetter(3, 0, 1, "bad_side", "", b""),)
    return Effects(update, archive, letters, {"ingested": 9, "applied": 8, "dead_letters": 1})


def test_the_aggregator_is_measured() -> None:
    metrics = Metrics()
    observer: AggregatorObserver = StreamFigures(metrics)
    value = metrics.registry.get_sample_value
    observer.applied(3, batch_effects(), 4.0)
    observer.applied(4, batch_effects(), 40.0)
    observer.position(3, 10, 25, 1_500)
    observer.snapshot(3, 2.0, 70.0, 5_000)
    observer.tokens(77)
    assert value("events_ingested_total") == 18
    assert value("events_applied_total") == 16
    assert value("dead_letters_total", {"reason": "bad_side"}) == 2
    assert value("window_apply_latency_ms_count") == 2
    assert value("window_apply_latency_ms_sum") == 44
    assert value("next_offset", {"partition": "3"}) == 10
    assert value("log_end_offset", {"partition": "3"}) == 25
    assert value("consumer_lag_seconds", {"partition": "3"}) == 1.5
    assert value("snapshot_stall_ms_sum") == 2
    assert value("snapshot_duration_ms_sum") == 70
    assert value("snapshot_bytes_sum") == 5_000
    assert value("tokens_gauge") == 77


def test_the_ingest_is_measured_by_source() -> None:
    metrics = Metrics()
    observer: IngestObserver = StreamFigures(metrics)
    observer.appended("demo", 100, 47_000)
    observer.appended("demo", 1, 470)
    observer.appended("binance", 5, 900)
    value = metrics.registry.get_sample_value
    assert value("source_messages_total", {"source": "demo"}) == 101
    assert value("source_bytes_total", {"source": "demo"}) == 47_470
    assert value("source_messages_total", {"source": "binance"}) == 5

"""The table, the object made from it, the counts fed from effects."""

import re
from pathlib import Path

import numpy as np
import pytest

from swapstats import __version__
from swapstats.model.effects import (
    COUNTER_NAMES,
    ArchiveRows,
    DeadLetter,
    Effects,
    StatsUpdate,
)
from swapstats.model.stats import ROW_WORDS
from swapstats.model.wire import REASONS
from swapstats.observability.metrics import ROUTES_MAX, TABLE, Metrics

PAGE = Path(__file__).parents[2] / "docs" / "METRICS.md"


def effects(counters: dict[str, int], reasons: tuple[str, ...] = ()) -> Effects:
    update = StatsUpdate(
        partition=0, epoch=1, seq=1, offset=1, t_ms=1, end_ms=5_000, complete_since_ms=0,
        names=(), token_ids=np.zeros(0, np.int32), rows=np.zeros((0, 3, ROW_WORDS), np.int64),
    )  # fmt: skip
    archive = ArchiveRows(np.zeros(0, np.int32), np.zeros(0, np.int8), np.zeros(0, np.int32))
    letters = tuple(DeadLetter(0, at, 1, reason, "", b"") for at, reason in enumerate(reasons))
    return Effects(update, archive, letters, counters)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_every_row_is_an_attribute_and_every_attribute_a_row() -> None:
    metrics = Metrics()
    public = {name for name in vars(metrics) if not name.startswith("_")} - {"registry"}
    assert public == {spec.name for spec in TABLE}
    assert len(public) == len(TABLE)
    for spec in TABLE:
        assert type(getattr(metrics, spec.name)).__name__.lower() == spec.kind


def test_every_row_is_registered_with_its_help() -> None:
    helps = {metric.name: metric.documentation for metric in Metrics().registry.collect()}
    for spec in TABLE:
        registered = spec.name.removesuffix("_total") if spec.kind == "counter" else spec.name
        assert helps[registered] == spec.help


@pytest.mark.parametrize("spec", TABLE, ids=lambda spec: spec.name)
def test_names_kinds_and_units_agree(spec: object) -> None:
    row = next(each for each in TABLE if each is spec)
    assert (row.kind == "counter") == row.name.endswith("_total")
    assert (row.kind == "histogram") == bool(row.buckets)
    assert list(row.buckets) == sorted(set(row.buckets))
    assert row.help.endswith(".")
    for suffix, word in (("_ms", "milliseconds"), ("_seconds", "seconds"), ("_bytes", "bytes")):
        if row.name.endswith(suffix):
            assert word in row.help


def test_two_objects_share_nothing() -> None:
    one, two = Metrics(), Metrics()
    one.events_ingested_total.inc(3)
    assert value(one, "events_ingested_total") == 3
    assert value(two, "events_ingested_total") == 0


def test_every_fate_is_counted_under_its_name() -> None:
    metrics = Metrics()
    counters = {name: 1 << place for place, name in enumerate(COUNTER_NAMES)}
    metrics.observe_effects(effects(counters))
    metrics.observe_effects(effects(counters))
    named = {
        "ingested": "events_ingested_total", "applied": "events_applied_total",
        "duplicates": "dedupe_hits_total", "removed": "removed_total",
        "cancelled": "cancelled_total", "too_old": "too_old_total", "late": "late_total",
        "late_refused": "late_refused_total",
    }  # fmt: skip
    assert set(named) | {"dead_letters"} == set(COUNTER_NAMES)
    for name, metric in named.items():
        assert value(metrics, metric) == 2 * counters[name], name


def test_dead_letters_are_counted_by_reason_and_start_at_0() -> None:
    metrics = Metrics()
    for reason in REASONS[1:]:
        assert value(metrics, "dead_letters_total", reason=reason) == 0
    assert value(metrics, "dead_letters_total", reason="ok") is None
    metrics.observe_effects(effects({"dead_letters": 3}, ("bad_side", "conflict", "bad_side")))
    assert value(metrics, "dead_letters_total", reason="bad_side") == 2
    assert value(metrics, "dead_letters_total", reason="conflict") == 1


def test_positions_by_partition_come_and_go() -> None:
    metrics = Metrics()
    metrics.set_position(3, next_offset=10, end_offset=15, lag_ms=2_500)
    assert value(metrics, "next_offset", partition="3") == 10
    assert value(metrics, "log_end_offset", partition="3") == 15
    assert value(metrics, "consumer_lag_seconds", partition="3") == 2.5
    metrics.forget_partition(3)
    assert value(metrics, "consumer_lag_seconds", partition="3") is None
    metrics.forget_partition(3)


def test_requests_by_route_and_status() -> None:
    metrics = Metrics()
    for status, latency_ms in ((200, 3.0), (200, 30.0), (404, 1.0)):
        metrics.observe_http("/api/overview", status, latency_ms)
    assert value(metrics, "http_requests_total", route="/api/overview", status="200") == 2
    assert value(metrics, "http_requests_total", route="/api/overview", status="404") == 1
    assert value(metrics, "http_request_latency_ms_count", route="/api/overview") == 3
    assert value(metrics, "http_request_latency_ms_bucket", route="/api/overview", le="5.0") == 2


def test_raw_paths_by_mistake_do_not_grow_without_bound() -> None:
    metrics = Metrics()
    for number in range(ROUTES_MAX + 50):
        metrics.observe_http(f"/raw/{number}", 200, 1.0)
    assert value(metrics, "http_requests_total", route="other", status="200") == 50
    assert value(metrics, "http_requests_total", route=f"/raw/{ROUTES_MAX}", status="200") is None


def test_build_and_process_are_told() -> None:
    metrics = Metrics()
    assert value(metrics, "build_info", version=__version__) == 1
    assert (value(metrics, "process_resident_memory_bytes") or 0) > 1_000_000
    names = {metric.name for metric in metrics.registry.collect()}
    assert {"python_info", "python_gc_collections", "process_cpu_seconds"} <= names


def test_the_page_says_what_the_table_says() -> None:
    rows = [
        f"| `{spec.name}` | {spec.kind} | "
        f"{', '.join(f'`{label}`' for label in spec.labels) or '-'} | {spec.help} |"
        for spec in TABLE
    ]
    written = [
        line
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if re.match(r"\| `\w+` \| (counter|gauge|histogram) \|", line)
    ]
    assert written == rows, "copy these rows into docs/METRICS.md:\n" + "\n".join(rows)

"""Totals become counters, partitions that moved away leave no figures behind."""

from swapstats.model.health import DependencyStatus
from swapstats.observability.metrics import Metrics
from swapstats.observability.role_figures import RoleFigures
from swapstats.observability.stream_figures import StreamFigures


class Figures:
    def __init__(self) -> None:
        self.metrics = Metrics()
        self.role = RoleFigures(self.metrics)

    def value(self, metric: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(metric, labels)


def test_a_dependency_is_told_by_name() -> None:
    figures = Figures()
    closed = DependencyStatus("redis", "closed", 0, 0, None)
    figures.role.dependencies([closed, DependencyStatus("nats", "half_open", 2, 5, "away")])
    assert figures.value("dependency_state", name="redis") == 0
    assert figures.value("dependency_state", name="nats") == 1
    assert figures.value("dependency_opens_total", name="redis") == 0
    figures.role.dependencies([DependencyStatus("redis", "open", 1, 7, "away")])
    figures.role.dependencies([DependencyStatus("redis", "open", 2, 9, "away")])
    assert figures.value("dependency_state", name="redis") == 2
    assert figures.value("dependency_opens_total", name="redis") == 2
    assert figures.value("dependency_refused_total", name="redis") == 9
    assert figures.value("dependency_refused_total", name="nats") == 5


def test_figures_of_a_partition_that_moved_away_vanish() -> None:
    figures = Figures()
    stream = StreamFigures(figures.metrics)
    figures.role.partitions([0, 3])
    for partition in (0, 3):
        stream.position(partition, 5, 9, 1_500)
    figures.role.partitions([0, 7])
    assert figures.value("consumer_lag_seconds", partition="0") == 1.5
    for name in ("consumer_lag_seconds", "next_offset", "log_end_offset"):
        assert figures.value(name, partition="3") is None
    assert figures.value("partitions_owned_gauge") == 2
    assert figures.value("partition_handovers_total", direction="taken_over") == 3
    assert figures.value("partition_handovers_total", direction="given_up") == 1


def test_totals_count_from_where_they_were() -> None:
    figures = Figures()
    assert figures.value("fenced_writes_total", store="journal") == 0
    for total in (2, 2, 5):
        figures.role.fenced("hot_store", total)
        figures.role.passed_over(total)
        figures.role.feed(published=10 * total, dropped=total)
        figures.role.looks(total=100 * total, failed=total)
    figures.role.letters_waiting(4)
    assert figures.value("fenced_writes_total", store="hot_store") == 5
    assert figures.value("fenced_writes_total", store="checkpoints") == 0
    assert figures.value("dedupe_passed_over_total") == 5
    assert figures.value("feed_published_total") == 50
    assert figures.value("feed_dropped_total") == 5
    assert figures.value("replica_looks_total") == 500
    assert figures.value("replica_failed_looks_total") == 5
    assert figures.value("dead_letters_waiting_gauge") == 4

"""What the service says of itself, from the aggregator, the sources and the clock."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest
from tests.roles.aggregator.rig import START_MS, Rig, drain, swap

from swapstats.errors import Rejected
from swapstats.model.health import Readiness, SourceState
from swapstats.ports.source import NO_NOTES, Source, SourceBatch, SourceStatus
from swapstats.roles.aggregator.run import Aggregator
from swapstats.roles.aggregator.status import AggregatorStatus, Place
from swapstats.roles.service_state import NOTES_MAX, ServiceWatch
from swapstats.roles.service_time import ServiceTime

HOUR_MS = 3_600_000


@dataclass
class ToldSource:
    """A source that only tells its state."""

    name: str
    state: str
    detail: str = "as told"

    async def open(
        self,
        position: str | None,
        notes: Mapping[str, str] = NO_NOTES,
    ) -> AsyncIterator[SourceBatch]:
        raise Rejected("never opened")
        yield

    def status(self) -> SourceStatus:
        return SourceStatus(self.state, self.detail)


def watching(
    rig: Rig, aggregator: Aggregator, *sources: Source, time: ServiceTime | None = None
) -> ServiceWatch:
    return ServiceWatch(aggregator, sources, time or ServiceTime(rig.clock), rig.clock, 30_000)


def test_readiness_tells_each_phase_and_its_progress(rig: Rig) -> None:
    rig.append(*(swap(n, START_MS) for n in range(4)))
    aggregator, _ = rig.aggregator(chunk_bytes_max=1)
    watch = watching(rig, aggregator)
    assert watch.readiness() == Readiness(False, 0.0, "restoring after a start", 1_000)
    aggregator.restore()
    assert watch.readiness() == Readiness(False, 0.5, "catching up after a start", 1_000)
    aggregator.turn()
    assert watch.readiness() == Readiness(False, 0.625, "catching up after a start", 1_000)
    drain(aggregator)
    assert watch.readiness() == Readiness(True)


def test_a_held_clock_is_not_ready_and_says_why_everywhere(rig: Rig) -> None:
    time = ServiceTime(rig.clock, 60_000)
    aggregator, _ = rig.living(now_ms=time.now_ms)
    watch = watching(rig, aggregator, time=time)
    watch.notes.append("a note")
    assert watch.readiness().ready
    rig.clock.jump(3 * HOUR_MS)
    aggregator.turn()
    assert aggregator.shards[0].t_ms == START_MS, "no tick across the jump"
    told = watch.readiness()
    assert not told.ready
    assert told.reason is not None
    assert "jumped forward by 3 h" in told.reason
    assert watch.service().warnings == (told.reason, "a note")
    time.confirm()
    aggregator.turn()
    assert watch.readiness().ready
    assert watch.service().warnings == ("a note",)
    assert aggregator.shards[0].t_ms == START_MS + 3 * HOUR_MS


def test_unread_records_without_progress_are_unhealthy(rig: Rig) -> None:
    aggregator, _ = rig.aggregator(chunk_bytes_max=1)
    aggregator.restore()
    watch = watching(rig, aggregator)
    assert watch.health().healthy, "nothing was seen yet"
    rig.append(swap(1, START_MS), swap(2, START_MS))
    aggregator.turn()
    watch.look()
    rig.clock.advance(29_999)
    watch.look()
    assert watch.health().healthy
    rig.clock.advance(1)
    watch.look()
    assert not watch.health().healthy
    assert watch.health().reason == (
        "partition 0 has 1 unread records and made no progress for 30 s"
    )
    aggregator.turn()
    watch.look()
    assert watch.health().healthy
    rig.clock.advance(10 * HOUR_MS)
    watch.look()
    assert watch.health().healthy, "a quiet market"


def test_a_restore_that_takes_long_is_healthy(rig: Rig) -> None:
    aggregator, _ = rig.aggregator()
    watch = watching(rig, aggregator)
    for _ in range(10):
        watch.look()
        rig.clock.advance(60_000)
    assert watch.health().healthy


def test_the_state_of_the_service(wide_rig: Rig) -> None:
    aggregator, _ = wide_rig.living()
    wide_rig.append(swap(1, START_MS), swap(1, START_MS))
    drain(aggregator)
    state = watching(wide_rig, aggregator, ToldSource("demo", "live")).service()
    assert state.source == SourceState("demo", "live", "as told")
    assert [part.partition for part in state.partitions] == [0, 1, 2]
    assert sorted(part.offset for part in state.partitions) == [0, 0, 2]
    assert {(part.as_of_ms, part.ready) for part in state.partitions} == {(START_MS, True)}
    assert state.counters["duplicates"] == 1
    assert watching(wide_rig, aggregator).service().source is None


@pytest.mark.parametrize(
    ("states", "worst"),
    [
        (["live", "done"], "live"),
        (["live", "waiting", "done"], "waiting"),
        (["waiting", "connecting", "live"], "connecting"),
        (["live", "connecting", "failed"], "failed"),
        (["done", "done"], "done"),
    ],
)
def test_several_sources_are_told_as_one(rig: Rig, states: list[str], worst: str) -> None:
    aggregator, _ = rig.living()
    sources = [ToldSource(f"s{n}", state, f"d{n}") for n, state in enumerate(states)]
    told = watching(rig, aggregator, *sources).service().source
    numbers = range(len(states))
    assert told == SourceState(
        ", ".join(f"s{n}" for n in numbers), worst, "; ".join(f"d{n}" for n in numbers)
    )


def test_the_longest_lag_and_the_newest_notes_are_told(rig: Rig) -> None:
    aggregator, _ = rig.living()
    watch = watching(rig, aggregator)
    assert watch.lag_ms() == 0
    places = tuple(Place(number, 0, 9, START_MS, lag) for number, lag in enumerate((5, 70, 0)))
    aggregator.status = AggregatorStatus(True, 1.0, "live", places, {}, 0)
    assert watch.lag_ms() == 70
    aggregator.status = AggregatorStatus(False, 0.0, "restoring", (), {}, 0)
    assert watch.lag_ms() == 0
    watch.notes.extend(f"note {number}" for number in range(NOTES_MAX + 5))
    warnings = watch.service().warnings
    assert len(warnings) == NOTES_MAX
    assert warnings[-1] == f"note {NOTES_MAX + 4}"

"""What an ingest says of itself, attempt by attempt."""

from swapstats.model.health import DependencyStatus
from swapstats.roles.ingest_state import IngestWatch
from swapstats.testing.manual_clock import ManualClock


def test_it_is_ready_while_blocks_are_acknowledged() -> None:
    clock, took = ManualClock(), list[int]()
    watch = IngestWatch(clock, 30_000, took.append)
    assert watch.state().readiness.ready
    assert watch.unacked_ms() == 0
    watch.began()
    clock.advance(40)
    assert watch.unacked_ms() == watch.state().lag_ms == 40
    watch.acknowledged()
    assert took == [40]
    assert watch.unacked_ms() == 0
    assert watch.state().phase == "writing"
    assert watch.state().dependencies == (DependencyStatus("log", "closed", 0, 0, None),)


def test_a_block_that_is_written_again_counts_from_its_first_attempt() -> None:
    clock, took = ManualClock(), list[int]()
    watch = IngestWatch(clock, 30_000, took.append)
    for trouble in ("no answer", "no leader"):
        watch.began()
        clock.advance(10_000)
        watch.failed(trouble)
        state = watch.state()
        assert (state.readiness.ready, state.readiness.reason) == (False, trouble)
        assert state.phase == "waiting for the brokers"
        assert state.dependencies == (DependencyStatus("log", "half_open", 1, 0, trouble),)
        clock.advance(50_000)
        assert watch.health().healthy, "waiting for brokers needs no restart"
    watch.began()
    clock.advance(5)
    watch.acknowledged()
    assert took == [120_005]
    assert watch.state().readiness.ready
    watch.began()
    watch.failed("no answer")
    assert watch.state().dependencies[0].opens == 2


def test_an_attempt_that_does_not_end_is_unhealthy() -> None:
    clock = ManualClock()
    watch = IngestWatch(clock, 30_000)
    watch.began()
    clock.advance(30_000)
    assert watch.health().healthy
    clock.advance(1)
    told = watch.health()
    assert not told.healthy
    assert (
        told.reason == "Expected an attempt to append to end within 30000 ms, was one of 30001 ms"
    )
    watch.acknowledged()
    assert watch.health().healthy

"""What an aggregator of a group says of itself: by its status alone, and by a real one."""

import contextlib
from dataclasses import replace
from pathlib import Path

from tests.roles.aggregator.group_rig import Member, group_rig
from tests.roles.aggregator.rig import START_MS, swap

from swapstats.model.health import DependencyStatus
from swapstats.roles.aggregator.state import SETTLE_MS, SPARE, AggregatorWatch
from swapstats.roles.aggregator.status import AggregatorStatus, Place
from swapstats.roles.service_time import ServiceTime
from swapstats.testing.manual_clock import ManualClock

NO_PROGRESS_MS = 30_000
WAITING = AggregatorStatus(False, 0.0, "waiting for partitions", (), {}, 0)


class Told:
    """A watch on a status that the test sets."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.time = ServiceTime(self.clock, 60_000)
        self.status = WAITING
        self.waits_for = ""
        self.dependencies: tuple[DependencyStatus, ...] = ()
        self.watch = AggregatorWatch(
            lambda: self.status,
            self.time,
            self.clock,
            NO_PROGRESS_MS,
            lambda: self.dependencies,
            lambda: self.waits_for,
        )

    def turn(self, *places: Place, ready: bool = True) -> None:
        """The loop turned: there is a new status; time passes and the watch looks."""
        phase = "live" if ready else "catching up"
        self.status = AggregatorStatus(ready, 1.0 if ready else 0.25, phase, places, {}, 0)
        self.look()

    def look(self, after_ms: int = 1_000) -> None:
        self.clock.advance(after_ms)
        self.watch.look()


def place(partition: int, offset: int, end: int, lag_ms: int = 0) -> Place:
    return Place(partition, offset, end, START_MS, lag_ms)


def test_it_waits_for_the_group_and_is_spare_if_nothing_comes() -> None:
    told = Told()
    told.turn()
    state = told.watch.state()
    assert (state.readiness.ready, state.readiness.progress) == (False, 0.0)
    assert state.readiness.reason == "waiting for the group to give partitions"
    told.clock.advance(SETTLE_MS)
    state = told.watch.state()
    assert state.readiness.ready
    assert state.readiness.warning == SPARE
    assert state.partitions == ()
    assert state.lag_ms == 0


def test_one_whose_partitions_went_to_others_is_spare_at_once() -> None:
    told = Told()
    told.turn(place(0, 1, 1))
    told.turn()
    assert told.watch.state().readiness.warning == SPARE


def test_it_is_ready_once_everything_it_owns_is_whole() -> None:
    told = Told()
    told.turn(place(0, 3, 9, lag_ms=400), place(2, 5, 5), ready=False)
    state = told.watch.state()
    assert (state.readiness.ready, state.readiness.progress) == (False, 0.25)
    assert state.readiness.reason == "catching up after a start or a hand-over"
    assert state.phase == "catching up"
    assert state.lag_ms == 400
    assert [(p.partition, p.offset, p.end_offset, p.ready) for p in state.partitions] == [
        (0, 3, 9, False),
        (2, 5, 5, False),
    ]
    told.turn(place(0, 9, 9), place(2, 5, 5))
    state = told.watch.state()
    assert state.readiness.ready
    assert (state.readiness.reason, state.readiness.warning) == (None, None)


def test_what_is_away_is_told_and_does_not_make_it_unready() -> None:
    told = Told()
    told.dependencies = (
        DependencyStatus("checkpoints", "closed", 0, 0, None),
        DependencyStatus("hot store", "open", 1, 4, "no answer"),
    )
    told.turn(place(0, 3, 9), ready=False)
    assert told.watch.state().readiness.reason == "hot store is away (no answer)"
    told.turn(place(0, 9, 9))
    state = told.watch.state()
    assert state.readiness.ready
    assert state.readiness.warning == "hot store is away (no answer)"
    assert state.dependencies == told.dependencies


def test_a_held_clock_is_not_ready() -> None:
    told = Told()
    told.turn(place(0, 9, 9))
    told.time.now_ms()
    told.clock.jump(3_600_000)
    told.time.now_ms()
    readiness = told.watch.state().readiness
    assert not readiness.ready
    assert readiness.reason == told.time.held


def test_unread_records_without_progress_are_unhealthy() -> None:
    told = Told()
    told.turn(place(0, 3, 3), place(1, 7, 9))
    for _ in range(NO_PROGRESS_MS // 1_000 - 1):
        told.turn(place(0, 3, 3), place(1, 7, 9))
        assert told.watch.health().healthy
    told.turn(place(0, 3, 3), place(1, 7, 9))
    health = told.watch.health()
    assert not health.healthy
    assert health.reason is not None
    assert "made no progress" in health.reason
    told.turn(place(0, 3, 3), place(1, 8, 9))
    assert told.watch.health().healthy


def test_waiting_for_others_is_no_reason_for_a_restart() -> None:
    told = Told()
    told.waits_for = "brokers"
    for _ in range(3 * NO_PROGRESS_MS // 1_000):
        told.turn(place(1, 7, 9))
        assert told.watch.health().healthy
    assert told.watch.state().readiness.warning == "reading waits for brokers"
    told.waits_for = ""
    for _ in range(NO_PROGRESS_MS // 1_000 - 1):
        told.turn(place(1, 7, 9))
        assert told.watch.health().healthy, "the wait begins anew"
    told.turn(place(1, 7, 9))
    assert not told.watch.health().healthy


def test_waits_do_not_pass_from_one_partition_to_another() -> None:
    told = Told()
    for _ in range(NO_PROGRESS_MS // 1_000):
        told.turn(place(1, 7, 9))
    told.turn(place(2, 7, 9))
    assert told.watch.health().healthy


def test_a_loop_that_stands_still_is_unhealthy_although_all_is_read() -> None:
    told = Told()
    told.turn(place(0, 3, 3))
    told.look(NO_PROGRESS_MS - 1)
    assert told.watch.health().healthy
    told.look(1)
    health = told.watch.health()
    assert not health.healthy
    assert health.reason is not None
    assert "a turn of the aggregator's loop" in health.reason
    told.status = replace(told.status)
    told.look()
    assert told.watch.health().healthy


def test_a_real_one_from_waiting_to_ready(tmp_path: Path) -> None:
    with contextlib.ExitStack() as closing:
        rig, store = group_rig(tmp_path, 2)
        closing.callback(rig.close)
        member = Member(rig, store, closing)
        watch = AggregatorWatch(
            lambda: member.aggregator.status, ServiceTime(rig.clock), rig.clock, NO_PROGRESS_MS
        )
        assert not watch.state().readiness.ready
        rig.append(*(swap(n, START_MS, token=f"T{n % 5}") for n in range(500)))
        member.given.give(0, 1)
        member.aggregator.turn()
        watch.look()
        assert not watch.state().readiness.ready
        assert watch.state().phase == "catching up"
        member.work()
        watch.look()
        state = watch.state()
        assert state.readiness.ready
        assert sum(part.offset for part in state.partitions) == 500
        for _ in range(40):
            rig.clock.advance(1_000)
            member.aggregator.turn()
            watch.look()
            assert watch.health().healthy

"""Health and readiness of a preprocessor's process."""

from dataclasses import replace

from swapstats.model.health import DependencyStatus
from swapstats.roles.preprocess.state import SETTLE_MS, SPARE, PreprocessWatch
from swapstats.roles.preprocess.status import PreprocessStatus, RawPlace
from swapstats.testing.manual_clock import ManualClock

LIMIT_MS = 30_000


class Rig:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.status = PreprocessStatus()
        self.waits_for = ""
        self.dependency = DependencyStatus("raw log", "closed", 0, 0, None)
        self.watch = PreprocessWatch(
            lambda: self.status,
            self.clock,
            LIMIT_MS,
            lambda: (self.dependency,),
            lambda: self.waits_for,
        )

    def turn(self, next_offset: int, end_offset: int, problem: str = "") -> None:
        place = RawPlace(0, next_offset, end_offset, 1_000 if end_offset > next_offset else 0)
        self.status = PreprocessStatus((place,), problem, self.status.turns + 1)


def test_it_is_ready_once_it_has_partitions() -> None:
    rig = Rig()
    assert not rig.watch.state().readiness.ready
    rig.turn(5, 9)
    rig.watch.look()
    state = rig.watch.state()
    assert state.readiness.ready
    assert (state.phase, state.lag_ms, state.dependencies) == ("live", 1_000, (rig.dependency,))
    assert [(part.offset, part.end_offset) for part in state.partitions] == [(5, 9)]


def test_one_that_gets_none_is_a_spare_after_a_while() -> None:
    rig = Rig()
    rig.clock.advance(SETTLE_MS)
    readiness = rig.watch.state().readiness
    assert (readiness.ready, readiness.warning) == (True, SPARE)


def test_unread_events_and_no_progress_is_unhealthy() -> None:
    rig = Rig()
    for _ in range(4):
        rig.turn(5, 9)
        rig.watch.look()
        rig.clock.advance(LIMIT_MS // 2)
    assert "no progress" in (rig.watch.health().reason or "")


def test_a_loop_that_does_not_turn_is_unhealthy() -> None:
    rig = Rig()
    rig.turn(9, 9)
    rig.watch.look()
    rig.clock.advance(LIMIT_MS)
    rig.watch.look()
    assert "turn of the preprocessor's loop" in (rig.watch.health().reason or "")


def test_what_is_away_is_told_and_no_reason_for_a_restart() -> None:
    rig = Rig()
    rig.turn(5, 9)
    rig.watch.look()
    rig.waits_for = "the swap log is away"
    for _ in range(5):
        rig.clock.advance(LIMIT_MS)
        rig.watch.look()
    assert rig.watch.health().healthy
    assert rig.watch.state().readiness.warning == "the swap log is away"
    rig.waits_for = ""
    rig.status = replace(rig.status, problem="the state waits for dead letters to be stored")
    assert "dead letters" in (rig.watch.state().readiness.warning or "")

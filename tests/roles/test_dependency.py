import threading

import pytest

from swapstats.core.circuit_breaker import CircuitBreaker
from swapstats.errors import Rejected, Transient
from swapstats.model.health import DependencyStatus
from swapstats.roles.dependency import Dependency
from swapstats.testing.manual_clock import ManualClock


def broken() -> None:
    raise Transient("Expected an answer, was none")


def refusing() -> None:
    raise Rejected("Expected a number, was text")


def doubled(number: int, *, plus: int = 0) -> int:
    return 2 * number + plus


class Watched:
    """A dependency with what was told about it."""

    def __init__(self, failures_max: int = 2) -> None:
        self.clock = ManualClock()
        self.told: list[DependencyStatus] = []
        self.dependency = Dependency(
            "redis", CircuitBreaker(failures_max, 1_000, 1), self.clock, self.told.append
        )

    def fail(self) -> None:
        with pytest.raises(Transient, match="answer, was none"):
            self.dependency.call(broken)


def test_a_call_passes_arguments_and_the_result() -> None:
    watched = Watched()
    assert watched.dependency.call(doubled, 4, plus=1) == 9
    assert watched.told == []
    assert watched.dependency.status() == DependencyStatus("redis", "closed", 0, 0, None)


def test_it_is_given_up_tried_and_taken_back() -> None:
    watched = Watched()
    watched.fail()
    watched.fail()
    calls: list[int] = []
    with pytest.raises(Transient, match="redis to answer, was given up") as refusal:
        watched.dependency.call(calls.append, 1)
    assert calls == []
    assert 0 < refusal.value.retry_after_ms <= 1_000
    status = watched.dependency.status()
    assert (status.state, status.opens, status.refused) == ("open", 1, 1)
    assert status.reason == "Expected an answer, was none"
    watched.clock.advance(1_000)
    assert watched.dependency.status().state == "half_open"
    watched.dependency.call(calls.append, 1)
    assert calls == [1]
    assert watched.dependency.status().state == "closed"
    assert [status.state for status in watched.told] == ["open", "closed"]


def test_other_errors_are_answers() -> None:
    watched = Watched(failures_max=1)
    for _ in range(3):
        with pytest.raises(Rejected):
            watched.dependency.call(refusing)
    assert watched.dependency.status().state == "closed"


def test_threads_share_one_trial() -> None:
    watched = Watched(failures_max=1)
    watched.fail()
    watched.clock.advance(1_000)
    inside, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        inside.set()
        assert go_on.wait(10)

    thread = threading.Thread(target=watched.dependency.call, args=(slow,))
    thread.start()
    assert inside.wait(10)
    with pytest.raises(Transient, match="given up"):
        watched.dependency.call(doubled, 1)
    go_on.set()
    thread.join()
    assert watched.dependency.call(doubled, 1) == 2

"""The fault plan itself."""

import errno
import random

import pytest

from swapstats.errors import UsageError
from swapstats.testing.faults import Fault, FaultPlan, InjectedCrash

POINTS = ("log.begin", "log.commit", "log.done")


def test_plan_without_faults_counts_steps() -> None:
    plan = FaultPlan()
    for point in (*POINTS, "log.begin"):
        plan(point)
    assert plan.calls == {"log.begin": 2, "log.commit": 1, "log.done": 1}


def test_crash_comes_at_the_nth_call_and_no_handler_of_exceptions_stops_it() -> None:
    plan = FaultPlan([Fault("log.commit", nth=2)])
    plan("log.commit")
    plan("log.begin")
    with pytest.raises(InjectedCrash, match=r"log\.commit, call 2"):
        plan("log.commit")
    assert not issubclass(InjectedCrash, Exception)


def test_full_disk_is_the_real_error_and_only_before_the_end() -> None:
    plan = FaultPlan([Fault("log.commit", "full")])
    with pytest.raises(OSError, match="No space left") as failed:
        plan("log.commit")
    assert failed.value.errno == errno.ENOSPC
    with pytest.raises(UsageError, match=r"log\.done"):
        FaultPlan([Fault("log.done", "full")])


def test_seed_decides() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    first = FaultPlan.seeded(seed, POINTS, within=5)
    assert first.faults == FaultPlan.seeded(seed, POINTS, within=5).faults
    chosen = {FaultPlan.seeded(seed + at, POINTS, within=5).faults for at in range(200)}
    assert {fault.point for (fault,) in chosen} == set(POINTS)
    assert {fault.nth for (fault,) in chosen} == {1, 2, 3, 4, 5}
    full = {FaultPlan.seeded(seed + at, POINTS, action="full").faults for at in range(100)}
    assert {fault.point for (fault,) in full} == {"log.begin", "log.commit"}

from dataclasses import dataclass

import pytest
from tests.roles.aggregator.test_owned import owned

from swapstats.roles.aggregator.status import AggregatorStatus, Place, status_of


@dataclass(frozen=True)
class Case:
    next_offset: int
    is_published: bool
    ready: bool
    phase: str
    progress: float


@pytest.mark.parametrize(
    "case",
    [
        Case(10, is_published=False, ready=False, phase="catching up", progress=0.5),
        Case(20, is_published=False, ready=False, phase="catching up", progress=0.75),
        Case(30, is_published=False, ready=False, phase="catching up", progress=1.0),
        Case(30, is_published=True, ready=True, phase="live", progress=1.0),
    ],
)
def test_the_way_back_is_half_restoring_and_half_catching_up(case: Case) -> None:
    one = owned(10, 30)
    one.shard.next_offset = case.next_offset
    one.is_published = case.is_published
    places = [Place(3, case.next_offset, 30, 0, 0)]
    status = status_of([one], places)
    assert (status.ready, status.phase, status.progress) == (case.ready, case.phase, case.progress)
    assert status.places == tuple(places)
    assert status.counters["applied"] == 0


def test_without_partitions_there_is_nothing_to_wait_for() -> None:
    status = status_of([], [])
    assert (status.ready, status.phase) == (True, "waiting for partitions")
    assert not AggregatorStatus().ready

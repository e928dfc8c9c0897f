"""Plans of outages: the same for a seed, of all sorts, and survivable."""

import itertools
from collections import Counter

import pytest

from swapstats.testing.outage_plan import (
    AGGREGATORS,
    ARCHIVE,
    BROKERS,
    ROLES,
    SERVERS,
    Outage,
    plan_outages,
)


@pytest.mark.parametrize("seed", range(20))
def test_a_plan_is_a_function_of_its_seed(seed: int) -> None:
    assert plan_outages(seed, 60) == plan_outages(seed, 60)
    assert plan_outages(seed, 60) != plan_outages(seed + 1, 60)


@pytest.mark.parametrize("seed", range(20))
def test_outages_come_in_order_and_end_in_time(seed: int) -> None:
    plan = plan_outages(seed, 60)
    assert len(plan) >= 12
    assert [outage.at_ms for outage in plan] == sorted(outage.at_ms for outage in plan)
    assert all(outage.length_ms > 0 for outage in plan)
    assert all(outage.at_ms + outage.length_ms <= 60_000 for outage in plan)


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_hurt_while_it_is_away(seed: int) -> None:
    away: dict[str, int] = {}
    for outage in plan_outages(seed, 600):
        seat = "a broker" if outage.target in BROKERS else outage.target
        assert outage.at_ms >= away.get(seat, 0)
        away[seat] = outage.at_ms + outage.length_ms


def test_a_long_plan_has_every_sort_and_zombies() -> None:
    plan = plan_outages(1, 600, session_ms=6_000)
    assert {outage.target for outage in plan} == {*ROLES, *SERVERS}
    sorts = {(outage.kind, outage.target) for outage in plan}
    assert len(sorts) == 2 * len((*ROLES, *SERVERS)) + 2 * len(ROLES) + len(AGGREGATORS)
    zombies = [
        outage
        for outage in plan
        if outage.kind == "pause"
        and outage.target.startswith("aggregator")
        and outage.length_ms > 6_000
    ]
    assert len(zombies) >= 3
    overlapping = [
        later
        for earlier, later in itertools.pairwise(plan)
        if later.at_ms < earlier.at_ms + earlier.length_ms
    ]
    assert overlapping


@pytest.mark.parametrize("seed", range(20))
def test_the_archive_dies_hangs_and_is_cut_off_again_and_again(seed: int) -> None:
    kinds = Counter(
        outage.kind
        for outage in plan_outages(seed, 600)
        if outage.target in ARCHIVE or outage.kind == "cut clickhouse"
    )
    assert set(kinds) == {"kill", "pause", "cut clickhouse"}
    assert min(kinds.values()) >= 8


def test_a_plan_too_short_for_anything_is_empty() -> None:
    assert plan_outages(1, 0) == ()


def test_an_outage_reads_as_one_line() -> None:
    assert (
        str(Outage(1_500, "cut redis", "api-2", 700))
        == "    1.5 s  cut redis       api-2         700 ms"
    )

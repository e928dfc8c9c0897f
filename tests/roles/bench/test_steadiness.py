import random

import pytest

from swapstats.roles.bench.figures import MISS, NO_TARGET, PASS
from swapstats.roles.bench.steadiness import (
    GROWTH_BYTES_MAX,
    MIB,
    VERDICT_S_MIN,
    Sample,
    growth_figure,
    held,
    memory_figure,
    second_half,
    slope,
)

RATE = 3_000.0


def run_of(seconds: float, *, leak_bytes: float = 0.0, noise_mib: float = 0.0) -> list[Sample]:
    chance = random.Random(5)
    moments = [5.0 * number for number in range(int(seconds / 5) + 1)]
    return [
        {
            "s": at,
            "swaps": RATE * at,
            "rss one": 200.0 + leak_bytes * RATE * at / MIB + chance.uniform(-noise_mib, noise_mib),
        }
        for at in moments
    ]


def test_a_slope_is_not_bent_by_a_jump() -> None:
    times = [float(number) for number in range(100)]
    values = [3.0 * at for at in times]
    assert slope(times, values) == pytest.approx(3.0)
    values[50] += 10_000.0
    assert slope(times, values) == pytest.approx(3.0, rel=0.05)


@pytest.mark.parametrize("times", [[], [1.0], [2.0, 2.0]])
def test_a_slope_needs_two_moments(times: list[float]) -> None:
    with pytest.raises(ValueError, match="two moments"):
        slope(times, times)


def test_the_second_half_goes_by_time() -> None:
    samples: list[Sample] = [{"s": at} for at in (10.0, 11.0, 12.0, 20.0, 30.0)]
    assert [sample["s"] for sample in second_half(samples)] == [20.0, 30.0]


def test_held_is_what_came_within_the_span() -> None:
    samples: list[Sample] = [{"s": 100.0 + 10 * n, "applied": 500.0 * n} for n in range(6)]
    assert held(samples, "applied", 20.0) == [0, 500, 1_000, 1_000, 1_000, 1_000]


def test_a_leak_is_told_by_the_swap() -> None:
    long = 2 * VERDICT_S_MIN + 10
    flat = growth_figure(run_of(long, noise_mib=3.0), "rss one", "swaps")
    assert (flat.name, flat.verdict) == ("one: growth", PASS)
    leak = growth_figure(run_of(long, leak_bytes=2 * GROWTH_BYTES_MAX), "rss one", "swaps")
    assert leak.verdict == MISS
    assert leak.value == pytest.approx(2 * GROWTH_BYTES_MAX)


def test_a_short_run_has_no_verdict() -> None:
    figure = growth_figure(run_of(300, leak_bytes=50.0), "rss one", "swaps")
    assert figure.verdict == NO_TARGET
    assert "too short" in figure.note


def test_memory_is_told_by_what_is_held() -> None:
    samples = run_of(600, leak_bytes=10.0)
    grown = 10.0 * RATE * 600
    figure = memory_figure(samples, "rss one", grown / 40, 200.0)
    assert "200 MiB before the first swap; 40 bytes more" in figure.note
    assert figure.high == pytest.approx(200.0 + grown / MIB)
    assert not memory_figure(samples, "rss one", 0.0, 0.0).note

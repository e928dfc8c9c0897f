"""Rates of decoding: every round gives one of each, and nothing is measured that is wrong."""

from dataclasses import replace

import pytest

from swapstats.errors import InvariantBroken
from swapstats.roles.bench.evm_answers import PROTOCOLS, make_answers
from swapstats.roles.bench.evm_rates import LOGS_PER_S_MIN, Rates, measure_rates


def test_every_round_gives_a_rate_of_each() -> None:
    kinds = [make_answers(name, (name,), 2, 30) for name in PROTOCOLS]
    found = measure_rates(kinds, 3)
    assert [rates.answers for rates in found] == kinds
    for rates in found:
        assert len(rates.decoding) == len(rates.floor) == 3
        assert min(rates.decoding + rates.floor) > 0


def test_figures_compare_round_by_round() -> None:
    answers = make_answers("v3", PROTOCOLS[1:2], 1, 1)
    rate, floor, ratio = Rates(answers, [100.0, 300.0, 200.0], [200.0, 300.0, 800.0]).figures()
    assert (rate.value, rate.target, rate.unit) == (200.0, LOGS_PER_S_MIN, "logs/s")
    assert (floor.value, floor.target) == (300.0, None)
    assert (ratio.value, ratio.low, ratio.high) == (0.5, 0.25, 1.0)


def test_answers_that_do_not_decode_are_no_measurement() -> None:
    answers = replace(make_answers("v3", PROTOCOLS[1:2], 1, 5), swaps=6)
    with pytest.raises(InvariantBroken, match="Expected 6 swaps decoded, was 5"):
        measure_rates([answers], 1)

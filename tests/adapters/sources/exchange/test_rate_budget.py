"""What may be asked of an exchange."""

import pytest

from swapstats.adapters.sources.exchange.rate_budget import RateBudget
from swapstats.errors import Rejected


def test_no_span_holds_more_than_is_allowed() -> None:
    budget = RateBudget(600, 60_000)
    spent: list[int] = []
    now_ms = 0
    while now_ms < 180_000:
        wait_ms = budget.take(25, now_ms)
        if not wait_ms:
            spent.append(now_ms)
        now_ms += max(wait_ms, 1)
    most = max(sum(1 for at in spent if begin <= at < begin + 60_000) for begin in spent)
    assert 550 <= most * 25 <= 600


def test_a_small_allowance_is_kept_too() -> None:
    budget = RateBudget(6, 60_000)
    assert [budget.take(1, 0) for _ in range(3)] == [0, 0, 0]
    assert budget.take(1, 0) == 20_000


def test_a_refusal_stops_everything_for_a_while() -> None:
    budget = RateBudget(6_000, 60_000)
    assert budget.refused(7_000, 1_000) == 7_000
    assert budget.take(1, 2_000) == 6_000
    assert budget.refused(0, 7_500) == 1_000
    assert budget.take(1, 8_500) == 0
    assert budget.refused(1 << 40, 9_000) == 3_600_000


def test_what_no_budget_can_pay_is_refused() -> None:
    with pytest.raises(Rejected, match="weight 300 at most, was 400"):
        RateBudget(600, 60_000).take(400, 0)

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swapstats.core.token_bucket import RATE_MAX, BucketLevel, BucketRate, take_tokens
from swapstats.errors import SettingsError, UsageError

rates = st.builds(BucketRate, capacity=st.integers(1, 500), refill_per_s=st.integers(1, 500))


@pytest.mark.parametrize("bad", [0, -1, RATE_MAX + 1])
def test_rates_are_bounded(bad: int) -> None:
    with pytest.raises(SettingsError, match="capacity"):
        BucketRate(bad, 1)
    with pytest.raises(SettingsError, match="refill"):
        BucketRate(1, bad)


@pytest.mark.parametrize("cost", [0, -1, 6])
def test_a_cost_no_bucket_can_pay_is_refused(cost: int) -> None:
    with pytest.raises(UsageError, match="1 to 5"):
        take_tokens(BucketRate(5, 1), None, 0, cost)


@given(rates, st.lists(st.tuples(st.integers(-50, 3_000), st.integers(1, 500)), max_size=60))
def test_it_is_a_full_bucket_that_fills_with_time(
    rate: BucketRate, steps: list[tuple[int, int]]
) -> None:
    """Against exact fractions, and what it says of the next request is true."""
    level, held, last_ms, now_ms = None, Fraction(rate.capacity), 0, 0
    for pause_ms, wanted in steps:
        now_ms += pause_ms
        cost = min(wanted, rate.capacity)
        refill = Fraction(max(0, now_ms - last_ms) * rate.refill_per_s, 1_000)
        held = min(Fraction(rate.capacity), held + refill)
        last_ms = max(last_ms, now_ms)
        level, answer = take_tokens(
            rate, level or BucketLevel(rate.capacity * 1_000, 0), now_ms, cost
        )
        assert answer.allowed == (held >= cost)
        held -= cost if answer.allowed else 0
        assert level.milli_tokens == held * 1_000
        assert answer.remaining == math.floor(held)
        assert (answer.retry_after_ms == 0) == answer.allowed
        if not answer.allowed:
            at_ms = last_ms + answer.retry_after_ms
            assert take_tokens(rate, level, at_ms, cost)[1].allowed
            assert not take_tokens(rate, level, at_ms - 1, cost)[1].allowed


@given(rates)
def test_an_empty_bucket_is_full_again_when_it_says(rate: BucketRate) -> None:
    empty = BucketLevel(0, 1_000)
    assert take_tokens(rate, empty, 1_000 + rate.full_after_ms, rate.capacity)[1].allowed
    assert not take_tokens(rate, empty, 999 + rate.full_after_ms, rate.capacity)[1].allowed
    # Nobody asked for years: no number grows beyond the bucket.
    assert take_tokens(rate, empty, 1 << 52)[0].milli_tokens == (rate.capacity - 1) * 1_000

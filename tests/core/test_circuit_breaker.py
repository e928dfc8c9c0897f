import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from swapstats.core.circuit_breaker import JITTER_PERCENT, CircuitBreaker
from swapstats.errors import InvariantBroken


def opened(seed: int = 0) -> CircuitBreaker:
    breaker = CircuitBreaker(3, 1_000, 2, open_ms_max=8_000, seed=seed)
    for _ in range(3):
        assert breaker.allows(0)
        breaker.failed(0)
    return breaker


def test_a_success_forgives_failures() -> None:
    breaker = CircuitBreaker(2, 1_000, 1)
    for _ in range(5):
        breaker.failed(0)
        breaker.succeeded(0)
    assert breaker.state(0) == "closed"
    breaker.failed(0)
    breaker.failed(0)
    assert breaker.state(0) == "open"


def test_it_opens_refuses_tries_and_closes() -> None:
    breaker = opened()
    assert (breaker.state(0), breaker.opens, breaker.allows(1)) == ("open", 1, False)
    wait_ms = breaker.retry_after_ms(0)
    assert 1_000 * (100 - JITTER_PERCENT) // 100 <= wait_ms <= 1_000
    assert not breaker.allows(wait_ms - 1)
    assert breaker.state(wait_ms) == "half_open"
    assert [breaker.allows(wait_ms) for _ in range(3)] == [True, True, False]
    breaker.succeeded(wait_ms)
    assert breaker.state(wait_ms) == "half_open"
    breaker.succeeded(wait_ms)
    assert breaker.state(wait_ms) == "closed"
    assert breaker.refused == 3


def test_openings_in_a_row_grow_to_the_maximum_and_start_over_after_success() -> None:
    breaker = opened()
    now_ms, spans = 0, [breaker.retry_after_ms(0)]
    for _ in range(5):
        now_ms += breaker.retry_after_ms(now_ms)
        assert breaker.allows(now_ms)
        breaker.failed(now_ms)
        spans.append(breaker.retry_after_ms(now_ms))
    for span_ms, most_ms in zip(spans, (1_000, 2_000, 4_000, 8_000, 8_000, 8_000), strict=True):
        assert most_ms * (100 - JITTER_PERCENT) // 100 <= span_ms <= most_ms
    now_ms += breaker.retry_after_ms(now_ms)
    for _ in range(2):
        assert breaker.allows(now_ms)
        breaker.succeeded(now_ms)
    for _ in range(3):
        breaker.failed(now_ms)
    assert breaker.retry_after_ms(now_ms) <= 1_000


def test_the_jitter_comes_from_the_seed() -> None:
    spans = {opened(seed).retry_after_ms(0) for seed in range(50)}
    assert len(spans) > 20
    assert opened(7).retry_after_ms(0) == opened(7).retry_after_ms(0)


def test_news_from_before_the_opening_changes_nothing() -> None:
    breaker = opened()
    breaker.succeeded(1)
    breaker.failed(1)
    assert (breaker.state(1), breaker.opens) == ("open", 1)


@pytest.mark.parametrize("limits", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (1, -5, 1)])
def test_limits_must_be_positive(limits: tuple[int, int, int]) -> None:
    with pytest.raises(InvariantBroken, match="positive"):
        CircuitBreaker(*limits)


def test_the_maximum_must_not_be_below_the_first_opening() -> None:
    with pytest.raises(InvariantBroken):
        CircuitBreaker(1, 1_000, 1, open_ms_max=999)


class BreakerMachine(RuleBasedStateMachine):
    """Callers that ask, and report each call they made, in any order and at any time."""

    @initialize(
        failures_max=st.integers(1, 4),
        open_ms=st.integers(1, 500),
        half_open_max=st.integers(1, 3),
        seed=st.integers(0, 99),
    )
    def begin(self, failures_max: int, open_ms: int, half_open_max: int, seed: int) -> None:
        self.failures_max, self.half_open_max, self.open_ms = failures_max, half_open_max, open_ms
        self.breaker = CircuitBreaker(failures_max, open_ms, half_open_max, seed=seed)
        self.now_ms = self.under_way = self.refused = self.in_a_row = self.let_through = 0
        self.opens = 0

    @rule(span_ms=st.integers(0, 2_000))
    def wait(self, span_ms: int) -> None:
        self.now_ms += span_ms

    @rule()
    def ask(self) -> None:
        state = self.breaker.state(self.now_ms)
        allowed = self.breaker.allows(self.now_ms)
        if state != "half_open":
            assert allowed == (state == "closed")
            self.let_through = 0
        elif allowed:
            self.let_through += 1
            assert self.let_through <= self.half_open_max
        self.under_way += allowed
        self.refused += not allowed

    @rule(well=st.booleans())
    def report(self, well: bool) -> None:
        if not self.under_way:
            return
        self.under_way -= 1
        state = self.breaker.state(self.now_ms)
        if well:
            self.breaker.succeeded(self.now_ms)
            self.in_a_row = 0 if state == "closed" else self.in_a_row
            self.let_through = max(0, self.let_through - 1)
        else:
            self.breaker.failed(self.now_ms)
            self.in_a_row += state == "closed"
        after = self.breaker.state(self.now_ms)
        if not well and (
            state == "half_open" or (state == "closed" and self.in_a_row >= self.failures_max)
        ):
            assert after == "open"
            self.opens += 1
        elif state != after:
            assert (state, after, well) == ("half_open", "closed", True)
        if after != state:
            self.in_a_row = self.let_through = 0

    @invariant()
    def counts_and_spans_hold(self) -> None:
        assert (self.breaker.refused, self.breaker.opens) == (self.refused, self.opens)
        waits_ms = self.breaker.retry_after_ms(self.now_ms)
        assert 0 <= waits_ms <= 32 * self.open_ms
        assert (waits_ms > 0) == (self.breaker.state(self.now_ms) == "open")


BreakerMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestBreakerMachine = BreakerMachine.TestCase

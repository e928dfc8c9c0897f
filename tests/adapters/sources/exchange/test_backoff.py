"""Waits between tries."""

from swapstats.adapters.sources.exchange.backoff import Backoff


def test_waits_double_up_to_a_bound_and_start_over() -> None:
    one = Backoff(100, 1_000)
    assert [one.next_ms(1.0) for _ in range(6)] == [100, 200, 400, 800, 1_000, 1_000]
    assert one.next_ms(0.0) == 500
    one.worked()
    assert one.next_ms(1.0) == 100


def test_many_failures_do_not_overflow() -> None:
    one = Backoff(1, 30_000)
    assert [one.next_ms(1.0) for _ in range(200)][-1] == 30_000

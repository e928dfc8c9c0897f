"""Costly answers: once per span, never older than the market allows, and few of them."""

from swapstats.core.market import Market
from swapstats.roles.api.coalesced import Coalesced
from swapstats.testing.manual_clock import ManualClock
from swapstats.testing.synthetic_updates import SyntheticUpdates

from .running import SPEC


def test_an_answer_is_made_again_only_after_a_change_and_the_span() -> None:
    market, clock, source = Market(SPEC, 1), ManualClock(), SyntheticUpdates(SPEC)
    kept: Coalesced[int] = Coalesced(market, clock, 100)
    made = 0

    def make() -> int:
        nonlocal made
        made += 1
        return made

    assert [kept.get("q", make), kept.get("q", make)] == [1, 1]
    clock.advance(5_000)
    assert kept.get("q", make) == 1, "nothing changed"
    market.apply(source.update(0, 1))
    assert kept.get("q", make) == 2, "changed, and the span is over"
    market.apply(source.update(0, 1))
    clock.advance(99)
    assert kept.get("q", make) == 2, "changed, within the span"
    clock.advance(1)
    assert kept.get("q", make) == 3
    assert kept.get("other", make) == 4


def test_few_answers_are_kept() -> None:
    kept: Coalesced[int] = Coalesced(Market(SPEC, 1), ManualClock(), 100, kept_max=3)
    for question in range(10):
        kept.get(question, lambda question=question: question)  # type: ignore[misc]
    assert len(kept) == 3
    assert kept.get(9, lambda: -1) == 9
    assert kept.get(0, lambda: -1) == -1

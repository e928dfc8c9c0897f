"""Costly answers, made at most once per span and only when the market changed."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from swapstats.core.market import Market
from swapstats.ports.clock import Clock

KEPT_MAX = 128

T = TypeVar("T")


class Coalesced(Generic[T]):
    """The newest answers to the questions asked last.

    Args:
        market: what they are made from.
        clock: for spans (monotonic).
        span_ms: how long an answer stands although the market changed.
        kept_max: how many are kept.
    """

    def __init__(
        self, market: Market, clock: Clock, span_ms: int, kept_max: int = KEPT_MAX
    ) -> None:
        self._market = market
        self._clock = clock
        self._span_ms = span_ms
        self._kept_max = kept_max
        self._kept: OrderedDict[Hashable, tuple[int, int, T]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, question: Hashable, make: Callable[[], T]) -> T:
        """Return the answer kept for a question, or make it."""
        now_ms, revision = self._clock.monotonic_ms(), self._market.revision
        kept = self._kept.get(question)
        if kept is not None:
            made_ms, made_revision, answer = kept
            if made_revision == revision or now_ms - made_ms < self._span_ms:
                return answer
        answer = make()
        self._kept[question] = (now_ms, revision, answer)
        self._kept.move_to_end(question)
        while len(self._kept) > self._kept_max:
            self._kept.popitem(last=False)
        return answer

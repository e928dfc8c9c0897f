"""What one exchange lets one address ask for, shared by all markets. Pure: told the time.

Half of what is allowed in a span may be spent at once, the other half comes back over the span:
whatever span is looked at, no more than the whole was spent.
"""

from swapstats.core.token_bucket import MILLI, BucketLevel, BucketRate, take_tokens
from swapstats.errors import Rejected

REFUSED_MS_MIN = 1_000
REFUSED_MS_MAX = 3_600_000
"""A refusal that says nothing, or nonsense, is taken for this at least and at most."""


class RateBudget:
    """Weight that may be spent.

    Args:
        weight_max: weight allowed in `span_ms`.
        span_ms: that span.
    """

    def __init__(self, weight_max: int, span_ms: int) -> None:
        capacity = max(weight_max * MILLI // 2, 1)
        self._rate = BucketRate(capacity, max(capacity * 1_000 // span_ms, 1))
        self._level: BucketLevel | None = None
        self._blocked_until_ms = 0

    def take(self, weight: int, now_ms: int) -> int:
        """Spend weight.

        Returns:
            0 if it was spent; else how long to wait before asking again, in milliseconds.

        Raises:
            Rejected: a request that no full budget could pay.
        """
        if now_ms < self._blocked_until_ms:
            return self._blocked_until_ms - now_ms
        cost = max(weight * MILLI, 1)
        if cost > self._rate.capacity:
            most = self._rate.capacity // MILLI
            raise Rejected(f"Expected a request of weight {most} at most, was {weight}")
        self._level, answer = take_tokens(self._rate, self._level, now_ms, cost)
        return answer.retry_after_ms

    def refused(self, retry_after_ms: int, now_ms: int) -> int:
        """Note that the exchange refused a request for its rate: nothing is asked for a while.

        Returns:
            for how long, in milliseconds.
        """
        span_ms = min(max(retry_after_ms, REFUSED_MS_MIN), REFUSED_MS_MAX)
        self._blocked_until_ms = max(self._blocked_until_ms, now_ms + span_ms)
        return self._blocked_until_ms - now_ms

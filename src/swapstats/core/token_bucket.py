"""The token bucket, as a rule: how many requests a caller may make, and when the next one.

A bucket holds up to `capacity` tokens and gets `refill_per_s` of them every second; a request
takes its cost or is refused. Everything is counted in thousandths of tokens, whole numbers, so
that any two keepers of the rule come to the same answer.
"""

from dataclasses import dataclass

from swapstats.errors import SettingsError, UsageError

MILLI = 1_000
RATE_MAX = 1 << 30
"""Bound on capacity and refill: products of them with spans stay below 2^53."""


@dataclass(frozen=True, slots=True)
class BucketRate:
    """Size and refill of a bucket.

    Args:
        capacity: tokens it holds when full, 1 to RATE_MAX.
        refill_per_s: tokens it gets each second, 1 to RATE_MAX.

    Raises:
        SettingsError: out of these bounds.
    """

    capacity: int
    refill_per_s: int

    def __post_init__(self) -> None:
        for name, value in (("capacity", self.capacity), ("refill", self.refill_per_s)):
            if not 1 <= value <= RATE_MAX:
                raise SettingsError(f"Expected a {name} of 1 to {RATE_MAX}, was {value}")

    @property
    def full_after_ms(self) -> int:
        """How long an empty bucket takes to be full, rounded up."""
        return -(-self.capacity * MILLI // self.refill_per_s)

    def expect_cost(self, cost: int) -> None:
        """Check a cost.

        Raises:
            UsageError: it is below 1, or no bucket of this size could ever pay it.
        """
        if not 1 <= cost <= self.capacity:
            raise UsageError(f"Expected a cost of 1 to {self.capacity} tokens, was {cost}")


@dataclass(frozen=True, slots=True)
class BucketLevel:
    """What a bucket holds at a moment.

    Attributes:
        milli_tokens: thousandths of tokens.
        at_ms: the moment; refill counts from here.
    """

    milli_tokens: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class BucketAnswer:
    """What became of a request.

    Attributes:
        allowed: True if its cost was taken.
        remaining: whole tokens left.
        retry_after_ms: how long until the same request is allowed; 0 if it was.
    """

    allowed: bool
    remaining: int
    retry_after_ms: int


def take_tokens(
    rate: BucketRate, level: BucketLevel | None, now_ms: int, cost: int = 1
) -> tuple[BucketLevel, BucketAnswer]:
    """Ask a bucket for tokens.

    A clock that goes back refills nothing and takes nothing back.

    Args:
        rate: size and refill.
        level: what it held; None = a new bucket, full.
        now_ms: the moment.
        cost: tokens asked for.

    Raises:
        UsageError: see `BucketRate.expect_cost`.

    >>> rate = BucketRate(capacity=2, refill_per_s=4)
    >>> level, answer = take_tokens(rate, None, 1_000, cost=2)
    >>> answer
    BucketAnswer(allowed=True, remaining=0, retry_after_ms=0)
    >>> take_tokens(rate, level, 1_100)[1]
    BucketAnswer(allowed=False, remaining=0, retry_after_ms=150)
    """
    rate.expect_cost(cost)
    full = rate.capacity * MILLI
    if level is None:
        level = BucketLevel(full, now_ms)
    elapsed_ms = min(max(0, now_ms - level.at_ms), rate.full_after_ms)
    held = min(full, level.milli_tokens + elapsed_ms * rate.refill_per_s)
    needed = cost * MILLI
    at_ms = max(now_ms, level.at_ms)
    if held >= needed:
        left = held - needed
        return BucketLevel(left, at_ms), BucketAnswer(True, left // MILLI, 0)
    wait_ms = -(-(needed - held) // rate.refill_per_s)
    return BucketLevel(held, at_ms), BucketAnswer(False, held // MILLI, wait_ms)

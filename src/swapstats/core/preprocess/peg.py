"""Whether a stable is worth a dollar, by what markets say."""

from collections.abc import Sequence

from swapstats.core.preprocess.amounts import ONE_DOLLAR
from swapstats.core.preprocess.rules import BPS


def is_at_peg(rate: int, depeg_bps: int) -> bool:
    """Whether a rate is within the bound around a dollar."""
    return abs(rate - ONE_DOLLAR) * BPS <= depeg_bps * ONE_DOLLAR


def told_rate(rate: int, depeg_bps: int) -> int:
    """Take a rate in dollars proper: a dollar within the bound, else the market's word."""
    return ONE_DOLLAR if is_at_peg(rate, depeg_bps) else rate


def voted_rate(votes: Sequence[int], depeg_bps: int) -> int | None:
    """Judge a stable by its rates against other stables, each of which may be the one that slipped.

    The promise of a dollar votes, too. The median decides; where the two middle votes of an even
    number disagree whether the stable holds, nobody knows which one slipped.

    Args:
        votes: rates against other stables, one for each.
        depeg_bps: the bound.

    Returns:
        A dollar, or the market rate of a stable that slipped, or None: not known.
    """
    ordered = sorted((*votes, ONE_DOLLAR))
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    holds = is_at_peg(low, depeg_bps)
    if holds != is_at_peg(high, depeg_bps):
        return None
    if holds:
        return ONE_DOLLAR
    return low if (low < ONE_DOLLAR) == (high < ONE_DOLLAR) else None

"""The statistics of one token in one window: eight integers, and how they are written.

USD amounts are integer micro-dollars (10^-6), token amounts integers scaled by 10^18. In arrays
one statistic is a row of ROW_WORDS 64-bit words (two's complement, little word first), wide
enough for 2^60 maximal messages: 128 bits for USD, 192 bits for token amounts.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

USD_SCALE_DIGITS = 6
TOKEN_SCALE_DIGITS = 18

USD_LO, USD_HI = 0, 1
TOKEN_LO, TOKEN_MID, TOKEN_HI = 2, 3, 4
BUY_USD_LO, BUY_USD_HI = 5, 6
TRADES, BUYS, UNPRICED = 7, 8, 9
ROW_WORDS = 10

FIELDS = (
    "vol_usd",
    "vol_token",
    "trades",
    "buy",
    "sell",
    "buy_usd",
    "sell_usd",
    "unpriced",
)
"""Field names of a window's statistics, in the order they are written."""

USD_FIELDS = frozenset({"vol_usd", "buy_usd", "sell_usd"})
TOKEN_FIELDS = frozenset({"vol_token"})

_WORD = 1 << 64


@dataclass(frozen=True, slots=True)
class WindowStats:
    """Statistics of one token in one window.

    Attributes:
        vol_usd: traded value in micro-dollars.
        vol_token: traded amount, scaled by 10^18.
        trades: number of trades.
        buy: number of buys.
        sell: number of sells.
        buy_usd: value of the buys in micro-dollars.
        sell_usd: value of the sells in micro-dollars.
        unpriced: trades that had no trustworthy price and so add no USD.
    """

    vol_usd: int = 0
    vol_token: int = 0
    trades: int = 0
    buy: int = 0
    sell: int = 0
    buy_usd: int = 0
    sell_usd: int = 0
    unpriced: int = 0


def signed(*words: int) -> int:
    """Join 64-bit words, least significant first, into one two's complement integer.

    >>> signed(-1, -1), signed(0, 1) == 1 << 64
    (-1, True)
    """
    value = 0
    for index, word in enumerate(words):
        value |= (int(word) % _WORD) << (64 * index)
    bits = 64 * len(words)
    return value - (1 << bits) if value >> (bits - 1) else value


def from_row(row: NDArray[np.int64]) -> WindowStats:
    """Read one statistic out of its row of words.

    Args:
        row: int64[ROW_WORDS].
    """
    word = row.tolist()
    vol_usd = signed(word[USD_LO], word[USD_HI])
    buy_usd = signed(word[BUY_USD_LO], word[BUY_USD_HI])
    return WindowStats(
        vol_usd=vol_usd,
        vol_token=signed(word[TOKEN_LO], word[TOKEN_MID], word[TOKEN_HI]),
        trades=word[TRADES],
        buy=word[BUYS],
        sell=word[TRADES] - word[BUYS],
        buy_usd=buy_usd,
        sell_usd=vol_usd - buy_usd,
        unpriced=word[UNPRICED],
    )


def to_row(stats: WindowStats) -> NDArray[np.int64]:
    """Write one statistic as a row of words: the inverse of `from_row`.

    Returns:
        int64[ROW_WORDS].
    """
    words = [0] * ROW_WORDS
    for first, count, value in (
        (USD_LO, 2, stats.vol_usd),
        (TOKEN_LO, 3, stats.vol_token),
        (BUY_USD_LO, 2, stats.buy_usd),
        (TRADES, 1, stats.trades),
        (BUYS, 1, stats.buy),
        (UNPRICED, 1, stats.unpriced),
    ):
        for index in range(count):
            words[first + index] = signed(value >> (64 * index))
    return np.array(words, dtype=np.int64)


def format_scaled(value: int, digits: int) -> str:
    """Write a scaled integer as a decimal with exactly `digits` places.

    >>> format_scaled(12_345_670_000, 6), format_scaled(-5, 6)
    ('12345.670000', '-0.000005')
    """
    sign = "-" if value < 0 else ""
    whole, rest = divmod(abs(value), 10**digits)
    return f"{sign}{whole}.{rest:0{digits}d}"


def format_short(value: int, digits: int) -> str:
    """Write a scaled integer as the shortest exact decimal.

    >>> format_short(12_345_670_000, 6), format_short(2_000_000, 6)
    ('12345.67', '2')
    """
    return format_scaled(value, digits).rstrip("0").rstrip(".")


def scale_digits(field: str) -> int:
    """Return how many decimal places a field's integer is scaled by: 6, 18 or 0."""
    if field in USD_FIELDS:
        return USD_SCALE_DIGITS
    return TOKEN_SCALE_DIGITS if field in TOKEN_FIELDS else 0

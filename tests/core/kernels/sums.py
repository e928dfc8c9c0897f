"""Cells, rolling rows and trades for the tests of the cell kernels."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.cells import CELL_WORDS
from swapstats.model.stats import ROW_WORDS, WindowStats, from_row

TAKEN_BACK = 3
AMOUNT_MAX = 10**38 - 1
USD_MAX = 10**18 - 1


@dataclass(frozen=True, slots=True)
class Trade:
    """One contribution; sign -1 takes it back."""

    token: int = 0
    amount: int = 1
    usd: int | None = 1
    is_buy: bool = True
    sign: int = 1


@dataclass(slots=True)
class Board:
    """The arrays of one bucket with room for `capacity` cells, and of two windows."""

    capacity: int = 8
    token_count: int = 8
    cell_count: int = 0
    changed_count: int = 0
    cells: NDArray[np.int64] = field(init=False)
    index: NDArray[np.int32] = field(init=False)
    rolling: NDArray[np.int64] = field(init=False)
    stamps: NDArray[np.int64] = field(init=False)
    changed: NDArray[np.int32] = field(init=False)

    def __post_init__(self) -> None:
        self.cells = np.zeros((self.capacity, CELL_WORDS), dtype=np.int64)
        self.index = np.zeros(1 << (2 * self.capacity - 1).bit_length(), dtype=np.int32)
        self.rolling = np.zeros((self.token_count, 2, ROW_WORDS), dtype=np.int64)
        self.stamps = np.zeros(self.token_count, dtype=np.int64)
        self.changed = np.zeros(self.token_count, dtype=np.int32)

    def arguments(self, trades: list[Trade], inside: tuple[int, int], stamp: int) -> list[Any]:
        """What `add` takes to add all these trades."""
        words = [(trade.amount % (1 << 64), trade.amount >> 64) for trade in trades]
        return [
            self.cells,
            self.index,
            self.cell_count,
            np.arange(len(trades), dtype=np.int32),
            0,
            np.array([trade.token for trade in trades], dtype=np.int32),
            np.array([TAKEN_BACK if trade.sign < 0 else 1 for trade in trades], dtype=np.uint8),
            TAKEN_BACK,
            np.array([trade.is_buy for trade in trades], dtype=np.uint8),
            np.array([trade.usd is None for trade in trades], dtype=np.uint8),
            np.array([trade.usd or 0 for trade in trades], dtype=np.int64),
            np.array([lo for lo, _ in words], dtype=np.uint64),
            np.array([hi for _, hi in words], dtype=np.uint64),
            self.rolling,
            np.array(inside, dtype=np.uint8),
            self.stamps,
            stamp,
            self.changed,
            self.changed_count,
        ]

    def stats(self, token: int, window: int) -> WindowStats:
        """What a window says of a token."""
        return from_row(self.rolling[token, window])


def summed(trades: list[Trade], token: int) -> WindowStats:
    """The same sum, taken plainly."""
    mine = [trade for trade in trades if trade.token == token]
    buys = [trade for trade in mine if trade.is_buy]
    vol_usd = sum(trade.sign * (trade.usd or 0) for trade in mine)
    buy_usd = sum(trade.sign * (trade.usd or 0) for trade in buys)
    return WindowStats(
        vol_usd=vol_usd,
        vol_token=sum(trade.sign * trade.amount for trade in mine),
        trades=sum(trade.sign for trade in mine),
        buy=sum(trade.sign for trade in buys),
        sell=sum(trade.sign for trade in mine) - sum(trade.sign for trade in buys),
        buy_usd=buy_usd,
        sell_usd=vol_usd - buy_usd,
        unpriced=sum(trade.sign for trade in mine if trade.usd is None),
    )

"""Trades, windows and plain sums for the tests of the kernels that add."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from tests.core.kernels.heaps import Cell, Ground, edges_of

from swapstats.core.kernels.fate import APPLIED, DUPLICATE, REMOVED
from swapstats.model.stats import ROW_WORDS, WindowStats, from_row

AMOUNT_MAX = 10**38 - 1
USD_MAX = 10**18 - 1
TOKENS = 8


@dataclass(frozen=True, slots=True)
class Trade:
    """One contribution; sign -1 takes it back, 0 is none at all."""

    token: int = 0
    amount: int = 1
    usd: int | None = 1
    is_buy: bool = True
    sign: int = 1


class Board:
    """A ground, and windows that end at a bucket.

    Args:
        ground: the buckets; bucket 0, 1, 2 ... in slot 0, 1, 2 ...
        widths: of the windows, in buckets.
        end_bucket: where they end.
        tokens: how many there are.
    """

    def __init__(
        self,
        ground: Ground | None = None,
        widths: tuple[int, ...] = (100,),
        end_bucket: int = 100,
        tokens: int = TOKENS,
    ) -> None:
        self.ground = ground or Ground()
        self.widths = np.array(widths, dtype=np.int64)
        self.end_bucket = end_bucket
        self.rolling = np.zeros((tokens, len(widths), ROW_WORDS), dtype=np.int64)
        self.stamps = np.zeros(tokens, dtype=np.int64)
        self.changed = np.zeros(tokens, dtype=np.int32)
        self.changed_count = 0

    def arguments(
        self, groups: dict[int, list[Trade]], stamp: int = 1, settled: int = 0
    ) -> list[Any]:
        """What `add` takes to add these trades to the buckets in these slots."""
        trades = [trade for group in groups.values() for trade in group]
        words = [(trade.amount % (1 << 64), trade.amount >> 64) for trade in trades]
        fates = {1: APPLIED, -1: REMOVED, 0: DUPLICATE}
        return [
            self.ground.words,
            self.ground.records,
            np.array(list(groups), dtype=np.int32),
            edges_of([len(group) for group in groups.values()]),
            np.arange(len(trades), dtype=np.int32),
            np.array([trade.token for trade in trades], dtype=np.int32),
            np.array([fates[trade.sign] for trade in trades], dtype=np.uint8),
            np.array([trade.is_buy for trade in trades], dtype=np.uint8),
            np.array([trade.usd is None for trade in trades], dtype=np.uint8),
            np.array([trade.usd or 0 for trade in trades], dtype=np.int64),
            np.array([lo for lo, _ in words], dtype=np.uint64),
            np.array([hi for _, hi in words], dtype=np.uint64),
            self.end_bucket,
            self.widths,
            self.rolling,
            self.stamps,
            stamp,
            self.changed,
            settled,
            *self.ground.memory,
            np.array([0, 0, self.changed_count], dtype=np.int64),
        ]

    def shifted(self, slots: list[int], window: int, sign: int, stamp: int) -> list[Any]:
        """What `shift` takes to let these buckets enter or leave a window."""
        return [
            self.ground.words, self.ground.records, np.array(slots, dtype=np.int32), window, sign,
            self.rolling, self.stamps, stamp, self.changed, 0,
        ]  # fmt: skip

    def stats(self, token: int, window: int = 0) -> WindowStats:
        """What a window says of a token."""
        return from_row(self.rolling[token, window])


def summed(trades: Iterable[Trade], token: int) -> WindowStats:
    """The same sum, taken plainly."""
    return as_stats(cell_of(trades, token))


def cell_of(trades: Iterable[Trade], token: int) -> Cell:
    """Trades, buys, unpriced, USD, USD of buys and amount of a token's trades."""
    mine = [trade for trade in trades if trade.token == token]
    buys = [trade for trade in mine if trade.is_buy]
    return (
        sum(trade.sign for trade in mine),
        sum(trade.sign for trade in buys),
        sum(trade.sign for trade in mine if trade.usd is None),
        sum(trade.sign * (trade.usd or 0) for trade in mine),
        sum(trade.sign * (trade.usd or 0) for trade in buys),
        sum(trade.sign * trade.amount for trade in mine),
    )


def as_stats(sums: Cell) -> WindowStats:
    """Six sums as statistics."""
    trades, buys, unpriced, usd, buy_usd, amount = sums
    return WindowStats(
        vol_usd=usd,
        vol_token=amount,
        trades=trades,
        buy=buys,
        sell=trades - buys,
        buy_usd=buy_usd,
        sell_usd=usd - buy_usd,
        unpriced=unpriced,
    )

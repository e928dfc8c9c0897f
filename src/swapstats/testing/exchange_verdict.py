"""What a source of an exchange gave, held against what was played.

Sums are of decimals with up to 28 digits and stay exact: prices and quantities have fewer.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from decimal import Decimal
from typing import cast

import msgspec

from swapstats.errors import InvariantBroken
from swapstats.model.raw_event import ExchangeTrade
from swapstats.ports.source import Source, SourceBatch
from swapstats.testing.exchange_replay import Recorded

Rows = dict[str, list[tuple[str, str, str, str, int]]]
"""By market: id, price, quantity, side and time of each trade."""


class Collected:
    """Trades that a source gave, over any number of runs.

    Attributes:
        trades: all of them, in the order they came.
        position: of the last batch.
        detail: what the status said at the last batch.
    """

    def __init__(self) -> None:
        self.trades: list[ExchangeTrade] = []
        self.position: str | None = None
        self.detail = ""

    @property
    def counts(self) -> dict[str, int]:
        """Number of different trades by market."""
        return {market: len({row[0] for row in rows}) for market, rows in self.rows().items()}

    async def read(
        self, source: Source, is_enough: Callable[["Collected"], bool], timeout_ms: int
    ) -> None:
        """Run a source from where the last run ended until it is enough.

        Raises:
            TimeoutError: it was not enough within `timeout_ms`; the message says what came.
        """
        batches = cast("AsyncGenerator[SourceBatch, None]", source.open(self.position))
        try:
            async with asyncio.timeout(timeout_ms / 1_000), aclosing(batches):
                async for batch in batches:
                    for index in range(len(batch.block)):
                        message = batch.block.message(index)
                        self.trades.append(msgspec.json.decode(message, type=ExchangeTrade))
                    self.position = batch.position
                    self.detail = source.status().detail
                    if is_enough(self):
                        return
        except TimeoutError as error:
            raise TimeoutError(
                f"Expected all trades within {timeout_ms} ms, was {self.counts} and "
                f"{source.status()}"
            ) from error

    def rows(self) -> Rows:
        """What came, by market."""
        rows: Rows = defaultdict(list)
        for trade in self.trades:
            rows[trade.market].append(
                (trade.trade_id, trade.price, trade.quantity, trade.side, trade.event_time)
            )
        return dict(rows)

    def check(self, recording: Sequence[Recorded], *, is_in_order: bool = True) -> None:
        """Expect every trade that was played, once, with nothing of it changed.

        Args:
            recording: what was played.
            is_in_order: whether each market's trades must have come in its order.

        Raises:
            InvariantBroken: something else came.
        """
        expected, found = rows_of(recording), self.rows()
        if not is_in_order:
            expected = {market: sorted(rows) for market, rows in expected.items()}
            found = {market: sorted(rows) for market, rows in found.items()}
        if worth(found) != worth(expected):
            raise InvariantBroken(f"Expected a worth of {worth(expected)}, was {worth(found)}")
        if found != expected:
            counts = {market: len(rows) for market, rows in expected.items()}
            raise InvariantBroken(f"Expected {counts} trades, was {self.counts} different ones")


def all_of(recording: Sequence[Recorded]) -> Callable[[Collected], bool]:
    """Enough is when the last trade of each market came and as many as were played."""
    expected = rows_of(recording)
    total = sum(len(rows) for rows in expected.values())
    ends = {market: rows[-1][0] for market, rows in expected.items()}

    def is_enough(collected: Collected) -> bool:
        if len(collected.trades) < total:
            return False
        came = {(trade.market, trade.trade_id) for trade in collected.trades}
        return all(end in came for end in ends.items())

    return is_enough


def rows_of(recording: Sequence[Recorded]) -> Rows:
    """What was played, by market."""
    rows: Rows = defaultdict(list)
    for one in recording:
        trade = one.trade
        if trade.is_public:
            rows[trade.market].append(
                (trade.trade_id, trade.price, trade.quantity, trade.side, trade.time_ms)
            )
    return dict(rows)


def worth(rows: Mapping[str, Sequence[tuple[str, str, str, str, int]]]) -> dict[str, Decimal]:
    """Sum of price times quantity by market, exact.

    >>> worth({"BTCUSDT": [("1", "0.1", "3", "buy", 0), ("2", "0.2", "0.5", "sell", 0)]})
    {'BTCUSDT': Decimal('0.40')}
    """
    return {
        market: sum((Decimal(row[1]) * Decimal(row[2]) for row in each), Decimal(0))
        for market, each in rows.items()
    }

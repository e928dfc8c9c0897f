"""Candles and newest prices on their way to their stores: they wait in memory while one is away.

Whole values are put in place of what was there, so of those that wait only the newest of each
matters. Swaps go on meanwhile; no state is saved before everything below it is stored, so that a
crash makes again what was lost with the process. Who reads records stops while there is no room.
"""

import threading
from collections.abc import Sequence
from typing import Final

from swapstats.errors import SwapstatsError, Transient
from swapstats.model.preprocessed import Candle, Preprocessed, TokenPrice
from swapstats.ports.candles import CandleSink
from swapstats.ports.token_prices import TokenPrices

WAITING_MAX: Final = 200_000
"""Values that may wait before reading must stop."""
BATCH_MAX: Final = 5_000
_RETRY_S_MIN: Final = 0.05
_RETRY_S_MAX: Final = 2.0


class Outlets:
    """Takes values at once and stores them from a thread of its own; for any thread.

    Args:
        candles: where candles go.
        prices: where newest prices go.
        waiting_max: values beyond this still are taken, but `has_room` is False.

    Attributes:
        problem: why values cannot be stored now, empty if all is well.
    """

    def __init__(
        self, candles: CandleSink, prices: TokenPrices, waiting_max: int = WAITING_MAX
    ) -> None:
        self.problem = ""
        self._candles = candles
        self._prices = prices
        self._waiting_max = waiting_max
        self._failure: SwapstatsError | None = None
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting_candles: dict[tuple[str, int], Candle] = {}
        self._waiting_prices: dict[str, TokenPrice] = {}
        self._is_storing = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="outlets", daemon=True)

    def start(self) -> None:
        """Begin to store."""
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Values that wait."""
        with self._lock:
            return len(self._waiting_candles) + len(self._waiting_prices)

    @property
    def has_room(self) -> bool:
        """False while so much waits that no more records should be read."""
        return self.waiting < self._waiting_max

    def offer(self, made: Preprocessed) -> None:
        """Take what a batch changed; never waits.

        Raises:
            SwapstatsError: a store refused values for good.
        """
        self._raise_failure()
        if not made.candles and not made.prices:
            return
        with self._changed:
            for candle in made.candles:
                self._waiting_candles[candle.token, candle.minute_ms] = candle
            for price in made.prices:
                self._waiting_prices[price.token] = price
            self._changed.notify_all()

    def drain(self, timeout_ms: int) -> bool:
        """Wait until nothing waits; False if it takes too long, or at once if a store is away.

        Raises:
            SwapstatsError: a store refused values for good.
        """
        with self._changed:
            self._changed.wait_for(lambda: self.problem or self._is_empty(), timeout_ms / 1_000)
            is_empty = self._is_empty()
        self._raise_failure()
        return is_empty

    def close(self, timeout_ms: int = 2_000) -> None:
        """Store what waits, within a time, and end; the stores are not closed."""
        if self._thread.is_alive():
            with self._changed:
                self._changed.wait_for(lambda: self.problem or self._is_empty(), timeout_ms / 1_000)
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def _is_empty(self) -> bool:
        return not (self._waiting_candles or self._waiting_prices or self._is_storing)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        retry_s = _RETRY_S_MIN
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._stopping.is_set() or self._waiting_candles or self._waiting_prices
                )
                if self._stopping.is_set():
                    return
                candles = list(self._waiting_candles.values())[:BATCH_MAX]
                prices = list(self._waiting_prices.values())[:BATCH_MAX]
                self._is_storing = True
            retry_s = self._store_once(candles, prices, retry_s)

    def _store_once(
        self, candles: Sequence[Candle], prices: Sequence[TokenPrice], retry_s: float
    ) -> float:
        """Store a batch once; returns how long to wait should the next attempt fail."""
        problem, failure = "", None
        try:
            if candles:
                self._candles.put(candles)
            if prices:
                self._prices.put(prices)
        except Transient as error:
            problem = str(error)
        except SwapstatsError as error:
            problem, failure = str(error), error
        with self._changed:
            self._is_storing = False
            self.problem, self._failure = problem, failure
            if not problem:
                self._forget(candles, prices)
            self._changed.notify_all()
        if failure is not None:
            self._stopping.set()
        if not problem:
            return _RETRY_S_MIN
        self._stopping.wait(retry_s)
        return min(2 * retry_s, _RETRY_S_MAX)

    def _forget(self, candles: Sequence[Candle], prices: Sequence[TokenPrice]) -> None:
        """Drop what is stored, but for what was replaced by newer values meanwhile."""
        for candle in candles:
            place = (candle.token, candle.minute_ms)
            if self._waiting_candles.get(place) is candle:
                del self._waiting_candles[place]
        for price in prices:
            if self._waiting_prices.get(price.token) is price:
                del self._waiting_prices[price.token]

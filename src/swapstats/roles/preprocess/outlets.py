"""Candles and newest prices on their way to their stores: they wait in memory while one is away.

Whole values are put in place of what was there, so of those that wait only the newest of each
matters. Swaps go on meanwhile; no state is saved before everything below it is stored, so that a
crash makes again what was lost with the process. Who reads records stops while there is no room.

Every value has its writer: a former owner that wakes up late is refused by the stores, and its
values are dropped. The new owner makes them again, for it goes on from a state below them.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from swapstats.errors import Fenced, SwapstatsError, Transient
from swapstats.model.preprocessed import Candle, Preprocessed, TokenPrice
from swapstats.model.writer import Writer
from swapstats.ports.candles import CandleSink
from swapstats.ports.token_prices import TokenPrices

WAITING_MAX: Final = 200_000
"""Values that may wait before reading must stop."""
BATCH_MAX: Final = 5_000
_RETRY_S_MIN: Final = 0.05
_RETRY_S_MAX: Final = 2.0


@dataclass(slots=True)
class _Waiting:
    """Values of one writer, the newest of each."""

    candles: dict[tuple[str, int], Candle] = field(default_factory=dict)
    prices: dict[str, TokenPrice] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.candles) + len(self.prices)

    def take(self, made: Preprocessed) -> None:
        for candle in made.candles:
            self.candles[candle.token, candle.minute_ms] = candle
        for price in made.prices:
            self.prices[price.token] = price

    def forget(self, candles: Sequence[Candle], prices: Sequence[TokenPrice]) -> None:
        """Drop what is stored, but for what was replaced by newer values meanwhile."""
        for candle in candles:
            place = (candle.token, candle.minute_ms)
            if self.candles.get(place) is candle:
                del self.candles[place]
        for price in prices:
            if self.prices.get(price.token) is price:
                del self.prices[price.token]


class Outlets:
    """Takes values at once and stores them from a thread of its own; for any thread.

    Args:
        candles: where candles go.
        prices: where newest prices go.
        waiting_max: values beyond this still are taken, but `has_room` is False.
    """

    def __init__(
        self, candles: CandleSink, prices: TokenPrices, waiting_max: int = WAITING_MAX
    ) -> None:
        self._candles = candles
        self._prices = prices
        self._waiting_max = waiting_max
        self._trouble = ""
        self._refused: dict[Writer, str] = {}
        self._failure: SwapstatsError | None = None
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting: dict[Writer, _Waiting] = {}
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
            return sum(map(len, self._waiting.values()))

    @property
    def has_room(self) -> bool:
        """False while so much waits that no more records should be read."""
        return self.waiting < self._waiting_max

    @property
    def problem(self) -> str:
        """Why values cannot be stored now, empty if all is well."""
        with self._lock:
            return self._problem()

    def offer(self, made: Preprocessed, writer: Writer) -> None:
        """Take what a batch changed; never waits. What a refused writer offers is dropped.

        Raises:
            SwapstatsError: a store refused values for good.
        """
        self._raise_failure()
        if not made.candles and not made.prices:
            return
        with self._changed:
            if writer not in self._refused:
                self._waiting.setdefault(writer, _Waiting()).take(made)
                self._changed.notify_all()

    def forget(self, writer: Writer) -> None:
        """Drop what waits of a writer that owns its partition no more."""
        with self._changed:
            self._waiting.pop(writer, None)
            self._refused.pop(writer, None)
            self._changed.notify_all()

    def drain(self, timeout_ms: int) -> bool:
        """Wait until nothing waits; False if it takes too long, or at once if there is a problem.

        Raises:
            SwapstatsError: a store refused values for good.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._problem() or self._is_empty(), timeout_ms / 1_000)
            is_empty = self._is_empty() and not self._refused
        self._raise_failure()
        return is_empty

    def close(self, timeout_ms: int = 2_000) -> None:
        """Store what waits, within a time, and end; the stores are not closed."""
        if self._thread.is_alive():
            with self._changed:
                self._changed.wait_for(
                    lambda: self._problem() or self._is_empty(), timeout_ms / 1_000
                )
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def _problem(self) -> str:
        return self._trouble or next(iter(self._refused.values()), "")

    def _is_empty(self) -> bool:
        return not (self._waiting or self._is_storing)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        retry_s = _RETRY_S_MIN
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopping.is_set() or self._waiting)
                if self._stopping.is_set():
                    return
                writer, waiting = next(iter(self._waiting.items()))
                candles = list(islice(waiting.candles.values(), BATCH_MAX))
                prices = list(islice(waiting.prices.values(), BATCH_MAX))
                self._is_storing = True
            retry_s = self._store_once(writer, candles, prices, retry_s)

    def _store_once(
        self,
        writer: Writer,
        candles: Sequence[Candle],
        prices: Sequence[TokenPrice],
        retry_s: float,
    ) -> float:
        """Store a batch once; returns how long to wait should the next attempt fail."""
        trouble, failure, refused = "", None, ""
        try:
            if candles:
                self._candles.put(candles, writer)
            if prices:
                self._prices.put(prices, writer)
        except Transient as error:
            trouble = str(error)
        except Fenced as error:
            refused = str(error)
        except SwapstatsError as error:
            trouble, failure = str(error), error
        with self._changed:
            self._is_storing = False
            self._trouble, self._failure = trouble, failure
            if refused and self._waiting.pop(writer, None) is not None:
                self._refused[writer] = refused
            elif not trouble:
                self._forget(writer, candles, prices)
            self._changed.notify_all()
        if failure is not None:
            self._stopping.set()
        if not trouble:
            return _RETRY_S_MIN
        self._stopping.wait(retry_s)
        return min(2 * retry_s, _RETRY_S_MAX)

    def _forget(
        self, writer: Writer, candles: Sequence[Candle], prices: Sequence[TokenPrice]
    ) -> None:
        """Drop what is stored; the next writer's turn comes."""
        waiting = self._waiting.pop(writer, None)
        if waiting is not None:
            waiting.forget(candles, prices)
            if waiting:
                self._waiting[writer] = waiting

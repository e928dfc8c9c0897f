"""Newest prices within a process."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from swapstats.errors import Fenced
from swapstats.model.preprocessed import TokenPrice
from swapstats.model.writer import Writer

TOKENS_MAX: Final = 1_000_000
NO_PRICE: Final = "none"
"""Source of what deletes a price."""


class MemoryTokenPrices:
    """The newest price of each token; from any thread.

    Args:
        tokens_max: the one longest unchanged goes beyond this.
    """

    def __init__(self, tokens_max: int = TOKENS_MAX) -> None:
        self._tokens_max = tokens_max
        self._lock = threading.Lock()
        self._prices: OrderedDict[str, TokenPrice] = OrderedDict()
        self._epochs: dict[str, int] = {}

    def put(self, prices: Sequence[TokenPrice], writer: Writer) -> None:
        """Put prices in place of those that are not newer; see `TokenPrices.put`."""
        with self._lock:
            newest = self._epochs.get(writer.name, writer.epoch)
            if newest > writer.epoch:
                raise Fenced(writer.refused(newest, "memory"))
            self._epochs[writer.name] = writer.epoch
            for price in prices:
                known = self._prices.get(price.token)
                if known is not None and known.event_time > price.event_time:
                    continue
                self._prices.pop(price.token, None)
                if price.source != NO_PRICE:
                    self._prices[price.token] = price
            while len(self._prices) > self._tokens_max:
                self._prices.popitem(last=False)

    def get(self, token: str) -> TokenPrice | None:
        """The newest price of a token; None if it has none."""
        with self._lock:
            return self._prices.get(token)

    def close(self) -> None:
        """Do nothing."""

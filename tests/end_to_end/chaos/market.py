"""The market as a producer that writes at a steady rate, whatever happens to the brokers."""

import threading
import time

from tests.end_to_end.stack_roles import SLICE_MS, MarketFeed

from swapstats.errors import Transient

AT_ONCE_SLICES = 20


class SteadyMarket:
    """Writes a feed as its slices come due, from a thread; what fails is written again.

    Args:
        feed: what is written.

    Attributes:
        messages: acknowledged so far.
        retries: blocks that were not acknowledged in time and written again.
        behind_ms_max: longest distance behind the clock.
    """

    def __init__(self, feed: MarketFeed) -> None:
        self.feed = feed
        self.messages = 0
        self.retries = 0
        self.behind_ms_max = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="market", daemon=True)
        self._failure: Exception | None = None

    @property
    def behind_ms(self) -> int:
        """How far what is acknowledged is behind the clock."""
        return time.time_ns() // 1_000_000 - self.feed.at_ms

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write no more; raises what ended it before."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                due = self.behind_ms // SLICE_MS
                if due <= 0:
                    self._stop.wait(SLICE_MS / 2_000)
                    continue
                self.behind_ms_max = max(self.behind_ms_max, due * SLICE_MS)
                try:
                    self.messages += self.feed.write(min(due, AT_ONCE_SLICES), AT_ONCE_SLICES)
                except Transient:
                    self.retries += 1
        except Exception as error:
            self._failure = error

"""Some markets kept connected: connect, watch, replace in good time, connect again."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence

from swapstats.adapters.sources.exchange.backoff import Backoff
from swapstats.adapters.sources.exchange.feed import Feed
from swapstats.adapters.sources.exchange.inbox import Inbox
from swapstats.adapters.sources.exchange.link import Link, open_link
from swapstats.adapters.sources.exchange.options import Options
from swapstats.adapters.sources.exchange.pace import Pace
from swapstats.adapters.sources.exchange.rest import words
from swapstats.adapters.sources.exchange.venue import Venue
from swapstats.ports.clock import Clock

SOURCE_ENDS = "the source ends"

_log = logging.getLogger("swapstats.sources.exchange")


class Line:
    """Keeps a connection for some markets.

    Args:
        venue: the exchange.
        markets: symbols, as many as one connection may carry at most.
        feed: is told of connections.
        inbox: where frames go.
        pace: says when connections are read.
        numbers: gives numbers for connections.
        options: bounds and spans.
        clock: monotonic clock.
        sleep: waits for seconds.
        jitter: gives numbers from 0 to 1.

    Attributes:
        markets: its symbols.
        is_live: whether it is connected.
        detail: why it is not, for people.
    """

    def __init__(
        self,
        venue: Venue,
        markets: Sequence[str],
        feed: Feed,
        inbox: Inbox,
        pace: Pace,
        numbers: Iterator[int],
        options: Options,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]],
        jitter: Callable[[], float],
    ) -> None:
        self._venue = venue
        self.markets = markets
        self._feed = feed
        self._inbox = inbox
        self._pace = pace
        self._numbers = numbers
        self._options = options
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._backoff = Backoff(options.backoff_ms_min, options.backoff_ms_max)
        self._lifetime_ms = options.lifetime_ms or venue.facts.lifetime_ms
        self._link: Link | None = None
        self._drop = asyncio.Event()
        self._drop_reason = ""
        self.is_live = False
        self.detail = f"Connecting to {venue.facts.title}"

    def silent_ms(self, now_ms: int) -> int:
        """How long nothing came over the present connection; 0 if there is none."""
        return now_ms - self._link.last_frame_ms if self._link is not None else 0

    def drop(self, reason: str) -> None:
        """Give the present connection up, for a new one."""
        if self._link is not None:
            self._drop_reason = reason
            self._drop.set()

    async def run(self) -> None:
        """Keep connected until cancelled."""
        while True:
            await self._inbox.wait_for_room()
            link = await self._connect()
            if link is not None:
                self._drop.clear()
                try:
                    self._link = link
                    await self._hold(link)
                finally:
                    await self._give_up(link if self._link is None else self._link)
            await self._sleep(self._backoff.next_ms(self._jitter()) / 1_000)

    async def _hold(self, link: Link) -> None:
        """Hold a connection, and those that take its place as planned, until one ends."""
        while True:
            due_ms = link.began_ms + self._lifetime_ms - self._clock.monotonic_ms()
            await _first_of([link.ended, self._drop], max(due_ms, 0))
            if link.heard.is_set():
                self._backoff.worked()
            if link.ended.is_set() or self._drop.is_set():
                return
            upcoming = await self._connect()
            if upcoming is None:
                await self._sleep(self._backoff.next_ms(self._jitter()) / 1_000)
                continue
            try:
                await self._overlap(link, upcoming)
            except asyncio.CancelledError:
                await upcoming.close(SOURCE_ENDS)
                raise
            link, old = upcoming, link
            self._link = link
            await old.close("its planned end came, before the exchange cuts it off")

    async def _overlap(self, link: Link, upcoming: Link) -> None:
        """Let two connections bring the same until the new one is sure to bring everything."""
        wait_ms = self._options.overlap_ms_max
        await _first_of([upcoming.heard, upcoming.ended, link.ended], wait_ms)
        await _first_of([upcoming.ended, link.ended], self._options.gap_patience_ms)

    async def _connect(self) -> Link | None:
        title = self._venue.facts.title
        opening = self._venue.opening(self.markets)
        link = Link(
            next(self._numbers), opening, self._venue.facts, self._inbox, self._clock, self._pace,
            self._connected,
        )  # fmt: skip
        try:
            await open_link(link, opening.url, self._options.connect_ms_max)
        except OSError as error:
            self.detail = f"{title} cannot be reached: {words(error)}"
            self.is_live = self._link is not None
            _log.warning("%s", self.detail)
            return None
        _log.info("Connected to %s for %s markets", title, len(self.markets))
        return link

    def _connected(self) -> None:
        self.is_live = True
        self._feed.connected(self.markets, self._clock.monotonic_ms())

    async def _give_up(self, link: Link) -> None:
        self._link = None
        self.is_live = False
        await link.close(self._drop_reason if self._drop.is_set() else SOURCE_ENDS)
        if link.reason == SOURCE_ENDS:
            return
        if link.overflowed:
            self._feed.counts.overflows += 1
        self.detail = f"Connection to {self._venue.facts.title} ended: {link.reason}"
        _log.warning("%s", self.detail)


async def _first_of(events: Sequence[asyncio.Event], timeout_ms: int) -> None:
    """Wait until one of some events is set, for `timeout_ms` milliseconds at most."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=timeout_ms / 1_000, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()

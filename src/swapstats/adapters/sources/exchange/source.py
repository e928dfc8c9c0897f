"""Live public trades of an exchange, without gaps: the `Source` port.

The shell around `feed.py`: connections bring frames into the inbox, the feed says what goes on and
what is missing, the backfill asks for that. No trade is lost without a word: what does not come
over a connection is asked for, and what history does not have is told as a hole.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from itertools import count

import aiohttp

from swapstats.adapters.sources.exchange.backfill import Backfill
from swapstats.adapters.sources.exchange.feed import Feed
from swapstats.adapters.sources.exchange.inbox import Inbox
from swapstats.adapters.sources.exchange.line import Line
from swapstats.adapters.sources.exchange.markets import find_markets
from swapstats.adapters.sources.exchange.options import Options
from swapstats.adapters.sources.exchange.pace import Pace
from swapstats.adapters.sources.exchange.rate_budget import RateBudget
from swapstats.adapters.sources.exchange.rest import Rest
from swapstats.adapters.sources.exchange.venue import Venue
from swapstats.errors import Rejected
from swapstats.ports.clock import Clock
from swapstats.ports.source import NO_NOTES, SourceBatch, SourceStatus

BATCH_FRAMES_MAX = 5_000
MARKETS_MAX = 5_000
WATCH_MS = 50
"""How often it is looked at what is due, while something is missing."""
CALM_WATCH_MS = 1_000
"""The same while nothing is."""
SHOWN_MARKETS_MAX = 8

_log = logging.getLogger("swapstats.sources.exchange")


class ExchangeSource:
    """Live public trades of some markets of one exchange, as raw events.

    The position holds the last trade of each market; what came after it while nobody listened is
    asked for.

    Args:
        venue: the exchange.
        symbols: as the exchange writes them, each once; case does not matter.
        clock: monotonic clock.
        budget: what may be asked of the REST API; None = one of its own.
        options: bounds and spans.
        name: stable name in the log; the venue's by default.
        sleep: waits for seconds.
        jitter: gives numbers from 0 to 1.

    Raises:
        Rejected: no symbol, one twice, or too many.
    """

    def __init__(
        self,
        venue: Venue,
        symbols: Sequence[str],
        clock: Clock,
        *,
        budget: RateBudget | None = None,
        options: Options = Options(),  # noqa: B008 - frozen
        name: str = "",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._symbols = [symbol.strip().upper() for symbol in symbols]
        if not 1 <= len(set(self._symbols)) == len(self._symbols) <= MARKETS_MAX:
            raise Rejected(
                f"Expected 1 to {MARKETS_MAX} symbols, each once, was {', '.join(self._symbols)}"
            )
        facts = venue.facts
        self._venue = venue
        self._clock = clock
        self._budget = budget or RateBudget(facts.weight_max, facts.weight_span_ms)
        self._options = options
        self._name = name or facts.name
        self._sleep = sleep
        self._jitter = jitter
        self._feed: Feed | None = None
        self._lines: list[Line] = []
        self._failure = ""

    @property
    def name(self) -> str:
        """Stable name: positions in the log are kept under it."""
        return self._name

    @property
    def feed(self) -> Feed | None:
        """What is known since it was opened: counts and holes."""
        return self._feed

    def status(self) -> SourceStatus:
        """Report whether trades come, and what went wrong so far."""
        if self._failure:
            return SourceStatus("failed", self._failure)
        waiting = [line.detail for line in self._lines if not line.is_live]
        if self._feed is None or not self._lines:
            return SourceStatus("connecting", f"Asking {self._venue.facts.title} for its markets")
        if waiting:
            return SourceStatus("waiting", "; ".join([waiting[0], *self._told(self._feed)]))
        shown = ", ".join(self._symbols[:SHOWN_MARKETS_MAX])
        if len(self._symbols) > SHOWN_MARKETS_MAX:
            shown += f" and {len(self._symbols) - SHOWN_MARKETS_MAX} more"
        detail = f"Live trades of {shown} from {self._venue.facts.title}"
        return SourceStatus("live", "; ".join([detail, *self._told(self._feed)]))

    async def open(
        self,
        position: str | None,
        notes: Mapping[str, str] = NO_NOTES,
    ) -> AsyncIterator[SourceBatch]:
        """Stream trades as they happen; it ends only with an error.

        Raises:
            Rejected: the exchange does not trade a symbol, or the position is another source's.
        """
        options = self._options
        async with aiohttp.ClientSession() as http:
            rest = Rest(http, self._budget, self._clock, options.connect_ms_max, self._sleep)
            feed = await self._begin(rest, position, notes)
            inbox = Inbox(options.queue_frames_max, options.queue_bytes_max)
            backfill = Backfill(
                self._venue, feed, rest, inbox, options, self._clock, self._sleep, self._jitter,
                self._stalled,
            )  # fmt: skip
            self._lines = self._make_lines(feed, inbox)
            runs = [asyncio.create_task(line.run()) for line in self._lines]
            try:
                watched_ms = self._clock.monotonic_ms()
                while True:
                    watch_ms = WATCH_MS if feed.gapped else CALM_WATCH_MS
                    await inbox.wait_for_news(watch_ms)
                    now_ms = self._clock.monotonic_ms()
                    _read(feed, inbox, now_ms)
                    if now_ms >= watched_ms + watch_ms:
                        watched_ms = now_ms
                        self._watch(feed, backfill, runs, now_ms)
                    if (batch := feed.take()) is not None:
                        backfill.taken()
                        yield batch
            finally:
                for run in runs:
                    run.cancel()
                await asyncio.gather(*runs, return_exceptions=True)
                await backfill.close()

    async def _begin(self, rest: Rest, position: str | None, notes: Mapping[str, str]) -> Feed:
        self._failure = ""
        try:
            markets = await find_markets(self._venue, self._symbols, rest)
            now_ms = self._clock.monotonic_ms()
            self._feed = Feed(self._venue, markets, position, self._options, now_ms, notes)
        except Rejected as error:
            self._failure = str(error)
            raise
        return self._feed

    def _make_lines(self, feed: Feed, inbox: Inbox) -> list[Line]:
        facts = self._venue.facts
        numbers = count()
        pace = Pace(self._options.batch_ms, inbox.rouse)
        return [
            Line(
                self._venue, self._symbols[first : first + facts.streams_max], feed, inbox, pace,
                numbers, self._options, self._clock, self._sleep, self._jitter,
            )
            for first in range(0, len(self._symbols), facts.streams_max)
            for _ in range(facts.connections)
        ]  # fmt: skip

    def _watch(
        self, feed: Feed, backfill: Backfill, runs: Sequence[asyncio.Task[None]], now_ms: int
    ) -> None:
        for run in runs:
            if run.done():
                run.result()
        backfill.look(now_ms)
        for line in self._lines:
            if line.silent_ms(now_ms) > self._options.silence.max_ms:
                line.drop(f"nothing came for {self._options.silence.max_ms / 1_000:g} s")
        for note in feed.take_notes():
            _log.warning("%s", note)

    def _stalled(self, market: str, is_certain: bool) -> None:
        """Give up the connections of a market that bring nothing, or may."""
        now_ms = self._clock.monotonic_ms()
        for line in self._lines:
            if market not in line.markets:
                continue
            if is_certain:
                line.drop(f"it brings no trades of {market}, although there are some")
            elif line.silent_ms(now_ms) >= self._options.silence.min_ms:
                line.drop(f"it brings nothing, and nobody can say whether {market} is silent")
        if is_certain and self._feed is not None:
            self._feed.counts.stalls += 1

    @staticmethod
    def _told(feed: Feed) -> list[str]:
        """What went wrong so far, in words."""
        counts, missing = feed.counts, feed.missing
        told = []
        if counts.filled:
            told.append(f"{counts.filled} trades filled in from history")
        if feed.gapped:
            told.append(f"{len(feed.gapped)} markets wait for their history")
        if missing.holes:
            told.append(f"{missing.trades} trades missing in {missing.holes} holes")
        if counts.unreadable:
            told.append(f"{counts.unreadable} frames could not be read")
        if counts.connections > 1:
            told.append(f"connected {counts.connections} times")
        return told


def _read(feed: Feed, inbox: Inbox, now_ms: int) -> None:
    for run in inbox.take(BATCH_FRAMES_MAX):
        feed.read(run.connection, run.frames, now_ms)
        if run.has_ended:
            feed.left(run.connection)

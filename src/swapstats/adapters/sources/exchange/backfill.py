"""Asks the exchange's history for what is missing, and whether a silent market is silent."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from swapstats.adapters.sources.exchange.backoff import Backoff
from swapstats.adapters.sources.exchange.feed import Feed
from swapstats.adapters.sources.exchange.gap import Gap, GapFill, Step
from swapstats.adapters.sources.exchange.inbox import Inbox
from swapstats.adapters.sources.exchange.opaque_track import opaque_step
from swapstats.adapters.sources.exchange.options import Options
from swapstats.adapters.sources.exchange.rest import Rest
from swapstats.adapters.sources.exchange.venue import IdRule, Venue, VenueTrade
from swapstats.errors import Rejected, Transient
from swapstats.ports.clock import Clock

STALL_PATIENCE = 4
"""What history has may be under way over the connection: so many `gap_patience_ms` are given."""

_log = logging.getLogger("swapstats.sources.exchange")


class Backfill:
    """One task for each market that lacks something.

    Args:
        venue: the exchange.
        feed: knows the gaps and takes what closes them.
        rest: the exchange's history.
        inbox: is told when there is something to take.
        options: bounds and spans.
        clock: monotonic clock.
        sleep: waits for seconds.
        jitter: gives numbers from 0 to 1.
        on_stall: called with a market whose connection brings nothing although there is
            something, or of which nobody can say; and with whether it is certain.
    """

    def __init__(
        self,
        venue: Venue,
        feed: Feed,
        rest: Rest,
        inbox: Inbox,
        options: Options,
        clock: Clock,
        sleep: Callable[[float], Awaitable[None]],
        jitter: Callable[[], float],
        on_stall: Callable[[str, bool], None],
    ) -> None:
        self._venue = venue
        self._feed = feed
        self._rest = rest
        self._inbox = inbox
        self._options = options
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter
        self._on_stall = on_stall
        self._slots = asyncio.Semaphore(options.backfills_max)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._taken = asyncio.Event()

    def look(self, now_ms: int) -> None:
        """Start what is due: gaps that did not close by themselves, markets silent for too long.

        Raises:
            Exception: what a task died of.
        """
        for market, task in list(self._tasks.items()):
            if task.done():
                del self._tasks[market]
                task.result()
        for market, seen_ms in self._feed.gapped.items():
            if now_ms >= seen_ms + self._options.gap_patience_ms:
                self._start(market, self._fill)
        for market in self._feed.silent(now_ms):
            self._start(market, self._look_behind)

    def taken(self) -> None:
        """Tell that what was ready has been taken."""
        self._taken.set()

    async def close(self) -> None:
        """End all tasks."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, market: str, work: Callable[[str], Awaitable[None]]) -> None:
        if market not in self._tasks:
            self._tasks[market] = asyncio.create_task(self._run(market, work))

    async def _run(self, market: str, work: Callable[[str], Awaitable[None]]) -> None:
        async with self._slots:
            await work(market)
        self._inbox.tell()

    async def _fill(self, market: str) -> None:
        """Close the gaps of a market, one after another."""
        while True:
            self._feed.shorten(market, self._options.backfill_trades_max)
            gap = self._feed.gap(market)
            if gap is None:
                return
            self._feed.counts.gaps += 1
            reason = await self._fill_one(market, gap)
            if reason:
                _log.warning("No history of %s: %s", market, reason)
                self._feed.give_up(market, reason, self._clock.monotonic_ms())
                self._inbox.tell()

    async def _fill_one(self, market: str, gap: Gap) -> str:
        """Close one gap; why it cannot be closed, or nothing."""
        begun_ms = self._clock.monotonic_ms()
        fill = self._gap_fill(gap)
        backoff = Backoff(self._options.backoff_ms_min, self._options.backoff_ms_max)
        why = "the exchange's history did not get there"
        while self._clock.monotonic_ms() < begun_ms + self._options.backfill_ms_max:
            wait_ms = 0
            try:
                page = await self._rest.get(self._venue.page(market, fill.after, fill.before))
            except Rejected as error:
                return str(error)
            except Transient as error:
                why = str(error)
                wait_ms = backoff.next_ms(self._jitter())
            else:
                step = self._step(fill, gap, page)
                self._feed.fill(market, step, self._clock.monotonic_ms())
                self._inbox.tell()
                now = self._feed.gap(market)
                if step.is_done or now is None or now.before != gap.before:
                    return ""
                if step.is_late:
                    wait_ms = backoff.next_ms(self._jitter())
                else:
                    backoff.worked()
            if wait_ms:
                await self._sleep(wait_ms / 1_000)
            await self._wait_until_taken()
        return why

    async def _look_behind(self, market: str) -> None:
        """Ask for what came after the last trade of a silent market."""
        gap = self._feed.open_end(market)
        if gap is None or self._feed.gap(market) is not None:
            return
        catches_up = self._feed.catches_up(market)
        try:
            step = await self._told_behind(market, gap)
        except (Transient, Rejected) as error:
            _log.warning("No history of %s: %s", market, error)
            self._feed.quiet(market, self._clock.monotonic_ms())
            self._on_stall(market, False)
            return
        if step.trades and not catches_up:
            await self._sleep(STALL_PATIENCE * self._options.gap_patience_ms / 1_000)
        now_ms = self._clock.monotonic_ms()
        if self._feed.open_end(market) != gap or self._feed.gap(market) is not None:
            return  # it came by itself
        brought = self._feed.fill(market, step, now_ms)
        self._feed.quiet(market, now_ms)
        if brought:
            self._inbox.tell()
            if catches_up:
                self._feed.look_again(market, now_ms)
            else:
                self._on_stall(market, True)
        await self._wait_until_taken()

    async def _told_behind(self, market: str, gap: Gap) -> Step:
        """Ask for an open end; backward, every page down to what is known."""
        fill = self._gap_fill(gap)
        while True:
            page = await self._rest.get(self._venue.page(market, fill.after, fill.before))
            step = self._step(fill, gap, page)
            if step.is_done:
                return step

    def _gap_fill(self, gap: Gap) -> GapFill:
        facts = self._venue.facts
        return GapFill(gap, facts.paging, facts.id_rule, self._options.backfill_trades_max)

    def _step(self, fill: GapFill, gap: Gap, page: list[VenueTrade]) -> Step:
        if self._venue.facts.id_rule is IdRule.OPAQUE:
            return opaque_step(gap, page)
        return fill.take(page)

    async def _wait_until_taken(self) -> None:
        while self._feed.ready_count > self._options.ready_trades_max:
            self._taken.clear()
            await self._taken.wait()

"""The demo market as a source: it happens now, at the pace of the wall clock.

It never generates on the event loop (a thread does), and never tries to make up for a long
absence: what is older than the catch-up span is left out, and the status says so.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from swapstats.core.demo_market import MARKET_START_MS, SLICE_MS, DemoMarket
from swapstats.errors import Rejected
from swapstats.model.record import MessageBlock
from swapstats.model.window import format_span
from swapstats.ports.clock import Clock
from swapstats.ports.source import NO_NOTES, SourceBatch, SourceStatus

PREFILL_MS = 600_000
CATCH_UP_MS = 300_000
"""How much of an absence is made up for, on top of the prefill: an end within that is one too."""
BATCH_MESSAGES = 5_000
"""A batch takes slices until it holds this many."""
BATCH_SLICES_MAX = 100
WAIT_MS_MAX = 200
"""No single wait is longer, so that a clock that jumps is noticed."""
CLOCK_BACK_MS = 2_000
"""A position this far in the future is told as waiting."""


class DemoSource:
    """A seeded market that happens now: the `Source` port for people without an exchange.

    The position is the time of the next slice, in milliseconds since the epoch.

    Args:
        market: the market.
        clock: wall clock.
        prefill_ms: on the first start, how much of the market's past is delivered at once, so
            that the page is not empty.
        name: stable name in the log.
        sleep: waits for seconds; tests let a manual clock advance instead.

    Raises:
        Rejected: `prefill_ms` is negative.
    """

    def __init__(
        self,
        market: DemoMarket,
        clock: Clock,
        *,
        prefill_ms: int = PREFILL_MS,
        name: str = "demo",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if prefill_ms < 0:
            raise Rejected(f"Expected a prefill of 0 ms or more, was {prefill_ms}")
        self._market = market
        self._clock = clock
        self._prefill_ms = prefill_ms
        self._name = name
        self._sleep = sleep
        self._left_out_ms = 0
        self._status = SourceStatus("connecting", "Demo market, not started yet")

    @property
    def name(self) -> str:
        """Stable name: positions in the log are kept under it."""
        return self._name

    def status(self) -> SourceStatus:
        """Report whether the market is live, catches up or waits for the clock."""
        return self._status

    async def open(
        self,
        position: str | None,
        notes: Mapping[str, str] = NO_NOTES,  # noqa: ARG002 - the port's
    ) -> AsyncIterator[SourceBatch]:
        """Stream the market from the position on, or from `prefill_ms` ago; it never ends.

        Raises:
            Rejected: the position is none of a demo market.
        """
        next_ms = self._first_slice(position)
        while True:
            now_ms = self._clock.wall_ms()
            next_ms = self._without_the_long_past(next_ms, now_ms)
            due = min((now_ms - next_ms) // SLICE_MS, BATCH_SLICES_MAX)
            self._tell(now_ms - next_ms)
            if due <= 0:
                wait_ms = min(next_ms + SLICE_MS - now_ms, WAIT_MS_MAX)
                await self._sleep(wait_ms / 1_000)
                continue
            messages, next_ms = await asyncio.to_thread(self._generate, next_ms, due)
            if messages:
                yield SourceBatch(MessageBlock.of(messages), str(next_ms))

    def _first_slice(self, position: str | None) -> int:
        if position is None:
            return _slice_at(self._clock.wall_ms() - self._prefill_ms)
        next_ms = -1
        with contextlib.suppress(ValueError):
            next_ms = int(position)
        if next_ms < MARKET_START_MS or next_ms % SLICE_MS:
            raise Rejected(
                f"Expected a position of the demo market, was {position!r}: "
                f"start with an empty data directory"
            )
        return next_ms

    def _without_the_long_past(self, next_ms: int, now_ms: int) -> int:
        """Leave out what an absence (or a suspended machine) put too far behind."""
        first_ms = _slice_at(now_ms - self._prefill_ms - CATCH_UP_MS)
        if next_ms >= first_ms:
            return next_ms
        self._left_out_ms += first_ms - next_ms
        return first_ms

    def _generate(self, next_ms: int, due: int) -> tuple[list[bytes], int]:
        """Generate up to `due` slices, fewer once there are enough messages for a batch."""
        messages: list[bytes] = []
        for _ in range(due):
            messages += self._market.slice(next_ms)
            next_ms += SLICE_MS
            if len(messages) >= BATCH_MESSAGES:
                break
        return messages, next_ms

    def _tell(self, behind_ms: int) -> None:
        left_out = ""
        if self._left_out_ms:
            seconds_ms = -(-self._left_out_ms // 1_000) * 1_000
            left_out = f"; {format_span(seconds_ms)} of the market were left out while it was down"
        if behind_ms < -CLOCK_BACK_MS:
            ahead = f"{-behind_ms // 1_000} s"
            self._status = SourceStatus(
                "waiting", f"Demo market: the clock is {ahead} behind what was delivered{left_out}"
            )
        elif behind_ms > 10 * SLICE_MS:
            self._status = SourceStatus(
                "live", f"Demo market, made-up swaps: {behind_ms // 1_000} s behind{left_out}"
            )
        else:
            self._status = SourceStatus("live", f"Demo market, made-up swaps{left_out}")


def _slice_at(t_ms: int) -> int:
    return max(t_ms // SLICE_MS * SLICE_MS, MARKET_START_MS)

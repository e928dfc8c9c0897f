"""The brute-force twin of the engine: one dictionary of pairs, every sum taken anew.

It is what `audit` and the tests hold the fast engine against, so it shares nothing with it but
the nouns of `model`. It keeps no rolling sum, no fingerprint and no cell, and is not meant to be
fast. It never reads a clock.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from swapstats.core.plain_decode import Refusal, Swap, decode_message
from swapstats.errors import SettingsError, UsageError
from swapstats.model.effects import COUNTER_NAMES
from swapstats.model.stats import WindowStats
from swapstats.model.window import WindowSpec
from swapstats.model.wire import REASONS

Fate = Literal[
    "applied", "duplicates", "removed", "cancelled", "too_old", "late_refused", "dead_letters"
]
"""What became of one message; also the counter it is counted in."""

LATE_POLICIES = ("apply", "drop", "divert")
CLOCKS = ("wall", "event")


@dataclass(slots=True)
class _Pair:
    """One contribution: it counts iff it was added and not removed.

    Attributes:
        first: the message that was seen first; every other must repeat its content.
        added: its add was seen.
        removed: its removal was seen, before or after the add.
    """

    first: Swap
    added: bool
    removed: bool


class Recount:
    """Statistics of one partition by brute force.

    Args:
        spec: step and windows.
        grace_ms: an add older than the newest earlier add by more than this is late.
        late: `apply` counts late adds, `drop` and `divert` refuse them.
        max_ahead_ms: how far event_time may lie after append time; None = no such bound.
        clock: `wall`: T follows `now_ms` only; `event`: also the event times of valid adds.
        t_ms: T to begin with, ms since epoch.

    Attributes:
        spec: step and windows.
        t_ms: T, never backwards.
        newest_ms: newest event_time of a well-formed add so far, 0 = none yet.
        counters: how many messages met which fate, by `model.effects.COUNTER_NAMES`.
        reasons: dead letters by reason, only reasons that occurred.

    Raises:
        SettingsError: an unknown policy or clock.
    """

    def __init__(
        self,
        spec: WindowSpec,
        grace_ms: int,
        late: str,
        max_ahead_ms: int | None,
        clock: str,
        t_ms: int,
    ) -> None:
        if late not in LATE_POLICIES:
            raise SettingsError(f"Expected late as one of {LATE_POLICIES}, was {late!r}")
        if clock not in CLOCKS:
            raise SettingsError(f"Expected clock as one of {CLOCKS}, was {clock!r}")
        self.spec = spec
        self.t_ms = t_ms
        self.newest_ms = 0
        self.counters = dict.fromkeys(COUNTER_NAMES, 0)
        self.reasons: dict[str, int] = {}
        self._grace_ms = grace_ms
        self._refuses_late = late != "apply"
        self._max_ahead_ms = max_ahead_ms
        self._event_clock = clock == "event"
        self._buckets: dict[int, dict[tuple[str, int], _Pair]] = {}
        self._bucket_numbers: list[int] = []  # a heap: the oldest bucket first

    def __len__(self) -> int:
        """Pairs held."""
        return sum(len(bucket) for bucket in self._buckets.values())

    @property
    def end_ms(self) -> int:
        """End (exclusive) of every window at T."""
        return self.spec.end_ms(self.t_ms)

    def feed(self, message: bytes, append_ms: int, now_ms: int = 0) -> Fate:
        """Take the next message of the partition.

        Args:
            message: its bytes.
            append_ms: when the log took it, ms since epoch.
            now_ms: the clock, ms since epoch; a smaller value than T changes nothing.

        Returns:
            What became of it.
        """
        self.tick(now_ms)
        swap = decode_message(message, append_ms, self._max_ahead_ms)
        fate = self._refuse(swap.reason) if isinstance(swap, Refusal) else self._judge(swap)
        self.counters["ingested"] += 1
        self.counters[fate] += 1
        return fate

    def tick(self, now_ms: int) -> None:
        """Advance T to `now_ms` if that is later."""
        if now_ms > self.t_ms:
            self.t_ms = now_ms
            self._forget()

    def windows(self, t_ms: int | None = None) -> dict[str, dict[str, WindowStats]]:
        """Sum every window over every pair.

        Args:
            t_ms: the moment, at or after T; None = T.

        Returns:
            token key -> window name -> statistics, for every token with trades in some window:
            keys by code point, all windows in served order.

        Raises:
            UsageError: the moment is before T, where pairs may be forgotten already.
        """
        moment_ms = self.t_ms if t_ms is None else t_ms
        if moment_ms < self.t_ms:
            raise UsageError(
                f"Expected a moment at or after T ({self.t_ms}), was {moment_ms}: "
                f"recount from the start with t_ms={moment_ms}"
            )
        end_ms = self.spec.end_ms(moment_ms)
        by_token: dict[str, list[Swap]] = {}
        for swap in self._contributing():
            if end_ms - self.spec.widest_ms <= swap.event_ms < end_ms:
                by_token.setdefault(swap.token_key, []).append(swap)
        return {
            key: {
                name: _sum([swap for swap in by_token[key] if swap.event_ms >= end_ms - width_ms])
                for name, width_ms in zip(self.spec.names, self.spec.widths_ms, strict=True)
            }
            for key in sorted(by_token)
        }

    def _contributing(self) -> Iterator[Swap]:
        for bucket in self._buckets.values():
            for pair in bucket.values():
                if pair.added and not pair.removed:
                    yield pair.first

    def _refuse(self, reason: str) -> Fate:
        assert reason in REASONS
        self.reasons[reason] = self.reasons.get(reason, 0) + 1
        return "dead_letters"

    def _judge(self, swap: Swap) -> Fate:
        """Decide the fate of a well-formed message; the order of the rules is the contract."""
        pair = self._buckets.get(swap.event_ms // self.spec.step_ms, {}).get(
            (swap.event_id, swap.inclusion)
        )
        late = not swap.removed and swap.event_ms < self.newest_ms - self._grace_ms
        refused = late and self._refuses_late  # never looked up, so never a conflict
        conflict = not refused and pair is not None and pair.first.content != swap.content
        if not swap.removed:
            self.newest_ms = max(self.newest_ms, swap.event_ms)
            if self._event_clock and not conflict:
                self.tick(swap.event_ms)
        if swap.event_ms < self.end_ms - self.spec.widest_ms:
            return "too_old"
        if refused:
            self.counters["late"] += 1
            return "late_refused"
        if conflict:
            return self._refuse("conflict")
        fate = self._remove(swap, pair) if swap.removed else self._add(swap, pair)
        if late and fate == "applied":
            self.counters["late"] += 1
        return fate

    def _add(self, swap: Swap, pair: _Pair | None) -> Fate:
        if pair is None:
            self._register(swap)
            return "applied"
        if pair.added:
            return "duplicates"
        pair.added = True  # its removal came first
        return "cancelled"

    def _remove(self, swap: Swap, pair: _Pair | None) -> Fate:
        if pair is None:
            self._register(swap)
            return "cancelled"
        if pair.removed:
            return "duplicates"
        pair.removed = True
        return "removed"

    def _register(self, swap: Swap) -> None:
        number = swap.event_ms // self.spec.step_ms
        if number not in self._buckets:
            self._buckets[number] = {}
            heapq.heappush(self._bucket_numbers, number)
        pair = _Pair(swap, added=not swap.removed, removed=swap.removed)
        self._buckets[number][swap.event_id, swap.inclusion] = pair

    def _forget(self) -> None:
        """Drop buckets below every window: their messages are too old from now on."""
        oldest_number = (self.end_ms - self.spec.widest_ms) // self.spec.step_ms
        while self._bucket_numbers and self._bucket_numbers[0] < oldest_number:
            del self._buckets[heapq.heappop(self._bucket_numbers)]


def _sum(swaps: list[Swap]) -> WindowStats:
    """Sum one token's contributing swaps of one window."""
    buys = [swap for swap in swaps if swap.side == "buy"]
    sells = [swap for swap in swaps if swap.side == "sell"]
    return WindowStats(
        vol_usd=_usd(swaps),
        vol_token=sum(swap.amount_token for swap in swaps),
        trades=len(swaps),
        buy=len(buys),
        sell=len(sells),
        buy_usd=_usd(buys),
        sell_usd=_usd(sells),
        unpriced=sum(1 for swap in swaps if swap.amount_usd is None),
    )


def _usd(swaps: list[Swap]) -> int:
    return sum(swap.amount_usd for swap in swaps if swap.amount_usd is not None)

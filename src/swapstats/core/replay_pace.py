"""When recorded messages are due: the rules of replay at a given speed or rate.

It never reads a clock and never waits: it is told the time and says how many messages are due.

A message is due when its own time has come and every message before it is due: replay never
changes the order of a recording. With a speed, the time of a message is its event_time relative
to the first message of its file; with a rate, its number. With both, the later one holds.
"""

import re

import numpy as np
from numpy.typing import NDArray

from swapstats.errors import UsageError

NO_TIME_MS = -1
"""Stands for the event_time of a message that has none one can read."""
STRAY_MS = 3_600_000
"""A time this much later than those after it sets no pace: one wrong date must not stop it all."""
STRAY_MESSAGES = 8
"""How many of the messages after it are asked."""
SPEED_MAX = 1_000_000.0
RATE_MAX = 100_000_000.0

_number_x = re.compile(r"([0-9]+(?:\.[0-9]+)?)x").fullmatch


def parse_speed(text: str) -> float | None:
    """Read `max` (None: no pacing) or a factor such as `10x` or `0.5x`.

    Raises:
        UsageError: the text is neither.

    >>> parse_speed("10x"), parse_speed("max")
    (10.0, None)
    """
    if text == "max":
        return None
    match = _number_x(text)
    speed = float(match[1]) if match else 0.0
    if not 0 < speed <= SPEED_MAX:
        raise UsageError(f"Expected a speed such as max, 10x or 0.5x, was {text!r}")
    return speed


class ReplayPace:
    """Which of the offered messages are due.

    Use: `begin_file` for each file, then in turn `offer` a block, and `due_count` and `take`
    until `left_count` is 0.

    Args:
        speed: how many times the recorded pace; None = no bound.
        rate: messages a second; None = no bound.
        now_ms: time at which the replay starts; the rate counts from here.

    Raises:
        UsageError: speed or rate is not positive or beyond its bound.
    """

    def __init__(self, speed: float | None, rate: float | None, now_ms: int) -> None:
        if speed is not None and not 0 < speed <= SPEED_MAX:
            raise UsageError(f"Expected a speed above 0 and up to {SPEED_MAX:g}, was {speed}")
        if rate is not None and not 0 < rate <= RATE_MAX:
            raise UsageError(f"Expected a rate above 0 and up to {RATE_MAX:g} a second, was {rate}")
        self._speed = speed
        self._rate = rate
        self._start_ms = now_ms
        self._file_start_ms = now_ms
        self._origin_ms: int | None = None
        self._newest_ms = NO_TIME_MS
        self._offered_count = 0
        self._taken_count = 0
        self._last_due_ms = now_ms
        self._due_ms: NDArray[np.int64] = np.empty(0, dtype=np.int64)

    @property
    def is_paced(self) -> bool:
        """Whether anything ever has to wait."""
        return self._speed is not None or self._rate is not None

    def begin_file(self, now_ms: int, origin_ms: int | None = None) -> None:
        """Start the recorded time of a file.

        Args:
            now_ms: the moment at which its first message is due.
            origin_ms: event_time of that message; None = the first one offered.
        """
        self._file_start_ms = now_ms
        self._origin_ms = origin_ms
        self._newest_ms = NO_TIME_MS

    def offer(self, event_ms: NDArray[np.int64]) -> None:
        """Take on the next messages; those before must all be taken.

        Args:
            event_ms: int64[n], event times of the messages in order, NO_TIME_MS where unknown.
        """
        due_ms = np.full(len(event_ms), self._last_due_ms, dtype=np.int64)
        if self._speed is not None:
            np.maximum(due_ms, self._due_by_speed(event_ms, self._speed), out=due_ms)
        if self._rate is not None:
            numbers = np.arange(self._offered_count, self._offered_count + len(event_ms))
            by_rate = (numbers * (1_000.0 / self._rate)).astype(np.int64) + self._start_ms
            np.maximum(due_ms, by_rate, out=due_ms)
        self._due_ms = np.maximum.accumulate(due_ms)
        if len(due_ms):
            self._last_due_ms = int(self._due_ms[-1])
        self._offered_count += len(event_ms)
        self._taken_count = 0

    @property
    def left_count(self) -> int:
        """Offered messages that are not taken yet."""
        return len(self._due_ms) - self._taken_count

    def due_count(self, now_ms: int) -> int:
        """How many messages, from the first one not taken on, are due."""
        if not self.is_paced:
            return self.left_count
        return int(np.searchsorted(self._due_ms, now_ms, side="right")) - self._taken_count

    def take(self, count: int) -> None:
        """Note that `count` messages went out."""
        self._taken_count += count

    def wait_ms(self, now_ms: int) -> int:
        """How long until the next message is due; 0 if one is due or none is left."""
        if not self.left_count or not self.is_paced:
            return 0
        return max(0, int(self._due_ms[self._taken_count]) - now_ms)

    def _due_by_speed(self, event_ms: NDArray[np.int64], speed: float) -> NDArray[np.int64]:
        trusted_ms = np.where(stray_times(event_ms), NO_TIME_MS, event_ms)
        if self._origin_ms is None:
            known = np.flatnonzero(trusted_ms != NO_TIME_MS)
            if not len(known):
                return np.full(len(event_ms), self._file_start_ms, dtype=np.int64)
            self._origin_ms = int(trusted_ms[known[0]])
        newest_ms = np.maximum(np.maximum.accumulate(trusted_ms), self._newest_ms)
        if len(newest_ms):
            self._newest_ms = int(newest_ms[-1])
        since_origin_ms = np.maximum(newest_ms - self._origin_ms, 0)
        due_ms: NDArray[np.int64] = (since_origin_ms / speed).astype(np.int64) + self._file_start_ms
        return due_ms


def stray_times(event_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark times more than STRAY_MS later than most of the next STRAY_MESSAGES times.

    Args:
        event_ms: int64[n], NO_TIME_MS where unknown; unknown times are not asked.
    """
    count = len(event_ms)
    later_than = np.zeros(count, dtype=np.int64)
    asked = np.zeros(count, dtype=np.int64)
    for distance in range(1, min(STRAY_MESSAGES, count - 1) + 1):
        after_ms = event_ms[distance:]
        known = after_ms != NO_TIME_MS
        asked[:-distance] += known
        later_than[:-distance] += known & (event_ms[:-distance] - after_ms > STRAY_MS)
    stray: NDArray[np.bool_] = later_than * 2 > asked
    return stray

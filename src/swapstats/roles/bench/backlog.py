"""What piles up in the log while nobody reads it, and what must be counted when somebody does.

The demo market repeats two swaps in a hundred; a source that was restarted repeats more, so exact
repeats of earlier messages are added. Counters are foretold by `core.recount`, which shares nothing
with the engine but the nouns.
"""

from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from swapstats.core.demo_market import SLICE_MS, DemoMarket
from swapstats.core.recount import Recount
from swapstats.model.effects import COUNTER_NAMES
from swapstats.model.window import WindowSpec

REPEAT_EVERY = 33
"""Of the messages of a slice one in so many comes again: 3 % on top of the market's own 2 %."""
REPEAT_SLICES = 20
"""So many slices later."""
_HORIZON = WindowSpec(5_000, (300_000,))
"""Wider than anything the market repeats, delays or takes back: narrower than the windows in
service, so that the recount stays small, and with the same counters."""


def backlog(market: DemoMarket, begins_ms: int, span_ms: int) -> Iterator[tuple[int, list[bytes]]]:
    """Make a stretch of the market, slice by slice, with further exact repeats.

    Args:
        market: the market.
        begins_ms: first slice, a multiple of SLICE_MS.
        span_ms: how long.

    Yields:
        Time of the slice, and its messages in order.
    """
    earlier: deque[list[bytes]] = deque(maxlen=REPEAT_SLICES)
    for at_ms in range(begins_ms, begins_ms + span_ms, SLICE_MS):
        messages = market.slice(at_ms)
        repeated = earlier[0][::REPEAT_EVERY] if len(earlier) == REPEAT_SLICES else []
        earlier.append(messages)
        yield at_ms, [*messages, *repeated]


class ForetoldCounters:
    """What the counters of all partitions must say after a backlog was read.

    Nothing in it is foretold as too old: the windows in service are wider than the backlog is long.

    Args:
        partitions: of the log.
        grace_ms: as in service.
        max_ahead_ms: as in service.
    """

    def __init__(self, partitions: int, grace_ms: int, max_ahead_ms: int) -> None:
        self._recounts = [
            Recount(_HORIZON, grace_ms, "apply", max_ahead_ms, "wall", 0) for _ in range(partitions)
        ]

    def feed(
        self, messages: Sequence[bytes], partitions: NDArray[np.int32], at_ms: int, append_ms: int
    ) -> None:
        """Take messages in log order.

        Args:
            messages: what is appended.
            partitions: int32[n], the partition of each.
            at_ms: time of their slice: what is far behind it is forgotten.
            append_ms: when the log took them.
        """
        for message, partition in zip(messages, partitions.tolist(), strict=True):
            self._recounts[partition].feed(message, append_ms, at_ms)

    @property
    def counters(self) -> dict[str, int]:
        """Over all partitions, by `model.effects.COUNTER_NAMES`."""
        return {
            name: sum(recount.counters[name] for recount in self._recounts)
            for name in COUNTER_NAMES
        }

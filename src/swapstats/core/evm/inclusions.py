"""How often each event has left the canonical chain: where inclusion numbers come from.

An event is its transaction and the index of its log. One that never left has inclusion 0, one that
left its inclusion n comes back as n + 1. Most come back within a few blocks and are forgotten as
soon as they are final; of those that stay away the newest are remembered, up to a limit.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from swapstats.errors import Rejected
from swapstats.model.raw_event import PoolSwap

GONE_PREFIX: Final = "gone/"
GONE_EVENTS_MAX: Final = 20_000

_EventKey = tuple[str, int]


class Inclusions:
    """Next inclusion numbers of events that left the chain.

    Kept by the height they left, a note for each height.

    Args:
        events_max: events remembered; beyond it the lowest heights are forgotten.
    """

    def __init__(self, events_max: int = GONE_EVENTS_MAX) -> None:
        self._events_max = events_max
        self._next: dict[_EventKey, tuple[int, int]] = {}
        self._heights: dict[int, set[_EventKey]] = {}

    def __len__(self) -> int:
        return len(self._next)

    def next(self, swap: PoolSwap) -> int:
        """Inclusion number of an event that comes onto the chain now."""
        return self._next.get(_key(swap), (0, 0))[0]

    def left(self, height: int, swaps: Iterable[PoolSwap]) -> dict[str, str | None]:
        """Remember that included swaps left the chain; gives the notes to put or forget.

        Safe to repeat.
        """
        swaps = list(swaps)
        changed = {height} if swaps else set()
        for swap in swaps:
            key = _key(swap)
            changed.update(self._forget(key))
            self._next[key] = (swap.inclusion + 1, height)
            self._heights.setdefault(height, set()).add(key)
        notes: dict[str, str | None] = {}
        while len(self._next) > self._events_max:
            lowest = min(self._heights)
            for key in list(self._heights[lowest]):
                self._forget(key)
            changed.add(lowest)
        for number in sorted(changed):
            notes[f"{GONE_PREFIX}{number}"] = self._note(number)
        return notes

    def final(self, swaps: Iterable[PoolSwap]) -> list[str]:
        """Forget swaps that can leave no more; gives the keys of notes that are needed no more."""
        touched: set[int] = set()
        for swap in swaps:
            touched.update(self._forget(_key(swap)))
        return [f"{GONE_PREFIX}{number}" for number in touched if number not in self._heights]

    def restore(self, notes: Mapping[str, str]) -> None:
        """Read the notes back.

        Raises:
            Rejected: a note is none of ours.
        """
        for name, text in notes.items():
            if not name.startswith(GONE_PREFIX):
                continue
            try:
                height = int(name.removeprefix(GONE_PREFIX))
                events = msgspec.json.decode(text, type=list[tuple[str, int, int]])
            except (ValueError, msgspec.MsgspecError) as error:
                raise Rejected(
                    f"Expected a note of events that left the chain, was {name!r}: {text[:80]!r}: "
                    f"restore the source's position and notes from a copy, or start with an empty "
                    f"data directory"
                ) from error
            for tx_hash, log_index, inclusion in events:
                key = (tx_hash, log_index)
                if inclusion > self._next.get(key, (0, 0))[0]:
                    self._forget(key)
                    self._next[key] = (inclusion, height)
                    self._heights.setdefault(height, set()).add(key)

    def _forget(self, key: _EventKey) -> list[int]:
        """Forget one event; gives the height it was kept under."""
        known = self._next.pop(key, None)
        if known is None:
            return []
        keys = self._heights[known[1]]
        keys.discard(key)
        if not keys:
            del self._heights[known[1]]
        return [known[1]]

    def _note(self, height: int) -> str | None:
        keys = self._heights.get(height)
        if not keys:
            return None
        events = [(*key, self._next[key][0]) for key in sorted(keys)]
        return msgspec.json.encode(events).decode()


def _key(swap: PoolSwap) -> _EventKey:
    return swap.tx_hash, swap.log_index

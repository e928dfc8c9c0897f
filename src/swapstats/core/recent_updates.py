"""The last updates of one shard, for clients that resume; bounded in bytes and in stream time.

Keeps references to updates that exist anyway, so the history of every token costs nothing apart
from keeping them a little longer.
"""

from collections import OrderedDict

from swapstats.model.effects import StatsUpdate

_OVERHEAD_BYTES = 512
"""A rough bound on what an update costs besides its arrays."""


class RecentUpdates:
    """Updates by seq, oldest dropped first.

    Args:
        bytes_max: bound on the arrays kept.
        age_ms_max: how far behind the newest update's T an update may be.
    """

    def __init__(self, bytes_max: int, age_ms_max: int) -> None:
        self._bytes_max = bytes_max
        self._age_ms_max = age_ms_max
        self._updates: OrderedDict[int, StatsUpdate] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._updates)

    @property
    def size_bytes(self) -> int:
        """Bytes kept."""
        return self._bytes

    def add(self, update: StatsUpdate) -> None:
        """Keep an update; its seq is above all earlier ones."""
        if not len(update.token_ids):
            return
        self._updates[update.seq] = update
        self._bytes += _cost_bytes(update)
        oldest_ms = update.t_ms - self._age_ms_max
        while self._updates:
            first = next(iter(self._updates.values()))
            if self._bytes <= self._bytes_max and first.t_ms >= oldest_ms:
                return
            self._updates.popitem(last=False)
            self._bytes -= _cost_bytes(first)

    def clear(self) -> None:
        """Forget all: the token numbers of what came before are void."""
        self._updates.clear()
        self._bytes = 0

    def find(self, seq: int) -> StatsUpdate | None:
        """Return the update with exactly this seq, if kept."""
        return self._updates.get(seq)


def _cost_bytes(update: StatsUpdate) -> int:
    return update.token_ids.nbytes + update.rows.nbytes + _OVERHEAD_BYTES

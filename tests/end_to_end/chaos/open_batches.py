"""Batches of the archive that are open as somebody is killed: what is noted and not yet there.

The journal in Redis says it: a batch is noted before it is inserted, and marked afterwards. Between
the two an archiver works on it; killed there, nobody knows whether the archive has it.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Self

from swapstats.adapters.redis.journal import RedisArchiveJournal
from swapstats.errors import Transient
from swapstats.settings import Settings
from swapstats.testing.eventually import eventually
from swapstats.wiring.brokers import redis_url

AIM_MS = 1_000
"""How long a kill waits for a batch to be open; an archive that has nothing to do is killed too."""
_ANSWER_MS = 200


class OpenBatches:
    """Kills within batches where it can, and counts.

    Args:
        journal: where batches are noted; it must answer, or say that it does not, within moments.

    Attributes:
        kills: by what was killed.
        hits: of those, how many left batches open.
        left_open: batches left open, by what was killed.
        unknown: kills while the journal was away.
    """

    def __init__(self, journal: RedisArchiveJournal) -> None:
        self.kills: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()
        self.left_open: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self._journal = journal

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Those of a deployment."""
        prefix = settings.stores.redis.prefix
        return cls(RedisArchiveJournal(redis_url(settings), prefix, timeout_ms=_ANSWER_MS))

    def kill(self, what: str, kill: Callable[[], None], partitions: Sequence[int]) -> None:
        """Kill as soon as a batch of these partitions is open, and count those it leaves open.

        Args:
            what: is killed.
            kill: does it.
            partitions: whose batches it works on.
        """
        self.kills[what] += 1
        with contextlib.suppress(TimeoutError, Transient):
            eventually(lambda: self._count(partitions), AIM_MS, "a batch to be open")
        kill()
        try:
            count = self._count(partitions)
        except Transient:
            self.unknown[what] += 1
            return
        self.left_open[what] += count
        self.hits[what] += count > 0

    def close(self) -> None:
        """Release connections."""
        self._journal.close()

    def _count(self, partitions: Sequence[int]) -> int:
        notes = (note for partition in partitions for note in self._journal.notes(partition))
        return sum(not note.inserted for note in notes)

    def __str__(self) -> str:
        told = [
            f"{self.hits[what]} of {kills} kills of {what} within a batch, "
            f"{self.left_open[what]} batches left open, {self.unknown[what]} kills unknown"
            for what, kills in sorted(self.kills.items())
        ]
        return "; ".join(told) or "no kill of what archives"

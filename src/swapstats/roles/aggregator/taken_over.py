"""Partitions that a newer owner has taken, while the group still gives them to this process."""

import time
from collections.abc import Callable, Iterable
from typing import Final

from swapstats.errors import Fenced

PATIENCE_S: Final = 30.0
"""A group says sooner than that who owns what."""


class TakenOver:
    """Remembers since when; used from one thread.

    Args:
        patience_s: how long the group may take to say the same.
        now_s: monotonic time.
    """

    def __init__(
        self, patience_s: float = PATIENCE_S, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._patience_s = patience_s
        self._now_s = now_s
        self._since: dict[int, float] = {}

    def add(self, partition: int) -> None:
        """Take note that a store named a newer owner."""
        self._since.setdefault(partition, self._now_s())

    def forget(self, partitions: Iterable[int]) -> None:
        """The group has spoken: given again, or given up."""
        for partition in partitions:
            self._since.pop(partition, None)

    def expect_word(self) -> None:
        """Check that the group does not contradict the stores for long.

        Raises:
            Fenced: it does.
        """
        for partition, since in self._since.items():
            if self._now_s() - since > self._patience_s:
                raise Fenced(
                    f"Expected to own partition {partition}, was taken over, and the group still "
                    "gives it to this process: stop the second group that uses these stores"
                )

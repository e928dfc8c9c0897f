"""How many blocks to ask for at once: less when a node refuses, more while it goes well."""

from typing import Final

LOGS_WANTED_MAX: Final = 5_000
"""An answer with more logs is good, but large: the next range is smaller."""


class RangeSize:
    """The size of the next range of blocks.

    >>> size = RangeSize(first=100, most=1_000)
    >>> size.refused(asked=100), size.blocks
    (True, 50)
    >>> size.answered(logs=3), size.blocks
    (None, 75)

    Args:
        first: blocks to begin with.
        most: blocks at most.
        logs_wanted_max: logs that an answer should hold at most.
    """

    def __init__(self, first: int, most: int, logs_wanted_max: int = LOGS_WANTED_MAX) -> None:
        self._most = most
        self._logs_wanted_max = logs_wanted_max
        self.blocks = first

    def refused(self, asked: int) -> bool:
        """Halve what was asked for, after a refusal; False if it was one block already."""
        self.blocks = max(1, min(self.blocks, asked) // 2)
        return asked > 1

    def answered(self, logs: int) -> None:
        """Grow by half after an answer, or shrink if it was a large one."""
        if logs > self._logs_wanted_max:
            self.blocks = max(1, self.blocks // 2)
        elif 2 * logs <= self._logs_wanted_max:
            self.blocks = min(self._most, self.blocks + max(1, self.blocks // 2))

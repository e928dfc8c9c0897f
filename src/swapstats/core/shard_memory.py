"""What a shard holds, and what it takes."""

from dataclasses import dataclass

from swapstats.core.token_table import TokenTable
from swapstats.core.windows import Windows


@dataclass(frozen=True, slots=True)
class ShardMemory:
    """What a shard holds.

    Attributes:
        pairs: entries in all add/remove sets.
        cells: sums per token and bucket.
        buckets: time buckets.
        tokens: tokens known.
        sets_bytes: memory of the add/remove sets.
        cells_bytes: memory of the cells.
        total_bytes: memory of everything, what is not yet given back to the system included.
    """

    pairs: int
    cells: int
    buckets: int
    tokens: int
    sets_bytes: int
    cells_bytes: int
    total_bytes: int

    @staticmethod
    def of(windows: Windows, tokens: TokenTable) -> "ShardMemory":
        """Count; costs a step per bucket."""
        pairs, cells, sets_bytes, cells_bytes = windows.buckets.totals()
        return ShardMemory(
            pairs=pairs,
            cells=cells,
            buckets=len(windows.buckets),
            tokens=tokens.count,
            sets_bytes=sets_bytes,
            cells_bytes=cells_bytes,
            total_bytes=windows.size_bytes + tokens.size_bytes,
        )

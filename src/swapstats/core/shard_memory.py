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
        total_bytes: memory of all arrays.
    """

    pairs: int
    cells: int
    buckets: int
    tokens: int
    sets_bytes: int
    total_bytes: int

    @staticmethod
    def of(windows: Windows, tokens: TokenTable) -> "ShardMemory":
        """Count; costs a step per bucket."""
        buckets = windows.buckets.values()
        return ShardMemory(
            pairs=sum(bucket.used for bucket in buckets),
            cells=sum(bucket.cell_count for bucket in buckets),
            buckets=len(buckets),
            tokens=tokens.count,
            sets_bytes=sum(bucket.sets_bytes for bucket in buckets),
            total_bytes=windows.size_bytes + tokens.size_bytes,
        )

"""A decoded batch put in order: lateness judged in log order, rows grouped by bucket."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swapstats.core.columns import Columns
from swapstats.core.kernels import fate as fates
from swapstats.core.shard_config import ShardConfig

_SPARSE_SPAN = 4_096
_NO_EDGES: NDArray[np.int32] = np.zeros(1, dtype=np.int32)
_NO_NUMBERS: NDArray[np.int64] = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class SortedRows:
    """Rows to look up, grouped by bucket.

    Attributes:
        rows: int32[k], in log order.
        late: uint8[n], by row of the batch.
        grouped: int32[k], by bucket, log order kept within each.
        edges: int32[g + 1], where each bucket's rows begin in `grouped`, and the end.
        numbers: int64[g], the bucket numbers, ascending.
        newest_ms: newest event_time of a well-formed add so far.
    """

    rows: NDArray[np.int32]
    late: NDArray[np.uint8]
    grouped: NDArray[np.int32]
    edges: NDArray[np.int32]
    numbers: NDArray[np.int64]
    newest_ms: int


def sort_out(columns: Columns, config: ShardConfig, min_bucket: int, newest_ms: int) -> SortedRows:
    """Judge lateness in log order and group the rows to look up by bucket.

    Args:
        columns: the decoded batch.
        config: step, grace and late policy.
        min_bucket: lowest bucket held; rows of older ones are too old and not listed.
        newest_ms: newest event_time of a well-formed add before this batch.
    """
    count = len(columns.accepted)
    late = np.empty(count, dtype=np.uint8)
    bucket = np.empty(count, dtype=np.int64)
    rows = np.empty(count, dtype=np.int32)
    listed, newest_ms, low, high = fates.sort_out(
        columns.accepted,
        columns.event_ms,
        columns.removed,
        config.spec.step_ms,
        min_bucket,
        newest_ms,
        config.grace_ms,
        config.refuses_late,
        late,
        bucket,
        rows,
    )
    rows = rows[:listed]
    if listed == 0:
        return SortedRows(rows, late, rows, _NO_EDGES, _NO_NUMBERS, newest_ms)
    if high - low <= _SPARSE_SPAN + 4 * listed:
        numbers, span = None, int(high - low) + 1
    else:  # a counting sort over mostly empty counters would cost more than it sorts
        numbers, dense = np.unique(bucket[rows], return_inverse=True)
        bucket[rows] = dense
        low, span = 0, len(numbers)
    starts = np.zeros(span + 1, dtype=np.int32)
    grouped = np.empty(listed, dtype=np.int32)
    fates.group(rows, bucket, low, starts, grouped)
    held = np.flatnonzero(np.diff(starts))
    found = held + low if numbers is None else numbers[held]
    edges = np.append(starts[held], np.int32(listed))
    return SortedRows(rows, late, grouped, edges, found, newest_ms)

"""Pairs of a table against pairs of the log: what one has and the other lacks, by arrays."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

SIGHTING: Final = np.dtype(
    [
        ("pair", np.uint64),
        ("event_ms", np.int64),
        ("place", np.int64),
        ("check", np.uint32),
        ("partition", np.int32),
        ("removed", np.uint8),
    ]
)
"""A pair (event_id, inclusion) as it was seen somewhere: fingerprint, event_time, place (number of
the row, or offset), content check, partition (-1 = in the table), whether it is a removal."""
IN_TABLE: Final = -1
_LAST: Final = np.iinfo(np.int64).max

KINDS: Final = (
    "missing in the log",
    "missing in the table",
    "conflict",
    "removed in the log only",
    "removed in the table only",
)
"""How a pair can differ; the position is the code used in arrays."""
MISSING_IN_LOG, MISSING_IN_TABLE, CONFLICT, REMOVED_IN_LOG, REMOVED_IN_TABLE = range(len(KINDS))


@dataclass(frozen=True, slots=True)
class PairDifferences:
    """Pairs that differ.

    Attributes:
        kind: int8[n], index of `KINDS`.
        event_ms: int64[n], as the table has it, else as the log has it.
        row: int64[n], number of the row of the table; 0 = none.
        partition: int32[n], of the first record in the log; -1 = none.
        offset: int64[n], likewise.
    """

    kind: NDArray[np.int8]
    event_ms: NDArray[np.int64]
    row: NDArray[np.int64]
    partition: NDArray[np.int32]
    offset: NDArray[np.int64]


def compare_pairs(seen: NDArray[np.void], since_ms: int, until_ms: int) -> PairDifferences:
    """Compare what was seen of each pair.

    A table need not hold what was removed again: a pair the log has added and removed is missing in
    no table.

    Args:
        seen: sightings, those of a partition in log order.
        since_ms: a pair of the log alone counts if it happened at or after this ...
        until_ms: ... and before this.
    """
    order = np.argsort(seen["pair"], kind="stable")
    seen = seen[order]
    if not len(seen):
        starts = np.zeros(0, dtype=np.int64)
        empty = np.zeros(0, dtype=np.int64)
        return PairDifferences(empty.astype(np.int8), empty, empty, empty.astype(np.int32), empty)
    starts = np.flatnonzero(np.r_[True, seen["pair"][1:] != seen["pair"][:-1]])
    group = np.repeat(np.arange(len(starts)), np.diff(np.r_[starts, len(seen)]))
    at = np.arange(len(seen))
    of_table = seen["partition"] == IN_TABLE
    removal = seen["removed"] != 0

    def any_of(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        return np.logical_or.reduceat(mask, starts)

    first_row = np.minimum.reduceat(np.where(of_table, at, _LAST), starts)
    first_record = np.minimum.reduceat(np.where(of_table, _LAST, at), starts)
    in_table, in_log = first_row != _LAST, first_record != _LAST
    table_removed, log_removed = any_of(of_table & removal), any_of(~of_table & removal)
    log_added = any_of(~of_table & ~removal)
    # The first in the log stands; every row must say the same.
    stands = seen["check"][np.where(in_log, first_record, first_row)]
    conflicts = in_log & any_of(of_table & (seen["check"] != stands[group]))
    happened = seen["event_ms"][np.where(in_table, first_row, first_record)]
    within = (happened >= since_ms) & (happened < until_ms)
    both = in_table & in_log & ~conflicts
    kind = np.full(len(starts), -1, dtype=np.int8)
    kind[in_table & ~in_log] = MISSING_IN_LOG
    kind[in_log & ~in_table & log_added & ~log_removed & within] = MISSING_IN_TABLE
    kind[conflicts] = CONFLICT
    kind[both & log_removed & ~table_removed] = REMOVED_IN_LOG
    kind[both & table_removed & ~log_removed] = REMOVED_IN_TABLE
    found = np.flatnonzero(kind >= 0)
    row_at, record_at = first_row[found], first_record[found]
    has_row, has_record = in_table[found], in_log[found]
    return PairDifferences(
        kind[found],
        happened[found],
        np.where(has_row, seen["place"][np.where(has_row, row_at, 0)], 0),
        np.where(has_record, seen["partition"][np.where(has_record, record_at, 0)], -1),
        np.where(has_record, seen["place"][np.where(has_record, record_at, 0)], 0),
    )

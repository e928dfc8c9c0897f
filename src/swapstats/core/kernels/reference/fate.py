"""Plain twin of `kernels.fate`: the rules as sentences."""

from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels import fate as fates
from swapstats.core.kernels.dedup import CANCELLED, CONFLICT, DUPLICATE, NEW, REMOVED


def sort_out(
    accepted: NDArray[np.uint8],
    event_ms: NDArray[np.int64],
    removed: NDArray[np.uint8],
    step_ms: int,
    min_bucket: int,
    newest_ms: int,
    grace_ms: int,
    refuse_late: bool,
    late: NDArray[np.uint8],
    bucket: NDArray[np.int64],
    rows: NDArray[np.int32],
) -> tuple[int, int, int, int]:
    """Judge each add by the newest add before it; list what is neither too old nor refused."""
    good = np.flatnonzero(accepted).tolist()
    adds = [row for row in good if not removed[row]]
    newest = list(accumulate((int(event_ms[row]) for row in adds), max, initial=newest_ms))
    late[:] = fates.NOT_LATE
    for row, newest_before_ms in zip(adds, newest, strict=False):
        late[row] = event_ms[row] < newest_before_ms - grace_ms
    listed = []
    for row in good:
        bucket[row] = int(event_ms[row]) // step_ms
        if bucket[row] >= min_bucket and not (refuse_late and late[row]):
            listed.append(row)
    rows[: len(listed)] = listed
    numbers = [int(bucket[row]) for row in listed]
    low, high = min(numbers, default=(1 << 63) - 1), max(numbers, default=-1)
    return len(listed), newest[-1], low, high


def group(
    rows: NDArray[np.int32],
    bucket: NDArray[np.int64],
    low: int,
    starts: NDArray[np.int32],
    grouped: NDArray[np.int32],
) -> None:
    """Sort rows by bucket, equal ones as they came, and note where each bucket begins."""
    grouped[:] = sorted(rows.tolist(), key=lambda row: int(bucket[row]))
    numbers = bucket[grouped] - low
    starts[:] = [int((numbers < index).sum()) for index in range(len(starts))]


def settle(
    accepted: NDArray[np.uint8],
    event_ms: NDArray[np.int64],
    removed: NDArray[np.uint8],
    outcome: NDArray[np.uint8],
    late: NDArray[np.uint8],
    refuse_late: bool,
    step_ms: int,
    widest_ms: int,
    event_clock: bool,
    t_ms: int,
    fate: NDArray[np.uint8],
    counts: NDArray[np.int64],
) -> int:
    """Judge each message by T of its own moment; too old goes before late, late before the sets."""
    by_outcome = {
        NEW: fates.APPLIED,
        DUPLICATE: fates.DUPLICATE,
        CONFLICT: fates.CONFLICT,
        REMOVED: fates.REMOVED,
        CANCELLED: fates.CANCELLED,
    }
    fate[:] = fates.DEAD
    for row in np.flatnonzero(accepted).tolist():
        when, said = int(event_ms[row]), int(outcome[row])
        if event_clock and not removed[row] and said != CONFLICT:
            t_ms = max(t_ms, when)
        end_ms = (t_ms // step_ms + 1) * step_ms
        if when < end_ms - widest_ms:
            fate[row] = fates.TOO_OLD
        elif late[row] and refuse_late:
            fate[row] = fates.LATE_REFUSED
        else:
            fate[row] = by_outcome[said]
        if late[row] and fate[row] in {fates.APPLIED, fates.LATE_REFUSED}:
            counts[fates.LATE] += 1
    counts[: fates.FATE_COUNT] += np.bincount(fate, minlength=fates.FATE_COUNT)
    return t_ms

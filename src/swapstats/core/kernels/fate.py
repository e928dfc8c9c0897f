"""What becomes of each message: lateness, grouping by bucket, and the final verdict."""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.kernels.compiling import kernel
from swapstats.core.kernels.dedup import CANCELLED as PAIR_CANCELLED
from swapstats.core.kernels.dedup import CONFLICT as PAIR_CONFLICT
from swapstats.core.kernels.dedup import DUPLICATE as PAIR_DUPLICATE
from swapstats.core.kernels.dedup import NEW as PAIR_NEW

DEAD, APPLIED, DUPLICATE, REMOVED, CANCELLED, TOO_OLD, LATE_REFUSED, CONFLICT = range(8)
FATE_COUNT = 8
LATE = 8
"""Index of the late messages among the counts of `settle`: a part of applied + late_refused."""

NOT_LATE, IS_LATE = 0, 1
I64_MAX = (1 << 63) - 1


@kernel
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
    """Judge lateness in log order and list the rows that go to the sets.

    Args:
        accepted: uint8[n], 1 = a well-formed message.
        event_ms: int64[n].
        removed: uint8[n].
        step_ms: bucket width.
        min_bucket: lowest bucket held; older rows are too old and not listed.
        newest_ms: newest event_time of earlier adds; 0 = none.
        grace_ms: how far behind that an add may be.
        refuse_late: True under `late: drop` and `late: divert`.
        late: uint8[n], out: IS_LATE or NOT_LATE.
        bucket: int64[n], out: bucket number.
        rows: int32[n], out: rows to be looked up, in log order.

    Returns:
        Number of `rows`, the new newest_ms, lowest and highest bucket among them.
    """
    count = 0
    low = I64_MAX
    high = -1
    for row in range(accepted.shape[0]):
        late[row] = NOT_LATE
        if not accepted[row]:
            continue
        when = event_ms[row]
        if not removed[row]:
            if when < newest_ms - grace_ms:
                late[row] = IS_LATE
            newest_ms = max(newest_ms, when)
        number = when // step_ms
        bucket[row] = number
        if number < min_bucket or (late[row] == IS_LATE and refuse_late):
            continue
        rows[count] = row
        count += 1
        low = min(low, number)
        high = max(high, number)
    return count, newest_ms, low, high


@kernel
def group(
    rows: NDArray[np.int32],
    bucket: NDArray[np.int64],
    low: int,
    starts: NDArray[np.int32],
    grouped: NDArray[np.int32],
) -> None:
    """Order rows by bucket, log order kept within each (a counting sort).

    Args:
        rows: int32[k].
        bucket: int64[n], by row.
        low: lowest bucket number among the rows.
        starts: int32[span + 1], zeros; out: where bucket `low + i` begins in `grouped`.
        grouped: int32[k], out.
    """
    for i in range(rows.shape[0]):
        starts[bucket[rows[i]] - low + 1] += 1
    for i in range(1, starts.shape[0]):
        starts[i] += starts[i - 1]
    for i in range(rows.shape[0]):
        at = bucket[rows[i]] - low
        grouped[starts[at]] = rows[i]
        starts[at] += 1
    for i in range(starts.shape[0] - 1, 0, -1):
        starts[i] = starts[i - 1]
    starts[0] = 0


@kernel
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
    """Give every message its fate, in log order.

    T moves with each valid add under the event clock, so a batch boundary changes nothing:
    what is too old is judged by the T of its own moment, whatever the sets said before.

    Args:
        accepted: uint8[n].
        event_ms: int64[n].
        removed: uint8[n].
        outcome: uint8[n], what the sets said.
        late: uint8[n].
        refuse_late: True under `late: drop` and `late: divert`.
        step_ms: bucket width.
        widest_ms: widest window.
        event_clock: True if T follows event times.
        t_ms: T before.
        fate: uint8[n], out: DEAD (not accepted) .. CONFLICT.
        counts: int64[FATE_COUNT + 1], out: messages by fate, and at LATE the late ones.

    Returns:
        T after.
    """
    floor_ms = t_ms // step_ms * step_ms + step_ms - widest_ms
    for row in range(accepted.shape[0]):
        if not accepted[row]:
            fate[row] = DEAD
            counts[DEAD] += 1
            continue
        when = event_ms[row]
        said = outcome[row]
        if event_clock and when > t_ms and not removed[row] and said != PAIR_CONFLICT:
            t_ms = when
            floor_ms = t_ms // step_ms * step_ms + step_ms - widest_ms
        if when < floor_ms:
            verdict = TOO_OLD
        elif late[row] == IS_LATE and refuse_late:
            verdict = LATE_REFUSED
            counts[LATE] += 1
        elif said == PAIR_NEW:
            verdict = APPLIED
            counts[LATE] += late[row]
        elif said == PAIR_DUPLICATE:
            verdict = DUPLICATE
        elif said == PAIR_CONFLICT:
            verdict = CONFLICT
        elif said == PAIR_CANCELLED:
            verdict = CANCELLED
        else:
            verdict = REMOVED
        fate[row] = verdict
        counts[verdict] += 1
    return t_ms

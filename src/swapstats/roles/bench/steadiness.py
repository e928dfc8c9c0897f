"""Whether a long run stands still: slopes that a single jump does not bend, and what is held.

Memory follows what is held, so the two are told apart: windows short enough to be full long before
the second half begins, and growth stated by the swap that went through, not by the minute. A slope
over a short time is mostly noise, so there is no verdict before `VERDICT_S_MIN`.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from swapstats.roles.bench.figures import Figure

GROWTH_BYTES_MAX = 2.0
"""By swap of the stream, over the second half: a set entry is 12 bytes and a cell 48, so one
forgotten entry in six swaps would show."""
VERDICT_S_MIN = 900.0
"""Shortest second half that is held against GROWTH_BYTES_MAX."""
MEMORY = "rss "
"""What columns with the memory of a process begin with; its name follows."""
MIB = 1 << 20

Sample = Mapping[str, float]


def slope(times: Sequence[float], values: Sequence[float]) -> float:
    """Growth by the unit of time: the median of the slopes of all pairs (Theil and Sen).

    Raises:
        ValueError: fewer than two different times.
    """
    at, found = np.asarray(times, dtype=np.float64), np.asarray(values, dtype=np.float64)
    first, second = np.triu_indices(len(at), 1)
    spans = at[second] - at[first]
    apart = spans > 0
    if not apart.any():
        raise ValueError(f"Expected two moments at least, was {len(at)}")
    return float(np.median((found[second] - found[first])[apart] / spans[apart]))


def second_half(samples: Sequence[Sample]) -> list[Sample]:
    """Samples of the later half of the time."""
    middle = (samples[0]["s"] + samples[-1]["s"]) / 2
    return [sample for sample in samples if sample["s"] >= middle]


def held(samples: Sequence[Sample], total: str, span_s: float) -> list[float]:
    """What came within the last `span_s` seconds of each sample: what the windows hold.

    Args:
        samples: in order of time; one column counts from the start.
        total: that column.
        span_s: the widest window.
    """
    times = [sample["s"] for sample in samples]
    totals = [sample[total] for sample in samples]
    before = np.interp(np.array(times) - span_s, times, totals, left=totals[0])
    return [float(value) for value in np.array(totals) - before]


def growth_figure(samples: Sequence[Sample], role: str, swaps: str) -> Figure:
    """Growth of one role's memory over the second half, by swap.

    Args:
        samples: of the whole run.
        role: column with its memory in MiB, such as `rss aggregate 1`.
        swaps: column that counts the swaps that went through.
    """
    half = second_half(samples)
    times = [sample["s"] for sample in half]
    a_minute = slope(times, [sample[role] for sample in half]) * 60
    swaps_a_minute = slope(times, [sample[swaps] for sample in half]) * 60
    span_s = times[-1] - times[0]
    is_long = span_s >= VERDICT_S_MIN
    note = f"{a_minute:+.3f} MiB a minute over the last {span_s / 60:.1f} minutes"
    return Figure(
        f"{role.removeprefix(MEMORY)}: growth",
        a_minute * MIB / max(1.0, swaps_a_minute),
        "bytes/swap",
        GROWTH_BYTES_MAX if is_long else None,
        at_least=False,
        note=note if is_long else f"{note}: too short for a verdict",
    )


def memory_figure(
    samples: Sequence[Sample], role: str, in_windows: float, empty_mib: float
) -> Figure:
    """Memory of one role in the second half, and what that is by swap in the windows.

    Args:
        samples: of the whole run.
        role: column with its memory in MiB.
        in_windows: swaps this role holds; 0 = none.
        empty_mib: its memory before the first swap.
    """
    values = [sample[role] for sample in second_half(samples)]
    note = ""
    if in_windows:
        each = (values[-1] - empty_mib) * MIB / in_windows
        note = (
            f"{empty_mib:.0f} MiB before the first swap; {each:.0f} bytes more by swap in the "
            f"windows ({in_windows:,.0f})"
        )
    return Figure.spread(f"{role.removeprefix(MEMORY)}: memory", values, "MiB", note=note)

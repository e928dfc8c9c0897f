"""Rates of the compiled kernels, each against a trivial pass over the same arrays.

Arrays look as they do inside a shard at 1,000 swaps/s: 5,000 rows a bucket, a few thousand
tokens by a Zipf-like law, two duplicates in a hundred. Times are processor time of this thread.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swapstats.core.buckets import Buckets
from swapstats.core.columns import Columns
from swapstats.core.decode import decode
from swapstats.core.kernels import dedup as dedup_kernel
from swapstats.core.kernels import fate as fate_kernel
from swapstats.core.sums import Sums
from swapstats.core.token_table import TokenTable
from swapstats.model.record import RecordBatch
from swapstats.roles.bench.figures import Figure
from swapstats.roles.bench.full_path import DEFAULT_SPEC, shard_config
from swapstats.roles.bench.made_swaps import Popularity, SteadyStream

RATE_MIN = 5_000_000.0
ROWS = 5_000
BUCKETS = 40
TOKENS = 3_000
_STEP_MS = DEFAULT_SPEC.step_ms
_WINDOWS = len(DEFAULT_SPEC.widths_ms)


@njit(cache=True, nogil=True)
def pass_over(
    rows: NDArray[np.int32], words: NDArray[np.uint64], out: NDArray[np.uint64]
) -> np.uint64:
    """Read one word a row and write one: the least a kernel by row can do."""
    total = np.uint64(0)
    for i in range(rows.shape[0]):
        row = rows[i]
        total += words[row]
        out[row] = total
    return total


@dataclass(frozen=True, slots=True)
class Timed:
    """Repeated rates of one kernel.

    Attributes:
        name: which.
        unit: what is counted, such as `events/s`.
        rates: one a repetition.
        target: lowest good rate, or None.
    """

    name: str
    unit: str
    rates: Sequence[float]
    target: float | None


@dataclass(frozen=True, slots=True)
class Material:
    """Decoded messages in bucket order, as the kernels meet them."""

    batch: RecordBatch
    columns: Columns
    groups: tuple[NDArray[np.int32], ...]
    tokens: NDArray[np.int32]

    @staticmethod
    def make() -> "Material":
        """Make and decode messages of BUCKETS buckets with about ROWS rows each."""
        stream = SteadyStream(ROWS * 1_000 / _STEP_MS, Popularity.of(TOKENS))
        (batch,) = stream.records(0, ROWS * BUCKETS, 0, 2 * ROWS * BUCKETS)
        key = shard_config(event_clock=True).key
        columns = decode(batch, key, None)
        bucket = columns.event_ms // _STEP_MS
        groups = tuple(
            np.flatnonzero(bucket == number).astype(np.int32) for number in np.unique(bucket)
        )
        rows = np.arange(len(batch), dtype=np.int32)
        tokens, _ = TokenTable().intern(rows, columns, batch.buffer)
        return Material(batch, columns, groups, tokens)


def measure_kernels(repeats: int, on_progress: Callable[[], None]) -> list[Timed]:
    """Measure every kernel `repeats` times, all of them in turns with the floor.

    Args:
        repeats: rounds; one more comes first and is thrown away.
        on_progress: called after each round.
    """
    material = Material.make()
    works: dict[str, tuple[str, float | None, Callable[[], tuple[int, float]]]] = {
        "floor: one trivial pass": ("events/s", None, lambda: _floor(material)),
        "dedup: decide, a bucket at once": ("events/s", RATE_MIN, lambda: _decide(material, 1)),
        "dedup: decide, buckets growing": ("events/s", RATE_MIN, lambda: _decide(material, 8)),
        "windows: add, in all windows": ("events/s", RATE_MIN, lambda: _add(material, 1)),
        "windows: add, in no window yet": ("events/s", RATE_MIN, lambda: _add(material, 0)),
        "windows: shift": ("cells/s", RATE_MIN, lambda: _shift(material)),
        "fates: settle": ("events/s", RATE_MIN, lambda: _settle(material)),
        "fates: sort out and group": ("events/s", RATE_MIN, lambda: _sort(material)),
        "tokens: intern known ones": ("events/s", RATE_MIN, _intern(material)),
        "decode: scan": ("messages/s", None, lambda: _scan(material)),
    }
    rates: dict[str, list[float]] = {name: [] for name in works}
    for round_number in range(repeats + 1):
        for name, (_, _, work) in works.items():
            count, seconds = work()
            if round_number:
                rates[name].append(count / seconds)
        on_progress()
    return [Timed(name, unit, rates[name], target) for name, (unit, target, _) in works.items()]


def kernel_figures(timed: Sequence[Timed]) -> list[Figure]:
    """Say what was found, each rate with its part of the floor's."""
    floor = float(np.median(timed[0].rates))
    return [
        Figure.spread(
            each.name,
            each.rates,
            each.unit,
            each.target,
            note=f"{float(np.median(each.rates)) / floor:.3f} of the floor's rate",
        )
        for each in timed
    ]


def _clock(work: Callable[[], int]) -> tuple[int, float]:
    began = time.thread_time()
    count = work()
    return count, time.thread_time() - began


def _floor(material: Material) -> tuple[int, float]:
    out = np.zeros(len(material.batch), dtype=np.uint64)

    def work() -> int:
        for rows in material.groups:
            pass_over(rows, material.columns.fingerprint, out)
        return len(material.batch)

    return _clock(work)


def _decide(material: Material, pieces: int) -> tuple[int, float]:
    """New buckets that grow as their rows come, in so many goes each."""
    outcome = np.zeros(len(material.batch), dtype=np.uint8)
    goes = [part for rows in material.groups for part in np.array_split(rows, pieces)]
    numbers = [number for number in range(len(material.groups)) for _ in range(pieces)]
    buckets = Buckets()

    def work() -> int:
        for number, rows in zip(numbers, goes, strict=True):
            opened = buckets.open(np.array([number]), 1)
            edges = np.array([0, len(rows)], dtype=np.int32)
            buckets.decide(opened, edges, rows, material.columns, outcome)
        return len(material.batch)

    return _clock(work)


def _add(material: Material, inside: int) -> tuple[int, float]:
    fate = np.full(len(material.batch), fate_kernel.APPLIED, dtype=np.uint8)
    widths = np.full(_WINDOWS, inside * 1_000, dtype=np.int64)
    sums = Sums(TOKENS, _WINDOWS)
    buckets = Buckets()

    def work() -> int:
        for number, rows in enumerate(material.groups):
            sums.stamp += 1
            sums.changed_count = 0
            opened = buckets.open(np.array([number]), sums.stamp)
            edges = np.array([0, len(rows)], dtype=np.int32)
            buckets.add(
                opened, edges, rows, material.columns, material.tokens, fate, 1_000, widths, sums
            )
        return len(material.batch)

    return _clock(work)


def _shift(material: Material) -> tuple[int, float]:
    """Full buckets enter one window and leave it again."""
    fate = np.full(len(material.batch), fate_kernel.APPLIED, dtype=np.uint8)
    sums = Sums(TOKENS, _WINDOWS)
    buckets = Buckets()
    for number, rows in enumerate(material.groups):
        opened = buckets.open(np.array([number]), 1)
        edges = np.array([0, len(rows)], dtype=np.int32)
        outside = np.zeros(_WINDOWS, dtype=np.int64)
        buckets.add(opened, edges, rows, material.columns, material.tokens, fate, 0, outside, sums)
    _, cells, _, _ = buckets.totals()

    def work() -> int:
        for sign in (1, -1):
            sums.stamp += 1
            sums.changed_count = 0
            buckets.shift(0, len(material.groups), 1, sign, sums)
        return 2 * cells

    return _clock(work)


def _settle(material: Material) -> tuple[int, float]:
    columns = material.columns
    count = len(material.batch)
    outcome = np.full(count, dedup_kernel.NEW, dtype=np.uint8)
    late = np.zeros(count, dtype=np.uint8)
    fate = np.empty(count, dtype=np.uint8)
    counts = np.zeros(fate_kernel.FATE_COUNT + 1, dtype=np.int64)

    def work() -> int:
        fate_kernel.settle(
            columns.accepted,
            columns.event_ms,
            columns.removed,
            outcome,
            late,
            False,
            _STEP_MS,
            DEFAULT_SPEC.widest_ms,
            True,
            0,
            fate,
            counts,
        )
        return count

    return _clock(work)


def _sort(material: Material) -> tuple[int, float]:
    columns = material.columns
    count = len(material.batch)
    late = np.empty(count, dtype=np.uint8)
    bucket = np.empty(count, dtype=np.int64)
    rows = np.empty(count, dtype=np.int32)
    grouped = np.empty(count, dtype=np.int32)

    def work() -> int:
        listed, _, low, high = fate_kernel.sort_out(
            columns.accepted,
            columns.event_ms,
            columns.removed,
            _STEP_MS,
            0,
            0,
            120_000,
            False,
            late,
            bucket,
            rows,
        )
        starts = np.zeros(high - low + 2, dtype=np.int32)
        fate_kernel.group(rows[:listed], bucket, low, starts, grouped[:listed])
        return count

    return _clock(work)


def _intern(material: Material) -> Callable[[], tuple[int, float]]:
    table = TokenTable()
    rows = np.arange(len(material.batch), dtype=np.int32)
    table.intern(rows, material.columns, material.batch.buffer)

    def work() -> int:
        table.intern(rows, material.columns, material.batch.buffer)
        return len(rows)

    return lambda: _clock(work)


def _scan(material: Material) -> tuple[int, float]:
    key = shard_config(event_clock=True).key

    def work() -> int:
        decode(material.batch, key, None)
        return len(material.batch)

    return _clock(work)

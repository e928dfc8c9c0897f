"""Rows sorted out: too old, late, and grouped by bucket with and without gaps."""

from random import Random

import numpy as np
import pytest
from tests.core.kernels.batches import KEY, T0_MS, columns_of, swap

from swapstats.core.shard_config import ShardConfig
from swapstats.core.sorted_rows import SortedRows, sort_out
from swapstats.model.window import WindowSpec

STEP_MS = 1_000
BUCKET = T0_MS // STEP_MS
SPEC = WindowSpec(STEP_MS, (60_000,))


def sorted_out(
    *at_ms: int, late: str = "apply", min_bucket: int = 0, newest_ms: int = 0, removed: bool = False
) -> SortedRows:
    columns = columns_of(*(swap(n, at, removed=removed) for n, at in enumerate(at_ms)))
    config = ShardConfig(0, SPEC, KEY, grace_ms=2_000, late=late)
    return sort_out(columns, config, min_bucket, newest_ms)


def groups(found: SortedRows) -> dict[int, list[int]]:
    parts = np.split(found.grouped, found.edges[1:-1])
    return {
        number - BUCKET: rows.tolist()
        for number, rows in zip(found.numbers.tolist(), parts, strict=bool(len(found.numbers)))
    }


def test_groups_in_order_of_buckets_rows_in_order_of_the_log() -> None:
    found = sorted_out(5_000, 0, 5_999, 999, 7_000)
    assert groups(found) == {0: [1, 3], 5: [0, 2], 7: [4]}
    assert list(groups(found)) == [0, 5, 7]
    assert found.rows.tolist() == [0, 1, 2, 3, 4]
    assert found.newest_ms == T0_MS + 7_000


def test_the_too_old_are_not_listed() -> None:
    assert groups(sorted_out(0, 1_000, 999, min_bucket=BUCKET + 1)) == {1: [1]}


@pytest.mark.parametrize("late", ["apply", "drop", "divert"])
def test_late_adds(late: str) -> None:
    found = sorted_out(0, 5_000, 3_000, 2_999, late=late)
    assert found.late.tolist() == [0, 0, 0, 1]
    listed = {0: [0], 2: [3], 3: [2], 5: [1]}
    if late != "apply":
        del listed[2]
    assert groups(found) == listed


def test_removals_are_never_late_and_never_newest() -> None:
    found = sorted_out(0, 9_000, newest_ms=T0_MS + 100_000, late="drop", removed=True)
    assert found.late.tolist() == [0, 0]
    assert found.newest_ms == T0_MS + 100_000
    assert groups(found) == {0: [0], 9: [1]}


def test_nothing_to_list() -> None:
    found = sorted_out(0, 1, min_bucket=BUCKET + 5)
    assert (found.rows.tolist(), found.numbers.tolist(), found.edges.tolist()) == ([], [], [0])
    assert found.newest_ms == T0_MS + 1


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("span_ms", [3_000, 4_000_000, 86_400_000_000])
def test_sparse_and_dense_agree_with_a_dictionary(seed: int, span_ms: int) -> None:
    """A span of years over few rows takes the path for mostly empty counters."""
    print("seed", seed)
    rng = Random(seed)
    at_ms = [rng.choice((0, span_ms, rng.randint(0, span_ms))) for _ in range(rng.randint(1, 40))]
    wanted: dict[int, list[int]] = {}
    for row, at in enumerate(at_ms):
        wanted.setdefault(at // STEP_MS, []).append(row)
    found = sorted_out(*at_ms)
    assert groups(found) == wanted
    assert found.numbers.tolist() == sorted(number + BUCKET for number in wanted)
    assert np.sort(found.grouped).tolist() == list(range(len(at_ms)))

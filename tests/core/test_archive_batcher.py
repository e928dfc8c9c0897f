from random import Random

import msgspec
import numpy as np
import pytest
from hypothesis import given
from tests.strategies import rngs

from swapstats.core.archive_batcher import ArchiveBatcher, BatchLimits
from swapstats.core.archive_rows import RowRun, SwapFields
from swapstats.errors import InvariantBroken

MONTH_MS = 32 * 86_400_000
FIELDS = SwapFields(token_address="t", side="buy", amount_token=msgspec.Raw(b"1"), event_time=0)


def run_of(begin: int, end: int, month: int = 0, every_month: bool = False) -> RowRun:
    offsets = np.arange(begin, end, dtype=np.int64)
    months = offsets if every_month else np.full(len(offsets), month)
    return RowRun(
        offsets,
        np.ones(len(offsets), dtype=np.int8),
        offsets,
        (months * MONTH_MS).astype(np.int64),
        [b"x"] * len(offsets),
        [FIELDS] * len(offsets),
    )


def test_steps_in_which_duplicates_were_left_out_are_told() -> None:
    batcher = ArchiveBatcher(BatchLimits(rows_max=7), 0)
    batcher.add(run_of(0, 2), 3, 1, now_ms=0)
    batcher.add(run_of(3, 3), 5, 1, now_ms=0)
    batcher.add(run_of(5, 5), 6, 1, now_ms=0, left_out=True)
    batcher.add(run_of(6, 6), 7, 1, now_ms=0, left_out=True)
    batcher.add(run_of(7, 19), 19, 2, now_ms=0, left_out=True)
    first = batcher.take(10)
    rest = batcher.take(20)
    assert first is not None
    assert rest is not None
    assert first.steps == ((5, 1), (7, 1), (12, 2))
    assert first.left_out == (7, 12)
    assert rest.steps == ((19, 2),)
    assert rest.left_out == (19,)


def test_a_slow_stream_is_due_by_time() -> None:
    batcher = ArchiveBatcher(BatchLimits(), 0)
    assert batcher.due_ms(200) is None
    batcher.add(run_of(0, 10), 10, 5, now_ms=1_000)
    batcher.add(run_of(10, 20), 20, 5, now_ms=1_150)
    assert batcher.due_ms(200) == 1_200


def test_a_thousand_rows_are_due_at_once_and_a_fast_stream_makes_larger_batches() -> None:
    batcher = ArchiveBatcher(BatchLimits(), 0)
    batcher.add(run_of(0, 1_000), 1_000, 5, now_ms=0)
    assert batcher.due_ms(200) == 0
    sizes = []
    offset = 1_000
    for now_ms in range(10, 5_000, 10):
        if (due := batcher.due_ms(200)) is not None and due <= now_ms:
            draft = batcher.take(now_ms)
            assert draft is not None
            sizes.append(len(draft.run))
        batcher.add(run_of(offset, offset + 300), offset + 300, 5, now_ms)
        offset += 300
    assert max(sizes[-5:]) >= 5_000, "30,000 rows a second make batches of 200 ms"


def test_many_partitions_share_the_inserts() -> None:
    assert BatchLimits().delay_of(1) == 200
    assert BatchLimits().delay_of(48) == 2_400


def test_rows_beyond_the_bound_wait_for_the_next_batch() -> None:
    batcher = ArchiveBatcher(BatchLimits(rows_max=7), 0)
    batcher.add(run_of(0, 5), 5, 1, now_ms=0)
    batcher.add(run_of(6, 12), 15, 2, now_ms=0)
    first = batcher.take(10)
    second = batcher.take(20)
    assert first is not None
    assert second is not None
    assert (first.first_offset, first.next_offset, first.steps) == (0, 8, ((5, 1), (8, 2)))
    assert (second.first_offset, second.next_offset, second.steps) == (8, 15, ((15, 2),))
    assert batcher.take(30) is None


@pytest.mark.parametrize("pieces", [1, 10])
def test_no_batch_touches_more_months_than_the_bound(pieces: int) -> None:
    batcher = ArchiveBatcher(BatchLimits(months_max=50), 0)
    width = 120 // pieces
    for begin in range(0, 120, width):
        batcher.add(run_of(begin, begin + width, every_month=True), begin + width, 1, now_ms=0)
    sizes = []
    while (draft := batcher.take(0)) is not None:
        sizes.append(len(np.unique(draft.run.months)))
    assert sizes == [50, 50, 20]


def test_a_noted_bound_stands_above_the_limits() -> None:
    batcher = ArchiveBatcher(BatchLimits(rows_max=2, months_max=1), 0)
    batcher.add(run_of(0, 10, every_month=True), 10, 1, now_ms=0)
    draft = batcher.take(0, until=6)
    assert draft is not None
    assert (draft.next_offset, len(draft.run)) == (6, 6)


def test_records_without_rows_are_a_range_too_and_bounded_by_steps() -> None:
    batcher = ArchiveBatcher(BatchLimits(steps_max=3), 0)
    batcher.add(run_of(0, 0), 4, 1, now_ms=0)
    batcher.add(run_of(0, 0), 6, 1, now_ms=0)
    assert batcher.steps == 1, "equal moments are one step"
    assert batcher.due_ms(200) is None
    batcher.add(run_of(0, 0), 7, 2, now_ms=0)
    batcher.add(run_of(0, 0), 8, 3, now_ms=0)
    assert batcher.due_ms(200) == 0
    draft = batcher.take(0)
    assert draft is not None
    assert (draft.next_offset, draft.steps, len(draft.run)) == (8, ((6, 1), (7, 2), (8, 3)), 0)


def test_rows_out_of_order_are_refused() -> None:
    batcher = ArchiveBatcher(BatchLimits(), 5)
    with pytest.raises(InvariantBroken, match="from offset 5"):
        batcher.add(run_of(4, 6), 6, 1, now_ms=0)


@given(rngs())
def test_batches_hold_every_row_once_within_ranges_without_holes(rng: Random) -> None:
    limits = BatchLimits(
        rows_due=rng.randint(1, 9),
        rows_max=rng.randint(1, 12),
        months_max=rng.randint(1, 4),
        steps_max=rng.randint(1, 5),
    )
    batcher = ArchiveBatcher(limits, 0)
    offset, taken, ranges, moments = 0, [], [0], {}
    for now_ms in range(60):
        size = rng.randint(0, 6)
        batcher.add(
            run_of(offset, offset + size, every_month=rng.random() < 0.4),
            offset + size + 1,
            now_ms // 3,
            now_ms,
        )
        moments.update(dict.fromkeys(range(offset, offset + size + 1), now_ms // 3))
        offset += size + 1
        if rng.random() < 0.4 and (draft := batcher.take(now_ms)) is not None:
            assert draft.first_offset == ranges[-1]
            assert len(draft.run) <= limits.rows_max
            assert len(np.unique(draft.run.months)) <= limits.months_max
            begin = draft.first_offset
            for end, moment_ms in draft.steps:
                assert {moments[at] for at in range(begin, end)} == {moment_ms}
                begin = end
            assert begin == draft.next_offset
            taken += draft.run.offsets.tolist()
            ranges.append(draft.next_offset)
    assert taken == sorted(set(taken))
    assert batcher.rows == sum(len(piece.run) for piece in batcher._pieces)

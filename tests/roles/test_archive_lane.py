import msgspec
import numpy as np
import pytest
from tests.core.test_archive_rows import APPEND_MS, all_rows, batch_of, swap

from swapstats.core.archive_batcher import BatchLimits
from swapstats.core.archive_rows import digest_of, read_rows
from swapstats.errors import InvariantBroken, OffsetGone, SettingsMismatch
from swapstats.model.effects import ArchiveRows
from swapstats.model.record import RecordBatch
from swapstats.ports.archive import BatchNote, JournalState
from swapstats.roles.archive_lane import ArchiveLane, ReplayStep

LIMITS = BatchLimits(rows_max=100)


def records(first: int, end: int) -> RecordBatch:
    return batch_of([swap(event_id=str(at)) for at in range(first, end)], first=first)


def note(first: int, end: int, *, inserted: bool) -> BatchNote:
    run = read_rows(records(first, end), all_rows(end - first))
    return BatchNote(
        partition=0,
        epoch=1,
        first_offset=first,
        next_offset=end,
        rows=end - first,
        late_rows=0,
        digest=digest_of(run),
        steps=((first + 1, 100 + first), (end, 101 + first)),
        noted_ms=7,
        inserted=inserted,
    )


def lane_of(
    from_offset: int,
    state: JournalState,
    *,
    accept_gap: bool = False,
    log_end: int = 0,
    floor: int = 0,
    doubt_end: int = 0,
) -> ArchiveLane:
    """A lane that was told what the archive has."""
    lane = ArchiveLane(0, 2, from_offset, state, LIMITS, accept_gap=accept_gap, log_end=log_end)
    lane.learn(floor, doubt_end)
    return lane


def offered(lane: ArchiveLane, first: int, end: int) -> None:
    lane.offer(records(first, end), all_rows(end - first), 500)
    lane.take_in(0)


def test_what_is_inserted_is_skipped_and_what_is_owed_is_made_within_its_bounds() -> None:
    state = JournalState(0, (note(0, 10, inserted=True), note(10, 20, inserted=False)))
    lane = lane_of(4, state)
    assert lane.closed_offset == 10
    assert [(step.next_offset, step.now_ms) for step in lane.steps] == [
        *((10, 101), (11, 110), (20, 111)),
    ]
    offered(lane, 4, 15)
    assert lane.due_ms(200) is None
    assert lane.is_starved
    offered(lane, 15, 26)
    assert lane.due_ms(200) == 0
    batch = lane.next_batch(0, 99)
    assert batch is not None
    assert batch.note == msgspec.structs.replace(note(10, 20, inserted=False), epoch=2)
    assert batch.run.offsets.tolist() == list(range(10, 20))
    assert lane.closed_offset == 10, "in flight is not closed"
    lane.landed()
    assert lane.closed_offset == 20
    free = lane.next_batch(0, 99)
    assert free is not None
    assert (free.note.first_offset, free.note.next_offset, free.note.noted_ms) == (20, 26, 99)


def test_a_range_that_comes_out_otherwise_is_fatal() -> None:
    lane = lane_of(10, JournalState(10, (note(10, 20, inserted=False),)))
    rows = all_rows(10)
    fewer = ArchiveRows(rows.index[1:], rows.sign[1:], np.zeros(0, dtype=np.int32))
    lane.offer(records(10, 20), fewer, 500)
    lane.take_in(0)
    with pytest.raises(SettingsMismatch, match="offsets 10 to 20"):
        lane.next_batch(0, 99)


def test_an_owed_range_is_taken_in_whole_however_large() -> None:
    lane = lane_of(0, JournalState(0, (note(0, 300, inserted=False),)))
    for first in range(0, 300, 50):
        lane.offer(records(first, first + 50), all_rows(50), 500)
    lane.take_in(0)
    assert lane.due_ms(200) == 0


def test_everything_below_the_floor_is_skipped_and_replayed_by_append_times() -> None:
    lane = lane_of(0, JournalState(50, (note(50, 60, inserted=True),)))
    assert lane.steps[0] == ReplayStep(50, 150, exact=False)
    batch = records(0, 50)
    assert lane.steps[0].moment_ms(batch, APPEND_MS + 5) == 150
    assert ReplayStep(50, None, exact=False).moment_ms(batch, APPEND_MS + 5) == APPEND_MS
    assert ReplayStep(50, None, exact=False).moment_ms(batch, 3) == 3
    assert lane.steps[1].moment_ms(batch, 3) == 150
    offered(lane, 0, 60)
    assert lane.next_batch(0, 0) is None


def test_rows_in_doubt_that_cannot_be_made_again_are_given_up_only_on_request() -> None:
    state = JournalState(0, (note(0, 10, inserted=False),))
    with pytest.raises(OffsetGone, match="--accept-gap"):
        lane_of(5, state)
    lane = lane_of(5, state, accept_gap=True)
    assert [given.first_offset for given in lane.given_up] == [0]
    assert lane.closed_offset == 10


def test_a_flush_takes_what_is_there_even_without_rows() -> None:
    lane = lane_of(0, JournalState(0, ()))
    nothing = ArchiveRows(
        np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int8), np.zeros(0, dtype=np.int32)
    )
    lane.offer(records(0, 5), nothing, 500)
    lane.take_in(0)
    assert lane.due_ms(200) is None
    lane.flush_to = 5
    assert lane.due_ms(200) == 0
    batch = lane.next_batch(0, 99)
    assert batch is not None
    assert batch.note.inserted
    assert batch.note.steps == ((5, 500),)


def test_waiting_bytes_are_those_of_rows_not_landed() -> None:
    lane = lane_of(0, JournalState(0, ()))
    batch = records(0, 5)
    lane.offer(batch, all_rows(2), 500)
    assert lane.waiting_bytes == len(batch.buffer)
    lane.take_in(0)
    assert lane.waiting_bytes == int(batch.bounds[2])
    lane.next_batch(0, 0)
    assert lane.waiting_bytes == int(batch.bounds[2])
    lane.landed()
    assert lane.waiting_bytes == 0


def test_what_was_left_out_is_noted_and_left_out_again() -> None:
    rows = all_rows(4)
    some = ArchiveRows(rows.index[2:], rows.sign[2:], np.zeros(0, dtype=np.int32), left_out=True)
    lane = lane_of(0, JournalState(0, ()))
    lane.offer(records(0, 4), all_rows(4), 500)
    lane.offer(records(4, 8), some, 501)
    lane.take_in(0)
    batch = lane.next_batch(0, 99)
    assert batch is not None
    assert batch.note.left_out == (8,)
    again = lane_of(0, JournalState(0, (batch.note,)))
    assert [(step.next_offset, step.left_out) for step in again.steps] == [(4, False), (8, True)]
    # Where a life begins within the step, its rows are cut and stay what they are.
    cut = lane_of(5, JournalState(5, ()))
    cut.offer(records(4, 8), some, 501)
    cut.take_in(0)
    taken = cut.next_batch(0, 99)
    assert taken is not None
    assert taken.note.left_out == (8,)


def test_nothing_is_taken_in_before_it_is_known_what_the_archive_has() -> None:
    lane = ArchiveLane(0, 2, 0, JournalState(0, ()), LIMITS, log_end=30)
    assert lane.is_fresh
    offered(lane, 0, 20)
    assert lane.batcher.next_offset == 0
    assert lane.missing_range() is None
    lane.learn(5, 12)
    assert lane.closed_offset == 5
    lane.take_in(0)
    assert lane.due_ms(200) == 0
    doubted = lane.next_batch(0, 99)
    assert doubted is not None
    assert (doubted.note.first_offset, doubted.note.next_offset) == (5, 12)
    assert doubted.note.doubtful
    lane.landed()
    free = lane.next_batch(0, 99)
    assert free is not None
    assert (free.note.first_offset, free.note.doubtful) == (12, False)


def test_what_a_journal_that_was_set_back_does_not_know_is_in_doubt() -> None:
    state = JournalState(0, (note(0, 10, inserted=False),))
    lane = lane_of(0, state, doubt_end=14)
    offered(lane, 0, 20)
    batches = []
    for _ in range(3):
        batch = lane.next_batch(0, 99)
        assert batch is not None
        batches.append((batch.note.first_offset, batch.note.next_offset, batch.note.doubtful))
        lane.landed()
    assert batches == [(0, 10, False), (10, 14, True), (14, 20, False)]


def test_up_to_the_end_of_the_log_time_follows_append_times() -> None:
    lane = lane_of(4, JournalState(0, (note(0, 10, inserted=True),)), log_end=30)
    assert [step.next_offset for step in lane.steps] == [10, 30]
    assert not lane.steps[-1].exact
    assert lane.steps[-1].moment_ms(records(10, 20), APPEND_MS + 9) == APPEND_MS
    assert lane_of(0, JournalState(0, ())).steps == []


def test_other_records_than_those_decided_are_found_out() -> None:
    lane = lane_of(0, JournalState(0, ()))
    lane.offer(records(0, 9), all_rows(9), 500, keep_records=False)
    assert lane.missing_range() == (0, 9)
    with pytest.raises(InvariantBroken, match="9 records"):
        lane.put_back(records(0, 8))
    lane.put_back(records(0, 9))
    lane.take_in(0)
    assert lane.batcher.rows == 9
    assert lane.decision_bytes == 0

import itertools
import json

import pytest

from swapstats.errors import UsageError
from swapstats.roles.bench.streams import (
    DEMO_START_MS,
    cut_batches,
    demo_arrivals,
    interleaved,
    line_arrivals,
)


def line(event_id: str, event_ms: int) -> bytes:
    return json.dumps(
        {"schema_version": 1, "event_id": event_id, "event_time": event_ms, "removed": False},
        separators=(",", ":"),
    ).encode()


EARLY = [line("x:1", 1_600_000_000_000), line("x:2", 1_600_000_005_000)]
LATE = [line("y:1", 1_700_000_000_000)]


def test_recorded_files_come_in_order_of_time_and_again_as_other_events() -> None:
    rows = list(itertools.islice(line_arrivals([LATE, EARLY]), 6))
    found = [json.loads(message) for message, _ in rows]
    assert [row["event_id"] for row in found] == [
        "0.x:1", "0.x:2", "0.y:1", "1.x:1", "1.x:2", "1.y:1",
    ]  # fmt: skip
    times = [row["event_time"] for row in found]
    assert times[:3] == [1_600_000_000_000, 1_600_000_005_000, 1_700_000_000_000]
    assert times == sorted(times)
    assert times[4] - times[3] == 5_000
    assert [arrived_ms for _, arrived_ms in rows] == times


def test_interleaving_sorts_by_time_and_changes_nothing_else() -> None:
    mixed = interleaved([[EARLY[0], LATE[0]], [EARLY[1]]])
    assert mixed == [*EARLY, *LATE]


@pytest.mark.parametrize("bad", [b"{}", b'{"event_time":1600000000000,"event_id":"a"}', b"x"])
def test_lines_that_cannot_be_repeated_are_refused(bad: bytes) -> None:
    with pytest.raises(UsageError, match="recorded messages"):
        next(line_arrivals([[bad]]))


def test_no_lines_are_refused() -> None:
    with pytest.raises(UsageError, match="recorded messages"):
        next(line_arrivals([[]]))


def test_batches_are_the_stream_cut() -> None:
    told: list[int] = []
    stream = demo_arrivals(5, 20, 100)
    batches = cut_batches(stream, 250, 100, told.append)
    again = list(itertools.islice(demo_arrivals(5, 20, 100), 251))
    assert [message for batch in batches for message in batch.messages] == [
        message for message, _ in again[:250]
    ]
    assert told == [100, 100, 50]
    assert next(stream) == again[250]
    records = batches[1].records(700)
    assert records.offsets.tolist() == list(range(700, 800))
    assert [records.message(row) for row in range(100)] == batches[1].messages
    assert records.append_ms.min() > DEMO_START_MS

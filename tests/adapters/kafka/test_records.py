import numpy as np
import pytest
from confluent_kafka import (
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_LOG_APPEND_TIME,
    TIMESTAMP_NOT_AVAILABLE,
    Message,
)

from swapstats.adapters.kafka.records import append_ms_of, batch_of, take_records, to_batches
from swapstats.errors import InvariantBroken, SettingsMismatch


def message(
    partition: int,
    offset: int,
    value: bytes | None,
    time: int = 5,
    kind: int = TIMESTAMP_LOG_APPEND_TIME,
    headers: list[tuple[str, str | bytes | None]] | None = None,
) -> Message:
    return Message(
        topic="t",
        partition=partition,
        offset=offset,
        value=value,
        timestamp=(kind, time),
        headers=headers,
    )


def test_batches_by_partition_keep_the_order() -> None:
    first = take_records(
        [message(2, 7, b"a", 11), message(0, 1, b"bc", 12), message(2, 8, b"", 13)], "t"
    )
    second = take_records([message(0, 2, None, 14), message(2, 9, b"def", 15)], "t")
    batches = to_batches([first, second])
    assert [batch.partition for batch in batches] == [0, 2]
    zero, two = batches
    assert zero.offsets.tolist() == [1, 2]
    assert [zero.message(0), zero.message(1)] == [b"bc", b""]
    assert zero.append_ms.tolist() == [12, 14]
    assert two.offsets.tolist() == [7, 8, 9]
    assert [two.message(at) for at in range(3)] == [b"a", b"", b"def"]
    assert two.append_ms.tolist() == [11, 13, 15]
    assert two.next_offset == 10
    for batch in batches:
        assert batch.bounds.dtype == batch.offsets.dtype == batch.append_ms.dtype == np.int64
        batch.buffer[:] = 0
        batch.append_ms[:] = 0


def test_one_partition_is_one_batch() -> None:
    chunks = [take_records([message(3, at, b"x" * at)], "t") for at in range(4)]
    (batch,) = to_batches(chunks)
    assert batch.offsets.tolist() == [0, 1, 2, 3]
    assert batch.bounds.tolist() == [0, 0, 1, 3, 6]
    assert to_batches([]) == []
    assert to_batches([chunks[0].without([3])]) == []


def test_records_of_partitions_can_be_left_out() -> None:
    chunk = take_records([message(part, at, b"%d" % at) for at, part in enumerate((0, 1, 0))], "t")
    left = chunk.without([0])
    assert left.values == [b"1"]
    assert left.offsets.tolist() == [1]
    assert (chunk.size_bytes, left.size_bytes) == (3, 1)
    assert len(chunk.without([])) == 3


def test_a_carried_append_time_counts() -> None:
    carried: list[tuple[str, str | bytes | None]] = [("append_ms", b"77")]
    chunk = take_records(
        [
            message(0, 0, b"a", 5, headers=carried),
            message(0, 1, b"b", 6),
            message(0, 2, b"c", 7, TIMESTAMP_CREATE_TIME, carried),
            message(0, 3, b"d", 8, headers=[("other", b"1")]),
        ],
        "t",
    )
    assert chunk.append_ms.tolist() == [77, 6, 77, 8]


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        (None, None),
        ([], None),
        ([("append_ms", b"12")], 12),
        ([("append_ms", b"-1")], None),
        ([("append_ms", b"")], None),
        ([("append_ms", None)], None),
        ([("append_ms", b"soon"), ("append_ms", b"3")], 3),
    ],
)
def test_append_time_of_headers(headers: list[tuple[str, bytes]] | None, found: int | None) -> None:
    assert append_ms_of(headers) == found


@pytest.mark.parametrize("kind", [TIMESTAMP_CREATE_TIME, TIMESTAMP_NOT_AVAILABLE])
def test_records_without_append_time_are_refused(kind: int) -> None:
    messages = [message(0, 0, b"a"), message(4, 9, b"b", 6, kind)]
    with pytest.raises(SettingsMismatch, match=r"partition 4, offset 9.*LogAppendTime"):
        take_records(messages, "t")
    assert take_records(messages, "t", any_time=True).append_ms.tolist() == [5, 6]


def test_a_batch_of_nothing_is_a_mistake() -> None:
    with pytest.raises(InvariantBroken):
        batch_of([], "t")
    assert batch_of([message(1, 2, b"x")], "t").partition == 1

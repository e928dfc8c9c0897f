"""What every swap log must do: the port's promises, on each adapter."""

import random
import threading
from collections.abc import Callable

import numpy as np
import pytest

from swapstats.errors import OffsetGone
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.ports.swap_log import SwapLog, SwapLogReader

OpenLog = Callable[[int], SwapLog]
OpenReader = Callable[[], SwapLogReader]
Kept = list[tuple[int, int, bytes]]


def append(
    log: SwapLog,
    messages: list[bytes],
    partitions: list[int],
    append_ms: int = 1_000,
    **positions: str | None,
) -> None:
    log.append(
        MessageBlock.of(messages), np.array(partitions, dtype=np.int32), append_ms, positions
    )


def rows(batch: RecordBatch) -> Kept:
    """(offset, append_ms, message) of each record."""
    return [
        (int(batch.offsets[at]), int(batch.append_ms[at]), batch.message(at))
        for at in range(len(batch))
    ]


def read_all(log: SwapLogReader, partition: int, offset: int = 0, bytes_max: int = 4_096) -> Kept:
    found: Kept = []
    while (batch := log.read(partition, offset, bytes_max)) is not None:
        assert batch.partition == partition
        assert len(batch) > 0
        assert len(batch) == 1 or len(batch.buffer) <= bytes_max
        found += rows(batch)
        offset = batch.next_offset
    return found


def random_messages(chance: random.Random, count: int) -> list[bytes]:
    return [chance.randbytes(chance.choice((0, 1, 10, 300, 2_000))) for _ in range(count)]


def test_new_log_is_empty(open_log: OpenLog) -> None:
    log = open_log(3)
    assert log.partition_count == 3
    assert log.start_offsets() == log.end_offsets() == [0, 0, 0]
    assert log.read(0, 0, 1_000) is None
    assert log.position("demo") is None
    assert log.trim(1 << 60, 1, [0, 0, 0]) == 0


def test_messages_come_back_as_they_were(open_log: OpenLog) -> None:
    log = open_log(2)
    append(log, [b"\x00\xff", b"", b"a\nb", b"{}"], [1, 0, 1, 1], 5)
    assert log.end_offsets() == [1, 3]
    assert read_all(log, 0) == [(0, 5, b"")]
    assert read_all(log, 1) == [(0, 5, b"\x00\xff"), (1, 5, b"a\nb"), (2, 5, b"{}")]


@pytest.mark.parametrize("bytes_max", [1, 700, 5_000, 1 << 20])
def test_reads_of_any_size_from_any_offset_give_the_same(open_log: OpenLog, bytes_max: int) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    log = open_log(1)
    kept: Kept = []
    for append_ms in range(5):
        messages = random_messages(chance, 20)
        kept += [(len(kept) + at, append_ms, body) for at, body in enumerate(messages)]
        append(log, messages, [0] * 20, append_ms)
    for offset in range(0, 101, 7):
        assert read_all(log, 0, offset, bytes_max) == kept[offset:]


def test_large_messages_and_blocks_are_kept(open_log: OpenLog) -> None:
    log = open_log(2)
    chance = random.Random(7)
    huge = chance.randbytes(3 << 20)
    many = [chance.randbytes(1_000) for _ in range(3_000)]
    append(log, [huge, *many], [0] * 3_001)
    assert [body for _, _, body in read_all(log, 0, bytes_max=1 << 20)] == [huge, *many]
    assert log.read(1, 0, 100) is None


def test_arrays_read_are_the_readers_own(open_log: OpenLog) -> None:
    log = open_log(1)
    append(log, [b"abc", b"def"], [0, 0])
    first = log.read(0, 0, 4)
    assert first is not None
    first.buffer[:] = 0
    first.append_ms[:] = 0
    assert read_all(log, 0) == [(0, 1_000, b"abc"), (1, 1_000, b"def")]


def test_append_time_never_goes_back(open_log: OpenLog) -> None:
    log = open_log(2)
    append(log, [b"a"], [0], 100)
    append(log, [b"b"], [1], 40)
    log.close()
    log = open_log(2)
    append(log, [b"c"], [0], 99)
    append(log, [b"d"], [0], 101)
    assert [at for _, at, _ in read_all(log, 0)] == [100, 100, 101]
    assert [at for _, at, _ in read_all(log, 1)] == [100]


def test_positions_come_with_the_messages(open_log: OpenLog) -> None:
    log = open_log(1)
    append(log, [b"a"], [0], 1, demo="1", file="x:7")
    append(log, [], [], 2, demo="2")
    assert (log.position("demo"), log.position("file"), log.position("?")) == ("2", "x:7", None)
    assert log.end_offsets() == [1]
    log.close()
    assert open_log(1).position("demo") == "2"


def test_notes_are_found_by_prefix_and_forgotten(
    open_log: OpenLog, open_log_reader: OpenReader
) -> None:
    log = open_log(1)
    noted = {"evm": "7", "evm/b:1": "x", "evm/b:\u00fc": "", "evm2/b:1": "other", "ev": "8"}
    append(log, [b"a"], [0], 1, **noted)
    assert log.positions("evm/") == {"evm/b:1": "x", "evm/b:\u00fc": ""}
    assert log.positions("") == noted
    assert log.positions("none/") == {}
    append(log, [], [], 2, **{"evm/b:1": None, "evm/b:3": "z", "never": None})
    reader = open_log_reader()
    for view in (log, reader):
        assert view.positions("evm/") == {"evm/b:\u00fc": "", "evm/b:3": "z"}
        assert view.position("evm/b:1") is None
    append(log, [b"b"], [0], 3, **{"evm/b:1": "again", "evm/b:3": None})
    assert reader.positions("evm/") == {"evm/b:\u00fc": "", "evm/b:1": "again"}
    log.close()
    assert open_log(1).positions("evm/") == {"evm/b:\u00fc": "", "evm/b:1": "again"}


def test_everything_is_there_after_opening_again(open_log: OpenLog) -> None:
    log = open_log(2)
    append(log, [b"a", b"b", b"c"], [0, 1, 0])
    log.close()
    log = open_log(2)
    assert log.end_offsets() == [2, 1]
    append(log, [b"d"], [0])
    assert [body for _, _, body in read_all(log, 0)] == [b"a", b"c", b"d"]


def test_reader_beside_the_writer_sees_appends(
    open_log: OpenLog, open_log_reader: OpenReader
) -> None:
    log = open_log(2)
    reader = open_log_reader()
    assert reader.partition_count == 2
    assert reader.read(0, 0, 100) is None
    append(log, [b"a", b"b"], [0, 1], 3, demo="9")
    assert reader.end_offsets() == [1, 1]
    assert reader.position("demo") == "9"
    assert read_all(reader, 1) == [(0, 3, b"b")]
    log.close()
    assert read_all(reader, 0) == [(0, 3, b"a")]


@pytest.mark.usefixtures("trimming")
def test_trim_by_age_stops_at_keep_from(open_log: OpenLog) -> None:
    log = open_log(2)
    for append_ms in (10, 20, 30):
        append(log, [b"x", b"y", b"z"], [0, 0, 1], append_ms)
    assert log.trim(30, 0, [3, 3]) == 2 + 2
    assert log.start_offsets() == [2, 2]
    assert log.end_offsets() == [6, 3]
    with pytest.raises(OffsetGone, match="2"):
        log.read(0, 1, 100)
    assert [offset for offset, _, _ in read_all(log, 0, 2)] == [2, 3, 4, 5]


@pytest.mark.usefixtures("trimming")
def test_trim_by_size_drops_the_oldest_first(open_log: OpenLog) -> None:
    log = open_log(2)
    chance = random.Random(3)
    for append_ms in range(20):
        append(log, [chance.randbytes(1_000)], [append_ms % 2], append_ms)
    dropped = log.trim(0, 10_500, log.end_offsets())
    assert 9 <= dropped <= 11
    kept = sorted(at for partition in (0, 1) for _, at, _ in read_all(log, partition, dropped // 2))
    assert kept == list(range(dropped, 20))
    assert log.trim(0, 0, log.end_offsets()) == 0


@pytest.mark.usefixtures("trimming")
def test_offsets_go_on_after_everything_was_trimmed(open_log: OpenLog) -> None:
    log = open_log(1)
    append(log, [b"a", b"b"], [0, 0], 1)
    assert log.trim(2, 0, [2]) == 2
    log.close()
    log = open_log(1)
    assert log.start_offsets() == log.end_offsets() == [2]
    append(log, [b"c"], [0], 0)
    assert read_all(log, 0, 2) == [(2, 1, b"c")]


def test_one_thread_reads_while_another_appends(open_log: OpenLog) -> None:
    log = open_log(3)
    rounds, failures = 200, []
    done = threading.Event()

    def write() -> None:
        try:
            for at in range(rounds):
                append(log, [b"%d:%d" % (at, part) for part in range(3)], [0, 1, 2], at)
        except Exception as error:
            failures.append(error)
        finally:
            done.set()

    writer = threading.Thread(target=write)
    writer.start()
    found: list[Kept] = [[], [], []]
    while not done.is_set() or [len(part) for part in found] != log.end_offsets():
        for part in range(3):
            batch = log.read(part, len(found[part]), 200)
            found[part] += rows(batch) if batch is not None else []
    writer.join()
    assert failures == []
    for part in range(3):
        assert found[part] == [(at, at, b"%d:%d" % (at, part)) for at in range(rounds)]


def test_random_use_equals_a_list(open_log: OpenLog, open_log_reader: OpenReader) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    partition_count = 4
    log = open_log(partition_count)
    reader = open_log_reader()
    kept: list[Kept] = [[] for _ in range(partition_count)]
    last_ms = 0
    for step in range(60):
        messages = random_messages(chance, chance.randrange(40))
        partitions = [chance.randrange(partition_count) for _ in messages]
        append_ms = last_ms + chance.randrange(-5, 10)
        append(log, messages, partitions, append_ms, demo=str(step))
        last_ms = max(last_ms, append_ms) if messages else last_ms
        for partition, body in zip(partitions, messages, strict=True):
            kept[partition].append((len(kept[partition]), last_ms, body))
        if chance.random() < 0.1:
            starts = log.start_offsets()
            keep_from = [
                chance.randint(start, len(part)) for start, part in zip(starts, kept, strict=True)
            ]
            log.trim(last_ms - 20, chance.choice((0, 10_000)), keep_from)
            assert all(
                start <= keep for start, keep in zip(log.start_offsets(), keep_from, strict=True)
            )
        if chance.random() < 0.1:
            log.close()
            log = open_log(partition_count)
        assert log.end_offsets() == reader.end_offsets() == [len(part) for part in kept]
        assert log.start_offsets() == reader.start_offsets()
        partition = chance.randrange(partition_count)
        start = chance.randint(log.start_offsets()[partition], len(kept[partition]))
        view = chance.choice((log, reader))
        assert (
            read_all(view, partition, start, chance.choice((1, 500, 20_000)))
            == (kept[partition][start:])
        )
        assert view.position("demo") == str(step)

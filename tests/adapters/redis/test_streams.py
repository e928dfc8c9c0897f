import contextlib
import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from swapstats.adapters.redis import streams
from swapstats.adapters.redis.connection import RedisLine
from swapstats.adapters.redis.streams import RedisSwapLog
from swapstats.errors import (
    InvariantBroken,
    SettingsMismatch,
    StoreCorrupt,
    StoreFull,
    Transient,
    UsageError,
)
from swapstats.model.record import MessageBlock
from swapstats.stack.redis import RedisServer

Opened = Callable[..., RedisSwapLog]


@pytest.fixture
def open_log(prefix: str) -> Iterator[Opened]:
    with contextlib.ExitStack() as stack:

        def opened(url: str, partition_count: int = 2) -> RedisSwapLog:
            return stack.enter_context(
                contextlib.closing(RedisSwapLog(url, prefix, partition_count))
            )

        yield opened


def append(
    log: RedisSwapLog, messages: list[bytes], append_ms: int = 1_000, **positions: str
) -> None:
    partitions = np.arange(len(messages), dtype=np.int32) % log.partition_count
    log.append(MessageBlock.of(messages), partitions, append_ms, positions)


def test_the_number_of_partitions_is_fixed(open_log: Opened, redis_url: str) -> None:
    open_log(redis_url, 3)
    with pytest.raises(SettingsMismatch, match="made with 3"):
        open_log(redis_url, 4)
    for bad in (0, streams.PARTITIONS_MAX + 1):
        with pytest.raises(SettingsMismatch):
            open_log(redis_url, bad)


def test_what_was_acknowledged_survives_a_kill(open_log: Opened, own_redis: RedisServer) -> None:
    log = open_log(own_redis.url)
    for at in range(10):
        append(log, [b"%d" % at, b"x"], demo=str(at))
        own_redis.kill()
        with pytest.raises(Transient):
            append(log, [b"never"])
        own_redis.start()
        assert log.end_offsets() == [at + 1, at + 1]
        assert log.position("demo") == str(at)
        batch = log.read(0, at, 1_000)
        assert batch is not None
        assert batch.message(0) == b"%d" % at


def test_full_memory_is_store_full_and_nothing_was_appended(
    open_log: Opened, own_redis: RedisServer
) -> None:
    log = open_log(own_redis.url)
    append(log, [b"a", b"b"], demo="1")
    with contextlib.closing(RedisLine(own_redis.url)) as line:
        line.call("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(StoreFull, match="maxmemory"):
            append(log, [b"c", b"d"], demo="2")
        line.call("CONFIG", "SET", "maxmemory", "0")
    assert log.end_offsets() == [1, 1]
    assert log.position("demo") == "1"
    append(log, [b"c", b"d"], demo="2")
    assert log.end_offsets() == [2, 2]


def test_an_emptied_redis_takes_nothing_more_and_says_so(
    open_log: Opened, own_redis: RedisServer
) -> None:
    log = open_log(own_redis.url)
    append(log, [b"a", b"b"])
    with contextlib.closing(RedisLine(own_redis.url)) as line:
        line.call("FLUSHALL")
        with pytest.raises(StoreCorrupt, match="emptied"):
            append(log, [b"c"])
        assert line.call("DBSIZE") == 0
    with pytest.raises(StoreCorrupt, match="end of the log is lost"):
        log.read(0, 1, 100)


def test_a_block_too_large_for_a_command_is_refused(
    open_log: Opened, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log(redis_url)
    monkeypatch.setattr(streams, "APPEND_BYTES_MAX", 1_000)
    with pytest.raises(UsageError, match="in parts"):
        append(log, [random.Random(1).randbytes(2_000)])
    assert log.end_offsets() == [0, 0]


def test_a_partition_that_does_not_exist_is_refused(open_log: Opened, redis_url: str) -> None:
    log = open_log(redis_url)
    block = MessageBlock.of([b"a"])
    for bad in ([2], [-1], [0, 1]):
        with pytest.raises(InvariantBroken):
            log.append(block, np.array(bad, dtype=np.int32), 1, {})
    with pytest.raises(InvariantBroken):
        log.read(2, 0, 100)
    with pytest.raises(InvariantBroken):
        log.trim(0, 0, [0])


def test_trimming_gives_memory_back(open_log: Opened, own_redis: RedisServer) -> None:
    log = open_log(own_redis.url)
    chance = random.Random(1)
    for at in range(300):
        append(log, [chance.randbytes(20_000)], at)
    with contextlib.closing(RedisLine(own_redis.url)) as line:
        before = line.call("INFO", "memory")["used_memory"]
        assert log.trim(290, 0, log.end_offsets()) == 290
        assert line.call("INFO", "memory")["used_memory"] < before - 4_000_000
        assert line.call("XLEN", log._reader.stream(0)) == 10
    assert log.start_offsets() == [290, 0]
    assert log.trim(0, 100_000, log.end_offsets()) == 6
    # What is kept by another partition's bound does not keep this one.
    append(log, [b"a", b"b"], 1_000)
    assert log.trim(2_000, 0, [0, 1]) == 1


def test_append_time_begins_at_zero(open_log: Opened, redis_url: str) -> None:
    log = open_log(redis_url)
    append(log, [b"a"], -5)
    batch = log.read(0, 0, 100)
    assert batch is not None
    assert batch.append_ms.tolist() == [0]


def test_two_writers_share_offsets(open_log: Opened, redis_url: str) -> None:
    one, two = open_log(redis_url), open_log(redis_url)
    for at in range(20):
        append((one, two)[at % 2], [b"%d" % at], at)
    batch = one.read(0, 0, 10_000)
    assert batch is not None
    assert batch.offsets.tolist() == list(range(20))
    assert [int(batch.message(at)) for at in range(20)] == list(range(20))


def test_all_keys_of_a_log_lie_in_one_slot(open_log: Opened, cluster_url: str) -> None:
    log = open_log(cluster_url, 5)
    append(log, [b"%d" % at for at in range(10)], demo="1")
    assert log.end_offsets() == [2] * 5
    assert log.read(4, 0, 100) is not None
    assert log.trim(2_000, 0, [2] * 5) == 10

import contextlib
from collections.abc import Iterator

import numpy as np
import pytest

from swapstats.adapters.redis.connection import RedisLine
from swapstats.adapters.redis.streams import RedisSwapLog
from swapstats.adapters.redis.streams_reader import ENTRIES_MAX, RedisSwapLogReader
from swapstats.errors import OffsetGone, StoreCorrupt, UsageError
from swapstats.model.record import MessageBlock


@pytest.fixture
def log(redis_url: str, prefix: str) -> Iterator[RedisSwapLog]:
    with contextlib.closing(RedisSwapLog(redis_url, prefix, 1)) as opened:
        for at in range(3 * ENTRIES_MAX):
            block = MessageBlock.of([b"%d" % at, b"%d again" % at])
            opened.append(block, np.zeros(2, dtype=np.int32), at, {})
        yield opened


@pytest.fixture
def reader(log: RedisSwapLog, redis_url: str, prefix: str) -> Iterator[RedisSwapLogReader]:
    with contextlib.closing(RedisSwapLogReader(redis_url, prefix)) as opened:
        yield opened


def test_no_log_there_is_said(redis_url: str, prefix: str) -> None:
    with pytest.raises(UsageError, match="start what writes it"):
        RedisSwapLogReader(redis_url, prefix)


def test_one_read_goes_over_many_entries(reader: RedisSwapLogReader) -> None:
    batch = reader.read(0, 1, 1 << 20)
    assert batch is not None
    assert batch.offsets.tolist() == list(range(1, 6 * ENTRIES_MAX))
    assert batch.append_ms.tolist() == [at // 2 for at in range(1, 6 * ENTRIES_MAX)]
    assert batch.message(0) == b"0 again"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("crc", "1"),
        ("group", b"xx"),
        ("count", "3"),
        ("raw_bytes", "7"),
        ("append_ms", ""),
        ("append_ms", "1000"),
    ],
)
def test_damage_is_found(
    redis_url: str, prefix: str, line: RedisLine, field: str, value: bytes | str
) -> None:
    with contextlib.closing(RedisSwapLog(redis_url, prefix, 1)) as log:
        log.append(MessageBlock.of([b"a"]), np.zeros(1, dtype=np.int32), 1_000, {})
    with contextlib.closing(RedisSwapLogReader(redis_url, prefix)) as reader:
        stream = reader.stream(0)
        ((entry_id, fields),) = line.call("XRANGE", stream, "-", "+")
        changed = {name.decode(): kept for name, kept in fields.items()} | {field: value}
        line.call("DEL", stream)
        line.call("XADD", stream, entry_id, *(one for pair in changed.items() for one in pair))
        if value == "1000":  # what was there before
            assert reader.read(0, 0, 100) is not None
            return
        with pytest.raises(StoreCorrupt, match="damaged"):
            reader.read(0, 0, 100)


def test_a_hole_is_found(reader: RedisSwapLogReader, line: RedisLine) -> None:
    stream = reader.stream(0)
    line.call("XDEL", stream, "5-1")
    with pytest.raises(StoreCorrupt, match="offset 4"):
        reader.read(0, 0, 1 << 20)
    assert reader.read(0, 6, 100) is not None
    line.call("DEL", stream)
    with pytest.raises(StoreCorrupt, match="nothing up to"):
        reader.read(0, 10, 100)


def test_a_log_trimmed_while_it_is_read_gives_what_was_found(
    log: RedisSwapLog, reader: RedisSwapLogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = reader._look
    calls = []

    def trimmed(*args: object, **more: object) -> object:
        calls.append(args)
        if len(calls) == 2:
            log.trim(1 << 60, 0, [100])
        return look(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(reader, "_look", trimmed)
    batch = reader.read(0, 0, 1 << 20)
    assert batch is not None
    assert batch.offsets.tolist() == list(range(len(batch)))
    assert 0 < len(batch) < 100
    with pytest.raises(OffsetGone, match="begins at 100"):
        reader.read(0, batch.next_offset, 100)

import contextlib
from collections.abc import Iterator

import msgspec
import pytest
from tests.adapters.redis.checkpoint_values import delta

from swapstats.adapters.redis.checkpoint_reader import (
    LAYOUT,
    RedisCheckpointReader,
    pack_row,
    row_crc,
)
from swapstats.adapters.redis.checkpoints import RedisCheckpointStore
from swapstats.adapters.redis.connection import RedisLine
from swapstats.errors import StoreCorrupt, StoreFormat
from swapstats.model.checkpoint import CHECKPOINT_FORMAT, CheckpointDelta


@pytest.fixture
def store(redis_url: str, prefix: str) -> Iterator[RedisCheckpointStore]:
    with contextlib.closing(RedisCheckpointStore(redis_url, prefix, epoch_unit_s=0)) as opened:
        opened.acquire(0)
        opened.save(delta(1, 1, {1: b"one", 2: b"two"}, b"t1"))
        opened.save(delta(2, 1, {2: b"zwei"}, b"t2"))
        yield opened


@pytest.fixture
def reader(redis_url: str, prefix: str) -> Iterator[RedisCheckpointReader]:
    with contextlib.closing(RedisCheckpointReader(redis_url, prefix)) as opened:
        yield opened


def newest_layer(reader: RedisCheckpointReader, at: int = -1) -> str:
    manifest = reader.manifest(0)[1]
    assert manifest is not None
    return reader.keys(0).layer(manifest.newest.layers[at])


def test_a_changed_byte_is_found(
    store: RedisCheckpointStore, reader: RedisCheckpointReader, line: RedisLine
) -> None:
    layer = newest_layer(reader)
    row = line.call("HGET", layer, "b2")
    line.call("HSET", layer, "b2", row[:-1] + b"?")
    with pytest.raises(StoreCorrupt, match="--rebuild"):
        reader.load(0)
    # The revision before does not read it.
    assert reader.load(0, previous=True) is not None


def test_a_row_in_another_place_is_found(
    store: RedisCheckpointStore, reader: RedisCheckpointReader, line: RedisLine
) -> None:
    layer = newest_layer(reader)
    line.call("HSET", layer, "b1", line.call("HGET", layer, "b2"))
    with pytest.raises(StoreCorrupt, match="b1"):
        reader.load(0)


@pytest.mark.parametrize("at", [0, -1])
def test_a_missing_row_or_layer_is_found(
    store: RedisCheckpointStore, reader: RedisCheckpointReader, line: RedisLine, at: int
) -> None:
    layer = newest_layer(reader, at)
    kept = line.call("DUMP", layer)
    line.call("HDEL", layer, "b2", "b1")
    with pytest.raises(StoreCorrupt, match="revision 2"):
        reader.load(0)
    line.call("DEL", layer)
    with pytest.raises(StoreCorrupt, match="revision 2"):
        reader.load(0)
    line.call("RESTORE", layer, 0, kept)
    assert reader.load(0) is not None


def test_a_damaged_manifest_is_found_and_a_full_revision_replaces_it(
    store: RedisCheckpointStore, reader: RedisCheckpointReader, line: RedisLine
) -> None:
    line.call("HSET", reader.keys(0).manifest, "body", b"xx")
    with pytest.raises(StoreCorrupt, match="manifest"):
        reader.load(0)
    with pytest.raises(StoreCorrupt, match="manifest"):
        store.save(delta(3, 1, {2: b"x"}))
    store.save(delta(3, 1, {2: b"x"}, full=True))
    found = reader.load(0)
    assert found is not None
    assert found.buckets == {2: b"x"}


def test_a_full_revision_replaces_what_is_damaged(
    store: RedisCheckpointStore,
    reader: RedisCheckpointReader,
    line: RedisLine,
    redis_url: str,
    prefix: str,
) -> None:
    line.call("HDEL", newest_layer(reader, 0), "b1")
    with contextlib.closing(RedisCheckpointStore(redis_url, prefix, epoch_unit_s=0)) as fresh:
        epoch = fresh.acquire(0)
        with pytest.raises(StoreCorrupt):
            fresh.save(delta(3, epoch, {2: b"x"}))
        fresh.save(delta(1, epoch, {2: b"x"}, full=True))
        fresh.save(delta(2, epoch, {3: b"y"}))
    found = reader.load(0)
    assert found is not None
    assert found.buckets == {2: b"x", 3: b"y"}


def test_newer_formats_are_refused(
    store: RedisCheckpointStore, reader: RedisCheckpointReader, line: RedisLine
) -> None:
    later = delta(3, 1)
    newer = msgspec.structs.replace(later.header, format=CHECKPOINT_FORMAT + 1)
    store.save(CheckpointDelta(newer, {}, b""))
    with pytest.raises(StoreFormat, match="newer version"):
        reader.load(0)
    assert reader.load(0, previous=True) is not None
    packed = msgspec.msgpack.encode({"layout": LAYOUT + 1, "something": "else"})
    body = pack_row(packed, row_crc(packed, 0, b"manifest"))
    line.call("HSET", reader.keys(0).manifest, "body", body)
    with pytest.raises(StoreFormat, match="layout"):
        reader.load(0, previous=True)

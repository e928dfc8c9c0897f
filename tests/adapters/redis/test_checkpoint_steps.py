import contextlib
from collections.abc import Iterator

import pytest
from tests.adapters.redis.checkpoint_values import header

from swapstats.adapters.redis.checkpoint_reader import (
    LayeredRevision,
    Manifest,
    RedisCheckpointReader,
    Row,
)
from swapstats.adapters.redis.checkpoint_steps import FOLD_BYTES_MAX, CheckpointSteps, _parts
from swapstats.adapters.redis.connection import FIELDS_MAX, RedisLine
from swapstats.errors import Fenced, Transient


@pytest.fixture
def reader(redis_url: str, prefix: str) -> Iterator[RedisCheckpointReader]:
    with contextlib.closing(RedisCheckpointReader(redis_url, prefix)) as opened:
        yield opened


def test_only_a_revision_that_builds_on_none_adopts_an_epoch(
    reader: RedisCheckpointReader, line: RedisLine
) -> None:
    steps = CheckpointSteps(reader, header(5, 9))
    with pytest.raises(Transient, match="full"):
        steps.begin(adopt=False)
    assert line.call("EXISTS", steps.keys.epoch) == 0
    stored, members = steps.begin(adopt=True)
    assert (stored.generation, stored.manifest, members) == (b"", None, set())
    assert line.call("GET", steps.keys.epoch) == b"9"
    with pytest.raises(Fenced):
        CheckpointSteps(reader, header(5, 8)).begin(adopt=True)
    assert line.call("GET", steps.keys.epoch) == b"9"


def test_a_fold_of_rows_that_are_gone_changes_nothing(
    reader: RedisCheckpointReader, line: RedisLine
) -> None:
    steps = CheckpointSteps(reader, header(1, 1))
    steps.begin(adopt=True)
    steps.upload("a", iter([(b"b1", b"one"), (b"b2", b"two")]))
    steps.upload("b", iter([(b"b1", b"old")]))
    with pytest.raises(Transient, match="missing"):
        steps.fold("a", "b", {b"b1": Row(0, 3, 0), b"b3": Row(0, 3, 0)})
    assert line.call("HGET", steps.keys.layer("b"), "b1") == b"old"
    steps.fold("a", "b", {b"b1": Row(0, 3, 0), b"b2": Row(0, 3, 0)})
    assert line.call("HMGET", steps.keys.layer("b"), "b1", "b2") == [b"one", b"two"]


def test_parts_of_a_fold_are_bounded_and_lose_nothing() -> None:
    rows = {b"b%d" % at: Row(0, size, at) for at, size in enumerate([1_000] * 3_000 + [5 << 20, 7])}
    found = list(_parts(rows))
    assert [name for part in found for name in part] == list(rows)
    for part in found:
        assert len(part) <= FIELDS_MAX
        assert sum(rows[name].size_bytes for name in part) <= FOLD_BYTES_MAX or len(part) == 1


def test_a_manifest_switches_only_from_what_was_read(reader: RedisCheckpointReader) -> None:
    """A switch that arrives late, after the owner has gone on, finds another generation."""
    steps = CheckpointSteps(reader, header(1, 1))
    stored, _ = steps.begin(adopt=True)
    manifest = Manifest(LayeredRevision(b"{}", (), 0, 0), None)
    generation = steps.switch(stored.generation, manifest)
    with pytest.raises(Transient, match="generation"):
        steps.switch(stored.generation, manifest)
    assert reader.manifest(0)[0] == generation
    assert steps.switch(generation, manifest) != generation

"""A directory opened for reading: beside a writer, without one, and never changing it."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from tests.roles.aggregator.rig import START_MS, swap
from tests.roles.replayed import replay_into

from swapstats.errors import UsageError
from swapstats.model.stats import WindowStats
from swapstats.roles.audit import Answer
from swapstats.wiring.embedded import EmbeddedStores
from swapstats.wiring.reading import EmbeddedReaders


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reading") / "data"
    replay_into(path, [swap(n, START_MS + n, f"T{n % 5}") for n in range(50)])
    return path


def test_shards_come_back_as_they_were(data_dir: Path) -> None:
    readers = EmbeddedReaders.open(data_dir)
    try:
        shards = list(readers.restore())
        assert [shard.config.partition for shard in shards] == [0, 1, 2]
        assert sum(shard.next_offset for shard in shards) == 50
        tokens = [token for shard in shards for token in shard.live_tokens()]
        assert sorted(tokens) == [f"T{n}" for n in range(5)]
        assert all(shard.config.event_clock for shard in shards)
        assert readers.auditor.config_of(shards[0]._header(), late="drop").refuses_late
    finally:
        readers.close()


def test_reading_changes_nothing(data_dir: Path) -> None:
    def digest() -> dict[str, str]:
        return {
            file.name: hashlib.sha256(file.read_bytes()).hexdigest()
            for file in data_dir.iterdir()
            if not file.name.endswith(("-shm", "-wal"))
        }

    before = digest()
    readers = EmbeddedReaders.open(data_dir)
    list(readers.restore())
    list(readers.dead_letters.scan())
    readers.close()
    assert digest() == before


def test_it_works_beside_the_writer(tmp_path: Path) -> None:
    stores = EmbeddedStores.open(tmp_path, 2, {"purpose": "test"})
    try:
        readers = EmbeddedReaders.open(tmp_path)
        assert list(readers.restore()) == [], "no checkpoint yet"
        assert readers.log.end_offsets() == [0, 0]
        assert readers.key == stores.key
        readers.close()
    finally:
        stores.close()


@pytest.mark.parametrize("made", [False, True], ids=["no directory", "an empty directory"])
def test_what_is_no_data_directory_is_refused(tmp_path: Path, made: bool) -> None:
    path = tmp_path / "none"
    if made:
        path.mkdir()
    with pytest.raises(UsageError, match=r"Expected a data directory, was .* --data-dir"):
        EmbeddedReaders.open(path)
    assert path.exists() == made
    assert not made or list(path.iterdir()) == []


def _answer_of(data_dir: Path, token: str) -> Answer:
    """What the checkpoint says of a token, as an answer."""
    readers = EmbeddedReaders.open(data_dir)
    try:
        for shard in readers.restore():
            stats = shard.stats(token)
            if stats is not None:
                windows = dict(zip(shard.config.spec.names, stats, strict=True))
                partition = shard.config.partition
                return Answer(token, partition, shard.next_offset, shard.t_ms, windows)
    finally:
        readers.close()
    raise AssertionError(token)


@pytest.mark.parametrize("plain", [False, True])
def test_an_answer_is_proved_or_told_what_the_log_says(data_dir: Path, plain: bool) -> None:
    right = _answer_of(data_dir, "T3")
    wrong = Answer(
        right.token,
        right.partition,
        right.offset,
        right.t_ms,
        {**right.windows, "5m": WindowStats(trades=1)},
    )
    earlier = Answer(right.token, right.partition, right.offset - 1, right.t_ms, right.windows)
    readers = EmbeddedReaders.open(data_dir)
    try:
        found = [
            readers.auditor.audit_answer(
                answer, grace_ms=120_000, late="apply", max_ahead_ms=None, plain=plain
            )
            for answer in (right, wrong, earlier)
        ]
    finally:
        readers.close()
    assert found[0].differences == ()
    assert {d.window for d in found[1].differences} == {"5m"}
    assert ("trades", 1, 10) in [(d.field, d.held, d.recounted) for d in found[1].differences]
    assert found[2].messages == right.offset - 1


@pytest.mark.parametrize("changes", [{"partition": 99}, {"windows": {"7m": WindowStats()}}])
def test_an_answer_of_another_service_is_refused(data_dir: Path, changes: dict[str, Any]) -> None:
    right = _answer_of(data_dir, "T3")
    values = {name: getattr(right, name) for name in Answer.__slots__} | changes
    readers = EmbeddedReaders.open(data_dir)
    try:
        with pytest.raises(UsageError):
            readers.auditor.audit_answer(
                Answer(**values), grace_ms=0, late="apply", max_ahead_ms=None, plain=False
            )
    finally:
        readers.close()

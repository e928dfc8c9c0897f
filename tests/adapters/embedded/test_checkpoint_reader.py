"""Loading damaged or newer checkpoints: never a mix, never wrong bytes in silence."""

import contextlib
import random
import sqlite3
import zlib
from pathlib import Path

import msgspec
import pytest

from swapstats.adapters.embedded.checkpoint_reader import EmbeddedCheckpointReader, row_crc
from swapstats.adapters.embedded.checkpoints import EmbeddedCheckpointStore
from swapstats.errors import StoreCorrupt, StoreError, StoreFormat
from swapstats.model.checkpoint import (
    CHECKPOINT_FORMAT,
    Checkpoint,
    CheckpointDelta,
    CheckpointHeader,
)

SEALED = "SELECT shard, revision, base, row_count, crc_sum FROM headers WHERE revision = 2"


def header(revision: int) -> CheckpointHeader:
    return CheckpointHeader(
        format=CHECKPOINT_FORMAT,
        shard=2,
        epoch=1,
        revision=revision,
        t_ms=1,
        newest_ms=0,
        complete_since_ms=0,
        next_offset=revision,
        min_bucket=10,
        token_count=0,
        step_ms=1,
        widths_ms=(1,),
        key_id="",
        clock="wall",
        counters={},
        reasons={},
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed store: revision 2 changed bucket 11 only."""
    path = tmp_path / "checkpoints.db"
    with contextlib.closing(EmbeddedCheckpointStore(path)) as store:
        assert store.acquire(2) == 1
        buckets = {number: b"%d one " % number * 400 for number in range(10, 16)}
        store.save(CheckpointDelta(header(1), buckets, b"tokens one"))
        store.save(CheckpointDelta(header(2), {11: b"11 two"}, b"tokens two"))
    return path


def damage(path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute(statement).rowcount == 1
        connection.commit()


def load(path: Path, *, previous: bool = False) -> Checkpoint | None:
    with contextlib.closing(EmbeddedCheckpointReader(path)) as reader:
        return reader.load(2, previous=previous)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE buckets SET data = x'00' WHERE bucket = 11 AND revision = 2", "bucket 11"),
        ("UPDATE buckets SET data = 'text' WHERE bucket = 11 AND revision = 2", "bucket 11"),
        ("UPDATE buckets SET bucket = 99 WHERE bucket = 11 AND revision = 2", "bucket 99"),
        ("UPDATE tokens SET data = x'00' WHERE revision = 2", "tokens of revision 2"),
        ("UPDATE headers SET header = x'00' WHERE revision = 2", "header of revision 2"),
        ("UPDATE headers SET base = 2 WHERE revision = 2", "header of revision 2"),
    ],
)
def test_damage_of_the_newest_is_named_and_the_previous_loads(
    path: Path, statement: str, found: str
) -> None:
    previous = load(path, previous=True)
    assert previous is not None
    damage(path, statement)
    with pytest.raises(StoreCorrupt, match=rf"shard 2 .*damaged {found} .*--rebuild"):
        load(path)
    assert load(path, previous=True) == previous


def test_lost_bucket_is_found(path: Path) -> None:
    damage(path, "DELETE FROM buckets WHERE bucket = 12")
    for previous in (False, True):
        with pytest.raises(StoreCorrupt, match=r"revision [12] .*Expected rows"):
            load(path, previous=previous)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM buckets WHERE bucket = 11 AND revision = 2",
        "DELETE FROM tokens WHERE revision = 2",
    ],
)
def test_row_with_an_older_one_or_none_in_its_stead_is_found(path: Path, statement: str) -> None:
    previous = load(path, previous=True)
    damage(path, statement)
    with pytest.raises(StoreCorrupt, match=r"revision 2 .*Expected rows"):
        load(path)
    assert load(path, previous=True) == previous


def test_newer_header_is_refused_by_its_format(path: Path) -> None:
    newer = msgspec.json.encode({"format": CHECKPOINT_FORMAT + 1, "unheard": "of"})
    with contextlib.closing(sqlite3.connect(path)) as connection:
        crc = row_crc(newer, *connection.execute(SEALED).fetchone())
        connection.execute(
            "UPDATE headers SET header = ?, crc = ? WHERE revision = 2", (newer, crc)
        )
        connection.commit()
    with pytest.raises(StoreFormat, match=f"was {CHECKPOINT_FORMAT + 1}"):
        load(path)
    assert load(path, previous=True) is not None


def test_header_that_is_none_is_corrupt(path: Path) -> None:
    data = b'{"format":1}'
    with contextlib.closing(sqlite3.connect(path)) as connection:
        crc = row_crc(data, *connection.execute(SEALED).fetchone())
        connection.execute(
            "UPDATE headers SET header = ?, crc = ? WHERE revision = 2",
            (data, crc),
        )
        connection.commit()
    with pytest.raises(StoreCorrupt, match="missing required field"):
        load(path)


def test_checksum_covers_bytes_and_place() -> None:
    places = [(1, 2, 3), (2, 1, 3), (1, 2, 4), (1, 3), (1, 2, 3, 4, 5), (1, 2, 3, 4, 6)]
    crcs = [row_crc(b"data", *place) for place in places]
    assert len({*crcs, row_crc(b"Data", 1, 2, 3), zlib.crc32(b"data")}) == len(places) + 2


def test_has_revisions(path: Path, tmp_path: Path) -> None:
    with contextlib.closing(EmbeddedCheckpointReader(path)) as reader:
        assert reader.has_revisions()
    with contextlib.closing(EmbeddedCheckpointStore(tmp_path / "new.db")) as store:
        store.acquire(0)
        assert not store.has_revisions()


def test_any_flipped_byte_is_found_or_gives_a_whole_revision(path: Path) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    intact = path.read_bytes()
    newest, previous = load(path), load(path, previous=True)
    outcomes = {"found": 0, "harmless": 0}
    for _ in range(300):
        damaged = bytearray(intact)
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        try:
            # A flip in the key of a header hides it: the one before it, or none, is the newest.
            assert load(path) in (newest, previous, None)
            outcomes["harmless"] += 1
        except StoreError:
            outcomes["found"] += 1
        finally:
            for leftover in path.parent.glob("checkpoints.db-*"):
                leftover.unlink()
    print(outcomes)
    assert min(outcomes.values()) > 0

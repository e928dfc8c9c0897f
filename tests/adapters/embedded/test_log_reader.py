"""Reading a damaged log: never wrong data in silence, and past the damage if asked to."""

import contextlib
import random
import sqlite3
from pathlib import Path

import numpy as np
import pytest
import zstandard

from swapstats.adapters.embedded.database import open_writer
from swapstats.adapters.embedded.log import EmbeddedSwapLog
from swapstats.adapters.embedded.log_reader import CorruptRange, EmbeddedSwapLogReader
from swapstats.adapters.embedded.log_schema import LOG_KIND, group_id
from swapstats.errors import InvariantBroken, StoreCorrupt, StoreError
from swapstats.model.record import MessageBlock

ROUNDS = 6
A_ROUND = 10


def message(partition: int, offset: int) -> bytes:
    return b'{"partition":%d,"offset":%d,"amount_usd":"12.5"}' % (partition, offset)


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    """A closed log of two partitions, ten records a group, sixty records a partition."""
    path = tmp_path / "log.db"
    with contextlib.closing(EmbeddedSwapLog(path, 2)) as log:
        for round_ in range(ROUNDS):
            offsets = range(round_ * A_ROUND, (round_ + 1) * A_ROUND)
            block = MessageBlock.of([message(part, at) for part in (0, 1) for at in offsets])
            partitions = np.repeat(np.array([0, 1], dtype=np.int32), A_ROUND)
            log.append(block, partitions, round_, {"demo": str(round_)})
    return path


def damage(path: Path, statement: str, *values: object) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute(statement, values).rowcount == 1
        connection.commit()


def read_unchecked(
    path: Path, partition: int, bytes_max: int
) -> tuple[dict[int, bytes], list[CorruptRange]]:
    found: dict[int, bytes] = {}
    corrupt: list[CorruptRange] = []
    offset = 0
    with contextlib.closing(EmbeddedSwapLogReader(path)) as reader:
        while (part := reader.read_unchecked(partition, offset, bytes_max)) is not None:
            assert part.next_offset > offset
            offset = part.next_offset
            corrupt += part.corrupt
            if part.batch is not None:
                found |= {
                    int(at): part.batch.message(index)
                    for index, at in enumerate(part.batch.offsets)
                }
    return found, corrupt


def merged(ranges: list[CorruptRange]) -> list[tuple[int, int, bool]]:
    """Neighbouring ranges of a kind as one: where they are cut depends on the read size."""
    found: list[tuple[int, int, bool]] = []
    for part in ranges:
        if found and found[-1][1:] == (part.first, part.readable):
            found[-1] = (found[-1][0], part.end, part.readable)
        else:
            found.append((part.first, part.end, part.readable))
    return found


WHOLE = {offset: message(0, offset) for offset in range(ROUNDS * A_ROUND)}
WITHOUT_20S = {offset: body for offset, body in WHOLE.items() if not 20 <= offset < 30}

UNREADABLE = {
    "payload cut": "UPDATE groups SET payload = substr(payload, 1, 9) WHERE id = ?",
    "payload of zeros": "UPDATE groups SET payload = zeroblob(length(payload)) WHERE id = ?",
    "payload of another kind": "UPDATE groups SET payload = 'x' WHERE id = ?",
    "too many counted": "UPDATE groups SET count = 11 WHERE id = ?",
    "nothing counted": "UPDATE groups SET count = 0 WHERE id = ?",
    "count of another kind": "UPDATE groups SET count = 'x' WHERE id = ?",
    "another size": "UPDATE groups SET raw_bytes = 1 << 50 WHERE id = ?",
    "row gone": "DELETE FROM groups WHERE id = ?",
}


@pytest.mark.parametrize("statement", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("bytes_max", [1, 700, 1 << 20])
def test_unreadable_group_is_refused_or_skipped(
    log_path: Path, statement: str, bytes_max: int
) -> None:
    damage(log_path, statement, group_id(0, 20))
    with contextlib.closing(EmbeddedSwapLogReader(log_path)) as reader:
        assert reader.read(0, 19, 1) is not None
        for offset in (0, 20, 25):
            with pytest.raises(StoreCorrupt, match=r"log\.db, partition 0, offset 2[05]"):
                reader.read(0, offset, 1 << 20)
        assert reader.read(0, 30, 1) is not None
    found, corrupt = read_unchecked(log_path, 0, bytes_max)
    assert found == WITHOUT_20S
    assert corrupt == [CorruptRange(20, 30, readable=False)]
    assert read_unchecked(log_path, 1, bytes_max)[1] == []


@pytest.mark.parametrize("bytes_max", [1, 700, 1 << 20])
def test_group_that_fails_its_checksum_but_reads_is_returned_as_suspect(
    log_path: Path, bytes_max: int
) -> None:
    with contextlib.closing(sqlite3.connect(log_path)) as connection:
        (payload,) = connection.execute(
            "SELECT payload FROM groups WHERE id = ?", (group_id(0, 20),)
        ).fetchone()
    raw = zstandard.ZstdDecompressor().decompress(payload)
    changed = raw.replace(b'"offset":23,"amount_usd":"12.5"', b'"offset":23,"amount_usd":"92.5"')
    assert changed != raw
    damage(
        log_path,
        "UPDATE groups SET payload = ? WHERE id = ?",
        zstandard.compress(changed, level=1),
        group_id(0, 20),
    )
    with (
        contextlib.closing(EmbeddedSwapLogReader(log_path)) as reader,
        pytest.raises(StoreCorrupt, match="checksum"),
    ):
        reader.read(0, 0, 1 << 20)
    found, corrupt = read_unchecked(log_path, 0, bytes_max)
    assert found == WHOLE | {23: message(0, 23).replace(b"12.5", b"92.5")}
    assert merged(corrupt) == [(20, 30, True)]


@pytest.mark.parametrize("bytes_max", [1, 700, 1 << 20])
def test_lost_first_and_last_groups_are_holes_too(log_path: Path, bytes_max: int) -> None:
    for offset in (0, 50):
        damage(log_path, "DELETE FROM groups WHERE id = ?", group_id(0, offset))
    found, corrupt = read_unchecked(log_path, 0, bytes_max)
    assert found == {offset: body for offset, body in WHOLE.items() if 10 <= offset < 50}
    assert merged(corrupt) == [(0, 10, False), (50, 60, False)]


def test_wrong_append_time_is_found(log_path: Path) -> None:
    damage(log_path, "UPDATE groups SET append_ms = append_ms + 1 WHERE id = ?", group_id(1, 0))
    with (
        contextlib.closing(EmbeddedSwapLogReader(log_path)) as reader,
        pytest.raises(StoreCorrupt, match="partition 1, offset 0"),
    ):
        reader.read(1, 0, 1)


def test_offset_beyond_the_end_says_the_end_is_lost(log_path: Path) -> None:
    with contextlib.closing(EmbeddedSwapLogReader(log_path)) as reader:
        assert reader.read(0, 60, 1) is None
        for read in (reader.read, reader.read_unchecked):
            with pytest.raises(StoreCorrupt, match="end of the log is lost"):
                read(0, 61, 1)
        with pytest.raises(InvariantBroken, match="below 2"):
            reader.read(2, 0, 1)


def test_any_flipped_byte_is_found_or_harmless(log_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    intact = log_path.read_bytes()
    outcomes = {"found": 0, "harmless": 0}
    for _ in range(300):
        damaged = bytearray(intact)
        at = chance.randrange(len(damaged))
        damaged[at] ^= 1 << chance.randrange(8)
        log_path.write_bytes(damaged)
        try:
            with contextlib.closing(EmbeddedSwapLogReader(log_path)) as reader:
                assert reader.end_offsets() == [60, 60]
                assert reader.start_offsets() == [0, 0]
                position = reader.position("demo")
                for partition in (0, 1):
                    batch = reader.read(partition, 0, 1 << 20)
                    assert batch is not None
                    assert batch.append_ms.tolist() == [at // A_ROUND for at in range(60)]
                    assert [batch.message(at) for at in range(60)] == [
                        message(partition, at) for at in range(60)
                    ]
            # A flip in the key of a small table hides the row: the source starts over, and what
            # it sends again is a duplicate.
            assert position in {"5", None}
            outcomes["harmless"] += 1
        except StoreError:
            outcomes["found"] += 1
        finally:
            for leftover in log_path.parent.glob("log.db-*"):
                leftover.unlink()
    print(outcomes)
    assert min(outcomes.values()) > 0


def test_a_log_that_was_killed_while_it_was_made_is_none_yet(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    open_writer(path, LOG_KIND, "process").close()
    with pytest.raises(StoreError, match="being made"):
        EmbeddedSwapLogReader(path)
    EmbeddedSwapLog(path, 2).close()
    with contextlib.closing(EmbeddedSwapLogReader(path)) as reader:
        assert reader.end_offsets() == [0, 0]

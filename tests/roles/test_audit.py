"""The audit: agrees with what is right, and finds exactly what is wrong."""

import sqlite3
import struct
from pathlib import Path

import pytest
from tests.roles.aggregator.rig import START_MS, swap
from tests.roles.replayed import copied, flip_cell, flip_message, mixed_stream, replay_into

from swapstats.core.kernels.records import CELL_WORDS
from swapstats.errors import KeyMismatch, StoreCorrupt
from swapstats.model.stats import WindowStats
from swapstats.roles.audit import Difference, ShardAudit, compare
from swapstats.wiring.reading import EmbeddedReaders

USD_WORD = 2
"""Place of the USD sum among the words of a cell."""
NOT_WRITTEN = "bytes are not what was written"
MODES = pytest.mark.parametrize("plain", [False, True], ids=["columns", "plain"])


def audits(data_dir: Path, *, plain: bool) -> list[ShardAudit]:
    readers = EmbeddedReaders.open(data_dir)
    try:
        return list(
            readers.auditor.audit(
                grace_ms=120_000,
                late="apply",
                max_ahead_ms=None,
                plain=plain,
                on_progress=lambda *_: None,
            )
        )
    finally:
        readers.close()


@pytest.fixture(scope="module")
def plain_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 swaps of 7 tokens over 3 partitions: 5 within 5m, 15 within 1h, all within 24h."""
    data_dir = tmp_path_factory.mktemp("audit") / "data"
    messages = [
        swap(n, START_MS + (n * 10_000 if n < 45 else 7_200_000 + n * 100_000), f"T{n % 7}")
        for n in range(60)
    ]
    replay_into(data_dir, messages)
    return data_dir


@MODES
@pytest.mark.parametrize("seed", range(3))
def test_a_replay_is_as_the_log_says(tmp_path: Path, seed: int, plain: bool) -> None:
    messages = mixed_stream(seed)
    replay_into(tmp_path / "data", messages)
    found = audits(tmp_path / "data", plain=plain)
    assert [audit.partition for audit in found] == [0, 1, 2]
    assert [(audit.differences, audit.damaged) for audit in found] == [((), ())] * 3
    assert sum(audit.messages for audit in found) == len(messages)
    assert sum(audit.tokens for audit in found) == 5
    assert len({audit.t_ms for audit in found}) == 1


def _cell(data_dir: Path, token: str) -> tuple[int, int, int]:
    """(partition, bucket, cell) of a token's newest cell."""
    readers = EmbeddedReaders.open(data_dir)
    try:
        for shard in readers.restore():
            number = shard.tokens.number(token)
            if number is None:
                continue
            checkpoint = readers.checkpoints.load(shard.config.partition)
            assert checkpoint is not None
            for bucket in sorted(checkpoint.buckets, reverse=True):
                blob = checkpoint.buckets[bucket]
                used, count, _ = struct.unpack_from("<III", blob)
                words = struct.unpack_from(f"<{CELL_WORDS * count}q", blob, 12 + 8 * used)
                for cell in range(count):
                    if words[CELL_WORDS * cell] & 0xFFFFFFFF == number:
                        return shard.config.partition, bucket, cell
    finally:
        readers.close()
    raise AssertionError(token)


@MODES
def test_one_flipped_amount_in_a_checkpoint_is_found_and_nothing_else(
    plain_dir: Path, tmp_path: Path, plain: bool
) -> None:
    data_dir = copied(plain_dir, tmp_path / "copy")
    token = "T3"  # its newest swap lies in every window but the narrowest
    partition, bucket, cell = _cell(data_dir, token)
    flip_cell(data_dir, partition, bucket, cell, USD_WORD)
    found = audits(data_dir, plain=plain)
    differences = [difference for audit in found for difference in audit.differences]
    assert {(d.partition, d.token) for d in differences} == {(partition, token)}
    inside = [
        name
        for name, width_ms in (("5m", 300_000), ("1h", 3_600_000), ("24h", 86_400_000))
        if bucket * 5_000 >= found[0].t_ms // 5_000 * 5_000 + 5_000 - width_ms
    ]
    assert inside[-2:] == ["1h", "24h"]
    assert [(d.window, d.field) for d in differences] == [
        (name, field) for name in inside for field in ("vol_usd", "sell_usd")
    ] or [(d.window, d.field) for d in differences] == [
        (name, field) for name in inside for field in ("vol_usd", "buy_usd")
    ]
    assert {d.held - d.recounted for d in differences} == {1}
    assert audits(plain_dir, plain=plain)[partition].differences == ()


def _place_of(data_dir: Path, needle: bytes) -> tuple[int, int, int]:
    """(partition, offset, end offset) of the message that holds some bytes."""
    readers = EmbeddedReaders.open(data_dir)
    try:
        for partition in range(readers.log.partition_count):
            batch = readers.log.read(partition, 0, 1 << 30)
            assert batch is not None
            for row in range(len(batch)):
                if needle in batch.message(row):
                    return partition, int(batch.offsets[row]), batch.next_offset
    finally:
        readers.close()
    raise AssertionError(needle)


@MODES
@pytest.mark.parametrize("repack", [True, False], ids=["right checksum", "wrong checksum"])
def test_one_flipped_digit_in_the_log_is_found_and_nothing_else(
    plain_dir: Path, tmp_path: Path, plain: bool, repack: bool
) -> None:
    data_dir = copied(plain_dir, tmp_path / "copy")
    partition, offset, _ = _place_of(data_dir, b'"x:T3:59"')  # 59 % 7 == 3
    first, last = flip_message(
        data_dir,
        partition,
        offset,
        b'"amount_token": "60"',
        b'"amount_token": "61"',
        repack=repack,
    )
    found = audits(data_dir, plain=plain)
    differences = [difference for audit in found for difference in audit.differences]
    assert differences == [
        Difference(partition, "T3", window, "vol_token", d.held, d.held + 10**18)
        for window, d in zip(("5m", "1h", "24h"), differences, strict=True)
    ]
    damaged = [sentence for audit in found for sentence in audit.damaged]
    if repack:
        assert damaged == []
    else:
        assert damaged == [
            f"partition {partition}, offsets {first} to {last}: {NOT_WRITTEN} (read all the same)"
        ]


@MODES
def test_a_group_that_cannot_be_read_is_named_and_what_it_held_differs(
    plain_dir: Path, tmp_path: Path, plain: bool
) -> None:
    data_dir = copied(plain_dir, tmp_path / "copy")
    partition, _, end = _place_of(data_dir, b'"x:T3:59"')
    with sqlite3.connect(data_dir / "log.db") as connection:
        connection.execute("UPDATE groups SET payload = x'00' WHERE id >> 44 = ?", (partition,))
    connection.close()
    found = audits(data_dir, plain=plain)[partition]
    assert found.damaged == (
        f"partition {partition}, offsets 0 to {end - 1}: {NOT_WRITTEN} (cannot be read)",
    )
    assert {d.field for d in found.differences} >= {"trades", "vol_token", "vol_usd"}
    assert {d.recounted for d in found.differences} == {0}


def test_a_log_shorter_than_the_checkpoint_is_an_error(plain_dir: Path, tmp_path: Path) -> None:
    data_dir = copied(plain_dir, tmp_path / "copy")
    for name in ("log.db", "log.db-wal", "log.db-shm"):
        (data_dir / name).unlink(missing_ok=True)
    replay_into(tmp_path / "short", [swap(n, START_MS, f"T{n}") for n in range(7)])
    copied(tmp_path / "short", tmp_path / "other")
    (tmp_path / "other" / "log.db").rename(data_dir / "log.db")
    with pytest.raises(StoreCorrupt, match=r"to reach offset .* long: copy a data directory while"):
        audits(data_dir, plain=False)


def test_without_the_hash_key_there_is_no_audit(plain_dir: Path, tmp_path: Path) -> None:
    data_dir = copied(plain_dir, tmp_path / "copy")
    (data_dir / "hash.key").unlink()
    with pytest.raises(KeyMismatch, match=r"hash\.key, found none"):
        audits(data_dir, plain=False)


def test_comparing_lists_each_number_that_differs() -> None:
    one = WindowStats(trades=1, buy=1, vol_usd=5, buy_usd=5)
    held = {"same": (one, one), "gone": (WindowStats(), one), "off": (one, one)}
    log_says = {"same": (one, one), "new": (one, one), "off": (one, WindowStats(trades=1, buy=1))}
    found = compare(7, ("a", "b"), held, log_says)
    assert [(d.token, d.window, d.field, d.held, d.recounted) for d in found] == [
        ("gone", "b", "vol_usd", 5, 0),
        ("gone", "b", "trades", 1, 0),
        ("gone", "b", "buy", 1, 0),
        ("gone", "b", "buy_usd", 5, 0),
        *(
            ("new", window, field, 0, value)
            for window in ("a", "b")
            for field, value in (("vol_usd", 5), ("trades", 1), ("buy", 1), ("buy_usd", 5))
        ),
        ("off", "b", "vol_usd", 5, 0),
        ("off", "b", "buy_usd", 5, 0),
    ]
    assert {d.partition for d in found} == {7}
    assert compare(0, ("a",), {}, {}) == ()

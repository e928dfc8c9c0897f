"""Data directories as a replay leaves them, and one flipped amount in a copy of one."""

import shutil
import sqlite3
import struct
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
import zstandard
from tests.roles.aggregator.rig import START_MS

from swapstats.adapters.embedded.checkpoints import EmbeddedCheckpointStore
from swapstats.adapters.embedded.groups import group_crc
from swapstats.adapters.embedded.log_schema import OFFSET_BITS
from swapstats.cli.replay import replay_command
from swapstats.core.kernels.records import CELL_WORDS
from swapstats.model.checkpoint import CheckpointDelta, CheckpointHeader
from swapstats.testing.wire_streams import StreamShape, bad_message, random_stream, shuffled

STEP_MS = 5_000


def mixed_stream(seed: int, count: int = 200) -> list[bytes]:
    """Repeats, removals before and after their adds, re-inclusions, bad lines: one a line."""
    rng = Random(seed)
    shape = StreamShape(swaps=count, start_ms=START_MS, span_ms=4_000_000, step_ms=STEP_MS)
    messages = shuffled(rng, random_stream(rng, shape))
    bad = (bad_message(rng, START_MS, START_MS) for _ in range(count // 10))
    # Under the event clock no time is too far ahead.
    messages += [message for reason, message in bad if reason != "too_far_ahead"]
    rng.shuffle(messages)
    one_line = [b" ".join(message.splitlines()) for message in messages]
    return [message for message in one_line if 0 < len(message) < 100_000]


def replay_into(data_dir: Path, messages: list[bytes], *, partitions: int = 3) -> Path:
    """Replay messages in this process; returns the report."""
    lines = data_dir.with_suffix(".ndjson")
    lines.write_bytes(b"".join(message + b"\n" for message in messages))
    report = data_dir.with_suffix(".report.json")
    replay_command(str(lines), data_dir=data_dir, report=report, partitions=partitions)
    return report


def copied(data_dir: Path, to: Path) -> Path:
    """Copy a directory nobody writes to."""
    shutil.copytree(data_dir, to)
    return to


def flip_cell(data_dir: Path, shard: int, bucket: int, cell: int, word: int) -> None:
    """Add 1 to one word of one cell of the newest checkpoint, with everything else right."""
    store = EmbeddedCheckpointStore(data_dir / "checkpoints.db")
    try:
        checkpoint = store.load(shard)
        assert checkpoint is not None
        blob = bytearray(checkpoint.buckets[bucket])
        used, cell_count, _ = struct.unpack_from("<III", blob)
        assert cell < cell_count
        at = 12 + 8 * used + 8 * (CELL_WORDS * cell + word)
        (value,) = struct.unpack_from("<q", blob, at)
        struct.pack_into("<q", blob, at, value + 1)
        header = next_header(checkpoint.header, epoch=store.acquire(shard))
        store.save(CheckpointDelta(header, {bucket: bytes(blob)}, b""))
    finally:
        store.close()


def next_header(header: CheckpointHeader, **changes: Any) -> CheckpointHeader:
    """Make the header of the next revision."""
    return msgspec.structs.replace(header, revision=header.revision + 1, **changes)


def flip_message(
    data_dir: Path, partition: int, offset: int, old: bytes, new: bytes, *, repack: bool
) -> tuple[int, int]:
    """Change bytes of one message in the log; returns the offsets of its group (first, last).

    Args:
        data_dir: where.
        partition: where.
        offset: where.
        old: bytes that occur once in the message.
        new: as many bytes.
        repack: with a right checksum, as if it had been written so.
    """
    assert len(old) == len(new)
    connection = sqlite3.connect(data_dir / "log.db", isolation_level=None)
    try:
        row_id, count, append_ms, raw_bytes, crc, payload = connection.execute(
            "SELECT id, count, append_ms, raw_bytes, crc, payload FROM groups "
            "WHERE id <= ? ORDER BY id DESC LIMIT 1",
            (partition << OFFSET_BITS | offset,),
        ).fetchone()
        base = row_id - (partition << OFFSET_BITS)
        assert base <= offset < base + count
        raw = bytearray(zstandard.ZstdDecompressor().decompress(payload))
        ends = 4 * count + np.cumsum(np.frombuffer(raw, "<u4", count))
        end = int(ends[offset - base])
        start = int(ends[offset - base - 1]) if offset > base else 4 * count
        message = bytes(raw[start:end])
        assert message.count(old) == 1
        raw[start:end] = message.replace(old, new)
        packed = zstandard.ZstdCompressor(level=1).compress(bytes(raw))
        if repack:
            crc = group_crc(partition, base, append_ms, count, raw_bytes, packed)
        connection.execute(
            "UPDATE groups SET payload = ?, crc = ? WHERE id = ?", (packed, crc, row_id)
        )
        return base, base + count - 1
    finally:
        connection.close()

"""Batches for the archive's tests: swaps of a few tokens, numbered by offset."""

import json
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from swapstats.adapters.clickhouse.engine import Engine
from swapstats.core.archive_rows import digest_of, read_rows
from swapstats.model.effects import ArchiveRows
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.ports.archive import ArchiveBatch, BatchNote

NOW_MS = time.time_ns() // 1_000_000
AMOUNT = "12345678901234567890.123456789012345678"
USD = "999999999999.999999"
HOUR_MS = 3_600_000


def message(offset: int, event_ms: int = NOW_MS, **fields: Any) -> bytes:
    """A swap of the largest amounts; `fields` replace or add others."""
    swap = {
        "schema_version": 1,
        "chain_id": 1,
        "tx_hash": f"0x{offset:064x}",
        "log_index": offset % 7,
        "token_address": f"0x{offset % 5:040x}",
        "token_symbol": f"T{offset % 5}",
        "venue": "uniswap-v3",
        "side": "buy" if offset % 2 else "sell",
        "amount_token": AMOUNT,
        "amount_usd": None if offset % 10 == 3 else USD,
        "event_time": event_ms,
    }
    return json.dumps(swap | fields).encode()


def batch_of(
    messages: list[bytes],
    *,
    first: int = 0,
    partition: int = 0,
    signs: Mapping[int, int] | None = None,
) -> ArchiveBatch:
    """A noted batch of consecutive records.

    Args:
        messages: one row each.
        first: offset of the first.
        partition: theirs.
        signs: sign by position, where it is not +1; 0 = late.
    """
    block = MessageBlock.of(messages)
    count = len(messages)
    records = RecordBatch(
        partition,
        np.arange(first, first + count, dtype=np.int64),
        np.full(count, NOW_MS, dtype=np.int64),
        block.buffer,
        block.bounds,
    )
    sign = np.array([(signs or {}).get(at, 1) for at in range(count)], dtype=np.int8)
    late = sign == 0
    rows = ArchiveRows(
        np.flatnonzero(~late).astype(np.int32),
        sign[~late],
        np.flatnonzero(late).astype(np.int32),
    )
    run = read_rows(records, rows)
    note = BatchNote(
        partition=partition,
        epoch=1,
        first_offset=first,
        next_offset=first + count,
        rows=int((~late).sum()),
        late_rows=int(late.sum()),
        digest=digest_of(run),
        steps=((first + count, NOW_MS),),
        noted_ms=NOW_MS,
    )
    return ArchiveBatch(note, run)


def plain_batch(count: int, *, first: int = 0, partition: int = 0) -> ArchiveBatch:
    """A batch of adds."""
    return batch_of(
        [message(offset) for offset in range(first, first + count)],
        first=first,
        partition=partition,
    )


def view_totals(engine: Engine, database: str, table: str) -> dict[str, Decimal]:
    """Sums of a view over everything."""
    names = ("trades", "buy", "sell", "unpriced", "vol_usd", "buy_usd", "sell_usd", "vol_token")
    sums = ", ".join(f"sum({name})" for name in names)
    (row,) = engine.rows(f"SELECT {sums} FROM `{database}`.`{table}`")
    return {name: Decimal(value) for name, value in zip(names, row, strict=True)}


def count_of(engine: Engine, database: str, table: str) -> int:
    """Rows of a table."""
    return int(engine.rows(f"SELECT count() FROM `{database}`.`{table}`")[0][0])

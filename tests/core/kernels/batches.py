"""Batches and columns for the tests of the core, made of swaps."""

from itertools import pairwise
from random import Random

import numpy as np
from numpy.typing import NDArray

from swapstats.core.columns import Columns
from swapstats.core.decode import decode
from swapstats.core.hash_key import HashKey
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.testing.wire_streams import WireSwap, spelled

KEY = HashKey.of(bytes(range(16)))
T0_MS = 1_704_412_800_000


def swap(number: int, at_ms: int = 0, **changed: object) -> WireSwap:
    """An event `at_ms` after T0_MS."""
    fields: dict[str, object] = {
        "event_id": f"e:{number}",
        "token_address": "t",
        "side": "buy",
        "amount_token": 10**18,
        "amount_usd": 2_000_000,
        "event_ms": T0_MS + at_ms,
    }
    return WireSwap(**(fields | changed))  # type: ignore[arg-type] # a table row fits the fields


def batch_of(
    messages: list[bytes], first_offset: int = 0, append_ms: int = T0_MS, partition: int = 0
) -> RecordBatch:
    """Messages as records appended at one moment."""
    block = MessageBlock.of(messages)
    count = len(messages)
    return RecordBatch(
        partition,
        np.arange(first_offset, first_offset + count, dtype=np.int64),
        np.full(count, append_ms, dtype=np.int64),
        block.buffer,
        block.bounds,
    )


def columns_of(*swaps: WireSwap) -> Columns:
    """Swaps, decoded."""
    return decode(batch_of([spelled(one) for one in swaps]), KEY, None)


def rows_of(*rows: int) -> NDArray[np.int32]:
    """Row numbers as kernels take them."""
    return np.array(rows, dtype=np.int32)


def every_row(columns: Columns) -> NDArray[np.int32]:
    """All rows of a batch."""
    return np.arange(len(columns.accepted), dtype=np.int32)


def cuts(rng: Random, count: int) -> list[tuple[int, int]]:
    """Part `count` records into random runs (from, to)."""
    edges = {0, count, *(rng.randrange(count + 1) for _ in range(rng.choice((0, 1, 3, count))))}
    ends = sorted(edges)
    return list(pairwise(ends))

"""Message bytes to columns: the fast kernel first, the plain decoder for what it leaves.

Never raises for a bad message: a message is either a row or a refusal.
"""

import numpy as np
from numpy.typing import NDArray

from swapstats.core.columns import Columns
from swapstats.core.hash_key import HashKey
from swapstats.core.kernels.intern import partition_of
from swapstats.core.kernels.scan import CHECK_MASK, SCRATCH_BYTES, scan
from swapstats.core.kernels.siphash import hash_bytes, hash_content
from swapstats.core.plain_decode import Refusal, Swap, decode_message
from swapstats.model.record import MessageBlock, RecordBatch
from swapstats.model.wire import EVENT_MS_MIN

_WORD = (1 << 64) - 1
_ZERO = np.uint64(0)
KEY_ROOM_BYTES = 24
"""Room for `<chain_id>:` before the address, for each message."""


def decode(batch: RecordBatch, key: HashKey, max_ahead_ms: int | None) -> Columns:
    """Decode one batch of records.

    Args:
        batch: raw messages.
        key: hash key.
        max_ahead_ms: how far event_time may be ahead of the append time; None = no bound.

    Returns:
        One row per record, refusals among them.
    """
    return _decode(batch.buffer, batch.bounds, batch.append_ms, key, max_ahead_ms)


def choose_partitions(
    block: MessageBlock, key: HashKey, partition_count: int, append_ms: int
) -> NDArray[np.int32]:
    """Choose the partition of each message by its token key.

    A message without a readable token key goes where its bytes lead: it must reach the log to
    be refused with a place and a reason.

    Returns:
        int32[n].
    """
    return partitions_of(decode_block(block, key, append_ms), block, partition_count)


def decode_block(block: MessageBlock, key: HashKey, append_ms: int) -> Columns:
    """Decode messages on their way into the log; nothing is refused for its time."""
    when = np.full(len(block), append_ms, dtype=np.int64)
    return _decode(block.buffer, block.bounds, when, key, None)


def partitions_of(columns: Columns, block: MessageBlock, partition_count: int) -> NDArray[np.int32]:
    """Choose partitions of a block that is decoded already; see `choose_partitions`."""
    partitions = np.empty(len(block), dtype=np.int32)
    partition_of(columns.keys, columns.key_start, columns.key_count, partition_count, partitions)
    if columns.refusals:
        rows = np.fromiter(columns.refusals, dtype=np.int64)
        chosen = np.empty(len(rows), dtype=np.int32)
        sizes = (block.bounds[rows + 1] - block.bounds[rows]).astype(np.int32)
        data = block.buffer if len(block.buffer) else np.zeros(1, dtype=np.uint8)
        partition_of(_readonly(data), block.bounds[rows], sizes, partition_count, chosen)
        partitions[rows] = chosen
    return partitions


def _readonly(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One array type for the compiler, whatever the buffer came from."""
    view = data.view()
    view.flags.writeable = False
    return view


def _decode(
    buffer: NDArray[np.uint8],
    bounds: NDArray[np.int64],
    append_ms: NDArray[np.int64],
    key: HashKey,
    max_ahead_ms: int | None,
) -> Columns:
    count = len(bounds) - 1
    size = int(bounds[-1] - bounds[0])
    columns = Columns.empty(count, size + KEY_ROOM_BYTES * count)
    left = scan(
        _readonly(buffer),
        bounds,
        append_ms,
        -1 if max_ahead_ms is None else max_ahead_ms,
        EVENT_MS_MIN,
        key.k0,
        key.k1,
        columns.keys,
        columns.key_start,
        columns.key_count,
        columns.symbol_start,
        columns.symbol_count,
        columns.token_hash,
        columns.fingerprint,
        columns.check,
        columns.event_ms,
        columns.side,
        columns.removed,
        columns.unpriced,
        columns.usd,
        columns.lo,
        columns.hi,
        columns.accepted,
        np.empty(SCRATCH_BYTES, dtype=np.uint8),
    )
    if left:
        _look_again(buffer, bounds, append_ms, key, max_ahead_ms, columns)
    columns.keys = _readonly(columns.keys)
    return columns


def _look_again(
    buffer: NDArray[np.uint8],
    bounds: NDArray[np.int64],
    append_ms: NDArray[np.int64],
    key: HashKey,
    max_ahead_ms: int | None,
    columns: Columns,
) -> None:
    """Decode plainly what the kernel was not sure of."""
    extra: list[bytes] = []
    extra_at = len(columns.keys)
    for row in np.flatnonzero(columns.accepted == 0).tolist():
        message = buffer[bounds[row] : bounds[row + 1]].tobytes()
        result = decode_message(message, int(append_ms[row]), max_ahead_ms)
        if isinstance(result, Refusal):
            columns.refusals[row] = (result.reason, result.detail)
            continue
        token_key = result.token_key.encode()
        columns.key_start[row] = extra_at
        columns.key_count[row] = len(token_key)
        extra.append(token_key)
        extra_at += len(token_key)
        columns.symbol_count[row] = 0
        if result.token_symbol:
            columns.symbols[row] = result.token_symbol
            columns.symbol_count[row] = len(result.token_symbol)
        _fill(columns, row, result, token_key, key)
    if extra:
        tail = np.frombuffer(b"".join(extra), dtype=np.uint8)
        columns.keys = np.concatenate((columns.keys, tail))


def _fill(columns: Columns, row: int, swap: Swap, token_key: bytes, key: HashKey) -> None:
    """Write one plainly decoded swap into its row."""
    token_hash = _hash(token_key, None, key)
    is_buy = swap.side == "buy"
    unpriced = swap.amount_usd is None
    usd = swap.amount_usd or 0
    lo = swap.amount_token & _WORD
    hi = swap.amount_token >> 64
    columns.token_hash[row] = token_hash
    columns.fingerprint[row] = max(1, int(_hash(swap.event_id.encode(), swap.inclusion, key)))
    columns.check[row] = (
        hash_content(
            token_hash,
            np.uint64(is_buy | (unpriced << 1)),
            np.uint64(lo),
            np.uint64(hi),
            np.uint64(usd),
            np.uint64(swap.event_ms),
            key.k0,
            key.k1,
        )
        & CHECK_MASK
    )
    columns.event_ms[row] = swap.event_ms
    columns.side[row] = is_buy
    columns.removed[row] = swap.removed
    columns.unpriced[row] = unpriced
    columns.usd[row] = usd
    columns.lo[row] = lo
    columns.hi[row] = hi
    columns.accepted[row] = 1


def _hash(text: bytes, suffix: int | None, key: HashKey) -> np.uint64:
    """Hash a text with the kernel the fast path uses."""
    data = _readonly(np.frombuffer(text, dtype=np.uint8))
    word = _ZERO if suffix is None else np.uint64(suffix)
    return np.uint64(hash_bytes(data, 0, len(text), word, suffix is not None, key.k0, key.k1))


def partition_of_key(token_key: str, partition_count: int) -> int:
    """Partition of one token key: what `choose_partitions` chooses for its messages."""
    text = token_key.encode()
    data = _readonly(np.frombuffer(text or b"\0", dtype=np.uint8))
    chosen = np.empty(1, dtype=np.int32)
    start = np.zeros(1, dtype=np.int64)
    partition_of(data, start, np.array([len(text)], dtype=np.int32), partition_count, chosen)
    return int(chosen[0])

"""Rows as one Arrow block: what both engines take in. Amounts go in as 128-bit integers."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from swapstats.adapters.clickhouse.extra import needed
from swapstats.adapters.clickhouse.schema import COLUMNS
from swapstats.core.archive_rows import RowColumns

COLUMN_NAMES: Final = tuple(name for name, _ in COLUMNS)
_WORD_BITS: Final = 64
_WORD: Final = (1 << _WORD_BITS) - 1
_MS_COLUMNS: Final = ("event_time", "ingested_time")


def arrow_block(rows: RowColumns, log_name: str) -> bytes:
    """Encode rows as an Arrow stream of one record batch, columns as in COLUMNS.

    Args:
        rows: of one log.
        log_name: its name.

    Raises:
        UsageError: pyarrow is not installed.
    """
    pa = needed("pyarrow")
    of_log = pa.array([log_name] * len(rows), pa.string())
    arrays = [of_log if name == "log" else _array(pa, rows, name) for name in COLUMN_NAMES]
    batch = pa.record_batch(arrays, names=list(COLUMN_NAMES))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _array(pa: Any, rows: RowColumns, name: str) -> Any:
    if name == "amount_token":
        return _decimals(pa, rows.amount_token, None, pa.decimal128(38, 18))
    if name == "amount_usd":
        known = np.array([value is not None for value in rows.amount_usd], dtype=np.bool_)
        values = [value or 0 for value in rows.amount_usd]
        return _decimals(pa, values, known, pa.decimal128(20, 6))
    if name in rows.texts:
        return pa.array(rows.texts[name], pa.string())
    numbers = rows.integers[name]
    if name in _MS_COLUMNS:
        return pa.array(numbers, pa.timestamp("ms", "UTC"))
    return pa.array(numbers.astype(_INTEGER_TYPES[name]))


_INTEGER_TYPES: Final = {
    "chain_id": np.uint64,
    "log_index": np.uint64,
    "block_number": np.uint64,
    "inclusion": np.uint64,
    "removed": np.bool_,
    "sign": np.int8,
    "partition": np.uint32,
    "offset": np.uint64,
}


def _decimals(pa: Any, values: list[int], known: NDArray[np.bool_] | None, kind: Any) -> Any:
    """Lay non-negative integers out as 128-bit words, the low one first."""
    words = np.empty((len(values), 2), dtype="<u8")
    words[:, 0] = [value & _WORD for value in values]
    words[:, 1] = [value >> _WORD_BITS for value in values]
    valid = None
    if known is not None and not known.all():
        valid = pa.py_buffer(np.packbits(known, bitorder="little").tobytes())
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(words)])

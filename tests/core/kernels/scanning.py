"""Running the scanner and its plain twin over the same messages."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.core.kernels.batches import KEY, T0_MS

from swapstats.core.columns import Columns
from swapstats.core.decode import KEY_ROOM_BYTES
from swapstats.core.kernels import scan as compiled
from swapstats.core.kernels.reference import scan as plain
from swapstats.model.wire import EVENT_MS_MIN

AHEAD_MS = 3_600_000
FIELDS = (
    "token_hash", "fingerprint", "check", "event_ms", "side", "removed", "unpriced", "usd", "lo",
    "hi",
)  # fmt: skip


def scanned(
    scan: Any, data: NDArray[np.uint8], bounds: NDArray[np.int64], ahead_ms: int = AHEAD_MS
) -> tuple[int, Columns]:
    """What one form makes of the messages."""
    count = len(bounds) - 1
    columns = Columns.empty(count, int(bounds[-1] - bounds[0]) + KEY_ROOM_BYTES * count)
    left = scan(
        data,
        bounds,
        np.full(count, T0_MS, dtype=np.int64),
        ahead_ms,
        EVENT_MS_MIN,
        KEY.k0,
        KEY.k1,
        columns.keys,
        columns.key_start,
        columns.key_count,
        columns.symbol_start,
        columns.symbol_count,
        *(getattr(columns, name) for name in FIELDS),
        columns.accepted,
        np.empty(compiled.SCRATCH_BYTES, dtype=np.uint8),
    )
    return left, columns


def row_of(columns: Columns, row: int, data: NDArray[np.uint8]) -> dict[str, object]:
    """One decoded row as values, wherever its texts are kept."""
    start = int(columns.symbol_start[row])
    symbol = data[start : start + int(columns.symbol_count[row])].tobytes()
    values: dict[str, object] = {name: int(getattr(columns, name)[row]) for name in FIELDS}
    return values | {"key": columns.key(row), "symbol": symbol}


def laid(messages: list[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Messages end to end; the last one ends where the buffer ends."""
    bounds = np.zeros(len(messages) + 1, dtype=np.int64)
    np.cumsum([len(message) for message in messages], out=bounds[1:])
    return np.frombuffer(b"".join(messages), dtype=np.uint8), bounds


def accepted(messages: list[bytes], ahead_ms: int = AHEAD_MS) -> list[int]:
    """Scan by both forms and return which messages the kernel took.

    What it took, the twin must have taken and read alike.
    """
    data, bounds = laid(messages)
    left, found = scanned(compiled.scan, data, bounds, ahead_ms)
    _, wanted = scanned(plain.scan, data, bounds, ahead_ms)
    taken = np.flatnonzero(found.accepted).tolist()
    assert left == len(messages) - len(taken)
    for row in taken:
        assert wanted.accepted[row], f"taken, but it is refused: {messages[row]!r}"
        mine, theirs = row_of(found, row, data), row_of(wanted, row, data)
        assert mine == theirs, f"read differently: {messages[row]!r}"
    return taken

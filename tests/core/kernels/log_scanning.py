"""Running the scanner of logs and its plain twin over the same lists."""

from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.core.evm.spelled_answers import REGISTRY

from swapstats.core.kernels.log_scan import (
    AT,
    BLOCKS,
    LAST_BLOCK,
    LEFT,
    OUT_BYTES,
    PLACE_COUNT,
    STATE,
    SWAPS,
)
from swapstats.core.kernels.log_swaps import LIMBS

OUT_BYTES_ROOM = 1 << 16
TABLES = REGISTRY.tables


def begun(at: int = 1) -> NDArray[np.int64]:
    """The state at the begin of a list."""
    state = np.zeros(STATE, dtype=np.int64)
    state[AT], state[LAST_BLOCK] = at, -1
    return state


def scanned(
    form: ModuleType,
    data: NDArray[np.uint8],
    state: NDArray[np.int64],
    rows: int = 64,
    out_bytes: int = OUT_BYTES_ROOM,
) -> dict[str, Any]:
    """What one form makes of the next logs of a list, as values."""
    out = np.zeros(out_bytes, dtype=np.uint8)
    swaps, blocks = np.empty((2, rows), dtype=np.int64)
    left = np.empty((rows, 3), dtype=np.int64)
    status = form.scan_logs(
        data,
        TABLES.topics,
        TABLES.events,
        TABLES.emitters,
        TABLES.venues,
        state,
        out,
        swaps,
        left,
        blocks,
        np.zeros(PLACE_COUNT, dtype=np.int64),
        np.zeros(LIMBS, dtype=np.uint64),
    )
    return {
        "status": status,
        "swaps": swaps[: state[SWAPS]].tolist(),
        "left": left[: state[LEFT]].tolist(),
        "blocks": blocks[: state[BLOCKS]].tolist(),
        "out": out[: state[OUT_BYTES]].tobytes(),
        "state": state.tolist(),
    }

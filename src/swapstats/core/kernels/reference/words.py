"""Plain twin of `kernels.words`."""

import numpy as np
from numpy.typing import NDArray


def load_word(data: NDArray[np.uint8], at: int) -> np.uint64:
    """Read eight bytes, the first one least significant."""
    return np.uint64(int.from_bytes(data[at : at + 8].tobytes(), "little"))

"""Reading eight bytes at once, the one thing the compiler cannot find by itself."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from swapstats.core.kernels.compiling import kernel


@intrinsic
def _load(typing_context: Any, data: Any, at: Any) -> tuple[Any, Callable[..., Any]]:  # noqa: ARG001
    """Compile to one unaligned little-endian 64-bit load."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        place = builder.gep(array.data, [args[1]])
        wide = builder.bitcast(place, cgutils.intp_t.as_pointer())
        return builder.load(wide, align=1)

    return types.uint64(data, types.int64), generate


@kernel
def load_word(data: NDArray[np.uint8], at: int) -> np.uint64:
    """Return `data[at:at + 8]` as a little-endian word; the caller keeps within bounds.

    Args:
        data: uint8[...], contiguous.
        at: first byte, 0 <= at <= len(data) - 8.
    """
    word: np.uint64 = _load(data, at)  # type: ignore[call-arg]  # the context is passed by the compiler
    return word

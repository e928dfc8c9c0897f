"""Running a kernel and its plain twin on the same arguments."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def own(argument: Any) -> Any:
    """A copy of an array that may be written; anything else as it is."""
    is_out = isinstance(argument, np.ndarray) and argument.flags.writeable
    return argument.copy() if is_out else argument


def agree(kernel: Any, twin: Any, *arguments: Any) -> Any:
    """Run the kernel on the arguments themselves and the twin on copies; all must come out equal.

    Returns:
        What the kernel returned; the arrays hold what it wrote.
    """
    copies = [own(argument) for argument in arguments]
    found = kernel(*arguments)
    wanted = twin(*copies)
    assert found == wanted
    for index, (one, other) in enumerate(zip(arguments, copies, strict=True)):
        if isinstance(one, np.ndarray):
            np.testing.assert_array_equal(one, other, err_msg=f"argument {index}")
    return found


def readonly(data: bytes) -> NDArray[np.uint8]:
    """Bytes as the engine hands them to kernels; one byte of room where there are none."""
    return np.frombuffer(data or b"\0", dtype=np.uint8)

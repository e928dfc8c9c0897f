"""Memory between two pages that may not be touched: a read outside of it would crash."""

import ctypes
import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

LIBC = ctypes.CDLL(None, use_errno=True)
PROT_NONE, PROT_ALL = 0, mmap.PROT_READ | mmap.PROT_WRITE

Lay = Callable[[bytes, bool], NDArray[np.uint8]]
"""Lays text at the begin of the memory, or at its end."""


@contextmanager
def guarded(pages: int = 1) -> Iterator[Lay]:
    """Make so many pages between two guards."""
    size, room = mmap.PAGESIZE, pages * mmap.PAGESIZE
    memory = mmap.mmap(-1, room + 2 * size)
    first = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    guards = [ctypes.c_void_p(first), ctypes.c_void_p(first + size + room)]

    def lay(text: bytes, at_end: bool) -> NDArray[np.uint8]:
        start = size + room - len(text) if at_end else size
        memory[start : start + len(text)] = text
        laid = np.frombuffer(memory, dtype=np.uint8, count=len(text), offset=start)
        laid.flags.writeable = False
        return laid

    for guard in guards:
        assert LIBC.mprotect(guard, size, PROT_NONE) == 0
    try:
        yield lay
    finally:
        for guard in guards:
            LIBC.mprotect(guard, size, PROT_ALL)

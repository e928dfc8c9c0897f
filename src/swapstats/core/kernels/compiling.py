"""How kernels are compiled: without the GIL, kept on disk, and without counting references.

Kernels allocate nothing, so nothing they pass on needs to be counted. The counts are atomic
additions around every call and every path out of it: a good part of a scanner's time. A kernel
that does allocate fails to compile, which is as it should be.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])
# `_nrt` is not in the compiler's published types, so the options are passed as a mapping.
_OPTIONS: Any = {"cache": True, "nogil": True, "_nrt": False}


def kernel(function: _Function) -> _Function:
    """Compile a function that Python calls."""
    compiled: _Function = njit(**_OPTIONS)(function)
    return compiled


def part(function: _Function) -> _Function:
    """Compile a function that kernels call; it becomes a piece of each of them."""
    compiled: _Function = njit(forceinline=True, **_OPTIONS)(function)
    return compiled

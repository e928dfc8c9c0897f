"""How kernels are compiled: without the GIL, without counting references, allocating nothing."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError
from numpy.typing import NDArray

from swapstats.core import kernels
from swapstats.core.kernels.compiling import kernel, part

APART = {"__init__", "compiling"}
NAMES = sorted({path.stem for path in Path(kernels.__path__[0]).glob("*.py")} - APART)


@part
def _twice(value: int) -> int:
    return 2 * value


@part
def _double_all(values: NDArray[np.int64]) -> None:
    for i in range(values.shape[0]):
        values[i] = _twice(values[i])


@kernel
def _sum_twice(values: NDArray[np.int64], table: NDArray[np.int64], row: int) -> int:
    _double_all(table[row])
    total = 0
    rest = values[1:]
    for i in range(rest.shape[0]):
        total += _twice(rest[i])
    return total


@kernel
def _lowest_half(words: NDArray[np.uint64]) -> int:
    return int(words.view(np.uint32)[0])


@kernel
def _allocates(count: int) -> int:
    return len(np.zeros(count, dtype=np.int64))


@kernel
def _joins(values: NDArray[np.int64]) -> int:
    return int((values + values)[0])


def test_parts_and_views_work() -> None:
    table = np.array([[1, 2], [3, 4]], dtype=np.int64)
    assert _sum_twice(np.array([100, 1, 2, 3], dtype=np.int64), table, 1) == 12
    assert table.tolist() == [[1, 2], [6, 8]]
    assert _lowest_half(np.array([(7 << 32) + 5], dtype=np.uint64)) == 5


def test_a_kernel_that_allocates_is_refused() -> None:
    with pytest.raises((NumbaError, RuntimeError)):
        _allocates(3)
    with pytest.raises((NumbaError, RuntimeError)):
        _joins(np.ones(2, dtype=np.int64))


@pytest.mark.parametrize("name", NAMES)
def test_every_kernel_is_compiled_this_way(name: str) -> None:
    module = import_module(f"swapstats.core.kernels.{name}")
    compiled = [
        value
        for value in vars(module).values()
        if isinstance(value, Dispatcher) and value.py_func.__module__ == module.__name__
    ]
    assert compiled
    for each in compiled:
        assert each.targetoptions["_nrt"] is False
        assert each.targetoptions["nogil"] is True

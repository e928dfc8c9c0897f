"""Every compiled function that others may call has a twin of the same name and arguments."""

import inspect
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from numba.core.registry import CPUDispatcher

MODULES = ("cells", "dedup", "fate", "intern", "scan", "siphash", "words")


def kernels(module: ModuleType) -> dict[str, CPUDispatcher]:
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, CPUDispatcher)
        and not name.startswith("_")
        and value.py_func.__module__ == module.__name__
    }


@pytest.mark.parametrize("name", MODULES)
def test_twins(name: str) -> None:
    compiled = import_module(f"swapstats.core.kernels.{name}")
    plain = import_module(f"swapstats.core.kernels.reference.{name}")
    found = kernels(compiled)
    assert found
    for function, kernel in found.items():
        twin = getattr(plain, function)
        assert inspect.signature(twin) == inspect.signature(kernel.py_func), function


def test_no_module_that_others_call_is_forgotten() -> None:
    """Parts of kernels are covered by the kernel that calls them."""
    source = Path(next(iter(import_module("swapstats").__path__)))
    kernels_folder = source / "core" / "kernels"
    called = {
        name
        for path in source.rglob("*.py")
        if kernels_folder not in path.parents
        for name in re.findall(r"swapstats\.core\.kernels(?:\.| import )(\w+)", path.read_text())
    }
    assert called
    assert called - {"reference"} <= set(MODULES)
    assert {path.stem for path in (kernels_folder / "reference").glob("[a-z]*.py")} == set(MODULES)

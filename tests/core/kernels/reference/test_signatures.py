"""Every compiled function that others may call has a twin of the same name and arguments."""

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from numba.core.registry import CPUDispatcher

MODULES = (
    "bucket_lists",
    "cell_index",
    "cells",
    "dedup",
    "fate",
    "intern",
    "log_scan",
    "log_swaps",
    "records",
    "rolling",
    "scan",
    "seal",
    "siphash",
    "words",
)
SOURCE = Path(next(iter(import_module("swapstats").__path__)))
KERNELS = SOURCE / "core" / "kernels"


def called_from_outside(name: str) -> set[str]:
    """Names that code outside the kernels takes from a module of kernels."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        if KERNELS in path.parents:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == f"swapstats.core.kernels.{name}":
                found |= {alias.name for alias in node.names}
    return found


def kernels(module: ModuleType) -> dict[str, CPUDispatcher]:
    """Public kernels of a module, and the parts of kernels that other code calls too."""
    called = called_from_outside(module.__name__.rpartition(".")[2])
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, CPUDispatcher)
        and not name.startswith("_")
        and value.py_func.__module__ == module.__name__
        and (name in called or not value.targetoptions.get("forceinline"))
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


def test_parts_that_other_code_calls_count_as_kernels() -> None:
    found = kernels(import_module("swapstats.core.kernels.records"))
    assert {"take", "entry_words"} <= set(found)
    assert "find_cell" not in kernels(import_module("swapstats.core.kernels.cell_index"))


def test_no_module_that_others_call_is_forgotten() -> None:
    """Parts of kernels are covered by the kernel that calls them."""
    called = {
        name
        for path in SOURCE.rglob("*.py")
        if KERNELS not in path.parents
        for line in re.findall(
            r"swapstats\.core\.kernels(?:\.| import )([\w, ]+)", path.read_text(encoding="utf-8")
        )
        for name in line.split(" import")[0].split(" as ")[0].split(", ")
    }
    assert {"bucket_lists", "cells", "dedup", "rolling", "seal"} <= called
    assert called - {"reference", "compiling"} <= set(MODULES)
    assert {path.stem for path in (KERNELS / "reference").glob("[a-z]*.py")} == set(MODULES)

"""Warming: every kernel is compiled with the types production uses, and nothing else is left."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from swapstats.warm import warm

_COUNT = """
import importlib, pkgutil
from numba.core.registry import CPUDispatcher
import swapstats.core.kernels as kernels
from swapstats.warm import warm
warm()
for info in pkgutil.iter_modules(kernels.__path__):
    module = importlib.import_module(f"{kernels.__name__}.{info.name}")
    for name, value in vars(module).items():
        if isinstance(value, CPUDispatcher) and value.py_func.__module__ == module.__name__:
            print(f"{info.name}.{name}", len(value.signatures), value.targetoptions.get("inline"))
"""


def test_every_kernel_is_compiled_once() -> None:
    """In a process of its own: other tests call kernels with types of their own."""
    done = subprocess.run(
        [sys.executable, "-c", _COUNT],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=dict(os.environ),
    )
    counted = [line.split() for line in done.stdout.splitlines()]
    assert len(counted) > 15
    called = {name: int(count) for name, count, inline in counted if inline != "always"}
    assert {name: count for name, count in called.items() if count == 0} == {}


def test_it_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    warm()
    assert list(tmp_path.iterdir()) == []

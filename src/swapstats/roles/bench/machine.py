"""The machine a benchmark runs on, and how to keep the process on one core of it."""

import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numba
import numpy as np

_CPU_INFO = Path("/proc/cpuinfo")
_STATUS = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Machine:
    """Where figures were taken.

    Attributes:
        cpu: model of the processor.
        cores: cores this process may use.
        load: load average over the last minute when the benchmark began; -1 = unknown.
        python: version.
        numba: version.
        numpy: version.
        msgspec: version.
        system: operating system and architecture.
    """

    cpu: str
    cores: int
    load: float
    python: str
    numba: str
    numpy: str
    msgspec: str
    system: str

    def line(self) -> str:
        """Write it as one line."""
        return (
            f"{self.cpu}, {self.cores} cores, load {self.load:.1f}, {self.system}, "
            f"Python {self.python}, numba {self.numba}, numpy {self.numpy}, "
            f"msgspec {self.msgspec}"
        )


def this_machine() -> Machine:
    """Describe the machine this runs on."""
    return Machine(
        cpu=_cpu_model(),
        cores=len(usable_cores()) or os.cpu_count() or 1,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else -1.0,
        python=platform.python_version(),
        numba=numba.__version__,
        numpy=np.__version__,
        msgspec=msgspec.__version__,
        system=f"{platform.system()} {platform.machine()}",
    )


def usable_cores() -> list[int]:
    """Cores this process may use, ascending; empty where the system does not tell."""
    if sys.platform != "linux":
        return []
    return sorted(os.sched_getaffinity(0))


@contextmanager
def on_one_core() -> Iterator[int | None]:
    """Keep this thread, and every thread begun meanwhile, on one core; gives its number.

    The last core is taken: the first ones serve most interrupts. None where the system cannot.
    """
    cores = usable_cores()
    if not cores:
        yield None
        return
    os.sched_setaffinity(0, {cores[-1]})
    try:
        yield cores[-1]
    finally:
        os.sched_setaffinity(0, set(cores))


def resident_bytes() -> tuple[int, int]:
    """Memory of this process in RAM: now, and the most it ever was; (0, 0) if unknown."""
    if not _STATUS.exists():
        return 0, 0
    found = {"VmRSS": 0, "VmHWM": 0}
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        name, _, rest = line.partition(":")
        if name in found:
            found[name] = int(rest.split()[0]) * 1024
    return found["VmRSS"], found["VmHWM"]


def _cpu_model() -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text(encoding="utf-8").splitlines():
            name, _, model = line.partition(":")
            if name.strip() == "model name":
                return model.strip()
    return platform.processor() or platform.machine()

import os
import subprocess
import sys
import threading

import pytest

from swapstats.roles.bench.machine import (
    on_one_core,
    this_machine,
    usable_cores,
)

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="asks the Linux kernel")


def test_the_machine_is_described() -> None:
    machine = this_machine()
    assert machine.cpu
    assert machine.cores >= 1
    assert machine.python == ".".join(str(part) for part in sys.version_info[:3])
    assert machine.cpu in machine.line()


@linux_only
def test_one_core_holds_for_threads_begun_meanwhile_and_ends() -> None:
    before = usable_cores()
    seen: list[set[int]] = []
    with on_one_core() as core:
        thread = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
        thread.start()
        thread.join()
        assert usable_cores() == [core]
    assert seen == [{core}]
    assert usable_cores() == before


@linux_only
def test_one_core_ends_after_an_error() -> None:
    before = usable_cores()
    with pytest.raises(KeyError), on_one_core():
        raise KeyError
    assert usable_cores() == before


@linux_only
def test_resident_memory_grows_by_what_is_written_to() -> None:
    """In a process of its own: elsewhere memory freed before may be written to again."""
    program = """
import numpy as np
from swapstats.roles.bench.machine import resident_bytes
before, _ = resident_bytes()
held = np.ones(8 << 20, dtype=np.uint64)
after, peak = resident_bytes()
assert after - before > held.nbytes * 0.9, (before, after)
assert peak >= after
"""
    subprocess.run([sys.executable, "-c", program], check=True)

"""The preprocessor in a thread: stopped with a saved state, or ended with a reason."""

import threading

import pytest
from tests.roles.preprocess.rig import Rig

from swapstats.errors import StoreFull
from swapstats.model.saved_state import SavedState
from swapstats.roles.preprocess.thread import PreprocessThread
from swapstats.testing.eventually import eventually
from swapstats.testing.faults import Fault, FaultPlan


def test_a_stop_leaves_a_state(rig: Rig) -> None:
    rig.write(b"a", b"b")
    ended = threading.Event()
    thread = PreprocessThread(rig.life(), ended.set)
    thread.join()  # it never began
    thread.start()
    eventually(lambda: len(rig.swaps()) == 2, 10_000, "both swaps")
    assert not ended.is_set()
    thread.stop()
    thread.join()
    assert ended.is_set()
    assert rig.states.load(0) == SavedState(1, 2, b"2")


def test_what_made_it_fail_is_raised_where_it_is_joined(rig: Rig) -> None:
    rig.plan = FaultPlan([Fault("log.commit", "full")])
    rig.write(b"a")
    ended = threading.Event()
    thread = PreprocessThread(rig.life(), ended.set)
    thread.start()
    assert ended.wait(10)
    with pytest.raises(StoreFull):
        thread.join()
    assert rig.states.load(0) is None

import numpy as np

from swapstats.core.kernels.fate import (
    APPLIED,
    CONFLICT,
    DEAD,
    DUPLICATE,
    FATE_COUNT,
    LATE,
    LATE_REFUSED,
    TOO_OLD,
)
from swapstats.core.late_duplicates import recognise


def test_only_what_no_set_was_asked_about_becomes_a_duplicate() -> None:
    fate = np.array(
        [APPLIED, TOO_OLD, TOO_OLD, LATE_REFUSED, LATE_REFUSED, CONFLICT, DEAD], dtype=np.uint8
    )
    counts = np.bincount(fate, minlength=FATE_COUNT + 1)
    counts[LATE] = 2
    known = np.array([True, True, False, True, False, True, True])
    assert recognise(known, fate, counts)
    assert fate.tolist() == [APPLIED, DUPLICATE, TOO_OLD, DUPLICATE, LATE_REFUSED, CONFLICT, DEAD]
    assert counts[:FATE_COUNT].tolist() == np.bincount(fate, minlength=FATE_COUNT).tolist()
    assert counts[LATE] == 1
    assert not recognise(known & (fate == DUPLICATE), fate, counts)

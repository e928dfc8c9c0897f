"""Sums by token: room, and tokens forgotten."""

import numpy as np

from swapstats.core.sums import Sums


def test_room_grows_and_keeps_what_is_there() -> None:
    sums = Sums(4, 2)
    sums.rolling[3, 1, 0] = 7
    sums.stamps[3] = 9
    sums.make_room(3)
    assert len(sums.stamps) == 4
    sums.make_room(5)
    assert len(sums.stamps) == len(sums.changed) == len(sums.cell_of) == len(sums.rolling) == 6
    assert (sums.rolling[3, 1, 0], sums.stamps[3]) == (7, 9)
    assert not sums.rolling[5].any()


def test_kept_tokens_move_up_and_nothing_counts_as_changed() -> None:
    sums = Sums(4, 1)
    sums.rolling[:, 0, 0] = [10, 11, 12, 13]
    sums.changed_count = 3
    sums.keep(np.array([1, 3]))
    assert sums.rolling[:, 0, 0].tolist() == [11, 13]
    assert (sums.changed_count, len(sums.stamps)) == (0, 2)
    assert not sums.stamps.any()
    before = sums.size_bytes
    sums.make_room(100)
    assert sums.size_bytes == 50 * before

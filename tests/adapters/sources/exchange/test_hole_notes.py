"""Holes over restarts."""

import pytest

from swapstats.adapters.sources.exchange.gap import Hole
from swapstats.adapters.sources.exchange.hole_notes import HOLES_KEPT, hole_note, read_holes
from swapstats.errors import Rejected


def hole(number: int) -> Hole:
    return Hole("BTCUSDT", number, number + 2, 3, "gone")


def test_the_newest_holes_come_back_in_their_order() -> None:
    notes: dict[str, str] = {}
    for number in range(3 * HOLES_KEPT // 2):
        notes.update(hole_note(hole(number), number))
    assert len(notes) == HOLES_KEPT
    found = read_holes(notes, 3 * HOLES_KEPT // 2)
    assert found == [hole(number) for number in range(HOLES_KEPT // 2, 3 * HOLES_KEPT // 2)]


def test_notes_may_lack_some() -> None:
    assert read_holes({}, 7) == []
    assert read_holes(hole_note(hole(3), 3), 5) == [hole(3)]


def test_notes_of_something_else() -> None:
    with pytest.raises(Rejected, match="Expected a note of a hole"):
        read_holes({"hole:0": "x"}, 1)

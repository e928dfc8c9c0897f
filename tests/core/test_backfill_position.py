"""Positions come back as they were; what is none is none."""

import pytest

from swapstats.core.backfill_position import BackfillPosition


def test_round_trip() -> None:
    position = BackfillPosition("x", "7", 9, 5, 1, 1, {"bad_side": 2}, 3, 4, 99, done=True)
    assert BackfillPosition.parse(position.text) == position
    assert position.refused_count == 2


@pytest.mark.parametrize("text", [None, "", "7", "{}", '{"input":"x","more":1}'])
def test_what_is_none(text: str | None) -> None:
    assert BackfillPosition.parse(text) is None

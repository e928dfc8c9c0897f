"""Positions, written and read again."""

import pytest

from swapstats.adapters.sources.exchange.position import (
    Missing,
    Position,
    read_position,
    write_position,
)
from swapstats.adapters.sources.exchange.venue import Mark
from swapstats.errors import Rejected


def test_a_position_comes_back() -> None:
    one = Position(
        venue="binance",
        last={"BTCUSDT": Mark(17, "17", 1_000)},
        seen={"X": ("a", "b")},
        missing={"BTCUSDT": Missing(1, 3)},
    )
    assert read_position(write_position(one), "binance") == one
    assert '"v":1' in write_position(one)


def test_none_is_a_new_one() -> None:
    assert read_position(None, "binance") == Position(venue="binance")


@pytest.mark.parametrize(
    "text",
    ["", "17", '{"BTCUSDT":17}', '{"venue":"kraken"}', '{"v":2,"venue":"binance"}', '{"v":1}'],
)
def test_positions_of_something_else(text: str) -> None:
    with pytest.raises(Rejected, match=r"Expected a position of binance.* empty data directory"):
        read_position(text, "binance")

"""Unified trades and markets of ccxt: taken as text, refused with a reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.sources.exchange.recorded import (
    assert_sound_or_refused,
    decimals,
    json_values,
    sides,
    times_ms,
)

from swapstats.adapters.sources.exchange.generic.unified import unified_markets, unified_trade
from swapstats.adapters.sources.exchange.venue import Market, VenueTrade
from swapstats.errors import Rejected

ROW: dict[str, object] = {
    "id": "735", "timestamp": 1723161255342, "symbol": "BTC/USDT", "side": "sell",
    "price": "61837.630", "amount": "0.02", "takerOrMaker": None, "info": {},
}  # fmt: skip


def test_a_trade() -> None:
    assert unified_trade(ROW, "BTC/USDT") == VenueTrade(
        "BTC/USDT", "735", 1723161255342, "61837.63", "0.02", "sell", 1723161255342
    )


@given(st.uuids(), decimals, decimals, sides, times_ms)
def test_any_trade(trade_id: object, price: str, amount: str, side: str, time_ms: int) -> None:
    row = dict(ROW, id=str(trade_id), price=price, amount=amount, side=side, timestamp=time_ms)
    assert unified_trade(row, "BTC/USDT") == VenueTrade(
        "BTC/USDT", str(trade_id), time_ms, price, amount, side, time_ms
    )


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("id", None, "'id' as text, was None"),
        ("id", "", "trade id of 1 to 64"),
        ("price", 0.1, "'price' as text, was 0.1"),
        ("amount", "-1", "amount in plain digits"),
        ("side", None, "'side' as text"),
        ("side", "long", "side 'buy' or 'sell'"),
        ("timestamp", None, "time in ms, was None"),
        ("timestamp", 1.5, "time in ms, was 1.5"),
        ("timestamp", -1, "between 0"),
    ],
)
def test_what_is_refused(field: str, value: object, why: str) -> None:
    with pytest.raises(Rejected, match=why):
        unified_trade(ROW | {field: value}, "BTC/USDT")
    with pytest.raises(Rejected):
        unified_trade({name: row for name, row in ROW.items() if name != field}, "BTC/USDT")


@given(st.sampled_from(sorted(ROW)), json_values)
def test_garbage_is_refused_with_a_reason(field: str, value: object) -> None:
    assert_sound_or_refused(lambda: [unified_trade(ROW | {field: value}, "BTC/USDT")])


def test_markets() -> None:
    listed: dict[str, dict[str, object]] = {
        "BTC/USDT": {"base": "BTC", "quote": "USDT", "spot": True},
        "1000PEPE/USDT": {"base": "1000PEPE", "quote": "USDT", "spot": True},
        "BTC/USDT:USDT": {"base": "BTC", "quote": "USDT", "spot": False},
    }
    assert unified_markets(listed, ["BTC/USDT", "1000PEPE/USDT"], "gate") == {
        "BTC/USDT": Market("BTC/USDT", "BTC", "USDT"),
        "1000PEPE/USDT": Market("1000PEPE/USDT", "PEPE", "USDT", 1_000),
    }
    for symbol in ("BTC/USDT:USDT", "ETH/USDT"):
        with pytest.raises(Rejected, match=f"spot symbols gate trades.*was '{symbol}'"):
            unified_markets(listed, [symbol], "gate")

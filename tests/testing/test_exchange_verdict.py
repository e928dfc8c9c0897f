"""What was given, held against what was played."""

from dataclasses import replace

import msgspec
import pytest
from tests.adapters.sources.exchange.played import made

from swapstats.errors import InvariantBroken
from swapstats.model.raw_event import ExchangeTrade
from swapstats.testing.exchange_replay import Recorded
from swapstats.testing.exchange_verdict import Collected, all_of


def collected(recording: list[Recorded]) -> Collected:
    got = Collected()
    got.trades = [
        ExchangeTrade(
            venue="binance", market=one.trade.market, trade_id=one.trade.trade_id, base="BTC",
            quote="USDT", price=one.trade.price, quantity=one.trade.quantity,
            side=one.trade.side, event_time=one.trade.time_ms,
        )
        for one in recording
    ]  # fmt: skip
    return got


def test_the_same_is_right_and_enough() -> None:
    recording = made(10)
    got = collected(recording)
    got.check(recording)
    assert all_of(recording)(got)
    assert got.counts == {"BTCUSDT": 10}


@pytest.mark.parametrize("fault", ["missing", "doubled", "price", "side", "order"])
def test_anything_else_is_wrong(fault: str) -> None:
    recording = made(10)
    got = collected(recording)
    if fault == "missing":
        del got.trades[3]
    elif fault == "doubled":
        got.trades.append(got.trades[3])
    elif fault == "order":
        got.trades.reverse()
    else:
        changed = {"price": "9"} if fault == "price" else {"side": "sell"}
        got.trades[3] = msgspec.structs.replace(got.trades[3], **changed)
    with pytest.raises(InvariantBroken, match="Expected"):
        got.check(recording)
    if fault == "order":
        got.check(recording, is_in_order=False)


def test_it_is_not_enough_without_the_last_one() -> None:
    recording = made(10)
    assert not all_of(recording)(collected(recording[:-1]))
    assert not all_of(recording)(collected([*recording[:-1], recording[0]]))


def test_trades_that_are_none_of_the_market_are_not_expected() -> None:
    recording = made(3)
    hidden = replace(
        recording[1], trade=msgspec.structs.replace(recording[1].trade, is_public=False)
    )
    collected([recording[0], recording[2]]).check([recording[0], hidden, recording[2]])

"""Coinbase's frames, recorded in 2021, and its REST answers, written by its documentation."""

import json
from collections import defaultdict
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.sources.exchange.recorded import (
    as_bytes,
    assert_sound_or_refused,
    decimals,
    garbage,
    numbers,
    padding,
    recorded_answer,
    recorded_frames,
    rfc3339,
    sides,
    times_ms,
)

from swapstats.adapters.sources.exchange.coinbase.parse import (
    parse_frame,
    parse_markets,
    parse_page,
)
from swapstats.adapters.sources.exchange.venue import Market, VenueTrade
from swapstats.errors import Rejected

CHANNELS_WITHOUT_TRADES = frozenset({"l2update", "snapshot", "ticker"})
MATCH = (
    '{"type":"match","trade_id":280232,"maker_order_id":"2a0da34e-61f7-4c36-88e5-c9dd15927b16",'
    '"taker_order_id":"3c82abaa-c01e-4608-be59-6a1e69742891","side":"sell","size":"985",'
    '"price":"0.00001305","product_id":"SKL-BTC","sequence":177100030,'
    '"time":"2021-04-17T16:43:37.089723Z"}'
)
TRADE = VenueTrade("SKL-BTC", "280232", 280232, "0.00001305", "985", "buy", 1618677817089)


def test_recorded_trades() -> None:
    """107 of them: each product's ids follow one another, and nothing is lost or rounded."""
    frames = [json.loads(frame) for frame in recorded_frames("COINBASE.ws.28.0")]
    matches = [frame for frame in frames if frame["type"] in {"match", "last_match"}]
    trades = [trade for match in matches for trade in parse_frame(json.dumps(match))]
    assert len(trades) == len(matches) == 107
    ids = defaultdict(list)
    for trade in trades:
        ids[trade.market].append(trade.order)
    assert len(ids) == 10
    for market, found in ids.items():
        assert found == list(range(found[0], found[0] + len(found))), market
    assert sum(Decimal(trade.price) * Decimal(trade.quantity) for trade in trades) == sum(
        Decimal(match["price"]) * Decimal(match["size"]) for match in matches
    )


def test_the_side_is_the_takers_as_recorded_tickers_say() -> None:
    """The ticker of a trade names the taker's side, the match the maker's."""
    frames = recorded_frames("COINBASE.ws.28.0")
    tickers = [json.loads(frame) for frame in frames if frame.startswith(b'{"type":"ticker"')]
    takers = {(tick["product_id"], str(tick["trade_id"])): tick["side"] for tick in tickers}
    found = {
        (trade.market, trade.trade_id): trade.side
        for frame in frames
        if frame.startswith((b'{"type":"match"', b'{"type":"last_match"'))
        for trade in parse_frame(frame)
    }
    assert found == takers
    assert set(found.values()) == {"buy", "sell"}


def test_recorded_frames_of_channels_that_nobody_asked_for_are_refused_with_a_reason() -> None:
    refused = 0
    for frame in recorded_frames("COINBASE.ws.28.0"):
        if json.loads(frame)["type"] in CHANNELS_WITHOUT_TRADES:
            with pytest.raises(Rejected, match="Expected a frame of Coinbase"):
                parse_frame(frame)
            refused += 1
    assert refused > 9_000


def test_recorded_products() -> None:
    markets = parse_markets(recorded_answer("COINBASE.0", b"/products"))
    assert len(markets) == 162
    assert markets["BTC-GBP"] == Market("BTC-GBP", "BTC", "GBP")
    assert all(name == f"{market.base}-{market.quote}" for name, market in markets.items())


def test_a_match() -> None:
    assert parse_frame(MATCH) == parse_frame(MATCH.encode()) == [TRADE]
    bought = MATCH.replace('"sell"', '"buy"').replace('"match"', '"last_match"')
    assert parse_frame(bought) == [msgspec.structs.replace(TRADE, side="sell")]


@pytest.mark.parametrize(
    "frame",
    [
        '{"type":"subscriptions","channels":[{"name":"matches","product_ids":["BTC-USD"]}]}',
        '{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD"}',
    ],
)
def test_documented_frames_without_a_trade(frame: str) -> None:
    assert parse_frame(frame) == []


def test_a_documented_error_is_told() -> None:
    frame = '{"type":"error","message":"Failed to subscribe","reason":"BTC-XYZ is not valid"}'
    with pytest.raises(Rejected, match=r"Failed to subscribe \(BTC-XYZ is not valid\)"):
        parse_frame(frame)


def test_a_documented_page() -> None:
    """Newest first, with the maker's side, the product in the address only."""
    body = (
        b'[{"time":"2021-04-17T16:43:37.089723Z","trade_id":280232,"price":"0.0000130500",'
        b'"size":"985.00000000","side":"sell"},'
        b'{"time":"2021-04-17T16:43:37.067586Z","trade_id":280231,"price":"0.00001303",'
        b'"size":"0.4","side":"buy"}]'
    )
    assert parse_page("SKL-BTC", body) == [
        TRADE,
        VenueTrade("SKL-BTC", "280231", 280231, "0.00001303", "0.4", "sell", 1618677817067),
    ]
    assert parse_page("SKL-BTC", b"[]") == []


@given(numbers, decimals, decimals, sides, times_ms, padding)
def test_a_stream_and_a_page_tell_the_same(
    trade_id: int, price: str, size: str, taker: str, time_ms: int, zeros: int
) -> None:
    """Round trip; a page may write the same numbers with more zeros."""
    row = {
        "type": "match", "trade_id": trade_id, "price": price, "size": size,
        "side": "sell" if taker == "buy" else "buy", "product_id": "BTC-USD",
        "time": rfc3339(time_ms),
    }  # fmt: skip
    expected = VenueTrade("BTC-USD", str(trade_id), trade_id, price, size, taker, time_ms)
    assert parse_frame(json.dumps(row)) == [expected]
    padded = dict(row, price=price + "0" * zeros * ("." in price))
    assert parse_page("BTC-USD", json.dumps([padded]).encode()) == [expected]


@given(garbage(MATCH))
def test_garbage_is_refused_with_a_reason(frame: str | bytes) -> None:
    body = as_bytes(frame)
    assert_sound_or_refused(lambda: parse_frame(frame))
    assert_sound_or_refused(lambda: parse_page("BTC-USD", body))
    assert_sound_or_refused(lambda: parse_page("BTC-USD", b"[%s]" % body))
    assert_sound_or_refused(lambda: parse_markets(body))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"type":' * 100_000, '{"a":' + "[" * 100_000])
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(Rejected):
        parse_frame(text)
    with pytest.raises(Rejected):
        parse_page("BTC-USD", text.encode())


@given(st.integers())
def test_ids_out_of_range_are_refused(trade_id: int) -> None:
    frame = MATCH.replace("280232", str(trade_id))
    if 0 <= trade_id < 2**63:
        assert parse_frame(frame)[0].order == trade_id
    else:
        with pytest.raises(Rejected):
            parse_frame(frame)

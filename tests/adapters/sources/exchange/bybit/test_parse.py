"""Bybit's frames and REST answers, written by its documentation: nothing of v5 was recorded."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.sources.exchange.recorded import (
    as_bytes,
    assert_sound_or_refused,
    decimals,
    garbage,
    sides,
    times_ms,
)

from swapstats.adapters.sources.exchange.bybit.parse import parse_frame, parse_markets, parse_page
from swapstats.adapters.sources.exchange.venue import Market, VenueTrade
from swapstats.errors import Rejected, Transient

FRAME = (
    '{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1672304486868,"data":['
    '{"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick",'
    '"i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false,"seq":1783284617}]}'
)
TRADE = VenueTrade(
    "BTCUSDT", "20f43950-d8dd-5b31-9112-a178eb6023af", 1672304486865, "16578.5", "0.001", "buy",
    1672304486865,
)  # fmt: skip


def test_a_documented_frame() -> None:
    assert parse_frame(FRAME) == parse_frame(FRAME.encode()) == [TRADE]


@pytest.mark.parametrize(
    "frame",
    [
        '{"success":true,"ret_msg":"subscribe","conn_id":"2324d924-aa4d","op":"subscribe"}',
        '{"success":true,"ret_msg":"pong","conn_id":"0970e817-426e","req_id":"","op":"ping"}',
    ],
)
def test_documented_frames_without_a_trade(frame: str) -> None:
    assert parse_frame(frame) == []


def test_a_documented_error_is_told() -> None:
    frame = (
        '{"success":false,"ret_msg":"Invalid symbol :[publicTrade.BTCXYZ]","conn_id":"0970e817",'
        '"req_id":"","op":"subscribe"}'
    )
    with pytest.raises(Rejected, match=r"Invalid symbol :\[publicTrade.BTCXYZ\]"):
        parse_frame(frame)


def test_a_documented_page() -> None:
    page = (
        b'{"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[{"execId":'
        b'"2100000000007764263","symbol":"BTCUSDT","price":"16618.49","size":"0.00012000",'
        b'"side":"Buy","time":"1672052955758","isBlockTrade":false,"isRPITrade":true,'
        b'"seq":"123456"}]},"retExtInfo":{},"time":1672053054358}'
    )
    assert parse_page("BTCUSDT", page) == [
        VenueTrade(
            "BTCUSDT", "2100000000007764263", 1672052955758, "16618.49", "0.00012", "buy",
            1672052955758,
        )
    ]  # fmt: skip
    with pytest.raises(Rejected, match="Expected trades of ETHUSDT, was one of BTCUSDT"):
        parse_page("ETHUSDT", page)


def test_a_page_that_is_refused() -> None:
    with pytest.raises(Transient, match="Too many visits"):
        parse_page("BTCUSDT", b'{"retCode":10006,"retMsg":"Too many visits!","result":{}}')
    with pytest.raises(Rejected, match=r"Not supported symbols \(10001\)"):
        parse_page("BTCXYZ", b'{"retCode":10001,"retMsg":"Not supported symbols","result":{}}')


def test_a_documented_list_of_instruments() -> None:
    body = (
        b'{"retCode":0,"retMsg":"OK","result":{"category":"spot","list":[{"symbol":"BTCUSDT",'
        b'"baseCoin":"BTC","quoteCoin":"USDT","innovation":"0","status":"Trading"},'
        b'{"symbol":"1000SATSUSDT","baseCoin":"1000SATS","quoteCoin":"USDT"}]},"time":1}'
    )
    assert parse_markets(body) == {
        "BTCUSDT": Market("BTCUSDT", "BTC", "USDT"),
        "1000SATSUSDT": Market("1000SATSUSDT", "SATS", "USDT", 1_000),
    }


@given(st.uuids(), decimals, decimals, sides, times_ms)
def test_a_stream_and_a_page_tell_the_same(
    trade_id: object, price: str, size: str, side: str, time_ms: int
) -> None:
    """Round trip, by both ways of writing."""
    expected = VenueTrade("BTCUSDT", str(trade_id), time_ms, price, size, side, time_ms)
    row = {
        "T": time_ms, "s": "BTCUSDT", "S": side.title(), "v": size, "p": price,
        "i": str(trade_id), "BT": False, "RPI": False, "seq": 7,
    }  # fmt: skip
    frame = {"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": time_ms, "data": [row, row]}
    assert parse_frame(json.dumps(frame)) == [expected, expected]
    listed = {
        "execId": str(trade_id), "symbol": "BTCUSDT", "price": price, "size": size,
        "side": side.title(), "time": str(time_ms), "isBlockTrade": False, "seq": "7",
    }  # fmt: skip
    page = {"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "list": [listed]}}
    assert parse_page("BTCUSDT", json.dumps(page).encode()) == [expected]


@given(garbage(FRAME))
def test_garbage_is_refused_with_a_reason(frame: str | bytes) -> None:
    body = as_bytes(frame)
    wrapped = b'{"retCode":0,"result":{"list":%s}}' % body
    assert_sound_or_refused(lambda: parse_frame(frame))
    for answer in (body, wrapped):
        assert_sound_or_refused(lambda answer=answer: parse_page("BTCUSDT", answer))  # type: ignore[misc]
        assert_sound_or_refused(lambda answer=answer: parse_markets(answer))  # type: ignore[misc]


def test_deep_nesting_is_refused() -> None:
    for text in ("[" * 100_000, '{"data":' * 100_000):
        with pytest.raises(Rejected):
            parse_frame(text)
        with pytest.raises(Rejected):
            parse_page("BTCUSDT", text.encode())

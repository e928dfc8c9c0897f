"""Kraken's frames of v2 and its REST answers, written by its documentation.

Its trades were not recorded: the recordings at hand are of v1, whose trades have no ids. The list
of pairs and the frames of other kinds are real ones, of 2021.
"""

import json

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
    recorded_answer,
    recorded_frames,
    rfc3339,
    sides,
    times_ms,
)

from swapstats.adapters.sources.exchange.kraken.parse import (
    parse_frame,
    parse_markets,
    parse_page,
    rest_pair,
)
from swapstats.adapters.sources.exchange.venue import Market, VenueTrade
from swapstats.errors import Rejected, Transient

UPDATE = (
    '{"channel":"trade","type":"update","data":['
    '{"symbol":"MATIC/USD","side":"buy","price":0.5147,"qty":6423.46326,"ord_type":"limit",'
    '"trade_id":4665846,"timestamp":"2023-09-25T07:48:36.925533Z"},'
    '{"symbol":"MATIC/USD","side":"sell","price":0.5147,"qty":1e-8,"ord_type":"market",'
    '"trade_id":4665847,"timestamp":"2023-09-25T07:49:36.925603Z"}]}'
)
PAGE = (
    '{"error":[],"result":{"XXBTZUSD":['
    '["30243.40000","0.34507674",1688669597.8277369,"b","m","",61044952],'
    '["30243.30000","0.00376960",1688669598.2804112,"s","l","",61044953]],'
    '"last":"1688671969993150842"}}'
)


def test_a_documented_update() -> None:
    """Several trades in a frame; prices are JSON numbers and keep every digit."""
    bought, sold = parse_frame(UPDATE)
    assert parse_frame(UPDATE.encode()) == [bought, sold]
    assert bought == VenueTrade(
        "MATIC/USD", "4665846", 4665846, "0.5147", "6423.46326", "buy", 1695628116925
    )
    assert (sold.quantity, sold.side) == ("0.00000001", "sell")
    digits = UPDATE.replace("6423.46326", "123456789012345.123456789012345678")
    assert parse_frame(digits)[0].quantity == "123456789012345.123456789012345678"
    assert parse_frame(UPDATE.replace("update", "snapshot")) == [bought, sold]


@pytest.mark.parametrize(
    "frame",
    [
        '{"channel":"heartbeat"}',
        '{"channel":"status","type":"update","data":[{"api_version":"v2","system":"online"}]}',
        '{"method":"subscribe","result":{"channel":"trade","symbol":"BTC/USD"},"success":true}',
        '{"method":"pong","time_in":"2023-09-24T14:10:23.799685Z"}',
    ],
)
def test_documented_frames_without_a_trade(frame: str) -> None:
    assert parse_frame(frame) == []


def test_a_documented_error_is_told() -> None:
    frame = (
        '{"error":"Currency pair not supported BTC/XYZ","method":"subscribe","success":false,'
        '"symbol":"BTC/XYZ","time_in":"2023-09-25T09:21:10.428340Z"}'
    )
    with pytest.raises(Rejected, match="Currency pair not supported BTC/XYZ"):
        parse_frame(frame)


def test_a_documented_page() -> None:
    """Oldest first, seconds with a fraction, a letter for the side, the pair by another name."""
    assert parse_page("BTC/USD", PAGE.encode()) == [
        VenueTrade("BTC/USD", "61044952", 61044952, "30243.4", "0.34507674", "buy", 1688669597827),
        VenueTrade("BTC/USD", "61044953", 61044953, "30243.3", "0.0037696", "sell", 1688669598280),
    ]
    assert parse_page("BTC/USD", b'{"error":[],"result":{"XXBTZUSD":[],"last":"16"}}') == []


def test_a_page_that_is_refused() -> None:
    with pytest.raises(Transient, match="EAPI:Rate limit exceeded"):
        parse_page("BTC/USD", b'{"error":["EAPI:Rate limit exceeded"]}')
    with pytest.raises(Transient, match="EService:Unavailable"):
        parse_page("BTC/USD", b'{"error":["EService:Unavailable"]}')
    with pytest.raises(Rejected, match="EQuery:Unknown asset pair"):
        parse_page("BTC/USD", b'{"error":["EQuery:Unknown asset pair"]}')


def test_recorded_pairs() -> None:
    """Names of v2 by table; every pair is found again under its REST name; dark pools are out."""
    body = recorded_answer("KRAKEN.0", b"AssetPairs")
    markets = parse_markets(body)
    assert markets["BTC/USD"] == Market("BTC/USD", "BTC", "USD")
    assert markets["DOGE/EUR"] == Market("DOGE/EUR", "DOGE", "EUR")
    assert markets["ETH/BTC"] == Market("ETH/BTC", "ETH", "BTC")
    listed = json.loads(body)["result"]
    named = {pair["altname"] for pair in listed.values() if "wsname" in pair}
    assert {rest_pair(symbol) for symbol in markets} == named
    assert len(markets) == len(named) == 293
    assert not any("XBT" in name or "XDG" in name for name in markets)


def test_recorded_frames_of_v1_are_refused_with_a_reason() -> None:
    frames = recorded_frames("KRAKEN.ws.50.0")
    assert len(frames) > 4_000
    for frame in frames:
        with pytest.raises(Rejected, match="Expected a frame of Kraken"):
            parse_frame(frame)


@given(numbers, decimals, decimals, sides, times_ms)
def test_a_stream_and_a_page_tell_the_same(
    trade_id: int, price: str, qty: str, side: str, time_ms: int
) -> None:
    """Round trip, by both ways of writing."""
    expected = VenueTrade("BTC/USD", str(trade_id), trade_id, price, qty, side, time_ms)
    row = (
        f'{{"symbol":"BTC/USD","side":"{side}","price":{price},"qty":{qty},"ord_type":"limit",'
        f'"trade_id":{trade_id},"timestamp":"{rfc3339(time_ms)}"}}'
    )
    frame = f'{{"channel":"trade","type":"update","data":[{row},{row}]}}'
    assert parse_frame(frame) == [expected, expected]
    listed = (
        f'["{price}","{qty}",{time_ms // 1000}.{time_ms % 1000:03d}7891,"{side[0]}","l","",'
        f"{trade_id}]"
    )
    page = f'{{"error":[],"result":{{"XXBTZUSD":[{listed}],"last":"{time_ms}000000"}}}}'
    assert parse_page("BTC/USD", page.encode()) == [expected]


@given(garbage(UPDATE) | garbage(PAGE))
def test_garbage_is_refused_with_a_reason(frame: str | bytes) -> None:
    body = as_bytes(frame)
    assert_sound_or_refused(lambda: parse_frame(frame))
    assert_sound_or_refused(lambda: parse_page("BTC/USD", body))
    assert_sound_or_refused(lambda: parse_markets(body))


@given(st.integers())
def test_ids_out_of_range_are_refused(trade_id: int) -> None:
    frame = UPDATE.replace("4665846", str(trade_id))
    if 0 <= trade_id < 2**63:
        assert parse_frame(frame)[0].order == trade_id
    else:
        with pytest.raises(Rejected):
            parse_frame(frame)


def test_deep_nesting_is_refused() -> None:
    for text in ("[" * 100_000, '{"data":' * 100_000):
        with pytest.raises(Rejected):
            parse_frame(text)
        with pytest.raises(Rejected):
            parse_page("BTC/USD", text.encode())


def test_trades_are_not_read_through_a_float() -> None:
    """0.1 + 0.2 is no price anybody sends; 17 digits are."""
    frame = UPDATE.replace("0.5147", "0.30000000000000004")
    assert parse_frame(frame)[0].price == "0.30000000000000004"
    assert float("0.30000000000000004999") == 0.30000000000000004
    frame = UPDATE.replace("0.5147", "0.30000000000000004999")
    assert parse_frame(frame)[0] == msgspec.structs.replace(
        parse_frame(UPDATE)[0], price="0.30000000000000004999"
    )

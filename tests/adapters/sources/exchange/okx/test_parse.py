"""OKX's frames and REST answers, written by its documentation; recorded ones where they are.

The recordings (channel `trades`, May 2022, before it put trades together) are not among the data
that most tests use: these tests are skipped without them.
"""

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
    recorded_answer,
    recorded_frames,
    sides,
    times_ms,
)

from swapstats.adapters.sources.exchange.okx.parse import parse_frame, parse_markets, parse_page
from swapstats.adapters.sources.exchange.venue import Market, VenueTrade
from swapstats.errors import Rejected, Transient

FRAME = (
    '{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT",'
    '"tradeId":"130639474","px":"42219.9","sz":"0.12060306","side":"buy","source":"0",'
    '"ts":"1630048897897"}]}'
)
TRADE = VenueTrade(
    "BTC-USDT", "130639474", 130639474, "42219.9", "0.12060306", "buy", 1630048897897
)


def test_a_documented_frame() -> None:
    assert parse_frame(FRAME) == parse_frame(FRAME.encode()) == [TRADE]


def test_trades_that_were_put_together_are_refused() -> None:
    """Channel `trades`: 130639474 would stand for three ids, two of them unseen."""
    frame = FRAME.replace("trades-all", "trades").replace('"source"', '"count":"%s","source"')
    assert parse_frame(frame % 1) == [TRADE]
    with pytest.raises(Rejected, match="was 3 of them as 130639474: subscribe to `trades-all`"):
        parse_frame(frame % 3)


@pytest.mark.parametrize(
    "frame",
    [
        "pong",
        '{"event":"subscribe","arg":{"channel":"trades-all","instId":"BTC-USDT"},"connId":"a4d3"}',
        '{"event":"notice","code":"64008","msg":"The connection will soon be closed","connId":"a"}',
    ],
)
def test_documented_frames_without_a_trade(frame: str) -> None:
    assert parse_frame(frame) == parse_frame(frame.encode()) == []


def test_a_documented_error_is_told() -> None:
    frame = '{"event":"error","code":"60018","msg":"Wrong URL or channel","connId":"a4d3ae55"}'
    with pytest.raises(Rejected, match=r"Wrong URL or channel \(60018\)"):
        parse_frame(frame)


def test_a_documented_page() -> None:
    rows = (
        '{"instId":"BTC-USDT","side":"sell","sz":"0.00001000","source":"0","px":"29963.20",'
        '"tradeId":"242720720","ts":"1654161646974"}'
    )
    page = f'{{"code":"0","msg":"","data":[{rows}]}}'.encode()
    expected = VenueTrade(
        "BTC-USDT", "242720720", 242720720, "29963.2", "0.00001", "sell", 1654161646974
    )
    assert parse_page("BTC-USDT", page) == [expected]
    with pytest.raises(Rejected, match="Expected trades of ETH-USDT, was one of BTC-USDT"):
        parse_page("ETH-USDT", page)
    assert parse_page("ETH-USDT", b'{"code":"0","msg":"","data":[]}') == []


def test_a_page_that_is_refused() -> None:
    with pytest.raises(Transient, match="Too Many Requests"):
        parse_page("BTC-USDT", b'{"code":"50011","msg":"Too Many Requests","data":[]}')
    with pytest.raises(Rejected, match=r"doesn't exist. \(51001\)"):
        parse_page("BTC-XYZ", b'{"code":"51001","msg":"Instrument ID doesn\'t exist.","data":[]}')


def test_recorded_trades() -> None:
    """Each instrument's ids follow one another, and nothing is lost or rounded."""
    frames = [json.loads(frame) for frame in recorded_frames("OKX.ws.1.0")]
    pushed = [
        frame for frame in frames if frame.get("data") and frame["arg"]["channel"] == "trades"
    ]
    trades = [trade for frame in pushed for trade in parse_frame(json.dumps(frame))]
    assert len(trades) == 74
    ids = defaultdict(list)
    for trade in trades:
        ids[trade.market].append(trade.order)
    assert len(ids) == 3
    for market, found in ids.items():
        assert found == list(range(found[0], found[0] + len(found))), market
    assert sum(Decimal(trade.price) * Decimal(trade.quantity) for trade in trades) == sum(
        Decimal(row["px"]) * Decimal(row["sz"]) for frame in pushed for row in frame["data"]
    )


def test_recorded_answers_and_other_channels() -> None:
    kinds: defaultdict[str, int] = defaultdict(int)
    for frame in recorded_frames("OKX.ws.1.0"):
        message = json.loads(frame)
        if message.get("event") == "subscribe":
            assert parse_frame(frame) == []
            kinds["told"] += 1
        elif message["arg"]["channel"] != "trades":
            with pytest.raises(Rejected, match="Expected a frame of OKX"):
                parse_frame(frame)
            kinds["refused"] += 1
    assert kinds["told"] > 10
    assert kinds["refused"] > 100


def test_recorded_instruments() -> None:
    """Spot only: contracts have no base asset, and their quantities are no amounts of it."""
    markets = parse_markets(recorded_answer("OKX.0", b"instType=SPOT"))
    assert len(markets) > 500
    assert markets["BTC-USDT"] == Market("BTC-USDT", "BTC", "USDT")
    assert all(name == f"{market.base}-{market.quote}" for name, market in markets.items())
    assert parse_markets(recorded_answer("OKX.0", b"instType=SWAP")) == {}


@given(numbers, decimals, decimals, sides, times_ms)
def test_a_stream_and_a_page_tell_the_same(
    trade_id: int, price: str, size: str, side: str, time_ms: int
) -> None:
    """Round trip, by both ways of writing."""
    row = {
        "instId": "BTC-USDT", "tradeId": str(trade_id), "px": price, "sz": size, "side": side,
        "source": "0", "ts": str(time_ms),
    }  # fmt: skip
    expected = VenueTrade("BTC-USDT", str(trade_id), trade_id, price, size, side, time_ms)
    frame = {"arg": {"channel": "trades-all", "instId": "BTC-USDT"}, "data": [row, row]}
    assert parse_frame(json.dumps(frame)) == [expected, expected]
    page = {"code": "0", "msg": "", "data": [row]}
    assert parse_page("BTC-USDT", json.dumps(page).encode()) == [expected]


@given(garbage(FRAME))
def test_garbage_is_refused_with_a_reason(frame: str | bytes) -> None:
    body = as_bytes(frame)
    wrapped = b'{"code":"0","data":%s}' % body
    assert_sound_or_refused(lambda: parse_frame(frame))
    for answer in (body, wrapped):
        assert_sound_or_refused(lambda answer=answer: parse_page("BTC-USDT", answer))  # type: ignore[misc]
        assert_sound_or_refused(lambda answer=answer: parse_markets(answer))  # type: ignore[misc]


@given(st.text(max_size=25))
def test_ids_that_are_no_numbers_are_refused(trade_id: str) -> None:
    frame = FRAME.replace('"130639474"', json.dumps(trade_id))
    if trade_id.isascii() and trade_id.isdigit() and int(trade_id) < 2**63 and len(trade_id) < 20:
        assert parse_frame(frame) == [
            msgspec.structs.replace(TRADE, trade_id=str(int(trade_id)), order=int(trade_id))
        ]
    else:
        with pytest.raises(Rejected):
            parse_frame(frame)


def test_deep_nesting_is_refused() -> None:
    for text in ("[" * 100_000, '{"data":' * 100_000):
        with pytest.raises(Rejected):
            parse_frame(text)
        with pytest.raises(Rejected):
            parse_page("BTC-USDT", text.encode())

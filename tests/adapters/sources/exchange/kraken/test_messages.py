"""Kraken's messages: fields it may add are ignored, fields it must send are asked for."""

import msgspec
import pytest

from swapstats.adapters.sources.exchange.kraken.messages import (
    Answer,
    AssetPair,
    Frame,
    RestTrade,
    Trade,
)

TRADE = (
    b'{"symbol":"BTC/USD","side":"buy","price":105944.20,"qty":0.00027625,"ord_type":"limit",'
    b'"trade_id":10218208,"timestamp":"2023-10-06T17:35:55.440295Z"}'
)
ROW = b'["105433.60000","0.00027625",1762795433.9717445,"b","l","",10218208]'


def test_a_trade_keeps_the_text_of_its_numbers() -> None:
    frame = msgspec.json.decode(
        b'{"channel":"trade","type":"update","data":[%s]}' % TRADE, type=Frame
    )
    (trade,) = msgspec.json.decode(frame.data, type=list[Trade])
    assert (bytes(trade.price), bytes(trade.qty)) == (b"105944.20", b"0.00027625")


@pytest.mark.parametrize("field", Trade.__struct_fields__)
def test_a_trade_needs_its_fields(field: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="missing required field"):
        msgspec.json.decode(TRADE.replace(f'"{field}"'.encode(), b'"z"'), type=Trade)


def test_a_trade_of_a_page_needs_its_id() -> None:
    """Older answers of the API ended before it."""
    row = msgspec.json.decode(ROW, type=RestTrade)
    assert (bytes(row.time), row.trade_id) == (b"1762795433.9717445", 10218208)
    with pytest.raises(msgspec.ValidationError, match="at least length 7"):
        msgspec.json.decode(ROW.replace(b",10218208", b""), type=RestTrade)


def test_answers() -> None:
    answer = msgspec.json.decode(b'{"error":["EGeneral:Invalid arguments"]}', type=Answer)
    assert (answer.error, answer.result) == (["EGeneral:Invalid arguments"], {})
    pair = msgspec.json.decode(b'{"altname":"XBTUSD","wsname":"XBT/USD"}', type=AssetPair)
    assert pair == AssetPair("XBTUSD", "XBT/USD")
    assert msgspec.json.decode(b'{"altname":"XBTUSD.d"}', type=AssetPair).wsname == ""

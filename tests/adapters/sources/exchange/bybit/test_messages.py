"""Bybit's messages: fields it may add are ignored, fields it must send are asked for."""

import msgspec
import pytest

from swapstats.adapters.sources.exchange.bybit.messages import Answer, Frame, RestTrade, Trade

TRADE = (
    b'{"T":1672304486865,"s":"BTCUSDT","S":"Buy","v":"0.001","p":"16578.50","L":"PlusTick",'
    b'"i":"20f43950-d8dd-5b31-9112-a178eb6023af","BT":false}'
)
ROW = (
    b'{"execId":"2100000000007764263","symbol":"BTCUSDT","price":"16618.49","size":"0.00012",'
    b'"side":"Buy","time":"1672052955758","isBlockTrade":false}'
)


@pytest.mark.parametrize("field", ["T", "s", "S", "v", "p", "i"])
def test_a_trade_needs_its_fields(field: str) -> None:
    assert msgspec.json.decode(TRADE, type=Trade).i.startswith("20f43950")
    with pytest.raises(msgspec.ValidationError, match="missing required field"):
        msgspec.json.decode(TRADE.replace(f'"{field}"'.encode(), b'"z"'), type=Trade)


@pytest.mark.parametrize("field", ["execId", "symbol", "price", "size", "side", "time"])
def test_a_trade_of_a_page_needs_its_fields(field: str) -> None:
    assert msgspec.json.decode(ROW, type=RestTrade).execId == "2100000000007764263"
    with pytest.raises(msgspec.ValidationError, match="missing required field"):
        msgspec.json.decode(ROW.replace(f'"{field}"'.encode(), b'"z"'), type=RestTrade)


def test_frames_and_answers() -> None:
    frame = msgspec.json.decode(b'{"success":true,"ret_msg":"pong","op":"ping"}', type=Frame)
    assert (frame.topic, frame.op, frame.success) == ("", "ping", True)
    answer = msgspec.json.decode(b'{"retCode":10001,"retMsg":"No","result":{}}', type=Answer)
    assert (answer.retCode, bytes(answer.result.list)) == (10001, b"[]")

"""OKX's messages: fields it may add are ignored, fields it must send are asked for."""

import msgspec
import pytest

from swapstats.adapters.sources.exchange.okx.messages import Answer, Frame, Instrument, Trade

TRADE = (
    b'{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9","sz":"0.12060306","side":"buy",'
    b'"ts":"1630048897897","source":"0","new":{}}'
)
REQUIRED = ("instId", "tradeId", "px", "sz", "side", "ts")


def test_a_trade_stands_for_one_unless_it_says_more() -> None:
    assert msgspec.json.decode(TRADE, type=Trade).count == "1"
    three = TRADE.replace(b'"source":"0"', b'"count":"3"')
    assert msgspec.json.decode(three, type=Trade).count == "3"


@pytest.mark.parametrize("field", REQUIRED)
def test_a_trade_needs_its_fields(field: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="missing required field"):
        msgspec.json.decode(TRADE.replace(f'"{field}"'.encode(), b'"z"'), type=Trade)


def test_frames_and_answers() -> None:
    frame = msgspec.json.decode(b'{"event":"error","code":"60012","msg":"Invalid"}', type=Frame)
    assert (frame.event, frame.code, frame.msg, frame.arg.channel) == (
        "error", "60012", "Invalid", "",
    )  # fmt: skip
    assert bytes(msgspec.json.decode(b'{"code":"0"}', type=Answer).data) == b"[]"
    swap = msgspec.json.decode(b'{"instId":"BTC-USD-SWAP","ctVal":"100"}', type=Instrument)
    assert (swap.instType, swap.baseCcy) == ("", "")

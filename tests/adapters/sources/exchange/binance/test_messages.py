"""Recorded messages of Binance, field by field."""

import msgspec
import pytest

from swapstats.adapters.sources.exchange.binance.messages import ExchangeInfo, Frame, PastTrade

SPOT = (
    '{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT",'
    '"t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}'
)
USDM = (
    '{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161256322,"T":1723161256322,'
    '"s":"BTCUSDT","t":5266583935,"p":"61800.30","q":"0.006","X":"MARKET","m":false}}'
)


@pytest.mark.parametrize(("text", "trade_id"), [(SPOT, 3_735_683_259), (USDM, 5_266_583_935)])
def test_a_trade_of_either_market(text: str, trade_id: int) -> None:
    frame = msgspec.json.decode(text, type=Frame)
    assert frame.data is not None
    assert (frame.stream, frame.data.t, frame.data.X) == ("btcusdt@trade", trade_id, "MARKET")


def test_an_answer_to_a_command_has_no_data() -> None:
    assert msgspec.json.decode('{"result":null,"id":1}', type=Frame) == Frame()


def test_a_past_trade() -> None:
    text = '{"id":7,"price":"1.5","qty":"2","quoteQty":"3","time":9,"isBuyerMaker":true}'
    assert msgspec.json.decode(text, type=PastTrade) == PastTrade(7, "1.5", "2", 9, True)


def test_a_list_of_markets() -> None:
    text = '{"symbols":[{"symbol":"BTCUSDT","baseAsset":"BTC","quoteAsset":"USDT","x":[]}]}'
    (symbol,) = msgspec.json.decode(text, type=ExchangeInfo).symbols
    assert (symbol.symbol, symbol.baseAsset, symbol.quoteAsset) == ("BTCUSDT", "BTC", "USDT")

"""Binance's messages: fields it may add are ignored, fields it must send are asked for."""

import msgspec
import pytest

from swapstats.adapters.sources.binance.messages import ExchangeInfo, Frame, Trade

TRADE = (
    b'{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000",'
    b'"q":"0.02000000","T":1723161255342,"m":true,"M":true,"new":{"field":1}}'
)


def test_a_trade_in_its_frame() -> None:
    frame = msgspec.json.decode(b'{"stream":"btcusdt@trade","data":%s}' % TRADE, type=Frame)
    assert frame.stream == "btcusdt@trade"
    assert msgspec.json.decode(frame.data, type=Trade) == Trade(
        e="trade", s="BTCUSDT", t=3735683259, p="61837.63000000", q="0.02000000",
        T=1723161255342, m=True,
    )  # fmt: skip


def test_an_answer_to_a_command_is_no_stream() -> None:
    assert msgspec.json.decode(b'{"result":null,"id":1}', type=Frame).stream is None


@pytest.mark.parametrize("field", [b'"s"', b'"t"', b'"p"', b'"q"', b'"T"', b'"m"'])
def test_a_trade_needs_its_fields(field: bytes) -> None:
    with pytest.raises(msgspec.ValidationError, match="missing required field"):
        msgspec.json.decode(TRADE.replace(field, b'"z"'), type=Trade)


def test_exchange_info() -> None:
    body = (
        b'{"timezone":"UTC","symbols":[{"symbol":"ETHBTC","baseAsset":"ETH","quoteAsset":"BTC"}]}'
    )
    (symbol,) = msgspec.json.decode(body, type=ExchangeInfo).symbols
    assert (symbol.symbol, symbol.baseAsset, symbol.quoteAsset) == ("ETHBTC", "ETH", "BTC")

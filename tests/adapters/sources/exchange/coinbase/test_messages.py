"""Coinbase's messages: fields it may add are ignored, fields it must send are asked for."""

import msgspec
import pytest

from swapstats.adapters.sources.exchange.coinbase.messages import Kind, Match, Product, RestTrade

MATCH = (
    b'{"type":"match","trade_id":10,"sequence":50,"side":"sell","size":"5.23512",'
    b'"price":"400.23","product_id":"BTC-USD","time":"2014-11-07T08:19:27.028459Z","new":[1]}'
)


def test_a_match() -> None:
    assert msgspec.json.decode(MATCH, type=Kind).type == "match"
    assert msgspec.json.decode(MATCH, type=Match) == Match(
        10, "sell", "5.23512", "400.23", "BTC-USD", "2014-11-07T08:19:27.028459Z"
    )


@pytest.mark.parametrize("field", Match.__struct_fields__)
def test_a_match_needs_its_fields(field: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="missing required field"):
        msgspec.json.decode(MATCH.replace(f'"{field}"'.encode(), b'"z"'), type=Match)


@pytest.mark.parametrize("field", RestTrade.__struct_fields__)
def test_a_trade_of_a_page_needs_its_fields(field: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="missing required field"):
        msgspec.json.decode(MATCH.replace(f'"{field}"'.encode(), b'"z"'), type=RestTrade)


def test_a_product() -> None:
    body = b'{"id":"BTC-GBP","base_currency":"BTC","quote_currency":"GBP","base_min_size":"1"}'
    assert msgspec.json.decode(body, type=Product) == Product("BTC-GBP", "BTC", "GBP")

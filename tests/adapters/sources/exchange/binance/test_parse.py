"""From Binance's words to trades and markets."""

import json
from pathlib import Path

import pytest
from tests.adapters.sources.exchange.binance.test_messages import SPOT, USDM
from tests.adapters.sources.exchange.played import DATA

from swapstats.adapters.sources.exchange.binance.parse import (
    SPOT_MARKETS,
    USDM_MARKETS,
    parse_frame,
    parse_markets,
    parse_page,
)
from swapstats.adapters.sources.exchange.venue import Market, VenueTrade
from swapstats.errors import Rejected


def test_the_side_is_the_takers() -> None:
    (sold,) = parse_frame(SPOT)
    assert sold == VenueTrade(
        "BTCUSDT", "3735683259", 3_735_683_259, "61837.63000000", "0.02000000", "sell",
        1_723_161_255_342,
    )  # fmt: skip
    (bought,) = parse_frame(USDM.encode())
    assert bought.side == "buy"


def test_what_is_no_trade_of_the_market_is_marked() -> None:
    (trade,) = parse_frame(USDM.replace("MARKET", "INSURANCE_FUND"))
    assert not trade.is_public


def test_an_answer_to_a_command_is_no_trade() -> None:
    assert parse_frame('{"result":null,"id":1}') == []


@pytest.mark.parametrize(
    "frame",
    ["", "x", "[]", b"\xff", '{"stream":"btcusdt@trade","data":{}}', SPOT.replace('"t":', '"a":')],
)
def test_frames_that_are_none(frame: str | bytes) -> None:
    with pytest.raises(Rejected, match="Expected a trade frame, was"):
        parse_frame(frame)


def test_a_frame_that_is_nested_without_end_ends_nothing() -> None:
    deep = b'{"stream":"x","data":{"z":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
    with pytest.raises(Rejected, match="Expected a trade frame"):
        parse_frame(deep)


@pytest.mark.parametrize("number", ["-1", str(2**63)])
def test_ids_and_times_beyond_63_bits_are_refused(number: str) -> None:
    for field, value in (("t", "3735683259"), ("T", "1723161255342")):
        with pytest.raises(Rejected, match="between 0 and"):
            parse_frame(SPOT.replace(f'"{field}":{value}', f'"{field}":{number}'))


def test_ids_of_aggregated_trades_are_never_taken() -> None:
    with pytest.raises(Rejected, match="Expected single trades, was 'aggTrade'"):
        parse_frame(SPOT.replace('"e":"trade"', '"e":"aggTrade"'))


def test_a_page_says_the_same_as_the_stream() -> None:
    (live,) = parse_frame(SPOT)
    row = {
        "id": live.order, "price": live.price, "qty": live.quantity, "quoteQty": "0",
        "time": live.time_ms, "isBuyerMaker": True, "isBestMatch": True,
    }  # fmt: skip
    assert parse_page("BTCUSDT", json.dumps([row]).encode()) == [live]


@pytest.mark.parametrize("body", [b"", b'{"code":-1121,"msg":"Invalid symbol."}'])
def test_pages_and_lists_that_are_none(body: bytes) -> None:
    with pytest.raises(Rejected, match="Expected a list of trades"):
        parse_page("BTCUSDT", body)
    with pytest.raises(Rejected, match="Expected exchangeInfo"):
        parse_markets(body)


def test_packs_are_taken_apart() -> None:
    listed = [
        {"symbol": "1000PEPEUSDT", "baseAsset": "1000PEPE", "quoteAsset": "USDT"},
        {"symbol": "1INCHBTC", "baseAsset": "1INCH", "quoteAsset": "BTC"},
    ]
    assert parse_markets(json.dumps({"symbols": listed}).encode()) == {
        "1000PEPEUSDT": Market("1000PEPEUSDT", "PEPE", "USDT", 1_000),
        "1INCHBTC": Market("1INCHBTC", "1INCH", "BTC"),
    }


def test_the_built_in_lists() -> None:
    assert SPOT_MARKETS["ETHBTC"] == Market("ETHBTC", "ETH", "BTC")
    assert USDM_MARKETS["1000PEPEUSDT"] == Market("1000PEPEUSDT", "PEPE", "USDT", 1_000)
    for markets in (SPOT_MARKETS, USDM_MARKETS):
        assert all(symbol == market.symbol for symbol, market in markets.items())


def test_a_recorded_list_of_markets() -> None:
    body = recorded_list(DATA / "exchange/cryptofeed_BINANCE.0.gz")
    found = parse_markets(body)
    assert len(found) > 1_000
    assert found["BTCUSDT"] == Market("BTCUSDT", "BTC", "USDT")
    assert all(
        market == found[symbol] for symbol, market in SPOT_MARKETS.items() if symbol in found
    )


def recorded_list(path: Path) -> bytes:
    import gzip

    if not path.exists():
        pytest.skip(f"no real data at {DATA}: set SWAPSTATS_DATA to the folder that holds wire/")
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        if '"symbols"' in line:
            return line[line.index(": {") + 2 :].encode()
    raise AssertionError("no list of markets in it")

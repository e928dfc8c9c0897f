"""From Binance's messages to wire v1: real recorded frames against their published swaps."""

import gzip
import json
import os
import random
from decimal import ROUND_HALF_EVEN, Context, Decimal
from pathlib import Path

import pytest

from swapstats.adapters.sources.binance.messages import Trade
from swapstats.adapters.sources.binance.parse import (
    BUILT_IN_MARKETS,
    Market,
    known_markets,
    parse_markets,
    parse_trade,
    rescaled,
    to_wire,
)
from swapstats.core.plain_decode import Swap, decode_message
from swapstats.errors import Rejected

DATA = Path(os.environ.get("SWAPSTATS_DATA", Path(__file__).parents[5] / "shared/data"))
EXACT = Context(prec=100, rounding=ROUND_HALF_EVEN)
BTCUSDT = BUILT_IN_MARKETS["BTCUSDT"]


def trade(price: str = "2.5", quantity: str = "4", *, maker_bought: bool = True) -> Trade:
    return Trade(e="trade", s="BTCUSDT", t=7, p=price, q=quantity, T=1723161255342, m=maker_bought)


@pytest.mark.parametrize("asset", ["btc", "eth"])
def test_recorded_frames_give_the_published_swaps(asset: str) -> None:
    frames = DATA / f"exchange/hft_binance_spot_{asset}usdt_20240808.gz"
    swaps = DATA / f"wire/binance-spot-{asset}-2024-08-08.ndjson.gz"
    if not frames.exists() or not swaps.exists():
        pytest.skip(f"no real data at {DATA}: set SWAPSTATS_DATA to the folder that holds wire/")
    market = BUILT_IN_MARKETS[f"{asset.upper()}USDT"]
    trades = [
        parse_trade(line.partition(b" ")[2].decode())
        for line in gzip.decompress(frames.read_bytes()).splitlines()
        if b'"stream"' in line
    ]
    written = [to_wire(found, market) for found in trades if found is not None]
    assert written == gzip.decompress(swaps.read_bytes()).splitlines()
    assert len(trades) > len(written) > 6_000  # other streams' frames are no trades


def test_recorded_exchange_info() -> None:
    path = DATA / "exchange/cryptofeed_BINANCE.0.gz"
    if not path.exists():
        pytest.skip(f"no real data at {DATA}: set SWAPSTATS_DATA to the folder that holds wire/")
    body = next(
        line.partition(b": ")[2]
        for line in gzip.decompress(path.read_bytes()).splitlines()
        if b"api/v3/exchangeInfo" in line[:100]
    )
    markets = parse_markets(body)
    assert len(markets) > 1_000
    assert markets["ETHBTC"] == Market("ETHBTC", "ETH", "BTC")
    shared = BUILT_IN_MARKETS.keys() & markets.keys()
    assert len(shared) > 20
    assert {name: markets[name] for name in shared} == {
        name: BUILT_IN_MARKETS[name] for name in shared
    }


@pytest.mark.parametrize(
    ("price", "quantity", "amount", "usd"),
    [
        ("61837.63000000", "0.02000000", "0.020000000000000000", "1236.752600"),
        ("0.00001", "0.05", "0.050000000000000000", "0.000000"),  # half: to even
        ("0.00001", "0.15", "0.150000000000000000", "0.000002"),
        ("0.00001", "0.25", "0.250000000000000000", "0.000002"),
        ("0.00001", "0.2500000000000000001", "0.250000000000000000", "0.000003"),
        ("1", "0.0000000000000000005", "0.000000000000000000", "0.000000"),
        ("1", "0.0000000000000000015", "0.000000000000000002", "0.000000"),
        ("123456789.123456789", "1000", "1000.000000000000000000", "123456789123.456789"),
        ("3", "7", "7.000000000000000000", "21.000000"),
    ],
)
def test_amounts_are_exact(price: str, quantity: str, amount: str, usd: str) -> None:
    written = json.loads(to_wire(trade(price, quantity), BTCUSDT))
    assert (written["amount_token"], written["amount_usd"]) == (amount, usd)


def test_amounts_against_decimal() -> None:
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(2_000):
        price, quantity = (
            f"{rng.randrange(10 ** rng.randrange(1, 8))}.{rng.randrange(10**8):0{places}d}"
            for places in (rng.randrange(8, 13), rng.randrange(8, 13))
        )
        written = json.loads(to_wire(trade(price, quantity), BTCUSDT))
        usd = EXACT.multiply(Decimal(price), Decimal(quantity))
        assert Decimal(written["amount_usd"]) == usd.quantize(Decimal("1e-6"), context=EXACT)
        assert Decimal(written["amount_token"]) == Decimal(quantity)


def test_the_taker_is_the_trader() -> None:
    assert json.loads(to_wire(trade(maker_bought=True), BTCUSDT))["side"] == "sell"
    assert json.loads(to_wire(trade(maker_bought=False), BTCUSDT))["side"] == "buy"


def test_only_dollars_are_dollars() -> None:
    in_btc = json.loads(to_wire(trade(), Market("ETHBTC", "ETH", "BTC")))
    assert in_btc["amount_usd"] is None
    assert in_btc["token_address"] == in_btc["token_symbol"] == "ETH"


def test_what_is_written_keeps_the_contract() -> None:
    swap = decode_message(to_wire(trade(), BTCUSDT), append_ms=1723161255342, max_ahead_ms=0)
    assert isinstance(swap, Swap)
    assert swap.event_id == "binance:BTCUSDT:7"
    assert (swap.token_key, swap.venue, swap.side) == ("BTC", "binance", "sell")
    assert (swap.amount_token, swap.amount_usd) == (4 * 10**18, 10**7)


@pytest.mark.parametrize("text", ["", "-1", "1e3", "NaN", ".5", "1.", "1,5", "9" * 41, "\u0661"])
def test_amounts_that_are_no_decimals(text: str) -> None:
    with pytest.raises(Rejected, match="Expected a price in plain digits"):
        to_wire(trade(price=text), BTCUSDT)
    with pytest.raises(Rejected, match="Expected a quantity in plain digits"):
        to_wire(trade(quantity=text), BTCUSDT)


@pytest.mark.parametrize(
    "frame", ["", "x", "[]", "{", '{"stream":5}', '{"stream":"btcusdt@trade","data":{"e":"trade"}}']
)
def test_frames_that_make_no_sense(frame: str) -> None:
    with pytest.raises(Rejected, match="Expected a trade frame"):
        parse_trade(frame)


def test_frames_that_are_no_trades() -> None:
    assert parse_trade('{"result":null,"id":1}') is None
    assert parse_trade('{"stream":"btcusdt@bookTicker","data":{"u":1}}') is None


def test_symbols_are_looked_up_never_guessed() -> None:
    assert known_markets(["BTCUSDT"], BUILT_IN_MARKETS) == {"BTCUSDT": BTCUSDT}
    with pytest.raises(Rejected, match="'NEWUSDT'"):
        known_markets(["BTCUSDT", "NEWUSDT"], BUILT_IN_MARKETS)
    with pytest.raises(Rejected, match="exchangeInfo"):
        parse_markets(b"<html>")


@pytest.mark.parametrize(
    ("value", "places", "wanted", "expected"),
    [(5, 1, 0, 0), (15, 1, 0, 2), (25, 1, 0, 2), (26, 1, 0, 3), (7, 0, 3, 7_000), (0, 9, 0, 0)],
)
def test_rounding_is_half_even(value: int, places: int, wanted: int, expected: int) -> None:
    assert rescaled(value, places, wanted) == expected

"""Binance's side of a played exchange."""

import msgspec
import pytest
from tests.adapters.sources.exchange.played import MARKETS, made, recorded

from swapstats.adapters.sources.exchange.binance.parse import parse_frame, parse_markets
from swapstats.testing.binance_replay import BinanceConversation, BinanceDialect, moved
from swapstats.testing.exchange_replay import Answer, Question

HISTORY = {"BTCUSDT": made(2_000)}


def asked(dialect: BinanceDialect, path: str, **query: str) -> Answer:
    return dialect.answer(Question(path, query, {}), HISTORY)


def ids(answer: Answer) -> list[int]:
    return [row["id"] for row in msgspec.json.decode(answer.body)]


def test_combined_streams_are_named_in_the_address() -> None:
    one = BinanceConversation("/stream", {"streams": "btcusdt@trade/ethusdt@trade"})
    assert one.markets == {"BTCUSDT", "ETHUSDT"}
    (trade,) = HISTORY["BTCUSDT"][:1]
    (frame,) = one.frames([trade])
    assert parse_frame(frame) == [trade.trade]


def test_single_streams_are_asked_for_by_command() -> None:
    one = BinanceConversation("/ws/0", {})
    assert one.markets == set()
    said = one.hear('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":3}')
    assert said == ['{"result":null,"id":3}']
    assert one.markets == {"BTCUSDT"}
    assert one.frames(HISTORY["BTCUSDT"][:1]) == [HISTORY["BTCUSDT"][0].payload]


def test_history_by_id_and_the_newest() -> None:
    dialect = BinanceDialect(MARKETS)
    page = asked(dialect, "/api/v3/historicalTrades", symbol="BTCUSDT", fromId="1100", limit="5000")
    assert ids(page) == list(range(1_100, 2_100))
    page = asked(dialect, "/api/v3/trades", symbol="BTCUSDT", limit="3")
    assert ids(page) == [2_997, 2_998, 2_999]
    assert asked(dialect, "/api/v3/nothing").status == 404


def test_history_of_futures_by_id_is_for_holders_of_a_key() -> None:
    dialect = BinanceDialect(MARKETS, is_usdm=True)
    assert asked(dialect, "/fapi/v1/historicalTrades", symbol="BTCUSDT").status == 401
    question = Question(
        "/fapi/v1/historicalTrades",
        {"symbol": "BTCUSDT", "fromId": "1000", "limit": "1000"},
        {"X-MBX-APIKEY": "k"},
    )
    assert len(ids(dialect.answer(question, HISTORY))) == 500


def test_markets_are_listed() -> None:
    dialect = BinanceDialect(MARKETS)
    answer = asked(dialect, "/api/v3/exchangeInfo", symbols='["ETHUSDT"]')
    assert parse_markets(answer.body) == {"ETHUSDT": MARKETS[1]}
    assert asked(dialect, "/api/v3/exchangeInfo", symbols='["X"]').status == 400
    given = BinanceDialect([], exchange_info=b"{}")
    assert asked(given, "/api/v3/exchangeInfo").body == b"{}"


@pytest.mark.parametrize(("kind", "count"), [("spot", 15_863), ("usdm", 21_313)])
def test_recordings_are_read_in_their_order(kind: str, count: int) -> None:
    found = recorded(kind)
    assert len(found) == count
    assert [one.at_ms for one in found] == sorted(one.at_ms for one in found)


def test_a_recording_moves_to_another_time() -> None:
    (first, *_) = recording = made(3)
    later = moved(recording, 86_400_000)
    assert [one.at_ms - before.at_ms for one, before in zip(later, recording, strict=True)] == [
        86_400_000
    ] * 3
    assert later[0].trade.time_ms == first.trade.time_ms + 86_400_000
    one = BinanceConversation("/stream", {"streams": "btcusdt@trade"})
    (frame,) = one.frames(later[:1])
    assert parse_frame(frame) == [later[0].trade]

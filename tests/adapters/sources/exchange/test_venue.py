"""Values that venues and the session speak in."""

import msgspec

from swapstats.adapters.sources.exchange.venue import Ask, Mark, VenueTrade


def test_a_mark_is_the_place_of_a_trade() -> None:
    trade = VenueTrade("BTCUSDT", "17", 17, "1.5", "2", "sell", 1_000)
    assert Mark.of(trade) == Mark(17, "17", 1_000)
    assert trade.is_public


def test_marks_are_short_in_json() -> None:
    assert msgspec.json.encode(Mark(17, "17", 1_000)) == b'[17,"17",1000]'


def test_questions_have_no_headers_unless_given() -> None:
    assert dict(Ask("http://x", 1, len).headers) == {}

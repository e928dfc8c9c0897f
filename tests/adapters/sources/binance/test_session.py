"""The session without a network: gaps, repeats, unreadable frames, and when to reconnect."""

import json

import pytest

from swapstats.adapters.sources.binance.parse import BUILT_IN_MARKETS
from swapstats.adapters.sources.binance.session import NOTES_MAX, Limits, Session
from swapstats.errors import Rejected

LIMITS = Limits(stall_ms=1_000, lifetime_ms=10_000, backoff_ms_min=100, backoff_ms_max=1_000)


def session(position: str | None = None) -> Session:
    markets = {name: BUILT_IN_MARKETS[name] for name in ("BTCUSDT", "ETHUSDT")}
    return Session(markets, position, LIMITS)


def frame(trade_id: int, symbol: str = "BTCUSDT") -> str:
    data = {
        "e": "trade",
        "s": symbol,
        "t": trade_id,
        "p": "2",
        "q": "3",
        "T": 1_723_161_255_342,
        "m": True,
    }
    return json.dumps({"stream": f"{symbol.lower()}@trade", "data": data})


def ids(messages: list[bytes]) -> list[str]:
    return [json.loads(message)["event_id"] for message in messages]


def test_ids_are_followed_by_symbol() -> None:
    one = session()
    messages = one.read([frame(5), frame(70, "ETHUSDT"), frame(6), frame(71, "ETHUSDT")])
    assert ids(messages) == [
        "binance:BTCUSDT:5", "binance:ETHUSDT:70", "binance:BTCUSDT:6", "binance:ETHUSDT:71",
    ]  # fmt: skip
    assert (one.counts.trades, one.counts.gaps, one.counts.repeats) == (4, 0, 0)
    assert json.loads(one.position) == {"BTCUSDT": 6, "ETHUSDT": 71}
    assert one.take_notes() == []


def test_a_gap_is_counted_and_noted() -> None:
    one = session()
    one.read([frame(5), frame(9)])
    assert (one.counts.gaps, one.counts.missing) == (1, 3)
    (note,) = one.take_notes()
    assert "trade 6 of BTCUSDT, was 9: 3 are missing" in note
    assert one.take_notes() == []


def test_a_gap_over_a_restart_is_seen() -> None:
    first = session()
    first.read([frame(5)])
    second = session(first.position)
    second.read([frame(8)])
    assert (second.counts.gaps, second.counts.missing) == (1, 2)


def test_repeats_are_given_on_and_counted() -> None:
    one = session()
    assert ids(one.read([frame(5), frame(6), frame(5)]))[-1] == "binance:BTCUSDT:5"
    assert one.counts.repeats == 1
    assert json.loads(one.position) == {"BTCUSDT": 6}


def test_what_cannot_be_read_is_counted_and_not_fatal() -> None:
    one = session()
    bad = ["x", frame(6, "SOLUSDT"), frame(6).replace('"2"', '"two"')]
    messages = one.read([frame(5), *bad, '{"result":null,"id":1}', frame(6)])
    assert ids(messages) == ["binance:BTCUSDT:5", "binance:BTCUSDT:6"]
    assert (one.counts.unreadable, one.counts.gaps) == (3, 0)
    notes = one.take_notes()
    assert len(notes) == 3
    assert "SOLUSDT" in notes[1]


def test_notes_are_bounded() -> None:
    one = session()
    one.read(["x"] * (3 * NOTES_MAX))
    assert one.counts.unreadable == 3 * NOTES_MAX
    assert len(one.take_notes()) == NOTES_MAX


def test_a_silent_connection_is_given_up() -> None:
    one = session()
    one.connected(5_000)
    assert one.give_up_in_ms(5_000) == 1_000
    one.data_came(5_600)
    assert one.give_up_in_ms(6_000) == 600
    assert one.give_up_in_ms(6_600) == 0
    assert "no trade came for 1 s" in one.give_up_reason(6_600)
    assert one.counts.stalls == 1


def test_an_old_connection_is_replaced() -> None:
    one = session()
    one.connected(5_000)
    one.data_came(14_900)
    assert not one.is_planned_end(14_999)
    assert one.give_up_in_ms(14_900) == 100
    assert one.is_planned_end(15_000)
    assert "planned" in one.give_up_reason(15_000)
    assert one.counts.stalls == 0
    one.connected(15_000)
    assert one.give_up_in_ms(15_000) == 1_000


def test_waits_double_up_to_a_bound_and_start_over() -> None:
    one = session()
    assert [one.backoff_ms(1.0) for _ in range(6)] == [100, 200, 400, 800, 1_000, 1_000]
    assert one.backoff_ms(0.0) == 500
    one.read([frame(1)])
    assert one.backoff_ms(1.0) == 100
    one.connected(0)
    one.give_up_reason(1_000)  # silent, but it worked
    assert one.backoff_ms(1.0) == 100


@pytest.mark.parametrize("position", ["", "17", "[]", '{"BTCUSDT":"x"}'])
def test_positions_of_something_else(position: str) -> None:
    with pytest.raises(Rejected, match="position of a Binance session"):
        session(position)

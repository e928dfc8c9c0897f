from typing import Any

from swapstats.core.preprocess.rules import DEFAULT_ROUTERS, PriceRules
from swapstats.core.preprocess.wash import FLAG_LISTS, FLAGS, TraderMemory


def flags(memory: TraderMemory, side: str, amount: int = 1_000, **changes: Any) -> list[str]:
    fields: dict[str, Any] = {"token": "1:a", "trader": "t", "tx_hash": side, "event_ms": 5}
    return FLAG_LISTS[memory.flags(side=side, amount=amount, **(fields | changes))]


def test_one_trader_on_both_sides_is_flagged() -> None:
    memory = TraderMemory(PriceRules())
    assert flags(memory, "buy") == []
    assert flags(memory, "buy") == []
    assert flags(memory, "sell", 500) == ["both_ways"]
    assert flags(memory, "buy", 504) == ["both_ways", "matched"]
    assert flags(memory, "sell", 5, tx_hash="buy") == ["both_ways", "round_trip"]
    assert FLAG_LISTS[-1] == list(FLAGS)


def test_others_are_not() -> None:
    memory = TraderMemory(PriceRules(wash_window_ms=10))
    router = min(DEFAULT_ROUTERS)
    assert flags(memory, "buy") == []
    assert flags(memory, "sell", trader="u") == []
    assert flags(memory, "sell", token="1:b") == []
    assert flags(memory, "sell", event_ms=16) == []
    assert flags(memory, "buy", event_ms=26) == ["both_ways", "matched"]
    for trader in (router, None):
        assert flags(memory, "buy", trader=trader) == []
        assert flags(memory, "sell", trader=trader) == []


def test_the_trader_longest_silent_makes_room() -> None:
    memory = TraderMemory(PriceRules(traders_max=2))
    for trader in ("a", "b", "a", "c"):
        assert flags(memory, "buy", trader=trader) == []
    assert flags(memory, "sell", trader="b") == []
    assert flags(memory, "sell", trader="c") == ["both_ways", "matched"]


def test_it_is_packed_whole() -> None:
    memory, other = TraderMemory(PriceRules()), TraderMemory(PriceRules())
    flags(memory, "buy", 10**37)
    other.unpack(memory.pack())
    assert other.pack() == memory.pack()
    assert flags(other, "sell", 10**37) == ["both_ways", "matched"]

"""The report: its shape to the letter."""

import json
from typing import Any

from tests.roles.aggregator.rig import START_MS, Rig, drain, held, swap

from swapstats.model.effects import COUNTER_NAMES
from swapstats.model.stats import FIELDS, WindowStats
from swapstats.model.window import WindowSpec
from swapstats.roles.report import render_report, render_tokens, render_window

WIDE = WindowStats(
    vol_usd=(1 << 127) - 1,
    vol_token=(1 << 191) - 1,
    trades=3,
    buy=2,
    sell=1,
    buy_usd=1,
    sell_usd=0,
    unpriced=1,
)


def test_a_window_has_all_fields_with_all_places() -> None:
    assert list(render_window(WindowStats()).items()) == [
        ("vol_usd", "0.000000"),
        ("vol_token", "0.000000000000000000"),
        ("trades", 0),
        ("buy", 0),
        ("sell", 0),
        ("buy_usd", "0.000000"),
        ("sell_usd", "0.000000"),
        ("unpriced", 0),
    ]
    assert render_window(WIDE) == {
        "vol_usd": "170141183460469231731687303715884.105727",
        "vol_token": "3138550867693340381917894711603833208051.177722232017256447",
        "trades": 3,
        "buy": 2,
        "sell": 1,
        "buy_usd": "0.000001",
        "sell_usd": "0.000000",
        "unpriced": 1,
    }


def test_tokens_are_sorted_by_code_point_and_windows_as_configured() -> None:
    spec = WindowSpec(1_000, (60_000, 5_000))
    # U+FFFF comes before U+1F680, although its UTF-16 comes after; upper case before lower.
    keys = ["\U0001f680", "\uffff", "b", "a", "Z", "\u00e9", "1:0x"]
    rendered = render_tokens({key: (WIDE, WindowStats()) for key in keys}, spec)
    assert list(rendered) == ["1:0x", "Z", "a", "b", "\u00e9", "\uffff", "\U0001f680"]
    assert list(rendered["a"]) == ["w1m", "w5s"]
    assert rendered["a"]["w1m"] == render_window(WIDE)


def test_a_report_joins_all_shards(wide_rig: Rig) -> None:
    aggregator, _ = wide_rig.living()
    messages = [swap(n, START_MS, f"T\u00e9{n % 7}") for n in range(20)]
    wide_rig.append(*messages, messages[0], b"bad")
    drain(aggregator)
    shards = aggregator.shards.values()
    text = render_report(shards, aggregator.shards[0].config.spec, START_MS)
    document: dict[str, Any] = json.loads(text)
    assert list(document) == ["as_of", "step_ms", "counters", "tokens"]
    assert (document["as_of"], document["step_ms"]) == (START_MS, 1_000)
    assert tuple(document["counters"]) == COUNTER_NAMES
    assert document["counters"] == dict.fromkeys(COUNTER_NAMES, 0) | {
        "ingested": 22,
        "applied": 20,
        "duplicates": 1,
        "dead_letters": 1,
    }
    assert list(document["tokens"]) == sorted(held(aggregator))
    assert all(tuple(window) == FIELDS for window in document["tokens"]["T\u00e91"].values())
    assert "T\u00e91" in text, "names are written as they are"
    assert text.endswith("}\n")
    assert text == render_report(reversed(shards), aggregator.shards[0].config.spec, START_MS)


def test_an_empty_report() -> None:
    assert json.loads(render_report([], WindowSpec(1_000, (5_000,)), 0)) == {
        "as_of": 0,
        "step_ms": 1_000,
        "counters": dict.fromkeys(COUNTER_NAMES, 0),
        "tokens": {},
    }

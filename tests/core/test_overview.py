"""Overviews and searches against sorting in Python."""

import json
from itertools import product
from typing import Any

import numpy as np
import pytest

from swapstats.core.market import Market
from swapstats.core.overview import (
    ORDERS,
    SORTS,
    OverviewSpec,
    join_overview,
    overview_text,
    rank_overview,
    rank_widest,
    search_text,
    search_tokens,
)
from swapstats.model.effects import StatsUpdate, TokenName
from swapstats.model.stats import WindowStats, from_row, to_row
from swapstats.model.window import WindowSpec
from swapstats.testing.synthetic_updates import SyntheticUpdates

SPEC = WindowSpec(5_000, (300_000, 86_400_000, 3_600_000))


def market_of(tokens: int, seed: int, *, wide: bool) -> Market:
    market = Market(SPEC, 3)
    source = SyntheticUpdates(SPEC, tokens=tokens, partitions=3, seed=seed, wide=wide,
                              odd_keys=True)  # fmt: skip
    for update in source.everything():
        # Few distinct values, so that ties are common, and some tokens without trades.
        update.rows[::3] = update.rows[0]
        update.rows[::5] = 0
        market.apply(update)
    return market


def expected(market: Market, spec: OverviewSpec) -> list[int]:
    traded = [
        index for index in range(len(market)) if from_row(market.rows[index, spec.window]).trades
    ]
    traded.sort(key=market.key)
    if spec.sort == "token":
        return traded[:: -1 if spec.order == "desc" else 1][: spec.limit]

    def value(index: int) -> Any:
        if spec.sort == "symbol":
            return market.symbol(index) or ""
        return getattr(from_row(market.rows[index, spec.window]), spec.sort)

    traded.sort(key=value, reverse=spec.order == "desc")
    if spec.sort == "symbol":
        traded.sort(key=lambda index: market.symbol(index) is None)
    return traded[: spec.limit]


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize(("sort", "order"), list(product(SORTS, ORDERS)))
def test_the_order_is_exact_and_ties_go_by_key(sort: str, order: str, wide: bool) -> None:
    for seed, limit in ((1, 7), (2, 50), (3, 500)):
        market = market_of(120, seed, wide=wide)
        spec = OverviewSpec(seed % 3, sort, order, limit)
        indexes, total = rank_overview(market, spec)
        assert indexes.tolist() == expected(market, spec)
        assert total == len(expected(market, OverviewSpec(seed % 3, sort, order, 10**6)))


def test_amounts_that_a_float_cannot_tell_apart_are_told_apart() -> None:
    market = Market(SPEC, 1)
    amounts = [(1 << 100) + one for one in (3, 1, 2, 0)]
    rows = [[to_row(WindowStats(vol_usd=one, trades=1))] * 3 for one in amounts]
    market.apply(
        StatsUpdate(
            0, 1, (1 << 32) + 1, 1, 1, 5_000, 0,
            tuple(TokenName(place, f"k{place}", None) for place in range(4)),
            np.arange(4, dtype=np.int32), np.array(rows),
        )
    )  # fmt: skip
    assert rank_overview(market, OverviewSpec(0, "vol_usd", "desc", 4))[0].tolist() == [0, 2, 1, 3]


def test_an_empty_market_has_an_empty_overview() -> None:
    market = Market(SPEC, 1)
    for sort, order in product(SORTS, ORDERS):
        text = overview_text(market, OverviewSpec(0, sort, order, 5), quoted=False)
        assert json.loads(join_overview(text))["rows"] == []


@pytest.mark.parametrize("quoted", [False, True])
def test_the_shape_is_as_documented(quoted: bool) -> None:
    market = market_of(60, 4, wide=False)
    spec = OverviewSpec(0, "trades", "asc", 3)
    answer = json.loads(join_overview(overview_text(market, spec, quoted=quoted), lag_ms=12))
    assert list(answer) == [
        "window", "sort", "order", "as_of", "end", "lag_ms", "tokens_total", "rows",
    ]  # fmt: skip
    assert (answer["window"], answer["sort"], answer["order"]) == ("5m", "trades", "asc")
    assert (answer["lag_ms"], len(answer["rows"])) == (12, 3)
    row = answer["rows"][0]
    assert list(row) == [
        "token", "symbol", "vol_usd", "vol_token", "trades", "buy", "sell", "buy_usd",
        "sell_usd", "unpriced",
    ]  # fmt: skip
    assert isinstance(row["vol_usd"], str) == quoted
    assert isinstance(row["trades"], int)


def test_search_finds_keys_and_symbols_whatever_their_case_by_widest_volume() -> None:
    market = market_of(120, 5, wide=True)
    for query in ("t1", "T1", "ключ", "КЛЮЧ", "same", "/", "zzz", ""):
        found = search_tokens(market, query, 1_000).tolist()
        wanted = [
            index
            for index in range(len(market))
            if query.casefold() in market.key(index).casefold()
            or query.casefold() in (market.symbol(index) or "").casefold()
        ]
        wanted.sort(key=market.key)
        wanted.sort(key=lambda index: -from_row(market.rows[index, 1]).vol_usd)
        assert found == wanted
        assert search_tokens(market, query, 2).tolist() == wanted[:2]
    assert rank_widest(market, np.array([], dtype=np.intp), 3).tolist() == []


def test_search_answers_as_documented() -> None:
    market = market_of(60, 6, wide=False)
    answer = json.loads(search_text(market, 'same"', 5, quoted=False))
    assert answer == {"query": 'same"', "tokens": []}
    answer = json.loads(search_text(market, "same", 5, quoted=True))
    assert list(answer["tokens"][0]) == ["token", "symbol", "vol_usd", "trades"]
    assert isinstance(answer["tokens"][0]["vol_usd"], str)

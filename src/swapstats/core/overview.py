"""The top tokens of one window, and tokens found by text: exact order, ties by token key."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swapstats.core.market import Market
from swapstats.core.patch import field_values, fields_text, json_text
from swapstats.core.ranking import select_top, subtract_wide, unsigned_order
from swapstats.model.stats import (
    BUY_USD_HI,
    BUY_USD_LO,
    BUYS,
    FIELDS,
    TOKEN_HI,
    TOKEN_LO,
    TOKEN_MID,
    TRADES,
    UNPRICED,
    USD_HI,
    USD_LO,
    USD_SCALE_DIGITS,
    format_short,
)

SORTS = (*FIELDS, "symbol", "token")
ORDERS = ("desc", "asc")


@dataclass(frozen=True, slots=True)
class OverviewSpec:
    """What an overview shows.

    Attributes:
        window: position of the window in served order.
        sort: one of SORTS.
        order: `desc` or `asc`.
        limit: rows at most.
    """

    window: int
    sort: str
    order: str
    limit: int


@dataclass(frozen=True, slots=True)
class OverviewText:
    """An overview, written.

    Attributes:
        head: JSON members up to `as_of` and `end`, which move on every tick.
        tail: JSON members after them, which tell whether the table changed.
    """

    head: str
    tail: str


def _sort_words(market: Market, spec: OverviewSpec) -> list[NDArray[np.int64]]:
    """Words that order tokens, most significant first, without the tie-break."""
    if spec.sort == "token":
        return [market.key_ranks()]
    if spec.sort == "symbol":
        return [market.symbol_ranks()]
    rows = market.rows[:, spec.window]
    if spec.sort == "vol_token":
        low, mid, high = rows[:, TOKEN_LO], rows[:, TOKEN_MID], rows[:, TOKEN_HI]
        return [high, unsigned_order(mid), unsigned_order(low)]
    single = {"trades": TRADES, "buy": BUYS, "unpriced": UNPRICED}
    if spec.sort in single:
        return [rows[:, single[spec.sort]]]
    if spec.sort == "sell":
        return [rows[:, TRADES] - rows[:, BUYS]]
    total = (rows[:, USD_LO], rows[:, USD_HI])
    bought = (rows[:, BUY_USD_LO], rows[:, BUY_USD_HI])
    if spec.sort == "buy_usd":
        low, high = bought
    elif spec.sort == "sell_usd":
        low, high = subtract_wide(total, bought)
    else:
        low, high = total
    return [high, unsigned_order(low)]


def rank_overview(market: Market, spec: OverviewSpec) -> tuple[NDArray[np.intp], int]:
    """Rank the tokens that traded in a window.

    Returns:
        Token numbers in order, at most `spec.limit`, and how many traded. Tokens without a
        symbol come last when sorted by symbol, in either order.
    """
    traded = np.flatnonzero(market.rows[:, spec.window, TRADES])
    words = _sort_words(market, spec)
    if spec.order == "asc":
        words = [~word for word in words]
    if spec.sort == "symbol":
        words = [(market.symbol_ranks() >= 0).astype(np.int64), *words]
    if spec.sort != "token":
        words.append(~market.key_ranks())
    return select_top(traded, words, spec.limit), len(traded)


def rank_widest(market: Market, tokens: NDArray[np.intp], limit: int) -> NDArray[np.intp]:
    """Order tokens by volume in the widest window, largest first, ties by key."""
    spec = OverviewSpec(widest_window(market), "vol_usd", "desc", limit)
    return select_top(tokens, [*_sort_words(market, spec), ~market.key_ranks()], limit)


def widest_window(market: Market) -> int:
    """Position of the widest window."""
    return market.spec.widths_ms.index(market.spec.widest_ms)


def overview_text(market: Market, spec: OverviewSpec, *, quoted: bool) -> OverviewText:
    """Write an overview; `join_overview` makes one JSON object of it."""
    indexes, total = rank_overview(market, spec)
    rows = market.rows[indexes, spec.window].tolist()
    lines = [
        f'{{"token":{json_text(market.key(index))},"symbol":{json_text(market.symbol(index))},'
        f"{fields_text(field_values(row), quoted=quoted)}}}"
        for index, row in zip(indexes.tolist(), rows, strict=True)
    ]
    return OverviewText(
        head=(
            f'"window":{json_text(market.spec.names[spec.window])},"sort":"{spec.sort}",'
            f'"order":"{spec.order}","as_of":{market.as_of_ms},"end":{market.end_ms}'
        ),
        tail=f'"tokens_total":{total},"rows":[{",".join(lines)}]',
    )


def join_overview(text: OverviewText, *, lag_ms: int | None = None) -> str:
    """Make one JSON object of an overview, with `lag_ms` if given."""
    lag = "" if lag_ms is None else f',"lag_ms":{lag_ms}'
    return f"{{{text.head}{lag},{text.tail}}}"


def search_tokens(market: Market, query: str, limit: int) -> NDArray[np.intp]:
    """Find tokens whose key or symbol contains a text, whatever its case.

    Returns:
        Token numbers by volume in the widest window, at most `limit`; all tokens for no text.
    """
    wanted = query.casefold()
    found = np.array(
        [index for index, text in enumerate(market.search_texts()) if wanted in text],
        dtype=np.intp,
    )
    return rank_widest(market, found, limit)


def search_rows_text(market: Market, indexes: Iterable[int], *, quoted: bool) -> str:
    """Write tokens with their volume and trades in the widest window as a JSON array."""
    widest = widest_window(market)
    lines = []
    for index in indexes:
        values = field_values(market.rows[index, widest].tolist())
        volume = format_short(values[0], USD_SCALE_DIGITS)
        lines.append(
            f'{{"token":{json_text(market.key(index))},"symbol":{json_text(market.symbol(index))},'
            f'"vol_usd":{json_text(volume) if quoted else volume},"trades":{values[2]}}}'
        )
    return f"[{','.join(lines)}]"


def search_text(market: Market, query: str, limit: int, *, quoted: bool) -> str:
    """Search and write what was found as one JSON object."""
    rows = search_rows_text(market, search_tokens(market, query, limit).tolist(), quoted=quoted)
    return f'{{"query":{json_text(query)},"tokens":{rows}}}'

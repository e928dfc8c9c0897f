"""Finding the token a client means, or the refusal it gets."""

from collections.abc import Mapping
from typing import Any

import msgspec

from swapstats.core.market import Market
from swapstats.core.overview import search_rows_text
from swapstats.core.token_lookup import Found, Unknown, find_token
from swapstats.roles.api.problem import Problem


def find_or_refuse(market: Market, text: str, listed: Mapping[str, str], *, quoted: bool) -> int:
    """Find a token by key or symbol.

    Args:
        market: all tokens.
        text: key or symbol, decoded.
        listed: configured token list, symbol -> key.
        quoted: amounts as strings.

    Returns:
        The token's number.

    Raises:
        Problem: `unknown-token`, or `ambiguous-symbol` with the candidates.
    """
    found = find_token(market, text, listed)
    if isinstance(found, Found):
        return found.index
    if isinstance(found, Unknown):
        raise Problem(
            "unknown-token",
            f"Expected the key or symbol of a token seen before, was {found.key[:300]!r}",
        )
    rows: Any = msgspec.Raw(search_rows_text(market, found.indexes, quoted=quoted).encode())
    raise Problem(
        "ambiguous-symbol",
        f"Expected a symbol of one token, was one of {found.total} tokens: take a key",
        members={"candidates": rows, "candidates_total": found.total},
    )

"""Which token a text means: a key, a configured symbol, or a symbol only one token has.

A configured symbol wins over whatever calls itself so on chain, and never falls back to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from swapstats.core.market import Market
from swapstats.core.overview import rank_widest


@dataclass(frozen=True, slots=True)
class Found:
    """The one token that is meant.

    Attributes:
        index: its number in the market.
    """

    index: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """No token was ever seen under this text.

    Attributes:
        key: the key looked for: the configured one, or the text itself.
    """

    key: str


@dataclass(frozen=True, slots=True)
class Shared:
    """Several tokens have this symbol.

    Attributes:
        indexes: the first few of them, by volume in the widest window.
        total: how many there are.
    """

    indexes: tuple[int, ...]
    total: int


def find_token(
    market: Market, text: str, listed: Mapping[str, str], *, candidates_max: int = 20
) -> Found | Unknown | Shared:
    """Find the token a text means.

    Args:
        market: all tokens.
        text: token key or symbol, decoded; compared exactly.
        listed: configured token list, symbol -> key.
        candidates_max: how many of several to name.
    """
    index = market.by_key(text)
    if index is not None:
        return Found(index)
    if text in listed:
        index = market.by_key(listed[text])
        return Unknown(listed[text]) if index is None else Found(index)
    indexes = market.by_symbol(text)
    if not indexes:
        return Unknown(text)
    if len(indexes) == 1:
        return Found(indexes[0])
    ranked = rank_widest(market, np.array(indexes, dtype=np.intp), candidates_max)
    return Shared(tuple(ranked.tolist()), len(indexes))

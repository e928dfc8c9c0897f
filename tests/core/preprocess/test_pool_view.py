from typing import Any

import pytest

from swapstats.core.preprocess.pool_view import NATIVE, OTHER, REST, STABLE, PoolViews, TokenRanks
from swapstats.core.preprocess.refusal import Refusal
from swapstats.core.preprocess.rules import PriceRules
from swapstats.testing.raw_events import COIN, DAI, USDC, USDT, WBTC, WETH, address, pool_swap

RULES = PriceRules(deny=frozenset({f"1:{address(9)}", "1:0xbad", "2:" + USDC}))
X, Y = address(0), address(1)


def views() -> PoolViews:
    return PoolViews(RULES, 1, TokenRanks(RULES.chains[1]))


@pytest.mark.parametrize(
    ("token", "quote", "group"),
    [
        (X, USDC, STABLE), (X, WETH, NATIVE), (X, COIN, NATIVE), (X, WBTC, OTHER),
        (WETH, USDC, STABLE), (WETH, DAI, STABLE), (WBTC, WETH, NATIVE), (WBTC, USDT, STABLE),
        (USDT, USDC, STABLE), (DAI, USDT, STABLE), (COIN, WETH, NATIVE),
        (X, Y, REST),
    ],
)  # fmt: skip
def test_the_better_known_token_is_the_quote(token: str, quote: str, group: int) -> None:
    for first, second in ((token, quote), (quote, token)):
        view = views().view(pool_swap(first, second, (1, -1)))
        assert not isinstance(view, Refusal)
        assert (view.token, view.quote, view.quote_class) == (token, quote, group)
        assert view.token_is_0 == (token < quote)
        assert view.token_key == f"1:{token}"
        assert view.token_symbol == f"S{token[-4:]}"


def test_all_names_of_the_coin_are_one_asset() -> None:
    ranks = TokenRanks(RULES.chains[1])
    assert ranks.asset(COIN) == ranks.asset(WETH) == WETH
    assert ranks.asset(X) == X


def test_only_pools_with_a_listed_token_price_anything() -> None:
    def is_observed(token: str, quote: str, **changes: Any) -> bool:
        view = views().view(pool_swap(token, quote, (1, -1), **changes))
        assert not isinstance(view, Refusal)
        return view.is_observed

    assert is_observed(X, WBTC)
    assert is_observed(DAI, USDC)
    assert not is_observed(X, Y)
    assert not is_observed(COIN, WETH)
    assert not is_observed(WETH, USDC, venue="uniswap_v4")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"decimals0": None}, "decimals_unknown"),
        ({"decimals1": 37}, "decimals_unknown"),
        ({"decimals1": -1}, "decimals_unknown"),
        ({"token0": "0xabc"}, "bad_field"),
        ({"token1": "0x" + "AB" * 20}, "bad_field"),
        ({"token0": X, "token1": X}, "bad_field"),
        ({"pool": "pool"}, "bad_field"),
        ({"venue": "uni swap"}, "bad_field"),
        ({"venue": ""}, "bad_field"),
    ],
)
def test_pools_that_cannot_be_booked_are_refused(changes: dict[str, Any], reason: str) -> None:
    found = views().view(pool_swap(X, USDC, (1, -1), **changes))
    assert isinstance(found, Refusal)
    assert found.reason == reason


def test_tokens_on_either_side_and_pools_can_be_denied() -> None:
    def is_denied(token: str, quote: str, **changes: Any) -> bool:
        view = views().view(pool_swap(token, quote, (1, -1), **changes))
        assert not isinstance(view, Refusal)
        return view.is_denied

    assert is_denied(address(9), X)
    assert is_denied(X, address(9))
    assert is_denied(X, USDC, pool="0xbad")
    assert not is_denied(X, USDC)

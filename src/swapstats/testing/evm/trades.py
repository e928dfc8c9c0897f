"""What traders of the test market do: one random transaction at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from swapstats.testing.evm.abi import call_data
from swapstats.testing.evm.market import POOL_KEY, V3_FEE, Market

_FOREVER: Final = 2**40
_ROOT_PRICE_MIN: Final = 4295128740
_ROOT_PRICE_MAX: Final = 1461446703485210103287273052203988822378723970341
_V2_SWAP: Final = "swapExactTokensForTokens(uint256,uint256,address[],address,uint256)"
_V2_SWAP_OUT: Final = "swapTokensForExactTokens(uint256,uint256,address[],address,uint256)"
_V2_SWAP_WITH_FEE: Final = (
    "swapExactTokensForTokensSupportingFeeOnTransferTokens"
    "(uint256,uint256,address[],address,uint256)"
)
_V3_SWAP: Final = (
    "exactInputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))"
)
_V4_SWAP: Final = f"swap({POOL_KEY},(bool,int256,uint160),(bool,bool),bytes)"


@dataclass(frozen=True, slots=True)
class Trade:
    """One transaction to be signed.

    Attributes:
        kind: what it is, for people.
        to: contract called.
        data: call data.
    """

    kind: str
    to: str
    data: bytes


def random_trade(random: Random, market: Market, trader: str) -> Trade:
    """Choose what `trader` does next; at times it is no swap, or fails."""
    choices = list(_KINDS)
    kind = random.choices(choices, [_KINDS[choice][0] for choice in choices])[0]
    return _KINDS[kind][1](kind, random, market, trader)


def _size(random: Random, most: int) -> int:
    """An amount anywhere between a millionth of `most` and all of it."""
    return max(1, int(most * 10 ** random.uniform(-6, 0)))


def _unit(market: Market, token: str) -> int:
    """About what a thousand dollars of a token are."""
    return {
        market.weth: 10**18 // 3,
        market.usdc: 1_000 * 10**6,
        market.foo: 1_600 * 10**18,
        market.fee_token: 300 * 10**18,
        market.old_token: 6_000 * 10**9,
    }.get(token, 6_000 * 10**18)


def _v2(kind: str, random: Random, market: Market, trader: str) -> Trade:
    """Swap in one pair."""
    path = [random.choice((market.usdc, market.foo, market.old_token)), market.weth]
    return _v2_along(kind, random, market, trader, path)


def _v2_odd(kind: str, random: Random, market: Market, trader: str) -> Trade:
    """Swap a token that does not describe itself."""
    path = [random.choice((market.mute_token, market.absurd_token)), market.weth]
    return _v2_along(kind, random, market, trader, path)


def _v2_hops(kind: str, random: Random, market: Market, trader: str) -> Trade:
    """Swap over WETH: two swaps in one transaction."""
    ends = random.sample((market.usdc, market.foo, market.old_token, market.mute_token), 2)
    return _v2_along(kind, random, market, trader, [ends[0], market.weth, ends[1]])


def _v2_along(kind: str, random: Random, market: Market, trader: str, path: list[str]) -> Trade:
    path = path[:: random.choice((1, -1))]
    amount = _size(random, 5 * _unit(market, path[0]))
    data = call_data(_V2_SWAP, amount, 0, path, trader, _FOREVER)
    return Trade(kind, market.v2_router, data)


def _v2_exact_out(kind: str, random: Random, market: Market, trader: str) -> Trade:
    """Buy an exact amount."""
    path = [market.weth, random.choice((market.usdc, market.foo))]
    amount = _size(random, _unit(market, path[1]))
    data = call_data(_V2_SWAP_OUT, amount, 2**200, path, trader, _FOREVER)
    return Trade(kind, market.v2_router, data)


def _fee_on_transfer(kind: str, random: Random, market: Market, trader: str) -> Trade:
    """Swap a token that takes a part of each transfer."""
    path = [market.fee_token, market.weth][:: random.choice((1, -1))]
    amount = max(1_000, _size(random, 5 * _unit(market, path[0])))
    data = call_data(_V2_SWAP_WITH_FEE, amount, 0, path, trader, _FOREVER)
    return Trade(kind, market.v2_router, data)


def _v3(kind: str, random: Random, market: Market, trader: str) -> Trade:
    """Swap in the pool of V3."""
    given, taken = random.sample((market.usdc, market.weth), 2)
    amount = _size(random, 5 * _unit(market, given))
    data = call_data(_V3_SWAP, (given, taken, V3_FEE, trader, _FOREVER, amount, 0, 0))
    return Trade(kind, market.v3_router, data)


def _v4(kind: str, random: Random, market: Market, trader: str) -> Trade:
    """Swap in the pool of V4, for an exact amount given or taken."""
    del trader
    zero_for_one = random.random() < 0.5
    gives = random.random() < 0.7
    counted = market.token0 if zero_for_one == gives else market.token1
    amount = _size(random, 3 * _unit(market, counted))
    limit = _ROOT_PRICE_MIN if zero_for_one else _ROOT_PRICE_MAX
    asked = (zero_for_one, -amount if gives else amount, limit)
    data = call_data(_V4_SWAP, market.v4_key, asked, (False, False), b"")
    return Trade(kind, market.v4_swaps, data)


def _flash(kind: str, random: Random, market: Market, trader: str) -> Trade:
    """Borrow both tokens of a pair and pay both back: both directions in one swap."""
    del trader
    token = random.choice((market.usdc, market.foo))
    amounts = {
        token: 50 + _size(random, _unit(market, token)),
        market.weth: 50 + _size(random, _unit(market, market.weth)),
    }
    first, second = sorted(amounts)
    data = call_data(
        "flash(address,uint256,uint256)",
        market.v2_pairs[token], amounts[first], amounts[second],
    )  # fmt: skip
    return Trade(kind, market.borrower, data)


def _transfer(kind: str, random: Random, market: Market, trader: str) -> Trade:
    """Move a token: logs, but no swap."""
    del trader
    token = random.choice((market.usdc, market.foo, market.old_token))
    data = call_data(
        "transfer(address,uint256)", market.borrower, _size(random, _unit(market, token))
    )
    return Trade(kind, token, data)


def _failing(kind: str, random: Random, market: Market, trader: str) -> Trade:
    """Ask for more than there is: the transaction is in the block, its swap is not."""
    amount = _size(random, _unit(market, market.usdc))
    data = call_data(_V2_SWAP, amount, 2**200, [market.usdc, market.weth], trader, _FOREVER)
    return Trade(kind, market.v2_router, data)


_KINDS: Final[dict[str, tuple[int, Callable[[str, Random, Market, str], Trade]]]] = {
    "v2": (25, _v2),
    "v2_odd": (5, _v2_odd),
    "v2_hops": (15, _v2_hops),
    "v2_exact_out": (8, _v2_exact_out),
    "fee_on_transfer": (8, _fee_on_transfer),
    "v3": (15, _v3),
    "v4": (12, _v4),
    "flash": (5, _flash),
    "transfer": (4, _transfer),
    "failing": (3, _failing),
}
"""Kind -> how often it is chosen, and how it is made."""

"""Factories whose pools are what they say, by chain; a pool is of one only if the factory agrees.

Anybody can write a contract that logs swaps and says that its tokens are well-known ones. What such
a contract logs is no trade, and would be booked, and price other tokens, like one. So all pools of
a chain are believed only if that was asked for.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from swapstats.errors import Rejected

ANY: Final = "any"
"""Given instead of factories: believe every contract."""

_UNISWAP_V3: Final = "0x1f98431c8ad98523631ae4a59f267346ea31f984"
_SUSHISWAP_V2: Final = "0xc35dadb65012ec5796536bd9864ed8773abc74c4"

KNOWN_FACTORIES: Final[Mapping[int, tuple[str, ...]]] = MappingProxyType(
    {
        1: (
            "0x5c69bee701ef814a2b6a3edd4b1652cb9cc5aa6f",  # Uniswap V2
            _UNISWAP_V3,
            "0xc0aee478e3658e2610c5f7a4a2e1777ce9e4f2ac",  # SushiSwap V2
        ),
        10: (
            "0x0c3c1c532f1e39edf36be9fe0be1410313e074bf",  # Uniswap V2
            _UNISWAP_V3,
        ),
        56: (
            "0xca143ce32fe78f1f7019d7d551a6402fc5350c73",  # PancakeSwap V2
            "0x8909dc15e40173ff4699343b6eb8132c65e18ec6",  # Uniswap V2
            "0xdb1d10011ad0ff90774d0c6bb92e5c5c8b4461f7",  # Uniswap V3
        ),
        137: (
            "0x5757371414417b8c6caad45baef941abc7d3ab32",  # QuickSwap V2
            "0x9e5a52f57b3038f1b8eee45f28b3c1967e22799c",  # Uniswap V2
            _UNISWAP_V3,
            _SUSHISWAP_V2,
        ),
        8453: (
            "0x8909dc15e40173ff4699343b6eb8132c65e18ec6",  # Uniswap V2
            "0x33128a8fc17869897dce68ed026d694621f6fdfd",  # Uniswap V3
        ),
        42161: (
            "0xf1d7cc64fb4452f05c498126312ebe29f30fbcf9",  # Uniswap V2
            _UNISWAP_V3,
            _SUSHISWAP_V2,
        ),
    }
)
"""Chain id -> addresses, as the projects list their deployments."""


def chosen_factories(
    chain_id: int, pools: Collection[str], given: Collection[str]
) -> tuple[str, ...]:
    """Say which factories have to know a pool; empty = none has to.

    Args:
        chain_id: EIP-155 id.
        pools: pools that were named: whoever names a pool believes it.
        given: factories that were named, or `any`.

    Raises:
        Rejected: nothing was named, and no factory of the chain is known.
    """
    if ANY in given:
        if len(given) > 1:
            raise Rejected(f"Expected factories, or `{ANY}` alone, was both: leave one of them out")
        return ()
    if given or pools:
        return tuple(given)
    known = KNOWN_FACTORIES.get(chain_id)
    if known is None:
        raise Rejected(
            f"Expected factories or pools of chain {chain_id}, of which none are known, was none: "
            f"name them, or give `{ANY}` as its factories to believe every contract that logs "
            "swaps, which anybody can write"
        )
    return known

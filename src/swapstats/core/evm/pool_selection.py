"""Which pools count, and what is to be asked of a node to find their swaps."""

from collections.abc import Collection
from typing import Final

from swapstats.core.evm import uniswap_v2, uniswap_v3, uniswap_v4
from swapstats.core.evm.known_factories import ANY
from swapstats.core.evm.registry import Registry

ADDRESS_CHARS: Final = 42


def known_managers(
    chain_id: int, pools: Collection[str], factories: Collection[str]
) -> tuple[str, ...]:
    """The chain's pool manager of Uniswap V4, unless only pools that are none of its are wanted."""
    known = uniswap_v4.POOL_MANAGERS.get(chain_id)
    wants_any = not pools and (not factories or ANY in factories)
    wants_ids = any(len(pool) > ADDRESS_CHARS for pool in pools)
    return (known,) if known is not None and (wants_any or wants_ids) else ()


class PoolSelection:
    """The pools of one chain that count.

    Args:
        pools: addresses of V2 and V3 pools, ids of V4 pools; empty = all.
        factories: V2 and V3 pools count only if one of these knows them; empty = all.
        v4_managers: contracts whose V4 pools count.
    """

    def __init__(
        self, pools: Collection[str], factories: Collection[str], v4_managers: Collection[str]
    ) -> None:
        self._pools = frozenset(pools)
        self.factories = frozenset(factories)
        self.managers = frozenset(v4_managers)

    def holds(self, pool: str) -> bool:
        """Whether a pool counts, as far as it was named; factories are asked elsewhere."""
        return not self._pools or pool in self._pools

    @property
    def addresses(self) -> list[str]:
        """Contracts whose logs are wanted; empty = of all."""
        if not self._pools:
            return []
        named = {pool for pool in self._pools if len(pool) == ADDRESS_CHARS}
        if len(named) < len(self._pools):
            named |= self.managers
        return sorted(named)

    def registry(self) -> Registry:
        """Events that are wanted."""
        registry = Registry({}).with_events(uniswap_v2.SWAP, uniswap_v3.SWAP)
        if not self.managers:
            return registry
        return registry.with_events(
            uniswap_v4.swap_event(self.managers), uniswap_v4.pool_event(self.managers)
        )

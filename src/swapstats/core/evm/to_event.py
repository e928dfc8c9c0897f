"""From a decoded swap to the raw event that is written to the raw log."""

from swapstats.core.evm.logs import DecodedSwap, PoolTokens
from swapstats.model.raw_event import PoolSwap


def to_event(
    swap: DecodedSwap,
    pool: PoolTokens,
    block_time_ms: int,
    chain_id: int,
    inclusion: int = 0,
    removed: bool = False,
) -> PoolSwap:
    """Make the raw event of a swap.

    Args:
        swap: as decoded.
        pool: the two tokens of its pool.
        block_time_ms: time of its block, ms since epoch.
        chain_id: EIP-155 id.
        inclusion: which inclusion of this log.
        removed: True to take that inclusion back: all else must be the same.
    """
    return PoolSwap(
        chain_id=chain_id,
        block_number=swap.block_number,
        block_hash=swap.block_hash,
        tx_hash=swap.tx_hash,
        log_index=swap.log_index,
        inclusion=inclusion,
        removed=removed,
        event_time=block_time_ms,
        venue=swap.venue,
        pool=swap.pool,
        token0=pool.token0,
        token1=pool.token1,
        amount0=str(swap.amount0),
        amount1=str(swap.amount1),
        decimals0=pool.decimals0,
        decimals1=pool.decimals1,
        symbol0=pool.symbol0,
        symbol1=pool.symbol1,
        trader=swap.trader,
        depth0=None if swap.depth0 is None else str(swap.depth0),
        depth1=None if swap.depth1 is None else str(swap.depth1),
    )

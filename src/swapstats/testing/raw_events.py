"""Raw events for tests: one pool swap or trade with everything filled in, and batches of them."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np

from swapstats.core.preprocess.token_lists import DEFAULT_CHAINS
from swapstats.model.raw_event import ExchangeTrade, PoolSwap, RawEvent
from swapstats.model.record import MessageBlock, RecordBatch

USDC, USDT, DAI = DEFAULT_CHAINS[1].stables
WETH, COIN = DEFAULT_CHAINS[1].natives
WBTC = DEFAULT_CHAINS[1].others[0]
PLACES: Final = {USDC: 6, USDT: 6, DAI: 18, WETH: 18, COIN: 18, WBTC: 8}
"""Decimals of listed tokens; 18 for all others."""
FIRST_MS: Final = 1_700_000_000_000
FIRST_BLOCK: Final = 18_000_000
BLOCK_MS: Final = 12_000


def address(number: int) -> str:
    """Address of a token or pool that is on no list."""
    return f"0x{0xEE00 + number:040x}"


def block_hash(number: int, branch: int = 0) -> str:
    """Hash of a block; one height has one for each branch."""
    return f"0x{number:032x}{branch:032x}"


def places(token: str) -> int:
    """Decimals of a token."""
    return PLACES.get(token, 18)


def pool_swap(
    token: str, quote: str, amounts: tuple[int, int], depths: tuple[int, int] | None = None,
    *, block: int = 0, log_index: int = 0, **changes: Any,
) -> PoolSwap:  # fmt: skip
    """Make one swap.

    Args:
        token: one token of the pool.
        quote: the other; the pool's order is by address.
        amounts: of `token` and `quote`, smallest units, pool's view.
        depths: of both, smallest units.
        block: height above FIRST_BLOCK; also says the time and, without `changes`, the hash.
        log_index: place within it.
        changes: fields by name.
    """
    sides = [(token, amounts[0], depths and depths[0]), (quote, amounts[1], depths and depths[1])]
    (token0, amount0, depth0), (token1, amount1, depth1) = sorted(sides)
    fields: dict[str, Any] = {
        "chain_id": 1,
        "block_number": FIRST_BLOCK + block,
        "block_hash": block_hash(block),
        "tx_hash": f"0x{block:060x}{log_index:04x}",
        "log_index": log_index,
        "event_time": FIRST_MS + block * BLOCK_MS,
        "venue": "uniswap_v3",
        "pool": f"0x{token0[-20:]}{token1[-20:]}",
        "token0": token0,
        "token1": token1,
        "amount0": str(amount0),
        "amount1": str(amount1),
        "decimals0": places(token0),
        "decimals1": places(token1),
        "symbol0": f"S{token0[-4:]}",
        "symbol1": f"S{token1[-4:]}",
        "depth0": None if depth0 is None else str(depth0),
        "depth1": None if depth1 is None else str(depth1),
    }
    return PoolSwap(**(fields | changes))


def exchange_trade(
    base: str, quote: str, price: str, quantity: str = "1", **changes: Any
) -> ExchangeTrade:
    """Make one trade; `changes` are fields by name."""
    fields: dict[str, Any] = {
        "venue": "binance",
        "market": f"{base}{quote}",
        "trade_id": "1",
        "base": base,
        "quote": quote,
        "price": price,
        "quantity": quantity,
        "side": "buy",
        "event_time": FIRST_MS,
    }
    return ExchangeTrade(**(fields | changes))


def whole(token: str, amount: int) -> int:
    """Smallest units of so many whole tokens."""
    units: int = amount * 10 ** places(token)
    return units


def batch_of(
    events: Sequence[RawEvent | bytes], append_ms: int | None = None, first_offset: int = 0
) -> RecordBatch:
    """Lay events end to end as records.

    Args:
        events: events, or messages as they are.
        append_ms: when the log took them; None = each at its own time.
        first_offset: offset of the first.
    """
    messages = [
        event if isinstance(event, bytes) else msgspec.json.encode(event) for event in events
    ]
    times = [
        append_ms if append_ms is not None
        else FIRST_MS if isinstance(event, bytes) else event.event_time
        for event in events
    ]  # fmt: skip
    block = MessageBlock.of(messages)
    offsets = np.arange(first_offset, first_offset + len(messages), dtype=np.int64)
    return RecordBatch(0, offsets, np.array(times, dtype=np.int64), block.buffer, block.bounds)

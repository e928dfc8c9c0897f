"""The collectors of swapstats as a library, for any asyncio program.

    async for event in evm(["https://your.node/key"], chain_id=1, state="swaps.db"): ...
    async for trade in exchange("binance", ["BTCUSDT"], state="trades.db"): ...
    async for swap in priced(exchange("binance", ["BTCUSDT"])): ...

Every error raised on purpose is a `SwapstatsError`.
"""

from swapstats.collect.events import Events
from swapstats.collect.merging import merged
from swapstats.collect.pricing import OnRefused, Pricer, log_refused, priced
from swapstats.collect.sources import evm, exchange
from swapstats.collect.swap import Swap
from swapstats.core.preprocess.refusal import Refusal
from swapstats.core.preprocess.rules import PriceRules
from swapstats.core.preprocess.token_lists import DEFAULT_CHAINS, ChainTokens
from swapstats.errors import Fenced, Rejected, StoreError, SwapstatsError, UsageError
from swapstats.model.raw_event import ExchangeTrade, PoolSwap, RawEvent
from swapstats.ports.source import SourceStatus

__all__ = [
    "DEFAULT_CHAINS",
    "ChainTokens",
    "Events",
    "ExchangeTrade",
    "Fenced",
    "OnRefused",
    "PoolSwap",
    "PriceRules",
    "Pricer",
    "RawEvent",
    "Refusal",
    "Rejected",
    "SourceStatus",
    "StoreError",
    "Swap",
    "SwapstatsError",
    "UsageError",
    "evm",
    "exchange",
    "log_refused",
    "merged",
    "priced",
]

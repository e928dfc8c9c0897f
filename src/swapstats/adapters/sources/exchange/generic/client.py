"""What the generic source needs of a library for exchanges, and ccxt behind it.

ccxt is an optional dependency: `pip install 'swapstats[ccxt]'`.
"""

from collections.abc import Awaitable, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol

from swapstats.adapters.sources.exchange.generic.unified import Unified
from swapstats.adapters.sources.exchange.plain_texts import SHOWN_CHARS_MAX
from swapstats.errors import Rejected, Transient, UsageError


class GenericClient(Protocol):
    """An exchange, through a library. Every verb raises Transient or Rejected, nothing else."""

    async def markets(self) -> Mapping[str, Unified]:
        """All markets by symbol."""
        ...

    async def watch(self, symbol: str) -> Sequence[Unified]:
        """Wait for trades; those that came since the last call, as far as they are known."""
        ...

    async def fetch(self, symbol: str, since_ms: int | None) -> Sequence[Unified]:
        """Ask for trades since a time, or for the newest; how many come, the exchange decides."""
        ...

    async def close(self) -> None:
        """Close all connections; the next verb makes new ones."""
        ...


class CcxtClient:
    """One exchange through ccxt.pro.

    Args:
        exchange_id: as ccxt calls it, such as `gate`.
        settings: more for ccxt, such as `urls` or a proxy.

    Raises:
        UsageError: ccxt is not installed, or cannot watch trades of that exchange.
    """

    def __init__(self, exchange_id: str, settings: Mapping[str, object] | None = None) -> None:
        try:
            self._ccxt: Any = import_module("ccxt.pro")
        except ImportError as error:
            raise UsageError(
                "Expected ccxt for exchanges without a source of their own, was not installed: "
                "pip install 'swapstats[ccxt]'"
            ) from error
        if exchange_id not in self._ccxt.exchanges:
            raise UsageError(
                f"Expected an exchange that ccxt.pro knows, such as gate, was {exchange_id!r}"
            )
        config = {"enableRateLimit": True, "newUpdates": True, "number": str, **(settings or {})}
        self._exchange: Any = getattr(self._ccxt, exchange_id)(config)
        if not self._exchange.has.get("watchTrades"):
            raise UsageError(
                f"Expected an exchange whose trades ccxt.pro can watch, was {exchange_id!r}"
            )

    async def markets(self) -> Mapping[str, Unified]:
        """All markets by symbol."""
        markets: Mapping[str, Unified] = await self._told(self._exchange.load_markets())
        return markets

    async def watch(self, symbol: str) -> Sequence[Unified]:
        """Wait for trades; those that came since the last call, as far as ccxt kept them."""
        rows: Sequence[Unified] = await self._told(self._exchange.watch_trades(symbol))
        return [dict(row) for row in rows]

    async def fetch(self, symbol: str, since_ms: int | None) -> Sequence[Unified]:
        """Ask for trades since a time, or for the newest.

        Raises:
            Rejected: the exchange cannot be asked.
        """
        if not self._exchange.has.get("fetchTrades"):
            raise Rejected(f"{self._exchange.id} tells no past trades")
        rows: Sequence[Unified] = await self._told(self._exchange.fetch_trades(symbol, since_ms))
        return rows

    async def close(self) -> None:
        """Close all connections; the next verb makes new ones."""
        await self._exchange.close()

    async def _told(self, answer: Awaitable[Any]) -> Any:
        """Wait for an answer; what goes wrong becomes Transient or Rejected."""
        try:
            return await answer
        except self._ccxt.NetworkError as error:
            raise Transient(_words(error)) from error
        except self._ccxt.BaseError as error:
            raise Rejected(_words(error)) from error
        except Exception as error:
            raise Transient(f"ccxt failed: {_words(error)}") from error


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:SHOWN_CHARS_MAX]

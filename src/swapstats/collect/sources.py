"""Chains and exchanges to iterate over."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from swapstats.adapters.sources.evm.options import EvmOptions, Provider
from swapstats.adapters.sources.evm.source import EvmSource
from swapstats.adapters.sources.exchange.open import Budgets, exchange_source
from swapstats.adapters.system_clock import SystemClock
from swapstats.collect.events import Events
from swapstats.core.evm.known_factories import chosen_factories
from swapstats.core.evm.pool_selection import known_managers
from swapstats.model.raw_event import ExchangeTrade, PoolSwap

_BUDGETS: Final = Budgets()
"""Exchanges count the requests of an address, whichever source makes them."""


def evm(
    rpc: Sequence[str] | str,
    chain_id: int,
    *,
    start: int | None = None,
    pools: Sequence[str] = (),
    factories: Sequence[str] | str = (),
    v4_managers: Sequence[str] = (),
    confirmations: int | None = None,
    poll_interval_ms: int = 1_000,
    state: Path | str | None = None,
    name: str | None = None,
) -> Events[PoolSwap]:
    """Collect the swaps of an EVM chain: Uniswap V2, V3, V4 and forks with the same events.

    What leaves the chain comes again with `removed` set; what comes back has a higher `inclusion`.

    Args:
        rpc: nodes, `http://` or `https://`; the first is asked first, the others when it fails.
            They may hold keys: no message quotes them.
        chain_id: EIP-155 id; a node of another chain is not used.
        start: first block to read; None = from the newest final block on. A kept position wins.
        pools: addresses of V2 and V3 pools, ids of V4 pools; empty = all that `factories` know.
        factories: of V2 and V3 pools: only their pools count; empty = the known ones of the chain,
            if no pools are named; `any` = believe every contract, also one that invents its swaps.
        v4_managers: pool managers of V4; empty = the known one of the chain, if its pools count.
        confirmations: how many blocks below the head are final; None = what the chain calls final.
        poll_interval_ms: pause between two looks at the head.
        state: file that keeps the position; None = in memory only.
        name: of the chain, for people and in the state; None = `chain-` and its id.

    Raises:
        Rejected: a value that cannot be used.
    """
    wanted, made = _lower(pools), _lower(factories)
    options = EvmOptions(
        chain=name or f"chain-{chain_id}",
        chain_id=chain_id,
        providers=tuple(Provider(url) for url in _listed(rpc)),
        start_block=start,
        pools=wanted,
        factories=chosen_factories(chain_id, wanted, made),
        v4_managers=_lower(v4_managers) or known_managers(chain_id, wanted, made),
        confirmations=confirmations,
        poll_interval_ms=poll_interval_ms,
    )
    return Events(EvmSource(options, SystemClock()), PoolSwap, state)


def exchange(
    venue: str,
    markets: Sequence[str] | str,
    *,
    state: Path | str | None = None,
    name: str | None = None,
    api_key: str = "",
    stream_url: str = "",
    rest_url: str = "",
) -> Events[ExchangeTrade]:
    """Collect the public trades of an exchange; what was missed is asked for.

    Args:
        venue: `binance`, `binance-usdm`, `bybit`, `coinbase`, `kraken` or `okx`.
        markets: as the exchange writes them, such as `BTCUSDT`; case does not matter.
        state: file that keeps the position; None = in memory only.
        name: in the state; None = the venue's. Two of one venue need two names.
        api_key: of an account, where history asks for one (`binance-usdm`).
        stream_url: address of the streams, if not the exchange's own.
        rest_url: address of its REST API, likewise.

    Raises:
        UsageError: there is no such venue.
        Rejected: no market, one twice, or too many.
    """
    source = exchange_source(
        venue, _listed(markets), SystemClock(),
        stream_url=stream_url, rest_url=rest_url, api_key=api_key, budgets=_BUDGETS,
    )  # fmt: skip
    return Events(source, ExchangeTrade, state, name)


def _listed(given: Sequence[str] | str) -> Sequence[str]:
    return (given,) if isinstance(given, str) else given


def _lower(given: Sequence[str] | str) -> tuple[str, ...]:
    return tuple(text.lower() for text in _listed(given))

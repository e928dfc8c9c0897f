"""Keys of sources: chains, exchanges, the demo market.

A part of the table of every key; `stream.py` says how to read it.
"""
# ruff: noqa: RUF009 - key() declares a field, as dataclasses.field() does

from collections.abc import Mapping
from dataclasses import dataclass, field

from swapstats.settings.exchanges import BinanceSource, BinanceUsdmSource
from swapstats.settings.key import MINUTE_MS, SECOND_MS, key
from swapstats.settings.kinds import INTEGER, LIST, MAP, SECRET, SPAN, Secret


@dataclass(frozen=True, slots=True)
class DemoSource:
    """The seeded demo market."""

    seed: int = key(
        "seed", INTEGER, "1", "Seed: the same seed makes the same market.", bounds=(0, 2**31 - 1)
    )
    rate: int = key(
        "rate", INTEGER, "1000", "Swaps per second.", bounds=(1, 1_000_000), unit="swaps/s"
    )
    tokens: int = key(
        "tokens", INTEGER, "3000", "Tokens in the market.", bounds=(1, 100_000), unit="tokens"
    )


@dataclass(frozen=True, slots=True)
class EvmSource:
    """Swaps of EVM chains, from their nodes. Maps go by the chain's name."""

    chains: Mapping[str, str] = key(
        "chains",
        MAP,
        {"ethereum": "1", "base": "8453", "arbitrum": "42161", "polygon": "137", "bsc": "56"},
        "Names of chains, each with its chain id. `evm` follows those that have nodes in "
        "`source.evm.rpc`, `evm:NAME` one of them.",
        bounds=(1, 64),
    )
    rpc: Secret = key(
        "rpc",
        SECRET,
        "",
        "Nodes, as `NAME=URL` or `NAME=URL WEIGHT` one a line, in the order they are asked; a URL "
        "may hold a key, so best by file. `--rpc URL` is one of the only chain, or of `ethereum`.",
        flag="--rpc",
    )
    start: Mapping[str, str] = key(
        "start",
        MAP,
        {},
        "First block of a chain at its first start; without one, its newest final block.",
        bounds=(0, 64),
    )
    pools: Mapping[str, str] = key(
        "pools",
        MAP,
        {},
        "Pools to follow, with blanks between: addresses, or ids of Uniswap V4; without one, "
        "all that a factory or a manager knows.",
        bounds=(0, 64),
    )
    factories: Mapping[str, str] = key(
        "factories",
        MAP,
        {},
        "Factories whose pools are followed, with blanks between; without one, the known ones of "
        "the chain, unless pools are named. `any` = believe every contract, also one that invents "
        "swaps.",
        bounds=(0, 64),
    )
    v4_managers: Mapping[str, str] = key(
        "v4_managers",
        MAP,
        {},
        "Pool managers of Uniswap V4 to listen to, with blanks between; without one, the known.",
        bounds=(0, 64),
    )
    confirmations: Mapping[str, str] = key(
        "confirmations",
        MAP,
        {},
        "Blocks after which a block of a chain is final; without one, what its node calls "
        "`finalized`.",
        bounds=(0, 64),
    )
    poll_interval_ms: int = key(
        "poll_interval",
        SPAN,
        "1s",
        "How often a node is asked for its newest block.",
        bounds=(100, MINUTE_MS),
    )
    stale_ms: int = key(
        "stale",
        SPAN,
        "60s",
        "A node whose newest block has not changed for so long is passed over.",
        bounds=(SECOND_MS, 60 * MINUTE_MS),
    )


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """Where swaps come from."""

    use: tuple[str, ...] = key(
        "use",
        LIST,
        ("auto",),
        "Sources to run; `auto` = Binance if it can be reached, else the demo market.",
        bounds=(1, 64),
        flag="--source",
    )
    auto_wait_ms: int = key(
        "auto_wait",
        SPAN,
        "3s",
        "How long `auto` waits for Binance before it takes the demo market.",
        bounds=(100, MINUTE_MS),
    )
    backfill_trades_max: int = key(
        "backfill_trades_max",
        INTEGER,
        "100000",
        "Missing trades that an exchange is asked for at most, a market and gap; older ones stay "
        "missing, and the source says so.",
        bounds=(1, 10_000_000),
        unit="trades",
    )
    exchange_batch_ms: int = key(
        "exchange_batch",
        SPAN,
        "100ms",
        "A connection to an exchange rests so long after each read, and what comes meanwhile is "
        "one batch: no trade waits longer, one after a quiet time not at all. Shorter costs more "
        "processor time a trade.",
        bounds=(0, SECOND_MS),
    )
    demo: DemoSource = field(default_factory=DemoSource)
    binance: BinanceSource = field(default_factory=BinanceSource)
    binance_usdm: BinanceUsdmSource = field(default_factory=BinanceUsdmSource)
    evm: EvmSource = field(default_factory=EvmSource)

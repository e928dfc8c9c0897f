"""What decides about prices: token lists, floors, bounds, horizons. Plain values.

A state belongs to the rules it was made with (`PriceRules.digest`): other rules would book a
removal differently from its addition.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final

import msgspec

from swapstats.core.preprocess.token_lists import DEFAULT_CHAINS, ChainTokens
from swapstats.errors import Rejected

MICROS: Final = 1_000_000
BPS: Final = 10_000

DEFAULT_DOLLARS: Final = ("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "DAI", "USDP", "PYUSD")
DEFAULT_RATE_ASSETS: Final = (
    "BTC", "ETH", "BNB", "SOL", "XRP", "TRX", "DOGE", "POL", "MATIC",
    "EUR", "GBP", "TRY", "JPY", "BRL", "AUD", "KRW",
)  # fmt: skip

DEFAULT_ROUTERS: Final = frozenset(
    {
        "0x7a250d5630b4cf539739df2c5dacb4c659f2488d",  # Uniswap V2 router
        "0xe592427a0aece92de3edee1f18e0157c05861564",  # Uniswap V3 router
        "0x68b3465833fb72a70ecdf485e0e4c7bd8665fc45",  # Uniswap V3 router 2
        "0x3fc91a3afd70395cd496c647d5a6cc9d4b2b7fad",  # Uniswap universal router
        "0x10ed43c718714eb63d5aa57b78b54704e256024e",  # PancakeSwap V2 router
        "0x13f4ea83d0bd40e75c8222255bc855a974568dd4",  # PancakeSwap smart router
        "0xd9e1ce17f2641f24ae83637ab66a2cca9c378b9f",  # SushiSwap router
        "0x1111111254eeb25477b68fb85ed929f73a960582",  # 1inch V5
        "0xdef1c0ded9bec7f1a1670819833240f027b25eff",  # 0x exchange proxy
    }
)
"""Contracts that swap on behalf of many: well-known ones, far from all."""

_is_address = re.compile(r"0x[0-9a-f]{40}").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRules:
    """How raw events are priced, filtered and remembered.

    Attributes:
        chains: the chains that may be preprocessed, by EIP-155 id, each with its token lists.
        fiat: the exchange asset whose rate is 1 by definition.
        dollars: exchange assets that promise to be worth a dollar each.
        rate_assets: exchange assets beside `dollars` that may be the quote of another trade, or
            price a token of a chain: trades of their dollar markets are remembered.
        liquidity_floor_micros: a pool prices nothing unless it holds as much of the better known
            token, in micro-dollars. Of concentrated liquidity the virtual reserve counts, which is
            more than what lies there: be generous.
        depeg_bps: a stable whose market rate is off by more than this many 1/10,000 counts at
            its market rate, not as a dollar.
        unbacked_venues: what their pools hold prices nothing. Where trades are settled together at
            the end, whoever adds liquidity and takes it away again within one transaction pays
            nothing for it, at a price of their own and in as many pools as they like.
        dust_micros: swaps worth less are filtered out, in micro-dollars; 0 = none are. What has
            no price is kept.
        deny: what is filtered out: token keys (either side of a pool), pools as
            `<chain_id>:<pool>`, markets as `<venue>:<market>`.
        observation_ms: how long what a pool held prices anything.
        rate_ms: how long a trade of an exchange gives a rate.
        horizon_ms: how long blocks and their prices are kept for duplicates and removals, by event
            time behind the newest of the chain.
        horizon_blocks: how many blocks with swaps are kept for it at most, a chain.
        horizon_seconds: how many seconds behind the newest trade rates of exchanges are kept.
        max_ahead_ms: how far an event may lie after the time its record was appended.
        candle_minutes: how many minutes of a token stay open for late trades and removals.
        candle_trades: how many trades all open minutes may hold; beyond it those of the token
            longest silent are closed.
        candle_floor_micros: trades worth less make no price: of so few smallest units, rounding
            is a visible part.
        wash_window_ms: within how long buying and selling by one trader is flagged.
        routers: senders that trade for others: never flagged.
        markets_max: markets whose trades give rates; the one longest silent goes.
        pools_max: pools that are remembered, a chain; the one longest silent goes.
        tokens_max: tokens whose newest price is remembered; the one longest silent goes.
        traders_max: pairs of trader and token that are remembered for flags.
    """

    chains: Mapping[int, ChainTokens] = field(default_factory=lambda: DEFAULT_CHAINS)
    fiat: str = "USD"
    dollars: tuple[str, ...] = DEFAULT_DOLLARS
    rate_assets: tuple[str, ...] = DEFAULT_RATE_ASSETS
    liquidity_floor_micros: int = 100_000 * MICROS
    depeg_bps: int = 200
    unbacked_venues: frozenset[str] = frozenset({"uniswap_v4"})
    dust_micros: int = 0
    deny: frozenset[str] = frozenset()
    observation_ms: int = 3_600_000
    rate_ms: int = 300_000
    horizon_ms: int = 3_600_000
    horizon_blocks: int = 1_024
    horizon_seconds: int = 3_600
    max_ahead_ms: int = 3_600_000
    candle_minutes: int = 15
    candle_trades: int = 200_000
    candle_floor_micros: int = MICROS
    wash_window_ms: int = 60_000
    routers: frozenset[str] = field(default_factory=lambda: DEFAULT_ROUTERS)
    markets_max: int = 2_000
    pools_max: int = 20_000
    tokens_max: int = 50_000
    traders_max: int = 50_000

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise Rejected(
                    f"Expected {name} of at least {least}, was {getattr(self, name)}: raise it"
                )
        if self.depeg_bps >= BPS:
            raise Rejected(f"Expected depeg_bps below {BPS}, was {self.depeg_bps}: lower it")
        for chain_id, tokens in self.chains.items():
            _check_tokens(chain_id, tokens)

    def digest(self) -> str:
        """Name everything that shapes a state, as 16 hex digits."""
        values = {each.name: _plain(getattr(self, each.name)) for each in fields(self)}
        packed = msgspec.msgpack.encode(values, order="deterministic")
        return hashlib.blake2b(packed, digest_size=8).hexdigest()


_LEAST: Final = {
    "liquidity_floor_micros": 1,
    "depeg_bps": 1,
    "dust_micros": 0,
    "observation_ms": 1,
    "rate_ms": 1_000,
    "horizon_ms": 60_000,
    "horizon_blocks": 2,
    "horizon_seconds": 60,
    "max_ahead_ms": 0,
    "candle_minutes": 1,
    "candle_trades": 1,
    "candle_floor_micros": 1,
    "wash_window_ms": 0,
    "markets_max": 1,
    "pools_max": 1,
    "tokens_max": 1,
    "traders_max": 1,
}


def _check_tokens(chain_id: int, tokens: ChainTokens) -> None:
    listed = (*tokens.stables, *tokens.natives, *tokens.others)
    for address in listed:
        if not _is_address(address):
            raise Rejected(
                f"Expected addresses of chain {chain_id} as 0x and 40 lower-case hex digits, "
                f"was {address!r}: correct it"
            )
    if len(set(listed)) != len(listed):
        raise Rejected(f"Expected each token of chain {chain_id} in one list: remove the repeats")
    for address in tokens.exchange_assets:
        if address not in listed:
            raise Rejected(
                f"Expected exchange assets of chain {chain_id} for listed tokens only, "
                f"was {address}: add it to stables, natives or others"
            )


def _plain(value: object) -> object:
    """Turn a value into what is packed the same whatever the order it was given in."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Mapping):
        return sorted((key, _plain(each)) for key, each in value.items())
    if isinstance(value, ChainTokens):
        return [value.stables, value.natives, value.others, _plain(value.exchange_assets)]
    return value
